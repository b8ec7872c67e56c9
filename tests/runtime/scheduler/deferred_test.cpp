// Limits that are no timers yet: started at the worker's next look at the clock, with a time that
// is never too early, and not at all if they are gone before.

#include <array>
#include <catch2/catch.hpp>

#include "scheduler_support.hpp"

using namespace scheduler_tests;

namespace {

/// What start_deferred was called with. On the worker, except before and after.
struct limit : deferred_timer {
  std::int64_t deferred_at = 0;
  std::int64_t started_at = 0;
  int asked = 0;
  int refusals = 0;  ///< how often no timer is to be had
  countdown* done = nullptr;
};

scheduler_hooks limit_hooks() {
  scheduler_hooks h = quiet_hooks();
  h.start_deferred = [](deferred_timer& t, std::int64_t now) noexcept {
    auto& l = static_cast<limit&>(t);
    ++l.asked;
    l.started_at = now;
    if (l.refusals > 0) {
      --l.refusals;
      return;
    }
    l.unlist();
    if (l.done != nullptr) l.done->one();
  };
  return h;
}

void defer(limit& l) {
  worker& w = *current_worker();
  l.deferred_at = w.now();
  w.defer_timer(l);
}

scheduler_options simulated_with(std::uint64_t seed) {
  scheduler_options o;
  o.simulated = true;
  o.workers = 2;
  o.seed = seed;
  return o;
}

}  // namespace

TEST_CASE("what is deferred is started before its worker sleeps, and not early",
          "[scheduler][timer]") {
  constexpr std::size_t many = 10;
  countdown done(many);
  std::vector<limit> limits(many);
  task t([&](task&) {
    for (limit& l : limits) {
      l.done = &done;
      defer(l);
    }
  });
  {
    running_scheduler s(2, limit_hooks());
    s.rts.submit(t);
    REQUIRE(done.wait());
  }
  std::size_t early = 0, once = 0;
  for (limit const& l : limits) {
    early += l.started_at < l.deferred_at ? 1 : 0;
    once += l.asked == 1 ? 1 : 0;
  }
  CHECK(early == 0);
  CHECK(once == many);
}

TEST_CASE("what is deferred is started while its worker always has something to do",
          "[scheduler][timer]") {
  countdown done(1);
  limit l;
  l.done = &done;
  std::atomic<bool> over{false};
  countdown ended(1);
  task busy([&](task& self) {
    if (!l.is_deferred() && l.asked == 0) defer(l);
    if (over)
      ended.one();
    else
      current_worker()->submit_yielded(self);
  });
  running_scheduler s(1, limit_hooks());
  s.rts.submit(busy);
  CHECK(done.wait());
  over = true;
  REQUIRE(ended.wait());
}

TEST_CASE("what is unlisted in time is never started", "[scheduler][timer]") {
  std::array<limit, 3> limits;
  countdown done(1);
  task t([&](task&) {
    for (limit& l : limits) defer(l);
    for (std::size_t i : {1U, 0U, 2U})
      limits[i].unlist();  // from the middle, the end, the beginning
    done.one();
  });
  {
    running_scheduler s(1, limit_hooks());
    s.rts.submit(t);
    REQUIRE(done.wait());
  }
  for (limit const& l : limits) {
    CHECK(l.asked == 0);
    CHECK_FALSE(l.is_deferred());
  }
}

TEST_CASE("what no timer was to be had for is asked for again", "[scheduler][timer]") {
  countdown done(1);
  limit l;
  l.done = &done;
  l.refusals = 3;
  task t([&](task&) { defer(l); });
  {
    running_scheduler s(1, limit_hooks());
    s.rts.submit(t);
    REQUIRE(done.wait());  // although nothing wakes the worker
  }
  CHECK(l.asked == 4);
}

TEST_CASE("the time in which a thread is stuck counts for what was deferred on it",
          "[scheduler][stall][timer]") {
  static countdown* stall_seen = nullptr;
  countdown stalled(1), done(1);
  stall_seen = &stalled;
  scheduler_hooks h = limit_hooks();
  h.stalled = [](scheduler&, stall_report const&) noexcept { stall_seen->one(); };
  limit l;
  l.done = &done;
  std::int64_t back = 0;
  bool still_deferred = false;
  task t([&](task&) {
    defer(l);
    {
      user_code outside;
      stalled.wait();
      back = current_worker()->now();
    }
    still_deferred = l.is_deferred();
  });
  {
    running_scheduler s(1, h);
    s.rts.submit(t);
    REQUIRE(done.wait());
  }
  CHECK(still_deferred);  // started neither by the watchdog nor by who had the core meanwhile
  CHECK(l.started_at >= l.deferred_at);
  CHECK(l.started_at <= back);
}

TEST_CASE("in simulation what is deferred is started by itself, not early, in time",
          "[scheduler][simulation][timer]") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    limit kept, gone;
    bool was_started = false;
    scheduler s(simulated_with(seed), limit_hooks());
    task t([&](task& self) {
      defer(kept);
      defer(gone);
      self.yield();
      was_started = gone.asked != 0;
      if (gone.is_deferred()) gone.unlist();
    });
    s.submit(t);
    s.run_simulation(nullptr);
    CAPTURE(seed);
    CHECK(kept.asked == 1);
    CHECK(kept.started_at >= kept.deferred_at);
    CHECK(kept.started_at - kept.deferred_at < 1'000'000);
    CHECK((gone.asked != 0) == was_started);
  }
}
