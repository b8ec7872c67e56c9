// Work finds a worker: foreign submits, stealing, wake-ups, and none of them when nothing is to do.

#include <sys/epoll.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <set>
#include <thread>

#include "poller/poller.hpp"
#include "scheduler_support.hpp"

using namespace scheduler_tests;

TEST_CASE("what a foreign thread submits to sleeping workers is run", "[scheduler]") {
  constexpr int rounds = 3'000;
  running_scheduler s(2);
  std::atomic<int> runs{0};
  for (int i = 0; i < rounds; ++i) {
    // One at a time, so that the workers are on their way to sleep at each submit.
    countdown done(1);
    task t([&](task&) {
      ++runs;
      done.one();
    });
    s.rts.submit(t);
    REQUIRE(done.wait());
  }
  CHECK(runs == rounds);
}

TEST_CASE("no wake-up is lost when several threads submit at once", "[scheduler]") {
  constexpr int rounds = 1'000;
  constexpr int submitters = 3;
  running_scheduler s(2);
  std::atomic<int> runs{0};
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (int n = 0; n < submitters; ++n) {
    threads.emplace_back([&] {
      for (int i = 0; i < rounds && failed == 0; ++i) {
        countdown done(1);
        task t([&](task&) {
          ++runs;
          done.one();
        });
        s.rts.submit(t);
        if (!done.wait()) ++failed;
      }
    });
  }
  for (auto& t : threads) t.join();
  CHECK(failed == 0);
  CHECK(runs == rounds * submitters);
}

TEST_CASE("a suspended runnable is woken on its sleeping thread", "[scheduler]") {
  constexpr int rounds = 2'000;
  running_scheduler s(2);
  countdown done(1);
  std::atomic<int> round{0};
  task t([&](task& self) {
    for (int i = 0; i < rounds; ++i) {
      self.wait_for_signal();
      round.store(i + 1);
      round.notify_one();
    }
    done.one();
  });
  s.rts.submit(t);
  for (int i = 0; i < rounds; ++i) {
    t.wake(s.rts);
    round.wait(i);
  }
  REQUIRE(done.wait());
  CHECK(round == rounds);
}

TEST_CASE("others take the work of a worker that is busy", "[scheduler]") {
  // As children the oldest is taken once it has been that for long enough.
  bool const as_children = GENERATE(false, true);
  running_scheduler s(2);
  std::mutex mutex;
  std::set<std::thread::id> ran_on;
  countdown done(20);
  std::vector<std::unique_ptr<task>> children;
  for (int i = 0; i < 20; ++i) {
    children.push_back(std::make_unique<task>([&](task&) {
      {
        std::lock_guard lock(mutex);
        ran_on.insert(std::this_thread::get_id());
      }
      done.one();
    }));
  }
  std::thread::id parent_thread;
  bool all_ran = false;
  countdown parent_done(1);
  // In the runtime all the time, so that the watchdog leaves its core alone: only stealing helps.
  task parent([&](task&) {
    parent_thread = std::this_thread::get_id();
    for (auto& c : children) {
      if (as_children)
        current_worker()->submit_fresh(*c);
      else
        current_worker()->submit(*c);
    }
    all_ran = done.wait();
    parent_done.one();
  });
  s.rts.submit(parent);
  REQUIRE(parent_done.wait());
  CHECK(all_ran);
  CHECK(ran_on.count(parent_thread) == 0);
  CHECK(s.rts.stats().steals > 0);
}

TEST_CASE("an idle scheduler makes no wake-ups", "[scheduler][idle]") {
  running_scheduler s(2);
  countdown done(1);
  task t([&](task&) { done.one(); });
  s.rts.submit(t);
  REQUIRE(done.wait());
  // To see that nothing happens takes time; how much decides only how much would be noticed. The
  // condition never comes true, so each wait lasts as long as it says.
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, std::chrono::milliseconds(100), [] { return false; });
  auto const before = s.rts.stats().wakeups;
  never.wait_for(lock, std::chrono::milliseconds(300), [] { return false; });
  CHECK(s.rts.stats().wakeups == before);
}

TEST_CASE("blocking jobs run beside the workers, many at once", "[scheduler][blocking]") {
  struct job final : blocking_job {
    countdown* all_in = nullptr;
    countdown* done = nullptr;
    bool had_worker = true;
    void run() noexcept override {
      had_worker = current_worker() != nullptr;
      all_in->one();
      all_in->wait();  // ends only if all of them run at the same time
      done->one();
    }
  };
  constexpr std::size_t jobs = 8;
  countdown all_in(jobs), done(jobs);
  std::vector<job> list(jobs);
  running_scheduler s(1);
  for (job& j : list) {
    j.all_in = &all_in;
    j.done = &done;
    s.rts.submit_blocking(j);
  }
  REQUIRE(done.wait());
  for (job& j : list) CHECK_FALSE(j.had_worker);
}

