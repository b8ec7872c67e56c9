// A process of one's own that joins in: looked at, held still, ended.

#include <catch2/catch.hpp>
#include <otter/exit.hpp>
#include <otter/monitor.hpp>
#include <otter/proc_lib.hpp>
#include <otter/receive.hpp>
#include <otter/sys.hpp>
#include <string>

#include "on_every_driver.hpp"
#include "trace.hpp"

using otter::exit_reason;
using trace::text;

namespace sys_test {

struct work {
  int n;
};

/// A process of one's own that joins in.
void desk(otter::pid watcher) {
  class my_callbacks : public otter::sys::callbacks {
   public:
    my_callbacks(otter::pid w, int& d) : callbacks(otter::proc_lib::parent()), watcher(w), done(d) {
      offer_state(done);
    }
    void terminate(exit_reason const& r) override {
      trace::tell(watcher, "terminate " + to_string(r));
    }
    std::string format_status() const override { return "done " + std::to_string(done); }
    otter::pid watcher;
    int& done;
  };
  otter::trap_exit(true);
  int done = 0;
  my_callbacks mine(watcher, done);
  otter::proc_lib::init_ack();
  for (;;) {
    otter::receive(
        [&](work w) {
          done += w.n;
          otter::sys::debug_event seen;
          seen.how = "work";
          mine.note(seen);
          trace::tell(watcher, "work " + std::to_string(w.n));
        },
        [&](otter::sys::system_request r) { otter::sys::handle_system_msg(r, mine); });
  }
}

}  // namespace sys_test

TEST_CASE("a process of one's own can be looked at, held still and ended", "[sys][SY-15]") {
  on_every_driver([](driver_report& report) {
    const otter::pid desk =
        otter::proc_lib::start_link({.name = "desk"}, sys_test::desk, otter::self()).value();
    otter::send(desk, sys_test::work{1});
    report.equal("works", trace::next(), "work 1");
    const std::string status = otter::sys::get_status("desk");
    report.check("status: " + status, status.find("done 1") != std::string::npos &&
                                          status.find("running") != std::string::npos);
    otter::sys::statistics(desk, otter::sys::debugging::on);
    otter::sys::suspend(desk);
    otter::send(desk, sys_test::work{2});
    report.equal("the state is offered", otter::sys::get_state<int>(desk), 1);
    otter::sys::replace_state<int>(desk, [](int& n) { n = 10; });
    report.check("held: " + otter::sys::get_status(desk),
                 otter::sys::get_status(desk).find("suspended") != std::string::npos);
    report.check("nothing was done", trace::mailbox_is_empty());
    otter::sys::resume(desk);
    report.equal("goes on", trace::next(), "work 2");
    report.equal("with that state", otter::sys::get_state<int>(desk), 12);
    report.equal("what it notes is counted", otter::sys::get_statistics(desk).value().messages_in,
                 1u);
    otter::stop(desk);
    report.equal("terminate", trace::next(), "terminate normal");
  });
}

TEST_CASE("a suspended process of one's own ends with its parent", "[sys][SY-15][SY-9]") {
  on_every_driver([](driver_report& report) {
    struct desk_is {
      otter::pid process;
    };
    auto parent = otter::spawn_monitor([me = otter::self()] {
      const otter::pid p = otter::proc_lib::start_link({}, sys_test::desk, me).value();
      otter::send(me, desk_is{p});
      otter::receive([](int) {});
      otter::exit(exit_reason::of("gone"));
    });
    const otter::pid p = otter::receive([](desk_is d) { return d.process; });
    otter::sys::suspend(p);
    otter::send(parent.process, 1);
    report.equal("terminates", trace::next(), "terminate " + text(exit_reason::of("gone")));
    trace::end_of(parent.ref);
  });
}
