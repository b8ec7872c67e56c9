// Timers, as a user sees them. What is said of moments is asserted on the node's own clock.

#include <algorithm>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/monitor.hpp>
#include <otter/name.hpp>
#include <otter/receive.hpp>
#include <otter/simulation.hpp>
#include <otter/spawn.hpp>
#include <otter/timer.hpp>
#include <vector>

#include "process_support.hpp"
#include "seeds.hpp"

using otter::node_clock;
using namespace process_test;

namespace {

int await_number() {
  return otter::receive([](number x) { return x.n; });
}

/// What the next timer_answer for `t` says, or -1 ns for "not active".
otter::duration answer_for(otter::timer_ref t) {
  return otter::receive(otter::when([t](otter::timer_answer const& a) { return a.timer == t; },
                                    [](otter::timer_answer a) { return a.left.value_or(-1ns); }));
}

}  // namespace

TEST_CASE("start_timer wraps the message with the timer's ref", "[timer][TM-1]") {
  on_every_driver([](driver_report& report) {
    otter::timer_ref t = otter::start_timer(1ms, otter::self(), number{3});
    auto got = otter::receive([](otter::timeout<number> x) { return x; });
    report.check("ref", got.timer == t);
    report.equal("message", got.message.n, 3);
  });
}

TEST_CASE("a negative delay is badarg, a moment that is past fires at once", "[timer][TM-3]") {
  on_every_driver([](driver_report& report) {
    report.equal("send_after", errc_of([] { otter::send_after(-1ns, otter::self(), number{1}); }),
                 std::string("badarg"));
    report.equal("start_timer", errc_of([] { otter::start_timer(-1ns, otter::self(), number{1}); }),
                 std::string("badarg"));
    report.equal("beyond the clock",
                 errc_of([] { otter::send_after(otter::infinity, otter::self(), number{1}); }),
                 std::string("badarg"));
    otter::send_at(node_clock::now() - 1h, otter::self(), number{2});
    report.equal("past", await_number(), 2);
    node_clock::time_point const when = node_clock::now() + 2ms;
    otter::send_at(when, otter::self(), number{3});
    otter::start_timer_at(when, otter::self(), number{4});
    report.equal("absolute", await_number(), 3);
    report.equal("absolute, wrapped",
                 otter::receive([](otter::timeout<number> x) { return x.message.n; }), 4);
    report.check("not early", node_clock::now() >= when);
  });
}

TEST_CASE("a timer for the dead never fires, one for the dying is cancelled", "[timer][TM-4]") {
  on_every_driver([](driver_report& report) {
    otter::spawned gone = otter::spawn_monitor([] {});
    otter::receive([](otter::down const&) {});
    otter::timer_ref t = otter::send_after(1h, gone, number{1});
    report.check("dead: read", !otter::read_timer(t));
    report.check("dead: cancel", !otter::cancel_timer(t));
    otter::spawned dying = otter::spawn_monitor([] { otter::receive([](go) {}); });
    otter::timer_ref u = otter::send_after(1h, dying, number{1});
    report.check("living", otter::read_timer(u).has_value());
    otter::send(dying, go{});
    otter::receive([](otter::down const&) {});
    report.check("dying: cancel", !otter::cancel_timer(u));
  });
}

TEST_CASE("a name is looked up when the timer expires", "[timer][TM-5]") {
  on_every_driver([](driver_report& report) {
    // On a machine so slow that a timer expires before the name has its second owner, this is tried
    // again with more time.
    int first_number = 1;
    for (otter::duration delay = 5ms;; delay *= 2, first_number += 2) {
      otter::spawned first = otter::spawn_monitor([] { otter::receive([](go) {}); });
      otter::register_name("clock", first);
      otter::timer_ref t = otter::send_after(delay, "clock", number{first_number});
      otter::timer_ref u =
          otter::send_at(node_clock::now() + delay, "clock", number{first_number + 1});
      otter::send(first, go{});
      otter::receive([](otter::down const&) {});
      otter::register_name("clock", otter::self());
      if (otter::read_timer(t) && otter::read_timer(u)) break;
      otter::unregister_name("clock");
    }
    // They are not cancelled by the end of who had the name, and reach who has it now.
    for (int n : {first_number, first_number + 1}) {
      otter::receive(otter::when([n](number x) { return x.n == n; }, [](number) {}));
      report.check("came", true);
    }
  });
}

