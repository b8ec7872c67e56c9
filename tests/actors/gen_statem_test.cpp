// State machines: what a handler may return, and in which order what follows happens.

#include <catch2/catch.hpp>
#include <otter/gen_statem.hpp>
#include <otter/sys.hpp>
#include <stdexcept>
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
using otter::event_type;
using otter::exit_reason;
using trace::failure_of;
using trace::text;

namespace statem_test {

/// A lock, with an enumeration and a handler for each state.
class lock : public otter::gen_statem<lock> {
 public:
  enum class state { locked, open };
  struct push {
    using reply = std::string;
  };
  struct turn {
    std::string key;
  };
  using accepts = otter::accepts<push, turn>;

  explicit lock(std::string key) : key_(std::move(key)) {}

  transition handle_event(in<state::locked>, turn const& t) {
    if (t.key != key_) return keep_state();
    return next_state(state::open);
  }
  transition handle_event(in<state::open>, turn const&) { return next_state(state::locked); }
  std::string handle_event(in<state::locked>, push) { return "closed"; }
  std::string handle_event(in<state::open>, push) { return "gone through"; }

 private:
  std::string key_;
};

/// The same with types as states: what belongs to one state lives in it.
class typed_lock : public otter::gen_statem<typed_lock> {
 public:
  struct locked {
    int failures = 0;
  };
  struct open {};
  struct barred {};
  using state = otter::states<locked, open, barred>;
  struct push {
    using reply = std::string;
  };
  struct turn {
    std::string key;
  };
  struct count {
    using reply = int;
  };
  using accepts = otter::accepts<push, turn, count>;

  explicit typed_lock(otter::pid watcher) : watcher_(watcher) {}

  transition handle_event(locked& s, turn const& t) {
    if (t.key == "right") return next_state(open{});
    if (++s.failures == 2) return next_state(barred{});
    return keep_state();
  }
  int handle_event(locked& s, count) { return s.failures; }
  int handle_event(state const&, count) { return -1; }  // every other state
  transition handle_event(state const&, turn const&) { return next_state(locked{}); }
  std::string handle_event(state& s, push) { return s.is<open>() ? "gone through" : "closed"; }

  void enter(locked& s, state const& old) {
    trace::tell(watcher_, "locked with " + std::to_string(s.failures) + " from " +
                              std::string(otter::detail::name_of_state(old)));
  }
  void enter(barred&) { trace::tell(watcher_, "barred"); }

 private:
  otter::pid watcher_;
};

}  // namespace statem_test

using statem_test::lock;
using statem_test::typed_lock;

TEST_CASE("a machine treats the same event as its state says", "[gen_statem][SM-1][SM-35]") {
  on_every_driver([](driver_report& report) {
    auto door = lock::start_link("right").value();
    report.equal("locked", otter::call(door, lock::push{}), "closed");
    otter::cast(door, lock::turn{"wrong"});
    report.equal("still locked", otter::call(door, lock::push{}), "closed");
    otter::cast(door, lock::turn{"right"});
    report.equal("open", otter::call(door, lock::push{}), "gone through");
    otter::cast(door, lock::turn{""});
    report.equal("locked again", otter::call(door, lock::push{}), "closed");
  });
}

TEST_CASE("states may be types, and hold what belongs to them", "[gen_statem][SM-35][SM-5]") {
  on_every_driver([](driver_report& report) {
    auto door = typed_lock::start_link(otter::self()).value();
    report.equal("the first state is entered", trace::next(), "locked with 0 from locked");
    otter::cast(door, typed_lock::turn{"wrong"});
    report.equal("changed in the state", otter::call(door, typed_lock::count{}), 1);
    report.check("which is no change of state", trace::mailbox_is_empty());
    otter::cast(door, typed_lock::turn{"right"});
    report.equal("open", otter::call(door, typed_lock::push{}), "gone through");
    report.equal("left with its state", otter::call(door, typed_lock::count{}), -1);
    otter::cast(door, typed_lock::turn{""});
    report.equal("a fresh one", trace::next(), "locked with 0 from open");
    otter::cast(door, typed_lock::turn{"wrong"});
    otter::cast(door, typed_lock::turn{"wrong"});
    report.equal("another state", trace::next(), "barred");
    report.equal("old state told", otter::call(door, typed_lock::push{}), "closed");
  });
}

