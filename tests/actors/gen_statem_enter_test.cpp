// Enter calls, and callback modules that take a machine over.

#include <catch2/catch.hpp>
#include <otter/gen_statem.hpp>
#include <string>
#include <type_traits>

#include "machines.hpp"
#include "on_every_driver.hpp"
#include "trace.hpp"

using namespace std::chrono_literals;
using machine_test::go_to;
using machine_test::note;
using machine_test::script;
using machine_test::start;
using machine_test::state;
using machine_test::story;
using machine_test::when;

TEST_CASE("a state is entered at the start, at each change and when repeated",
          "[gen_statem][SM-14]") {
  on_every_driver([](driver_report& report) {
    auto m = start({.enter = true});
    otter::cast(m, go_to(state::a));
    otter::cast(m, go_to(state::b));
    otter::cast(m, when("again", [](script&, state) { return script::repeat_state(); }));
    report.equal("entered", story(m),
                 "enter a from a, to a in a as cast, to b in a as cast, enter b from a, "
                 "again in b as cast, enter b from b");
  });
}

TEST_CASE("an enter call may answer, set time-outs, repeat and stop", "[gen_statem][SM-15]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    auto m = start({.entered = [](script& machine, state now, state old) -> script::enter_result {
                      if (now == state::a)
                        return script::keep_state().state_timeout(0s, note("entered a"));
                      if (now == state::b && old != state::b) {
                        machine.tell("repeats");
                        return script::repeat_state();
                      }
                      if (now == state::c) return script::stop(otter::exit_reason::shutdown());
                      return script::keep_state();
                    },
                    .enter = true});
    otter::cast(m, go_to(state::b));
    otter::cast(m, go_to(state::c));
    for (char const* expected : {"enter a from a", "entered a in a as state time-out",
                                 "to b in a as cast", "enter b from a", "repeats", "enter b from b",
                                 "to c in b as cast", "enter c from b", "terminate shutdown"})
      report.equal("then", trace::next(), expected);
  });
}

TEST_CASE("an enter call cannot change the state, postpone, insert events or change modules",
          "[gen_statem][SM-15]") {
  STATIC_REQUIRE(std::is_constructible_v<script::transition, script::enter_result>);
  STATIC_REQUIRE(!std::is_constructible_v<script::enter_result, script::transition>);
  STATIC_REQUIRE(std::is_same_v<decltype(script::next_state(state::a)), script::transition>);
  STATIC_REQUIRE(std::is_same_v<decltype(script::postpone()), script::transition>);
  STATIC_REQUIRE(
      std::is_same_v<decltype(script::keep_state().next_event(note(""))), script::transition>);
  STATIC_REQUIRE(
      std::is_same_v<decltype(script::keep_state().pop_callback_module()), script::transition>);
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    auto m = start({.entered = [](script&, state now, state) -> script::enter_result {
      if (now == state::b) throw otter::result(script::next_state(state::c));
      return script::keep_state();
    }});
    otter::cast(m, go_to(state::b));
    trace::next();
    const std::string end = trace::next();
    report.check(end, end.find("bad_state_enter_return_from_state_function") != std::string::npos);
  });
}

TEST_CASE("the enter call comes before what waits for the new state", "[gen_statem][SM-16]") {
  on_every_driver([](driver_report& report) {
    auto m = start({.enter = true});
    otter::cast(m, when("p", [](script&, state s) {
                  return s == state::a ? script::postpone()
                                       : script::transition(script::keep_state());
                }));
    otter::cast(m, when("go", [](script&, state) {
                  return script::next_state(state::b)
                      .next_event(note("inserted"))
                      .state_timeout(0s, note("zero"));
                }));
    report.equal("entered first", story(m),
                 "enter a from a, p in a as cast, go in a as cast, enter b from a, "
                 "inserted in b as internal event, p in b as cast, zero in b as state time-out");
  });
}

namespace modules_test {

/// Its events are handled by itself, or by one of two other classes.
class lamp : public otter::gen_statem<lamp> {
 public:
  enum class state { off, on };
  struct press {};
  struct which {
    using reply = std::string;
  };
  struct take_over {};
  struct replace {};
  struct leave {};
  using accepts = otter::accepts<press, which, take_over, replace, leave>;