TEST_CASE("a timer for a name that nobody has then is dropped", "[timer][TM-5]") {
  on_every_driver([](driver_report& report) {
    otter::timer_ref t = otter::send_after(1ms, "nobody", number{1});
    while (otter::read_timer(t)) otter::sleep_for(1ms);
    otter::register_name("nobody", otter::self());
    otter::send_after(1ms, otter::self(), go{});
    otter::receive([](go) {});
    report.equal("nothing", next_number(), -1);
  });
}

TEST_CASE("cancel and read say what is left, then nothing", "[timer][TM-6][TM-9]") {
  on_every_driver([](driver_report& report) {
    auto const began = node_clock::now();
    otter::timer_ref t = otter::send_after(1h, otter::self(), number{1});
    otter::sleep_for(2ms);
    otter::duration const read = otter::read_timer(t).value_or(0ns);
    auto const passed = node_clock::now() - began;
    report.check("read: what has passed is gone", read <= 1h - 2ms);
    report.check("read: no more than that", read >= 1h - passed);
    otter::duration const left = otter::cancel_timer(t).value_or(0ns);
    report.check("cancel: no more than was read", left <= read && left > 0ns);
    report.check("cancelled: read", !otter::read_timer(t));
    report.check("cancelled: cancel", !otter::cancel_timer(t));
    otter::timer_ref fired = otter::send_after(0ns, otter::self(), number{2});
    await_number();
    report.check("expired: read", !otter::read_timer(fired));
    report.check("expired: cancel", !otter::cancel_timer(fired));
    report.check("never existed", !otter::cancel_timer(otter::timer_ref()));
  });
}

TEST_CASE("anybody who holds the ref may read and cancel", "[timer][TM-8]") {
  on_every_driver([](driver_report& report) {
    otter::timer_ref t = otter::send_after(1h, otter::self(), number{1});
    struct seen {
      bool read, cancelled;
    };
    otter::spawn([t, me = otter::self()] {
      bool const read = otter::read_timer(t).has_value();
      otter::send(me, seen{read, otter::cancel_timer(t).has_value()});
    });
    auto const got = otter::receive([](seen x) { return x; });
    report.check("read", got.read);
    report.check("cancelled", got.cancelled);
    report.check("for its owner too", !otter::read_timer(t));
  });
}

TEST_CASE("the asynchronous forms answer with a message", "[timer][TM-8]") {
  on_every_driver([](driver_report& report) {
    otter::timer_ref t = otter::send_after(1h, otter::self(), number{1});
    otter::read_timer_async(t);
    report.check("read", answer_for(t) > 0ns);
    otter::cancel_timer_async(t);
    report.check("cancelled", answer_for(t) > 0ns);
    otter::cancel_timer_async(t);
    report.check("no longer active", answer_for(t) < 0ns);
  });
}

TEST_CASE("a delay of nothing is still a message that has to be received", "[timer][TM-10]") {
  on_every_driver([](driver_report& report) {
    otter::send_after(0ns, otter::self(), number{1});
    otter::send(otter::self(), number{2});
    // Both arrive, in either order.
    report.equal("sum", await_number() + await_number(), 3);
    std::vector<int> got;
    node_clock::time_point const when = node_clock::now() + 1ms;
    for (int i = 0; i < 50; ++i) otter::send_at(when, otter::self(), number{i});
    for (int i = 0; i < 50; ++i) got.push_back(await_number());
    std::sort(got.begin(), got.end());
    bool all = true;
    for (int i = 0; i < 50; ++i) all = all && got[static_cast<std::size_t>(i)] == i;
    report.check("all of one moment, once each", all);
  });
}

TEST_CASE("timers of dead processes do not accumulate", "[timer][TM-4][TM-11]") {
  otter::simulation sim(1);
  std::size_t most = 0;
  auto const result = sim.run([&] {
    for (int i = 0; i < 200; ++i) {
      otter::spawn_monitor([] {
        for (int k = 0; k < 100; ++k) otter::send_after(1h, otter::self(), number{k});
      });
      otter::receive([](otter::down const&) {});
      most = std::max(most, sim.statistics().timers);
    }
  });
  CHECK(result.finished);
  CHECK(most <= 200);
}