TEST_CASE("a machine begins in its first state, or where init says", "[gen_statem][SM-2]") {
  on_every_driver([](driver_report& report) {
    auto first = start();
    otter::cast(first, note("x"));
    report.equal("the first", story(first), "x in a as cast");
    auto other = start({.init = [](script&) { return script::ok(state::b).postpone(); }});
    otter::cast(other, note("x"));
    report.equal("where init said, and nothing is postponed", story(other), "x in b as cast");
    auto busy = start({.init = [](script&) {
      return script::ok(state::b).next_event(note("inserted")).state_timeout(0s, note("at once"));
    }});
    otter::cast(busy, note("x"));
    report.equal("events and time-outs of init", story(busy),
                 "inserted in b as internal event, at once in b as state time-out, x in b as cast");
  });
}

TEST_CASE("an init of a machine may stop, fail or ignore", "[gen_statem][SM-2]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    auto ignored = script::start_link(
        script::options{otter::self(), [](script&) { return script::ignore(); }});
    report.equal("ignored", to_string(ignored.error()), "ignored");
    auto failed = script::start_link(script::options{
        otter::self(), [](script&) { return script::fail(exit_reason::of("no")); }});
    report.equal("failed", to_string(failed.error()), text(exit_reason::of("no")));
    auto stopped = script::start_link(script::options{
        otter::self(), [](script&) { return script::stop(exit_reason::shutdown("enough")); }});
    report.equal("stopped", to_string(stopped.error()), text(exit_reason::shutdown("enough")));
    auto thrown = script::start_link(script::options{
        otter::self(), [](script&) -> script::init_result { throw std::runtime_error("broken"); }});
    report.check("thrown: " + to_string(thrown.error()),
                 to_string(thrown.error()).find("broken") != std::string::npos);
    report.check("nothing is left, and terminate was not called", trace::mailbox_is_empty());
  });
}

TEST_CASE("a handler can be told where its event came from", "[gen_statem][SM-3]") {
  on_every_driver([](driver_report& report) {
    auto m = start();
    otter::cast(m, note("cast"));
    otter::send(m.process(), note("sent"));
    otter::call(m, script::ask{"called"});
    otter::cast(m, when("more", [](script&, state) {
                  return script::keep_state()
                      .next_event(note("internal"))
                      .next_event(event_type::info, note("as a message"))
                      .state_timeout(0s, note("state"))
                      .event_timeout(0s, note("event"))
                      .timeout("n", 0s, note("named"));
                }));
    report.equal("each", story(m),
                 "cast in a as cast, sent in a as message, called in a as call, more in a as cast, "
                 "internal in a as internal event, as a message in a as message, "
                 "state in a as state time-out, named in a as time-out");
  });
}

TEST_CASE("a state that is the same is no change of state", "[gen_statem][SM-5][SM-10]") {
  on_every_driver([](driver_report& report) {
    auto m = start({.enter = true});
    otter::cast(m, when("p", [](script&, state s) {
                  return s == state::a ? script::postpone()
                                       : script::transition(script::keep_state());
                }));
    otter::cast(m, go_to(state::a));
    otter::cast(m, when("keep", [](script&, state) { return script::keep_state(); }));
    otter::cast(m, when("repeat", [](script&, state) { return script::repeat_state(); }));
    otter::cast(m, go_to(state::b));
    report.equal("postponed until the change", story(m),
                 "enter a from a, p in a as cast, to a in a as cast, keep in a as cast, "
                 "repeat in a as cast, enter a from a, to b in a as cast, enter b from a, "
                 "p in b as cast");
  });
}

TEST_CASE("a thrown result counts as returned", "[gen_statem][SM-4]") {
  on_every_driver([](driver_report& report) {
    auto m = start();
    otter::cast(m, when("throws", [](script&, state) -> script::transition {
                  throw otter::result(script::next_state(state::b));
                }));
    otter::cast(m, when("keeps", [](script&, state) -> script::transition {
                  throw otter::result(script::keep_state().next_event(note("inserted")));
                }));
    report.equal("went there", story(m),
                 "throws in a as cast, keeps in b as cast, inserted in b as internal event");
    otter::cast(m, when("stops", [](script&, state) -> script::transition {
                  throw otter::result(script::stop());
                }));
    report.equal("stops", trace::next(), "stops in b as cast");
    report.equal("stopped", trace::next(), "terminate normal");
  });
}

TEST_CASE("a thrown result of something else ends the machine", "[gen_statem][SM-4]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    auto m = start();
    otter::cast(m, when("throws", [](script&, state) -> script::transition {
                  throw otter::result(lock::keep_state());
                }));
    trace::next();
    const std::string end = trace::next();
    report.check(end, end.find("bad_return_value") != std::string::npos);
    report.check("reported", report.count_events("bad_return_value") > 0);
  });
}

