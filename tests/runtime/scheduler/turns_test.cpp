// Turns, suspension and stacks, as a runnable on the threads driver sees them.

#include <catch2/catch.hpp>
#include <stdexcept>
#include <string>
#include <thread>

#include "scheduler_support.hpp"

using namespace scheduler_tests;

TEST_CASE("a submitted runnable is run once", "[scheduler]") {
  countdown done(1);
  std::atomic<int> runs{0};
  task t([&](task&) {
    ++runs;
    done.one();
  });
  {
    running_scheduler s(1);
    s.rts.submit(t);
    REQUIRE(done.wait());
  }
  CHECK(runs == 1);
}

TEST_CASE("a turn finds itself as the current runnable, with a full budget", "[scheduler]") {
  countdown done(1);
  runnable* seen = nullptr;
  int budget = 0;
  task t([&](task&) {
    seen = current_worker()->current();
    budget = current_worker()->reductions;
    done.one();
  });
  {
    running_scheduler s(1);
    s.rts.submit(t);
    REQUIRE(done.wait());
  }
  CHECK(seen == &t);
  CHECK(budget == 4000);
  CHECK(current_worker() == nullptr);
}

TEST_CASE("two runnables that wake each other take turns", "[scheduler]") {
  constexpr int rounds = 100'000;
  countdown done(2);
  int left[2] = {rounds, rounds};
  std::unique_ptr<task> ping, pong;
  auto turn = [&](int me, std::unique_ptr<task>& other) {
    return [&, me](task&) {
      if (--left[me] == 0) done.one();
      if (left[1] > 0) current_worker()->submit_woken(*other);
    };
  };
  ping = std::make_unique<task>(turn(0, pong));
  pong = std::make_unique<task>(turn(1, ping));
  {
    running_scheduler s(1);
    s.rts.submit(*ping);
    REQUIRE(done.wait());
  }
  CHECK(left[0] == 0);
  CHECK(left[1] == 0);
}

TEST_CASE("a million submits over four workers are all run", "[scheduler]") {
  constexpr std::size_t many = 1'000'000;
  constexpr std::size_t spawners = 100;
  countdown done(many);
  struct leaf final : runnable {
    countdown* done = nullptr;
    void run() noexcept override { done->one(); }
  };
  std::vector<leaf> leaves(many);
  std::vector<std::unique_ptr<task>> roots;
  for (std::size_t i = 0; i < spawners; ++i) {
    roots.push_back(std::make_unique<task>([&, i](task&) {
      std::size_t const share = many / spawners;
      for (std::size_t j = i * share; j < (i + 1) * share; ++j) {
        leaves[j].done = &done;
        if (j % 3 == 0) current_worker()->submit_fresh(leaves[j]);
        if (j % 3 == 1) current_worker()->submit(leaves[j]);
        if (j % 3 == 2) current_worker()->submit_woken(leaves[j]);
      }
    }));
  }
  running_scheduler s(4);
  for (auto& r : roots) s.rts.submit(*r);
  REQUIRE(done.wait());
}

TEST_CASE("a runnable suspended in mid-turn continues on the same thread", "[scheduler]") {
  constexpr int tasks = 50;
  constexpr int rounds = 200;
  running_scheduler s(4);
  countdown done(tasks);
  std::atomic<int> moved{0};
  std::vector<std::unique_ptr<task>> all;
  for (int i = 0; i < tasks; ++i) {
    all.push_back(std::make_unique<task>([&](task& self) {
      for (int r = 0; r < rounds; ++r) {
        auto const before = std::this_thread::get_id();
        self.wait_for_signal();
        if (std::this_thread::get_id() != before) ++moved;
      }
      done.one();
    }));
    s.rts.submit(*all.back());
  }
  std::thread waker([&] {
    for (int r = 0; r < rounds; ++r) {
      for (auto& t : all) t->wake(s.rts);
      // A signal that meets one that is not consumed yet is merged with it: wait for that.
      for (auto& t : all) {
        while (t->word.load() == task::signalled) std::this_thread::yield();
      }
    }
  });
  waker.join();
  // Signals may still have been merged at the very end; give until all are through.
  for (int extra = 0; extra < rounds; ++extra) {
    for (auto& t : all) t->wake(s.rts);
  }
  REQUIRE(done.wait());
  CHECK(moved == 0);
}

TEST_CASE("an exception that is being handled survives a suspension", "[scheduler]") {
  constexpr int tasks = 20;
  running_scheduler s(1);
  countdown done(tasks);
  std::atomic<int> wrong{0};
  std::vector<std::unique_ptr<task>> all;
  for (int i = 0; i < tasks; ++i) {
    all.push_back(std::make_unique<task>([&, i](task& self) {
      try {
        try {
          throw std::runtime_error(std::to_string(i));
        } catch (std::runtime_error const&) {
          for (int r = 0; r < 5; ++r) self.yield();
          throw;
        }
      } catch (std::runtime_error const& e) {
        if (e.what() != std::to_string(i)) ++wrong;
      }
      done.one();
    }));
    s.rts.submit(*all.back());
  }
  REQUIRE(done.wait());
  CHECK(wrong == 0);
}

TEST_CASE("a runnable that wants a larger stack has one in each turn", "[scheduler]") {
  running_scheduler s(1);
  countdown done(1);
  int turns = 0;
  auto deep = [](auto&& self, int n) -> int {
    char volatile page[4096];
    page[0] = static_cast<char>(n);
    return n == 0 ? page[0] : self(self, n - 1) + page[0];
  };
  task t([&](task& self) {
    // 400 KB: more than a small stack, less than a large one.
    deep(deep, 100);
    self.yield();
    deep(deep, 100);
    if (++turns == 3) {
      done.one();
    } else {
      current_worker()->submit(self);
    }
  });
  t.stack_kind = stack_class::large;
  s.rts.submit(t);
  REQUIRE(done.wait());
  CHECK(turns == 3);
}

TEST_CASE("stacks come back when suspended turns end", "[scheduler]") {
  constexpr int tasks = 500;
  running_scheduler s(1);
  countdown done(tasks);
  std::vector<std::unique_ptr<task>> all;
  for (int i = 0; i < tasks; ++i) {
    all.push_back(std::make_unique<task>([&](task& self) {
      self.yield();
      done.one();
    }));
  }
  task root([&](task&) {
    for (auto& t : all) current_worker()->submit(*t);
  });
  s.rts.submit(root);
  REQUIRE(done.wait());
  s.rts.stop(30'000'000'000);
  CHECK(s.rts.stats().stacks_in_use == 0);
}
