// Priorities: strict for max and high, low mixed in seldom, and no queue forgotten within a level.

#include <catch2/catch.hpp>
#include <string>

#include "scheduler_support.hpp"

using namespace scheduler_tests;

namespace {

/// Submits everything in one turn of one worker and gives the order in which it ran.
std::vector<std::string> order_of(std::vector<std::pair<priority_level, std::string>> const& what) {
  std::vector<std::string> order;
  countdown done(what.size());
  std::vector<std::unique_ptr<task>> tasks;
  for (auto const& [level, name] : what) {
    tasks.push_back(std::make_unique<task>([&, n = name](task&) {
      order.push_back(n);
      done.one();
    }));
    tasks.back()->priority = level;
  }
  task root([&](task&) {
    for (auto& t : tasks) current_worker()->submit(*t);
  });
  running_scheduler s(1);
  s.rts.submit(root);
  if (!done.wait()) order.push_back("not done");
  return order;
}

}  // namespace

TEST_CASE("more urgent runnables go first", "[scheduler][PI-6]") {
  using enum priority_level;
  CHECK(order_of({{low, "low"}, {normal, "normal"}, {high, "high"}, {max, "max"}}) ==
        std::vector<std::string>{"max", "high", "normal", "low"});
}

TEST_CASE("low priority is mixed in seldom, but is", "[scheduler][PI-6]") {
  std::vector<std::pair<priority_level, std::string>> what;
  what.emplace_back(priority_level::low, "low");
  for (int i = 0; i < 40; ++i) what.emplace_back(priority_level::normal, "normal");
  auto const order = order_of(what);
  auto const place = std::find(order.begin(), order.end(), "low") - order.begin();
  CHECK(place >= 4);
  CHECK(place <= 20);
}

TEST_CASE("high starves normal while it is busy", "[scheduler][PI-6]") {
  running_scheduler s(1);
  countdown done(1);
  int high_turns = 0, seen_at_normal = -1;
  task normal([&](task&) {
    seen_at_normal = high_turns;
    done.one();
  });
  task high([&](task& self) {
    if (++high_turns == 1) current_worker()->submit(normal);
    if (high_turns < 1'000) current_worker()->submit_yielded(self);
  });
  high.priority = priority_level::high;
  s.rts.submit(high);
  REQUIRE(done.wait());
  CHECK(seen_at_normal == 1'000);
}

TEST_CASE("nobody starves among the queues of normal priority", "[scheduler]") {
  // Each of these could keep the worker busy alone: two that wake each other through the slot, a
  // chain of fresh children, one that yields in the ring, and one that yields with frames. A
  // foreign submit comes through the overflow queue.
  running_scheduler s(1);
  std::atomic<bool> over{false};
  int slot_turns = 0, fresh_turns = 0, ring_turns = 0, frame_turns = 0;
  countdown ended(4);
  std::unique_ptr<task> ping, pong;
  auto beat = [&](std::unique_ptr<task>& other) {
    return [&](task&) {
      ++slot_turns;
      if (over) return ended.one();
      current_worker()->submit_woken(*other);
    };
  };
  ping = std::make_unique<task>(beat(pong));
  pong = std::make_unique<task>(beat(ping));
  task fresh([&](task& self) {
    ++fresh_turns;
    if (over) return ended.one();
    current_worker()->submit_fresh(self);
  });
  task ring([&](task& self) {
    ++ring_turns;
    if (over) return ended.one();
    current_worker()->submit_yielded(self);
  });
  task frames([&](task& self) {
    while (!over) {
      ++frame_turns;
      self.yield();
    }
    ended.one();
  });
  task root([&](task&) {
    worker& w = *current_worker();
    for (runnable* r : std::initializer_list<runnable*>{ping.get(), &fresh, &ring, &frames}) {
      w.submit(*r);
    }
  });
  s.rts.submit(root);
  // Foreign submits come through while all of them are busy.
  for (int i = 0; i < 100; ++i) {
    countdown done(1);
    task t([&](task&) { done.one(); });
    s.rts.submit(t);
    REQUIRE(done.wait());
  }
  over = true;
  REQUIRE(ended.wait());
  CHECK(slot_turns > 50);
  CHECK(fresh_turns > 50);
  CHECK(ring_turns > 50);
  CHECK(frame_turns > 50);
}