  explicit lamp(otter::pid w) : watcher(w) {}

  transition handle_event(in<state::off>, press) { return next_state(state::on); }
  transition handle_event(in<state::on>, press) { return next_state(state::off); }
  std::string handle_event(state, which) { return "itself"; }
  transition handle_event(state, take_over);
  transition handle_event(state, replace);
  transition handle_event(state, leave) { return keep_state().pop_callback_module(); }
  void terminate(otter::exit_reason const&) { trace::tell(watcher, "itself terminates"); }
  std::string format_status() const { return "by itself"; }

  otter::pid watcher;
};

/// While it is maintained, presses change nothing; it is told when a state is entered.
struct maintenance {
  static void handle_event(lamp&, lamp::state, lamp::press) {}
  static std::string handle_event(lamp&, lamp::state, lamp::which) { return "maintenance"; }
  static lamp::transition handle_event(lamp&, lamp::state, lamp::take_over) {
    return lamp::next_state(lamp::state::on).push_callback_module<maintenance>();
  }
  static void handle_event(lamp&, lamp::state, lamp::replace) {}
  static lamp::transition handle_event(lamp&, lamp::state, lamp::leave) {
    return lamp::next_state(lamp::state::off).pop_callback_module();
  }
  static void enter(lamp& l, lamp::state) { trace::tell(l.watcher, "entered maintained"); }
  static void terminate(lamp& l, otter::exit_reason const&) {
    trace::tell(l.watcher, "maintenance terminates");
  }
};

/// Knows no way back.
struct burnt {
  template <class Event>
  static void handle_event(lamp&, lamp::state, Event const&) {}
  static std::string handle_event(lamp&, lamp::state, lamp::which) { return "burnt"; }
};

inline lamp::transition lamp::handle_event(state, take_over) {
  return next_state(state::on).push_callback_module<maintenance>();
}
inline lamp::transition lamp::handle_event(state, replace) {
  return keep_state().change_callback_module<burnt>();
}

}  // namespace modules_test

using modules_test::lamp;

TEST_CASE("a callback module takes a machine over, and gives it back", "[gen_statem][SM-30]") {
  on_every_driver([](driver_report& report) {
    auto m = lamp::start_link(otter::self()).value();
    report.equal("first", otter::call(m, lamp::which{}), "itself");
    otter::cast(m, lamp::take_over{});
    report.equal("taken over", otter::call(m, lamp::which{}), "maintenance");
    otter::stop(m);
    report.equal("entered by the rules of the new module", trace::next(), "entered maintained");
    report.equal("terminated by it", trace::next(), "maintenance terminates");

    auto n = lamp::start_link(otter::self()).value();
    otter::cast(n, lamp::take_over{});
    otter::cast(n, lamp::leave{});
    report.equal("given back", otter::call(n, lamp::which{}), "itself");
    otter::cast(n, lamp::replace{});
    report.equal("replaced", otter::call(n, lamp::which{}), "burnt");
  });
}

TEST_CASE("whether a state is entered is said by the module that is there after all actions",
          "[gen_statem][SM-31]") {
  on_every_driver([](driver_report& report) {
    auto m = lamp::start_link(otter::self()).value();
    otter::cast(m, lamp::press{});  // itself has no enter()
    otter::cast(m, lamp::press{});
    otter::cast(m, lamp::take_over{});  // to `on`, under the new module: entered
    otter::cast(m, lamp::leave{});      // to `off`, under the old one: not
    report.equal("module", otter::call(m, lamp::which{}), "itself");
    report.equal("entered once", trace::next(), "entered maintained");
    report.check("and no more", trace::mailbox_is_empty());
  });
}

TEST_CASE("the last callback module cannot be left", "[gen_statem][SM-30]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    auto m = lamp::start_link(otter::self()).value();
    otter::cast(m, lamp::leave{});
    report.equal("terminate", trace::next(), "itself terminates");
    const std::string end = trace::end_of(m.process());
    report.check(end, report.count_events("pop_callback_module") > 0);
  });
}