TEST_CASE("actions are done in order, and the last of two that exclude each other counts",
          "[gen_statem][SM-6][SM-7]") {
  on_every_driver([](driver_report& report) {
    auto m = start();
    otter::cast(m, when("twice", [](script&, state s) {
                  if (s == state::b) return script::transition(script::keep_state());
                  return script::next_state(state::b).postpone().postpone(false);
                }));
    otter::cast(m, when("timers", [](script&, state) {
                  return script::keep_state()
                      .timeout("n", 0s, note("first"))
                      .timeout("other", 0s, note("second"))
                      .timeout("n", 0s, note("third"));
                }));
    report.equal("in order", story(m),
                 "twice in a as cast, timers in b as cast, second in b as time-out, "
                 "third in b as time-out");
    otter::call(m, script::ask{"x", [](script& machine, state, otter::caller<script::ask> who) {
                                 machine.tell("handler");
                                 return script::keep_state().reply(who, "one").reply(who, "two");
                               }});
    report.equal("the first answer", story(m), "x in b as call, handler");
    report.check("the second was dropped", trace::mailbox_is_empty());
  });
}

TEST_CASE("after a change of state come inserted, postponed, queued events, zero time-outs, others",
          "[gen_statem][SM-8][SM-9]") {
  on_every_driver([](driver_report& report) {
    auto m = start();
    otter::sys::suspend(m);
    auto postponed = [](std::string name) {
      return when(std::move(name), [](script&, state s) {
        return s == state::a ? script::postpone() : script::transition(script::keep_state());
      });
    };
    otter::cast(m, postponed("p1"));
    otter::cast(m, postponed("p2"));
    otter::cast(m, when("change", [](script&, state) {
                  return script::keep_state()
                      .next_event(when("inner",
                                       [](script&, state) {
                                         return script::next_state(state::b)
                                             .state_timeout(0s, note("zero"))
                                             .next_event(note("i1"))
                                             .next_event(note("i2"));
                                       }))
                      .next_event(note("queued"));
                }));
    otter::cast(m, note("message"));
    otter::sys::resume(m);
    report.equal("in that order", story(m),
                 "p1 in a as cast, p2 in a as cast, change in a as cast, "
                 "inner in a as internal event, i1 in b as internal event, "
                 "i2 in b as internal event, p1 in b as cast, p2 in b as cast, "
                 "queued in b as internal event, zero in b as state time-out, "
                 "message in b as cast");
  });
}

TEST_CASE("an event may be postponed as often as it takes", "[gen_statem][SM-8][SM-10]") {
  on_every_driver([](driver_report& report) {
    auto m = start();
    otter::cast(m, go_to(state::c));
    otter::cast(m, note("one"));
    otter::send(m.process(), note("two"));
    auto third = otter::send_request(m, script::ask{"three"});
    otter::cast(m, go_to(state::a));
    report.equal("in the order of their coming", story(m),
                 "to c in a as cast, to a in c as cast, one in a as cast, two in a as message, "
                 "three in a as call");
    report.equal("the call is answered", *otter::receive_response(third).value(), "three");
  });
}

TEST_CASE("an inserted call is answered as a real one", "[gen_statem][SM-11]") {
  on_every_driver([](driver_report& report) {
    auto m = start();
    const std::string answer = otter::call(
        m, script::ask{"outer", [](script&, state, otter::caller<script::ask> who) {
                         return script::keep_state().next_event(who, script::ask{"inner"});
                       }});
    report.equal("answer", answer, "inner");
    report.equal("order", story(m), "outer in a as call, inner in a as call");
  });
}

TEST_CASE("callers of queued and postponed calls hear why the machine ended",
          "[gen_statem][SM-13]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    auto m = start();
    otter::cast(m, go_to(state::c));
    auto postponed = otter::send_request(m, script::ask{"p"});
    auto waiting = otter::send_request(
        m, script::ask{"w", [](script&, state, otter::caller<script::ask>) {
                         return script::transition(script::stop(exit_reason::of("over")));
                       }});
    auto behind = otter::send_request(m, script::ask{"behind"});
    for (auto const& id : {postponed, waiting, behind})
      report.equal("reason", text(otter::receive_response(id).value().error()),
                   text(exit_reason::of("over")));
  });
}

TEST_CASE("stop answers first and terminates then", "[gen_statem][SM-27]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    auto m = start();
    auto asked = otter::send_request(
        m, script::ask{"x", [](script&, state, otter::caller<script::ask> who) {
                         return script::transition(
                             script::stop(exit_reason::shutdown()).reply(who, "bye"));
                       }});
    report.equal("answer", *otter::receive_response(asked).value(), "bye");
    report.equal("event", trace::next(), "x in a as call");
    report.equal("terminate", trace::next(), "terminate shutdown");
    auto n = start();
    otter::cast(n, when("x", [](script&, state) { return script::stop(); }));
    trace::next();
    report.equal("stop alone is normal", trace::next(), "terminate normal");
  });
}

