// Selective receive: what is looked at, how often, and what is left alone.

#include <otter/alias.hpp>
#include <otter/detail/call.hpp>
#include <otter/link.hpp>
#include <otter/process_info.hpp>
#include <otter/timer.hpp>

#include "process_support.hpp"

using namespace process_test;

namespace {

struct noise {
  int n;
};
struct ask {
  using reply = int;
};

/// `count` messages that nobody is going to want, in the caller's own mailbox.
void fill_mailbox(int count) {
  for (int i = 0; i < count; ++i) otter::send(otter::self(), noise{i});
  otter::checkpoint();  // takes them in
}

/// A receive from `marker` that wants a message which the caller has just sent to itself; returns
/// how many it looked at.
int looked_at(otter::ref marker) {
  int looks = 0;
  otter::receive_from(marker, otter::when(
                                  [&](noise const& x) {
                                    ++looks;
                                    return x.n < 0;
                                  },
                                  [](noise) {}));
  return looks;
}

}  // namespace

TEST_CASE("a receive looks once at each message that comes while it waits", "[mailbox][MB-3]") {
  on_every_driver([](driver_report& report) {
    constexpr int refused = 40;
    fill_mailbox(2);
    otter::spawn([me = otter::self()] {
      for (int i = 0; i < refused; ++i) {
        otter::send(me, noise{i});
        otter::sleep_for(1us);  // so that they do not come together
      }
      otter::send(me, noise{-1});
    });
    report.equal("looks", looked_at({}), 2 + refused + 1);
    report.equal("all refused ones are still there", take_all<noise>(), 2 + refused);
  });
}

TEST_CASE("a receive with nothing but a limit is a sleep and touches no message",
          "[mailbox][MB-9]") {
  on_every_driver([](driver_report& report) {
    for (int i = 0; i < 3; ++i) otter::send(otter::self(), number{i});
    auto const began = otter::node_clock::now();
    otter::receive(otter::after(1ms));
    otter::sleep_for(1ms);
    report.check("it lasted", otter::node_clock::now() - began >= 2ms);
    for (int i = 0; i < 3; ++i) report.equal("in order", next_number(), i);
    report.equal("no more", next_number(), -1);
  });
}

TEST_CASE("an exit signal ends a receive that waits, and no clause of it runs",
          "[mailbox][MB-10]") {
  on_every_driver([](driver_report& report) {
    for (int i = 0; i < 50; ++i) {
      otter::spawned p = otter::spawn_monitor([me = otter::self()] {
        otter::receive([me](go) { otter::send(me, number{1}); },
                       otter::after(1h, [me] { otter::send(me, number{2}); }));
      });
      if (i % 2 == 0) otter::is_alive(p);  // it has begun to wait
      otter::exit(p, exit_reason::of("stop"));
      otter::send(p, go{});
      report.equal("reason", end_of(p.ref), to_string(exit_reason::of("stop")));
      report.equal("no clause ran", next_number(), -1);
    }
  });
}

TEST_CASE("a receive from a fresh ref does not look at what was there before",
          "[mailbox][MB-11][MB-12]") {
  on_every_driver([](driver_report& report) {
    fill_mailbox(1000);
    auto const wanted = [] { otter::send(otter::self(), noise{-1}); };

    otter::ref const made = otter::make_ref();
    wanted();
    report.equal("make_ref", looked_at(made), 1);
    otter::alias_ref const alias = otter::alias();
    wanted();
    report.equal("alias", looked_at(alias), 1);
    otter::pid const p = otter::spawn([] { otter::receive([](go) {}); });
    otter::monitor_ref const watch = otter::monitor(p);
    wanted();
    report.equal("monitor", looked_at(watch), 1);
    otter::spawned const q = waiter();
    wanted();
    report.equal("spawn with a monitor", looked_at(q.ref), 1);
    wanted();
    report.equal("a ref that is not the newest is slower, not wrong", looked_at(made), 1001);
    otter::ref const last = otter::make_ref();
    report.equal("a receive without it sees everything",
                 otter::receive([](noise x) { return x.n; }), 0);
    wanted();
    report.equal("removing older messages keeps the place", looked_at(last), 1);
    report.equal("nothing was lost", take_all<noise>(), 999);
  });
}

