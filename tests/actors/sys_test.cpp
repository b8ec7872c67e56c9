// Holding a server still and looking at it.

#include <catch2/catch.hpp>
#include <otter/gen_server.hpp>
#include <otter/sys.hpp>
#include <stdexcept>
#include <string>

#include "on_every_driver.hpp"
#include "trace.hpp"

using namespace std::chrono_literals;
using otter::exit_reason;
using trace::failure_of;
using trace::text;

namespace sys_test {

class speaker : public otter::gen_server<speaker> {
 public:
  struct say {
    std::string what;
  };
  struct ping {
    using reply = void;
  };
  struct wait {};
  using accepts = otter::accepts<say, ping, wait>;

  explicit speaker(otter::pid watcher) : watcher_(watcher) {}
  void handle_cast(say s) {
    trace::tell(watcher_, s.what);
    ++said_;
  }
  void handle_cast(wait) {
    otter::receive([](double) {});
  }
  void handle_call(ping) {}
  void terminate(exit_reason const&) { trace::tell(watcher_, "terminate"); }
  std::string format_status() const {
    if (said_ == 13) throw std::runtime_error("a secret");
    return "said " + std::to_string(said_);
  }

 private:
  otter::pid watcher_;
  int said_ = 0;
};

}  // namespace sys_test

using sys_test::speaker;

TEST_CASE("a suspended server keeps its messages in order, and handles them when resumed",
          "[sys][SY-2][SY-3]") {
  on_every_driver([](driver_report& report) {
    auto server = speaker::start_link(otter::self()).value();
    otter::sys::suspend(server);
    otter::sys::suspend(server);  // once more changes nothing
    otter::cast(server, speaker::say{"one"});
    otter::cast(server, speaker::say{"two"});
    report.equal("a call", failure_of([&] { otter::call(server, speaker::ping{}, 3ms); }),
                 text(exit_reason::timeout()));
    report.check("nothing was handled", trace::mailbox_is_empty());
    otter::sys::resume(server);
    otter::sys::resume(server);
    report.equal("first", trace::next(), "one");
    report.equal("second", trace::next(), "two");
    otter::call(server, speaker::ping{});
    report.check("the late answer was dropped", trace::mailbox_is_empty());
  });
}

TEST_CASE("a suspended server can be looked at and stopped", "[sys][SY-1][SY-8]") {
  on_every_driver([](driver_report& report) {
    auto server = speaker::start_link(otter::self()).value();
    const std::string running = otter::sys::get_status(server);
    report.check("running: " + running, running.find("running") != std::string::npos);
    report.check("state: " + running, running.find("said 0") != std::string::npos);
    otter::sys::suspend(server);
    const std::string held = otter::sys::get_status(server);
    report.check("suspended: " + held, held.find("suspended") != std::string::npos);
    otter::stop(server);
    report.equal("terminate", trace::next(), "terminate");
  });
}

TEST_CASE("a status that cannot be told shows a note, never the raw state", "[sys][GS-34]") {
  on_every_driver([](driver_report& report) {
    auto server = speaker::start_link(otter::self()).value();
    for (int i = 0; i != 13; ++i) otter::cast(server, speaker::say{"x"});
    otter::call(server, speaker::ping{});
    const std::string status = otter::sys::get_status(server);
    report.check("note: " + status, status.find("format_status failed") != std::string::npos);
    report.check("no secret", status.find("secret") == std::string::npos);
  });
}

TEST_CASE("sys operations on what does not exist fail with noproc", "[sys][SY-1]") {
  on_every_driver([](driver_report& report) {
    report.equal("suspend", failure_of([] { otter::sys::suspend("nobody"); }),
                 text(exit_reason::noproc()));
    auto server = speaker::start(otter::self()).value();
    otter::stop(server);
    report.equal("status", failure_of([&] { (void)otter::sys::get_status(server); }),
                 text(exit_reason::noproc()));
  });
}
