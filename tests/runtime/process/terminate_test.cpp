// What the program says when a process must end inside a function that lets no exception through.

#include <exception>
#include <otter/node.hpp>

#include "forked.hpp"
#include "process_support.hpp"

using namespace process_test;
using otter::rts::testing::death;
using otter::rts::testing::forked;
using otter::rts::testing::say;

namespace {

/// A node in which a process is killed while `body` waits.
template <class Body>
void kill_inside(Body body) {
  otter::node node({.workers = 1, .on_event = [](otter::node_event const&) {}});
  node.run([body] {
    otter::spawned const p =
        otter::spawn(otter::spawn_options{.monitor = otter::alias_mode::none, .label = "saver"},
                     [body, me = otter::self()] {
                       otter::send(me, go{});
                       body();
                     });
    otter::receive([](go) {});
    otter::exit(p, exit_reason::kill());
    end_of(p.ref);
  });
}

/// A destructor that forgets the guard.
struct waits_at_end {
  ~waits_at_end() { otter::sleep_for(1h); }
};

void fails() { throw std::runtime_error("mine"); }

void waits_without_leave() noexcept {
  otter::receive([](number) {});
}

void check_explained(death const& d) {
  INFO(d.output);
  CHECK(d.of_signal(SIGABRT));
  CHECK(d.said("process <"));
  CHECK(d.said("(saver) must end (killed)"));
  CHECK(d.said("noexcept"));
  CHECK(d.said("otter::defer_exit"));
  CHECK(d.said("that function is"));
}

}  // namespace

TEST_CASE("an exit that meets a destructor says which process, where, and the remedy",
          "[exit][C0-3]") {
  check_explained(forked([] { kill_inside([] { waits_at_end unguarded; }); }));
}

TEST_CASE("an exit that meets a noexcept function says so too", "[exit][C0-3]") {
  check_explained(forked([] { kill_inside([] { waits_without_leave(); }); }));
}

TEST_CASE("the program's own terminate handler is called behind the explanation", "[exit]") {
  death const d = forked([] {
    std::set_terminate([] {
      say("the program's own words");
      ::_exit(7);
    });
    kill_inside([] { waits_without_leave(); });
  });
  INFO(d.output);
  CHECK(d.with_code(7));
  CHECK(d.said("otter::defer_exit"));
  CHECK(d.output.find("must end") < d.output.find("the program's own words"));
}

TEST_CASE("an exception of the program that meets a noexcept function is not otter's affair",
          "[exit]") {
  death const d = forked([] {
    std::set_terminate([] {
      say("the program's own words");
      ::_exit(7);
    });
    otter::node node({.workers = 1});
    node.run([] { []() noexcept { fails(); }(); });
  });
  INFO(d.output);
  CHECK(d.with_code(7));
  CHECK_FALSE(d.said("otter:"));
}

TEST_CASE("with a guard the same destructor is left in peace, and the process ends behind it",
          "[exit][C0-3]") {
  on_every_driver([](driver_report& report) {
    struct guarded {
      ~guarded() {
        otter::defer_exit guard;
        otter::receive([](go) {});  // comes behind the kill
      }
    };
    otter::spawned const p = started([me = otter::self()] {
      { guarded last; }
      otter::send(me, number{1});
      otter::checkpoint();
      otter::send(me, number{2});
    });
    otter::exit(p, exit_reason::kill());
    otter::send(p, go{});
    report.equal("reason", end_of(p.ref), to_string(exit_reason::killed()));
    int const got = next_number();
    // A send may exit too, but only once it is a safe point: the budget decides.
    report.check("not past the safe point", got != 2 && next_number() == -1);
  });
}
