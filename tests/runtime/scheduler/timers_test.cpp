// Timers on the threads driver: never early, all of them, and cancelled exactly once.

#include <catch2/catch.hpp>

#include "scheduler_support.hpp"

using namespace scheduler_tests;

namespace {

/// A timer that knows when it was to fire; the hooks find it through its node.
struct test_timer : timer_node {
  std::int64_t not_before = 0;
  std::atomic<int> fired{0};
  std::atomic<int> released{0};
  std::atomic<bool> early{false};
  countdown* done = nullptr;
};

scheduler_hooks alarm_hooks() {
  scheduler_hooks h = quiet_hooks();
  h.timer_fired = [](timer_node& node) noexcept {
    auto& a = static_cast<test_timer&>(node);
    if (current_worker()->now() < a.not_before) a.early = true;
    ++a.fired;
    if (a.done != nullptr) a.done->one();
  };
  h.timer_released = [](timer_node& node) noexcept {
    auto& a = static_cast<test_timer&>(node);
    ++a.released;
    if (a.done != nullptr) a.done->one();
  };
  return h;
}

}  // namespace

TEST_CASE("timers fire, all of them and none early", "[scheduler][timer]") {
  constexpr std::size_t per_worker = 300;
  constexpr std::size_t starters = 8;
  countdown done(per_worker * starters);
  std::vector<test_timer> alarms(per_worker * starters);
  std::vector<std::unique_ptr<task>> tasks;
  {
    running_scheduler s(2, alarm_hooks());
    for (std::size_t i = 0; i < starters; ++i) {
      tasks.push_back(std::make_unique<task>([&, i](task&) {
        for (std::size_t j = i * per_worker; j < (i + 1) * per_worker; ++j) {
          worker& w = *current_worker();
          alarms[j].done = &done;
          auto const delay = static_cast<std::int64_t>(j * 7919 % 20'000'000);
          alarms[j].not_before = w.now() + delay;
          w.start_timer(alarms[j], delay);
        }
      }));
      s.rts.submit(*tasks.back());
    }
    REQUIRE(done.wait());
  }
  std::size_t early = 0, once = 0;
  for (test_timer& a : alarms) {
    early += a.early ? 1 : 0;
    once += a.fired == 1 ? 1 : 0;
  }
  CHECK(early == 0);
  CHECK(once == alarms.size());
}

TEST_CASE("a timer that its own worker cancels never fires", "[scheduler][timer]") {
  test_timer a;
  countdown done(1);
  bool cancelled = false;
  task t([&](task&) {
    worker& w = *current_worker();
    w.start_timer(a, 1'000'000);
    cancelled = w.cancel_timer(a, a.generation());
    done.one();
  });
  {
    running_scheduler s(1, alarm_hooks());
    s.rts.submit(t);
    REQUIRE(done.wait());
  }
  CHECK(cancelled);
  CHECK(a.fired == 0);
  CHECK(a.released == 0);
}

TEST_CASE("what the release of a cancelled timer makes ready is run", "[scheduler][timer]") {
  // The room above sends a process its cancelled timers, which wakes it. That may happen in the
  // last look at the timers before the worker sleeps.
  constexpr int rounds = 100;
  struct waking_timer : timer_node {
    task* waiter = nullptr;
  };
  scheduler_hooks h = quiet_hooks();
  h.timer_released = [](timer_node& node) noexcept {
    current_worker()->submit_woken(*static_cast<waking_timer&>(node).waiter);
  };
  for (int round = 0; round < rounds; ++round) {
    waking_timer timer;
    countdown started(1), woken(1);
    task waiter([&](task&) { woken.one(); });
    timer.waiter = &waiter;
    task starter([&](task&) {
      current_worker()->start_timer(timer, 3'600'000'000'000);
      started.one();
    });
    task nothing([](task&) {});
    running_scheduler s(1, h);
    s.rts.submit(starter);
    REQUIRE(started.wait());
    REQUIRE(timer_wheel::cancel(timer, timer.generation(), nullptr));
    s.rts.submit(nothing);  // the worker wakes, and soon is about to sleep again
    REQUIRE(woken.wait());
  }
}

TEST_CASE("a timer cancelled while it fires is either cancelled or fired", "[scheduler][timer]") {
  constexpr std::size_t many = 2'000;
  countdown settled(many);  // fired, or released at home after a foreign cancel
  std::vector<test_timer> alarms(many);
  std::vector<std::atomic<std::uint64_t>> generations(many);
  std::atomic<std::size_t> at_home{0}, away{0};
  countdown cancelled_all(1);
  running_scheduler s(2, alarm_hooks());
  task canceller([&](task& self) {
    for (std::size_t i = 0; i < many; ++i) {
      std::uint64_t const g = generations[i].load(std::memory_order_acquire);
      if (g == 0) {
        current_worker()->submit_yielded(self);
        return;
      }
      if ((g & 1) != 0) continue;
      generations[i].store(g | 1, std::memory_order_relaxed);
      worker& w = *current_worker();
      bool const home = alarms[i].home.load() == &w.wheel();
      if (w.cancel_timer(alarms[i], g >> 1)) {
        if (home) settled.one();
        ++(home ? at_home : away);
      }
    }
    cancelled_all.one();
  });
  task starter([&](task&) {
    for (std::size_t i = 0; i < many; ++i) {
      alarms[i].done = &settled;
      current_worker()->start_timer(alarms[i], static_cast<std::int64_t>(i % 64) * 1'000);
      generations[i].store(alarms[i].generation() << 1, std::memory_order_release);
    }
  });
  s.rts.submit(canceller);
  s.rts.submit(starter);
  REQUIRE(cancelled_all.wait());
  REQUIRE(settled.wait());
  std::size_t fired = 0, released = 0;
  for (test_timer& a : alarms) {
    fired += static_cast<std::size_t>(a.fired);
    released += static_cast<std::size_t>(a.released);
  }
  CHECK(released == away);
  CHECK(fired + at_home + away == many);
}