TEST_CASE("an interval sends at start + k * time and ends with its receiver", "[timer][TM-12]") {
  on_every_driver([](driver_report& report) {
    auto const began = node_clock::now();
    otter::timer_ref t = otter::send_interval(1ms, otter::self(), number{1});
    bool early = false;
    for (int k = 1; k <= 10; ++k) {
      await_number();
      early = early || node_clock::now() - began < k * 1ms;
    }
    report.check("never early", !early);
    report.check("was running", otter::cancel_interval(t));
    otter::pid p = otter::spawn([] { otter::receive([](go) {}); });
    otter::timer_ref u = otter::send_interval(1ms, p, number{1});
    otter::monitor_ref sender = otter::monitor(u.owner());
    otter::send(p, go{});
    otter::receive(otter::when([sender](otter::down const& d) { return d.ref == sender; },
                               [](otter::down) {}));
    report.check("ended with its receiver", !otter::cancel_interval(u));
    report.equal("an interval of nothing",
                 errc_of([] { otter::send_interval(0ns, otter::self(), number{1}); }),
                 std::string("badarg"));
  });
}

TEST_CASE("the ticks of an interval do not drift", "[timer][TM-12]") {
  otter_test::seed_range const range = otter_test::seeds(3);
  for (std::uint64_t seed = range.first; seed <= range.last; ++seed) {
    otter::simulation sim(seed);
    otter::duration worst{};
    sim.run([&] {
      auto const began = node_clock::now();
      otter::send_interval(1ms, otter::self(), number{1});
      for (int k = 1; k <= 500; ++k) {
        await_number();
        worst = std::max(worst, node_clock::now() - began - k * 1ms);
      }
    });
    otter_test::run_of const line(seed);
    INFO("seed " << seed << ", worst " << worst.count() << " ns");
    CHECK(worst < 1ms);  // one that drifted by a wheel's tick each time would be 30 ms late
  }
}

TEST_CASE("apply_after runs a function once, in a process of its own", "[timer][TM-12]") {
  on_every_driver([](driver_report& report) {
    struct where {
      otter::pid process;
    };
    auto const began = node_clock::now();
    otter::apply_after(2ms, [me = otter::self()] { otter::send(me, where{otter::self()}); });
    report.check("elsewhere", otter::receive([](where w) { return w.process; }) != otter::self());
    report.check("not early", node_clock::now() - began >= 2ms);
    otter::timer_ref t = otter::apply_after(1h, [] {});
    otter::monitor_ref sender = otter::monitor(t.owner());
    report.check("cancelled", otter::cancel_interval(t));
    otter::receive(otter::when([sender](otter::down const& d) { return d.ref == sender; },
                               [](otter::down) {}));
    report.check("once", !otter::cancel_interval(t));
  });
}

TEST_CASE("apply_interval runs a function again and again until its maker ends", "[timer][TM-12]") {
  on_every_driver([](driver_report& report) {
    struct interval {
      otter::timer_ref timer;
    };
    otter::spawned maker = otter::spawn_monitor([me = otter::self()] {
      otter::timer_ref t = otter::apply_interval(1ms, [me] { otter::send(me, number{1}); });
      otter::send(me, interval{t});
      otter::receive([](go) {});
    });
    otter::timer_ref t = otter::receive([](interval x) { return x.timer; });
    report.equal("sum", await_number() + await_number() + await_number(), 3);
    otter::monitor_ref sender = otter::monitor(t.owner());
    otter::send(maker, go{});
    otter::receive(otter::when([sender](otter::down const& d) { return d.ref == sender; },
                               [](otter::down) {}));
    report.check("ended with its maker", !otter::cancel_interval(t));
  });
}

namespace {

/// Sets its one time-out as it is told, and tells its starter of each that comes.
class restarted : public otter::reactive {
 public:
  struct set {
    otter::duration delay;
    std::uint64_t token;
  };
  struct came {
    std::uint64_t token;
    node_clock::time_point at;
  };

  explicit restarted(otter::pid starter) : starter_(starter) {}
  void start() override {}
  void handle(otter::event& what) override {
    if (what.what() == otter::event::kind::timeout)
      otter::send(starter_, came{what.token(), node_clock::now()});
    else if (auto const* said = what.get_if<set>())
      start_timeout(said->delay, said->token);
    else
      stop(otter::exit_reason::normal());
  }

 private:
  otter::pid starter_;
};

}  // namespace