TEST_CASE("more blocking jobs than threads wait for their turn", "[scheduler][blocking]") {
  struct job final : blocking_job {
    countdown* done = nullptr;
    void run() noexcept override { done->one(); }
  };
  countdown done(500);
  std::vector<job> list(500);
  scheduler_options o;
  o.blocking_threads = 2;
  running_scheduler s(o);
  for (job& j : list) {
    j.done = &done;
    s.rts.submit_blocking(j);
  }
  CHECK(done.wait());
}

TEST_CASE("stop returns while runnables go on submitting themselves", "[scheduler][stop]") {
  running_scheduler s(2);
  countdown begun(2);
  std::atomic<int> turns[2] = {0, 0};
  auto forever = [&](int i) {
    return [&, i](task& self) {
      if (++turns[i] == 1) begun.one();
      current_worker()->submit_yielded(self);
    };
  };
  task a(forever(0)), b(forever(1));
  s.rts.submit(a);
  s.rts.submit(b);
  REQUIRE(begun.wait());
  CHECK(s.rts.stop(30'000'000'000) == 0);
}

TEST_CASE("a sleeping worker is woken by its descriptors", "[scheduler][poller]") {
  struct source final : poll_source {
    countdown* readable = nullptr;
    countdown* gone = nullptr;
    bool on_worker = false;
    void ready(std::uint32_t events) noexcept override {
      if ((events & EPOLLIN) == 0) return;
      on_worker = current_worker() != nullptr && current_worker()->current() == nullptr;
      readable->one();
    }
    void released() noexcept override { gone->one(); }
  };
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  countdown watched(1), readable(1), gone(1);
  source in;
  in.fd = ends[0];
  in.readable = &readable;
  in.gone = &gone;
  running_scheduler s(1);
  task t([&](task&) {
    s.rts.watch(in);
    watched.one();
  });
  s.rts.submit(t);
  REQUIRE(watched.wait());
  REQUIRE(::write(ends[1], "x", 1) == 1);
  CHECK(readable.wait());
  CHECK(in.on_worker);
  task u([&](task&) { s.rts.unwatch(in); });
  s.rts.submit(u);
  CHECK(gone.wait());
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("a descriptor moves to the worker that has used it twice in a row",
          "[scheduler][poller]") {
  struct source final : poll_source {
    std::atomic<countdown*> readable{nullptr};  // a pipe orders nothing that can be seen
    unsigned told_on = 0;
    void ready(std::uint32_t events) noexcept override {
      if ((events & EPOLLIN) == 0) return;
      told_on = current_worker()->number();
      readable.load(std::memory_order_acquire)->one();
    }
  };
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  running_scheduler s(2);
  source in;
  in.fd = ends[0];
  unsigned home = 0;
  bool at_home = true;
  countdown watched(1);
  task t([&](task&) {
    home = current_worker()->number();
    s.rts.watch(in);
    watched.one();
  });
  s.rts.submit(t);
  REQUIRE(watched.wait());
  // While one worker is held up the other one runs what comes, so one of the two is not `home`.
  auto const use_elsewhere = [&] {
    countdown holds(1), used(1), over(1);
    auto const use = [&] {
      if (current_worker()->number() != home) at_home = s.rts.follow(in, !at_home);
    };
    task first([&](task&) {
      use();
      holds.one();
      used.wait();
      over.one();
    });
    task second([&](task&) {
      use();
      used.one();
    });
    s.rts.submit(first);
    REQUIRE(holds.wait());
    s.rts.submit(second);
    REQUIRE(over.wait());
  };
  auto const told_on = [&] {
    countdown readable(1);
    in.readable.store(&readable, std::memory_order_release);
    REQUIRE(::write(ends[1], "x", 1) == 1);
    REQUIRE(readable.wait());
    char byte = 0;  // what lies there would be told again where it moves to
    REQUIRE(::read(ends[0], &byte, 1) == 1);
    return in.told_on;
  };
  use_elsewhere();
  CHECK(told_on() == home);
  use_elsewhere();
  CHECK(told_on() != home);
  CHECK(s.rts.stop(30'000'000'000) == 0);
  ::close(ends[0]);
  ::close(ends[1]);
}