TEST_CASE("a call does not look at the messages that wait already", "[mailbox][call][MB-12]") {
  // Were each call to look at the queue, this would be 2 * 10^9 looks; the test would not end.
  on_every_driver([](driver_report& report) {
    constexpr int waiting = 200'000;
    constexpr int calls = 10'000;
    struct server final : otter::reactive {
      void start() override {}
      void handle(otter::event& e) override {
        if (e.what() == otter::event::kind::request)
          otter::detail::reply(e.caller(),
                               otter::detail::pack<int>(otter::detail::signal_kind::reply, 7));
      }
    };
    otter::pid const p = otter::spawn_reactive({.link = true}, otter::make_reactive<server>());
    fill_mailbox(waiting);
    int answers = 0;
    for (int i = 0; i < calls; ++i) {
      otter::detail::response r = otter::detail::call(
          p, otter::detail::pack<ask>(otter::detail::signal_kind::request, ask{}), otter::infinity);
      answers += r.reply ? 1 : 0;
    }
    report.equal("answers", answers, calls);
    report.equal("nothing was lost", take_all<noise>(), waiting);
    otter::unlink(p);
    otter::exit(p, exit_reason::kill());
  });
}

TEST_CASE("a mailbox has no bound unless one is asked for", "[mailbox][MB-14]") {
  on_every_driver([](driver_report& report) {
    constexpr int many = 100'000;
    otter::pid const p = otter::spawn([me = otter::self()] {
      otter::receive([](go) {});
      int expected = 0;
      while (otter::receive(otter::when([&](number const& x) { return x.n == expected; },
                                        [&](number) { return ++expected < many; })))
        ;
      otter::send(me, number{expected});
    });
    for (int i = 0; i < many; ++i) otter::send(p, number{i});
    otter::send(p, go{});
    report.equal("all arrived, in order", otter::receive([](number x) { return x.n; }), many);
  });
}

TEST_CASE("a receive inside a clause sees what its own receive had left", "[mailbox][MB-4]") {
  on_every_driver([](driver_report& report) {
    for (int i = 0; i < 4; ++i) otter::send(otter::self(), number{i});
    int inner = -1;
    int const outer = otter::receive(otter::when([](number const& x) { return x.n == 2; },
                                                 [&](number x) {
                                                   inner = next_number();
                                                   return x.n;
                                                 }));
    report.equal("outer", outer, 2);
    report.equal("the inner one begins with the oldest", inner, 0);
    report.equal("then", next_number(), 1);
    report.equal("and", next_number(), 3);
  });
}

namespace {

/// How long a wait of each length took, in virtual time, that nothing ended but its limit.
void wait_out(driver_report& report) {
  for (otter::duration const limit :
       {otter::duration(0ns), otter::duration(1ms), otter::duration(999ms), otter::duration(1s),
        otter::duration(1s + 1ns), otter::duration(5s), otter::duration(1h)}) {
    auto const began = otter::node_clock::now();
    otter::receive([](go) {}, otter::after(limit));
    auto const took = otter::node_clock::now() - began;
    report.check("not early", took >= limit);
    report.check("and soon after", took < limit + 1ms);
  }
}

}  // namespace

TEST_CASE("a limit of any length ends a wait, never early and soon after", "[mailbox][TM-2]") {
  in_simulation([](driver_report& report) {
    wait_out(report);
    // Messages that it does not want do not put it off, nor do processes that are always ready.
    otter::pid const busy = otter::spawn([me = otter::self()] {
      while (!otter::receive([](go) { return true; }, otter::after(0ms, [] { return false; }))) {
        otter::send(me, noise{1});
        otter::sleep_for(100ms);
      }
    });
    auto const began = otter::node_clock::now();
    otter::receive([](go) {}, otter::after(2s));
    auto const took = otter::node_clock::now() - began;
    report.check("not early, with messages", took >= 2s);
    report.check("and soon after, with messages", took < 2s + 1ms);
    otter::send(busy, go{});
  });
}

TEST_CASE("waits that are over before their limit leave no timer", "[mailbox][TM-4]") {
  in_simulation([](driver_report& report) {
    otter::pid const echo = otter::spawn([me = otter::self()] {
      while (otter::receive([](number x) { return x.n; }) != 0) otter::send(me, number{1});
    });
    int answers = 0;
    for (int i = 0; i < 100; ++i) {
      otter::send(echo, number{1});
      answers += otter::receive([](number x) { return x.n; }, otter::after(1h, [] { return 0; }));
    }
    report.equal("answers", answers, 100);
    // One that is killed in such a wait leaves none either.
    otter::spawned const waiting =
        otter::spawn_monitor([] { otter::receive([](go) {}, otter::after(1h)); });
    otter::checkpoint();
    otter::exit(waiting, exit_reason::kill());
    otter::receive([](otter::down const&) {});
    otter::send(echo, number{0});
    report.equal("timers", report.statistics().timers, std::size_t{0});
  });
}