TEST_CASE("a time-out that is set again comes once, at the time that was said last",
          "[timer][TM-2]") {
  on_every_driver([](driver_report& report) {
    otter::pid const p = otter::spawn_reactive({}, otter::make_reactive<restarted>(otter::self()));
    auto const await = [&](otter::duration limit) {
      return otter::receive([](restarted::came c) { return c; }, otter::after(limit, [] {
                              return restarted::came{0, {}};
                            }));
    };
    // Later, twice, before it comes; the second time while it has been put off already.
    auto begin = node_clock::now();
    otter::send(p, restarted::set{5ms, 1});
    otter::send(p, restarted::set{10ms, 2});
    otter::send(p, restarted::set{20ms, 3});
    restarted::came c = await(10s);
    report.equal("the last of three", c.token, std::uint64_t{3});
    report.check("not early", c.at - begin >= 20ms);
    // Earlier than it was put off to, and than it was at first.
    otter::send(p, restarted::set{1h, 4});
    otter::send(p, restarted::set{2h, 5});
    begin = node_clock::now();
    otter::send(p, restarted::set{5ms, 6});
    c = await(10s);
    report.equal("the earlier one", c.token, std::uint64_t{6});
    report.check("not early either", c.at - begin >= 5ms);
    report.equal("and none after it", await(30ms).token, std::uint64_t{0});
    otter::send(p, go{});
  });
}

TEST_CASE("the time-out of a body ends with it", "[timer][TM-4]") {
  in_simulation([](driver_report& report) {
    for (otter::duration last : {1h, 2h}) {  // as it was set; put off
      otter::spawned const p = otter::spawn_reactive(
          {.monitor = otter::alias_mode::none}, otter::make_reactive<restarted>(otter::self()));
      otter::send(p, restarted::set{1h, 1});
      otter::send(p, restarted::set{last, 2});
      otter::send(p, go{});
      otter::receive([](otter::down const&) {});
      otter::sleep_for(1s);  // a core that has armed it for another one looks at it in its turn
      report.equal("left", report.statistics().timers, std::size_t{0});
    }
  });
}

TEST_CASE("of the timers for one process each can be cancelled, and the others end with it",
          "[timer][TM-4]") {
  in_simulation([](driver_report& report) {
    for (auto const& cancelled : std::vector<std::vector<std::size_t>>{
             {0}, {1}, {2}, {0, 1}, {1, 0}, {1, 2}, {2, 0}, {2, 1, 0}, {0, 1, 2}, {}}) {
      otter::spawned const p = otter::spawn_monitor([] { otter::receive([](go) {}); });
      std::vector<otter::timer_ref> timers;
      for (int i = 0; i < 3; ++i) timers.push_back(otter::send_after(1h, p, number{i}));
      otter::checkpoint();  // the process may know of them, or not yet
      for (std::size_t i : cancelled) report.check("was on", !!otter::cancel_timer(timers[i]));
      for (std::size_t i = 0; i < 3; ++i) {
        bool const off = std::count(cancelled.begin(), cancelled.end(), i) != 0;
        report.equal("on", otter::read_timer(timers[i]).has_value(), !off);
      }
      otter::send(p, go{});
      otter::receive([](otter::down const&) {});
      otter::sleep_for(1s);  // a core that has armed it for another one looks at it in its turn
      report.equal("left", report.statistics().timers, std::size_t{0});
    }
  });
}

TEST_CASE("exit_after and kill_after send exit signals, unless cancelled", "[timer][TM-12]") {
  on_every_driver([](driver_report& report) {
    auto const trapping = [] {
      otter::trap_exit(true);
      otter::receive([](otter::exited e) { otter::exit(e.reason); });
    };
    auto const end_of = [](otter::monitor_ref ref) {
      return otter::receive(otter::when([ref](otter::down const& d) { return d.ref == ref; },
                                        [](otter::down d) { return to_string(d.reason); }));
    };
    otter::spawned a = otter::spawn_monitor(trapping);
    otter::exit_after(1ms, a, otter::exit_reason::of("late"));
    report.equal("exit", end_of(a.ref), to_string(otter::exit_reason::of("late")));
    otter::spawned b = otter::spawn_monitor(trapping);
    otter::kill_after(1ms, b);
    report.equal("kill", end_of(b.ref), to_string(otter::exit_reason::killed()));
    otter::spawned c = otter::spawn_monitor([] { otter::receive([](go) {}); });
    otter::timer_ref t = otter::kill_after(1h, c);
    report.check("cancelled", otter::cancel_timer(t).has_value());
    otter::send(c, go{});
    report.equal("lives on", end_of(c.ref), to_string(otter::exit_reason::normal()));
  });
}
