// The time-outs of state machines: of the event, of the state, and with names.

#include <catch2/catch.hpp>
#include <otter/gen_statem.hpp>
#include <otter/sys.hpp>
#include <otter/timer.hpp>
#include <string>

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

namespace {

/// The machine does `f()` when this comes.
template <class F>
script::event act(F f) {
  return when("act", [f](script&, state) { return f(script::keep_state()); });
}
using keep = script::enter_result;

}  // namespace

TEST_CASE("an event time-out comes if nothing else does", "[gen_statem][SM-17]") {
  on_every_driver([](driver_report& report) {
    auto m = start();
    otter::cast(m, act([](keep k) { return std::move(k).event_timeout(1ms, note("quiet")); }));
    report.equal("armed", trace::next(), "act in a as cast");
    report.equal("came", trace::next(), "quiet in a as event time-out");
  });
}

TEST_CASE("any event cancels the event time-out", "[gen_statem][SM-17]") {
  on_every_driver([](driver_report& report) {
    auto m = start();
    otter::sys::suspend(m);
    otter::cast(m, act([](keep k) { return std::move(k).event_timeout(1ms, note("quiet")); }));
    otter::cast(m, act([](keep k) { return std::move(k).timeout("later", 20ms, note("later")); }));
    otter::sys::resume(m);
    report.equal("one", trace::next(), "act in a as cast");
    report.equal("two", trace::next(), "act in a as cast");
    report.equal("a later time-out, and not that one", trace::next(), "later in a as time-out");

    otter::cast(m, act([](keep k) {
                  return std::move(k)
                      .event_timeout(1ms, note("quiet"))
                      .timeout("later", 20ms, note("later"))
                      .next_event(note("inner"));
                }));
    report.equal("armed", trace::next(), "act in a as cast");
    report.equal("an inserted event cancels too", trace::next(), "inner in a as internal event");
    report.equal("later", trace::next(), "later in a as time-out");
    report.equal("nothing else", story(m), "");
  });
}

TEST_CASE("a state time-out lasts until the state changes", "[gen_statem][SM-18]") {
  on_every_driver([](driver_report& report) {
    auto m = start();
    otter::sys::suspend(m);
    otter::cast(m, act([](keep k) { return std::move(k).state_timeout(2ms, note("old")); }));
    otter::cast(m, note("another event"));
    otter::cast(m, when("go", [](script&, state) {
                  return script::next_state(state::b).state_timeout(1ms, note("new"));
                }));
    otter::cast(m, note("and another"));
    otter::sys::resume(m);
    report.equal("1", trace::next(), "act in a as cast");
    report.equal("2", trace::next(), "another event in a as cast");
    report.equal("3", trace::next(), "go in a as cast");
    report.equal("4", trace::next(), "and another in b as cast");
    report.equal("that of the new state", trace::next(), "new in b as state time-out");
    otter::cast(m, act([](keep k) { return std::move(k).timeout("later", 5ms, note("later")); }));
    trace::next();
    report.equal("and never that of the old", trace::next(), "later in b as time-out");
  });
}

TEST_CASE("a machine without contents of its own gets the plain time-outs", "[gen_statem][SM-18]") {
  struct plain : otter::gen_statem<plain> {
    enum class state { waiting, quiet, done };
    using accepts = otter::accepts<>;
    explicit plain(otter::pid w) : watcher(w) {}
    enter_result enter(in<state::waiting>) { return keep_state().state_timeout(1ms); }
    enter_result enter(in<state::quiet>) { return keep_state().event_timeout(1ms); }
    void enter(in<state::done>) { trace::tell(watcher, "done"); }
    transition handle_event(in<state::waiting>, otter::state_timeout) {
      return next_state(state::quiet);
    }
    transition handle_event(in<state::quiet>, otter::event_timeout) {
      return next_state(state::done);
    }
    otter::pid watcher;
  };
  on_every_driver([](driver_report& report) {
    auto m = plain::start_link(otter::self()).value();
    report.equal("through both", trace::next(), "done");
    otter::stop(m);
  });
}

TEST_CASE("time-outs with names run beside each other and through changes of state",
          "[gen_statem][SM-19]") {
  on_every_driver([](driver_report& report) {
    auto m = start();
    otter::cast(m, act([](keep k) {
                  return std::move(k)
                      .timeout("slow", 3ms, note("slow"))
                      .timeout(7, 2ms, note("seven"))
                      .timeout(state::a, 1ms, note("enumerator"));
                }));
    otter::cast(m, go_to(state::b));
    trace::next();
    trace::next();
    report.equal("1", trace::next(), "enumerator in b as time-out");
    report.equal("2", trace::next(), "seven in b as time-out");
    report.equal("3", trace::next(), "slow in b as time-out");
  });
}

TEST_CASE("starting a time-out again replaces it, infinity and cancel end it",
          "[gen_statem][SM-20]") {
  on_every_driver([](driver_report& report) {
    auto m = start();
    otter::sys::suspend(m);
    otter::cast(m, act([](keep k) {
                  return std::move(k)
                      .timeout("t", 1ms, note("first"))
                      .timeout("infinite", 1ms, note("infinite"))
                      .timeout("cancelled", 1ms, note("cancelled"))
                      .state_timeout(1ms, note("state"))
                      .event_timeout(1ms, note("event"));
                }));
    otter::cast(m, act([](keep k) {
                  return std::move(k)
                      .timeout("t", 2ms, note("second"))
                      .timeout("infinite", otter::infinity, note("infinite"))
                      .cancel_timeout("cancelled")
                      .cancel_timeout("never was")
                      .cancel_state_timeout()
                      .cancel_event_timeout()
                      .timeout("last", 30ms, note("last"));
                }));
    otter::sys::resume(m);
    trace::next();
    trace::next();
    report.equal("the second", trace::next(), "second in a as time-out");
    report.equal("and none of the others", trace::next(), "last in a as time-out");
  });
}