TEST_CASE("a machine terminates as a server does, with the reason of the error",
          "[gen_statem][SM-28]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    auto m = start();
    auto asked = otter::send_request(
        m, script::ask{"x", [](script&, state, otter::caller<script::ask>) -> script::transition {
                         throw std::runtime_error("broken");
                       }});
    const std::string why = text(otter::receive_response(asked).value().error());
    report.check("reason: " + why, why.find("broken") != std::string::npos);
    trace::next();
    report.equal("terminate", trace::next(), "terminate " + why);
    auto n = start();
    otter::exit(n.process(), exit_reason::kill());
    report.equal("killed", trace::end_of(n.process()), text(exit_reason::killed()));
    report.check(
        "terminate was not called",
        !otter::receive([](trace::saw) { return true; }, otter::after(0s, [] { return false; })));
    auto stopped = start();
    otter::stop(stopped);
    report.equal("stopped by another", trace::next(), "terminate normal");
  });
}

TEST_CASE("the report of a machine's end says where it was and what waited",
          "[gen_statem][SM-34][LOG-3]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    auto m = start();
    otter::cast(m, go_to(state::c));
    otter::cast(m, note("postponed"));
    otter::cast(m, when("arm", [](script&, state) {
                  return script::keep_state().timeout("ring", 1h, note("late"));
                }));
    otter::cast(m, when("x", [](script&, state) -> script::transition {
                  throw std::runtime_error("broken");
                }));
    trace::end_of(m.process());
    report.check("one report", report.count_events("gen_statem") >= 1);
    for (char const* part : {"in state: c", "postponed: 1", "time-out ring", "broken", "script"})
      report.check(part, report.count_events(part) >= 1);
  });
}

TEST_CASE("an event that no state knows is refused at a caller, else reported and dropped",
          "[gen_statem][SM-3][GS-12]") {
  on_every_driver([](driver_report& report) {
    struct unknown {
      using reply = int;
    };
    auto m = start();
    const std::string why = failure_of([&] { otter::call(m.process(), unknown{}, 20s); });
    report.check("call: " + why, why.find("unknown_request") != std::string::npos);
    otter::cast(m.process(), 1);
    otter::send(m.process(), 2.0);
    report.equal("it goes on", otter::call(m, script::ask{"x"}), "x");
    report.check("reported", report.count_events("does not handle") == 3);
  });
}

TEST_CASE("a call by server_ref waits for a machine without limit", "[gen_statem][SM-26]") {
  STATIC_REQUIRE(otter::detail::call_limit_of<otter::server_ref<script>>() == otter::infinity);
  STATIC_REQUIRE(otter::detail::call_limit_of<otter::pid>() == otter::default_call_limit);
  on_every_driver([](driver_report& report) {
    auto m = start();
    otter::cast(m, go_to(state::c));
    report.equal("a limit may be given", failure_of([&] { otter::call(m, script::ask{"x"}, 3ms); }),
                 text(exit_reason::timeout()));
  });
}

TEST_CASE("a machine hibernates only when nothing is queued", "[gen_statem][SM-32]") {
  struct sleeper : otter::gen_statem<sleeper> {
    enum class state { awake };
    struct doze {
      bool busy;
    };
    struct more {};
    struct flush {
      using reply = void;
    };
    using accepts = otter::accepts<doze, more, flush>;
    explicit sleeper(otter::pid w) : watcher(w) {}
    transition handle_event(state, doze const& d) {
      if (d.busy) return keep_state().hibernate().next_event(more{});
      return keep_state().hibernate();
    }
    transition handle_event(state, more) {
      trace::tell(watcher, "more");
      return keep_state().timeout("t", 1h, more{});
    }
    void handle_event(state, flush) {}
    void hibernate() { trace::tell(watcher, "hibernate"); }
    otter::pid watcher;
  };
  on_every_driver([](driver_report& report) {
    auto m = sleeper::start_link(otter::self()).value();
    otter::cast(m, sleeper::doze{true});
    otter::call(m, sleeper::flush{});
    report.equal("an event was queued", trace::next(), "more");
    report.check("so it did not sleep", trace::mailbox_is_empty());
    otter::cast(m, sleeper::doze{false});
    otter::call(m, sleeper::flush{});
    report.equal("nothing was, and a timer that runs is no hindrance", trace::next(), "hibernate");
  });
}
