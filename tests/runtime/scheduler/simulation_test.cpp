// The simulation: the same seed is the same run, another seed another one, and time is virtual.

#include <catch2/catch.hpp>
#include <set>

#include "scheduler_support.hpp"

using namespace scheduler_tests;

namespace {

struct sim_alarm : timer_node {
  std::function<void()> then;
};

scheduler_hooks sim_hooks() {
  scheduler_hooks h = quiet_hooks();
  h.timer_fired = [](timer_node& node) noexcept { static_cast<sim_alarm&>(node).then(); };
  return h;
}

scheduler_options with_seed(std::uint64_t seed, unsigned workers = 3) {
  scheduler_options o;
  o.simulated = true;
  o.workers = workers;
  o.seed = seed;
  return o;
}

struct sim_job final : blocking_job {
  std::function<void()> what;
  void run() noexcept override { what(); }
};

/// Some of everything: yields, frames, timers, jobs, all priorities. Gives the digest.
std::uint64_t busy_run(std::uint64_t seed, std::vector<int>* order = nullptr) {
  scheduler s(with_seed(seed), sim_hooks());
  std::vector<std::unique_ptr<task>> tasks;
  std::vector<sim_alarm> alarms(20);
  std::vector<sim_job> jobs(20);
  int left = 20;
  for (int i = 0; i < 20; ++i) {
    tasks.push_back(std::make_unique<task>([&, i](task& self) {
      auto const n = static_cast<std::size_t>(i);
      for (int k = 0; k < 5; ++k) self.yield();
      alarms[n].then = [&] { self.wake(s); };
      current_worker()->start_timer(alarms[n], 1'000 * (i % 5));
      self.wait_for_signal();
      jobs[n].what = [&] { self.wake(s); };
      s.submit_blocking(jobs[n]);
      self.wait_for_signal();
      s.trace("done", n, s.random() % 100);
      if (order != nullptr) order->push_back(i);
      --left;
    }));
    tasks.back()->priority = static_cast<priority_level>(i % 4);
    s.submit(*tasks.back());
  }
  s.run_simulation(nullptr);
  return left == 0 ? s.trace_digest() : 0;
}

}  // namespace

TEST_CASE("one seed gives one run", "[simulation]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::vector<int> first, second;
    std::uint64_t const digest = busy_run(seed, &first);
    INFO("seed " << seed);
    CHECK(digest != 0);
    CHECK(busy_run(seed, &second) == digest);
    CHECK(first == second);
  }
}

TEST_CASE("different seeds give different orders", "[simulation]") {
  std::set<std::vector<int>> orders;
  std::set<std::uint64_t> digests;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    std::vector<int> order;
    digests.insert(busy_run(seed, &order));
    orders.insert(order);
  }
  CHECK(digests.size() == 50);
  CHECK(orders.size() > 40);
}

TEST_CASE("virtual time jumps to the next timer, and no timer is early", "[simulation]") {
  scheduler s(with_seed(7), sim_hooks());
  sim_alarm day;
  std::int64_t start = 0, fired_at = 0;
  constexpr std::int64_t delay = 86'400'000'000'000;
  day.then = [&] { fired_at = current_worker()->now(); };
  task t([&](task&) {
    start = current_worker()->now();
    current_worker()->start_timer(day, delay);
  });
  s.submit(t);
  CHECK(s.run_simulation(nullptr) == simulation_end::quiescent);
  CHECK(fired_at >= start + delay);
  CHECK(fired_at < start + delay + 10'000'000);
}

TEST_CASE("a loop of yields does not keep a timer from firing", "[simulation]") {
  scheduler s(with_seed(3), sim_hooks());
  sim_alarm a;
  bool fired = false;
  a.then = [&] { fired = true; };
  task t([&](task& self) {
    current_worker()->start_timer(a, 1'000'000);
    while (!fired) self.yield();
  });
  s.submit(t);
  CHECK(s.run_simulation(nullptr) == simulation_end::quiescent);
  CHECK(fired);
}

TEST_CASE("frames stay on their virtual worker", "[simulation]") {
  scheduler s(with_seed(11, 4), sim_hooks());
  int moved = 0;
  std::set<unsigned> used;
  std::vector<std::unique_ptr<task>> tasks;
  for (int i = 0; i < 30; ++i) {
    tasks.push_back(std::make_unique<task>([&](task& self) {
      worker* const before = current_worker();
      used.insert(before->number());
      for (int k = 0; k < 10; ++k) {
        self.yield();
        if (current_worker() != before) ++moved;
      }
    }));
    s.submit(*tasks.back());
  }
  s.run_simulation(nullptr);
  CHECK(moved == 0);
  CHECK(used.size() == 4);
}

TEST_CASE("a simulation stops when it is told to, and can go on", "[simulation]") {
  scheduler s(with_seed(5), sim_hooks());
  int turns = 0;
  task t([&](task& self) {
    if (++turns < 100) current_worker()->submit_yielded(self);
  });
  s.submit(t);
  CHECK(s.run_simulation([&] { return turns >= 10; }) == simulation_end::stopped);
  CHECK(turns == 10);
  CHECK(s.run_simulation(nullptr) == simulation_end::quiescent);
  CHECK(turns == 100);
}

TEST_CASE("a livelock ends with the bound on turns", "[simulation]") {
  scheduler_options o = with_seed(5);
  o.max_turns = 10'000;
  scheduler s(o, sim_hooks());
  task t([&](task& self) { current_worker()->submit_yielded(self); });
  s.submit(t);
  CHECK(s.run_simulation(nullptr) == simulation_end::out_of_turns);
  CHECK(s.stats().turns == 10'000);
}

TEST_CASE("blocking jobs come back at different times without a worker", "[simulation]") {
  std::set<std::vector<int>> orders;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    scheduler s(with_seed(seed), sim_hooks());
    std::vector<int> order;
    bool had_worker = false;
    std::vector<sim_job> jobs(4);
    for (int i = 0; i < 4; ++i) {
      jobs[static_cast<std::size_t>(i)].what = [&, i] {
        had_worker = had_worker || current_worker() != nullptr;
        order.push_back(i);
      };
      s.submit_blocking(jobs[static_cast<std::size_t>(i)]);
    }
    s.run_simulation(nullptr);
    CHECK(order.size() == 4);
    CHECK_FALSE(had_worker);
    orders.insert(order);
  }
  CHECK(orders.size() > 5);
}

TEST_CASE("priorities hold within a simulated worker", "[simulation][PI-6]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    scheduler s(with_seed(seed, 1), sim_hooks());
    std::vector<int> order;
    std::vector<std::unique_ptr<task>> tasks;
    for (int i = 0; i < 8; ++i) {
      tasks.push_back(std::make_unique<task>([&, i](task&) { order.push_back(i % 4); }));
      tasks.back()->priority = static_cast<priority_level>(i % 4);
      s.submit(*tasks.back());
    }
    s.run_simulation(nullptr);
    REQUIRE(order.size() == 8);
    CHECK(std::vector<int>(order.begin(), order.begin() + 4) == std::vector<int>{0, 0, 1, 1});
  }
}