TEST_CASE("a time-out may be set for a moment", "[gen_statem][SM-20]") {
  on_every_driver([](driver_report& report) {
    auto m = start();
    otter::cast(m, act([](keep k) {
                  const auto now = otter::node_clock::now();
                  return std::move(k)
                      .timeout("2", now + 2ms, note("second"))
                      .timeout("1", now + 1ms, note("first"))
                      .timeout("0", now - 1ms, note("past"));
                }));
    trace::next();
    report.equal("past", trace::next(), "past in a as time-out");
    report.equal("first", trace::next(), "first in a as time-out");
    report.equal("second", trace::next(), "second in a as time-out");
  });
}

TEST_CASE("a time-out of zero comes before messages, behind inserted events",
          "[gen_statem][SM-21]") {
  on_every_driver([](driver_report& report) {
    auto m = start();
    otter::sys::suspend(m);
    otter::cast(m, act([](keep k) {
                  return std::move(k)
                      .event_timeout(0s, note("event"))
                      .timeout("x", 0s, note("x"))
                      .state_timeout(0s, note("state"))
                      .next_event(note("inserted"));
                }));
    otter::cast(m, note("message"));
    otter::cast(m, act([](keep k) { return std::move(k).event_timeout(0s, note("alone")); }));
    otter::cast(m, note("message"));
    otter::sys::resume(m);
    report.equal("in order, and the event time-out was cancelled", story(m),
                 "act in a as cast, inserted in a as internal event, x in a as time-out, "
                 "state in a as state time-out, message in a as cast, act in a as cast, "
                 "alone in a as event time-out, message in a as cast");
  });
}

TEST_CASE("an update changes what a time-out says, not when", "[gen_statem][SM-22]") {
  on_every_driver([](driver_report& report) {
    auto m = start();
    otter::cast(m, act([](keep k) {
                  return std::move(k)
                      .timeout("t", 2ms, note("old"))
                      .timeout("earlier", 1ms, note("earlier"))
                      .timeout("zero", 0s, note("old zero"))
                      .update_timeout("t", note("new"))
                      .update_timeout("zero", note("new zero"))
                      .update_timeout("none", note("at once"))
                      .update_state_timeout(note("state at once"));
                }));
    trace::next();
    report.equal("zero", trace::next(), "new zero in a as time-out");
    report.equal("none ran", trace::next(), "at once in a as time-out");
    report.equal("none ran", trace::next(), "state at once in a as state time-out");
    report.equal("earlier", trace::next(), "earlier in a as time-out");
    report.equal("updated", trace::next(), "new in a as time-out");
  });
}

TEST_CASE("a cancelled time-out never comes, even if its time was over", "[gen_statem][SM-23]") {
  on_every_driver([](driver_report& report) {
    auto m = start();
    // While it is held, the timer fires and stands in its mailbox behind what cancels it.
    otter::cast(m, act([](keep k) { return std::move(k).timeout("t", 1ms, note("stale")); }));
    trace::next();
    otter::sys::suspend(m);
    otter::cast(m, act([](keep k) {
                  return std::move(k).cancel_timeout("t").timeout("next", 2ms, note("next"));
                }));
    otter::sleep_for(5ms);
    otter::sys::resume(m);
    std::string first = trace::next();
    if (first == "stale in a as time-out") first = trace::next();  // it was faster than suspend()
    report.equal("cancel", first, "act in a as cast");
    report.equal("next", trace::next(), "next in a as time-out");
    report.equal("nothing else", story(m), "");
  });
}

TEST_CASE("a timer of the program's own is a message like any other", "[gen_statem][SM-24]") {
  struct listener : otter::gen_statem<listener> {
    enum class state { only };
    struct ring {};
    using accepts = otter::accepts<otter::timeout<ring>>;
    explicit listener(otter::pid w) : watcher(w) {}
    void handle_event(state, otter::timeout<ring> const& t, otter::event_type type) {
      trace::tell(watcher, (t.timer ? "ring as " : "no timer as ") + std::string(to_string(type)));
    }
    otter::pid watcher;
  };
  on_every_driver([](driver_report& report) {
    auto m = listener::start_link(otter::self()).value();
    (void)otter::start_timer(1ms, m.process(), listener::ring{});
    report.equal("as a message", trace::next(), "ring as message");
  });
}

TEST_CASE("a machine that ends leaves no timer behind", "[gen_statem][SM-23][TM-4]") {
  on_every_driver([](driver_report& report) {
    auto m = start();
    otter::cast(m, act([](keep k) {
                  return std::move(k).timeout("t", 1h, note("t")).state_timeout(1h, note("s"));
                }));
    (void)story(m);
    otter::stop(m);
    report.equal("timers", report.statistics().timers, std::size_t{0});
  });
}

TEST_CASE("a limit below zero is refused where it is set", "[gen_statem][SM-20]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    auto m = start();
    otter::cast(m, act([](keep k) { return std::move(k).state_timeout(-1ms, note("never")); }));
    trace::next();
    const std::string end = trace::next();
    report.check(end, end.find("timeout_value") != std::string::npos ||
                          end.find("time-out") != std::string::npos ||
                          end.find("limit") != std::string::npos);
  });
}
