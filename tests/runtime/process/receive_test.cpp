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
