// Runnables that do not come back: their cores move, nobody else stands still, and what was
// waiting on their thread goes on when they end - or is abandoned.

#include <algorithm>
#include <catch2/catch.hpp>
#include <thread>

#include "scheduler_support.hpp"

using namespace scheduler_tests;

namespace {

/// What the hooks have seen; one test at a time uses them.
struct seen_by_hooks {
  std::atomic<int> stalls{0};
  std::atomic<runnable*> stalled{nullptr};
  std::atomic<std::size_t> waiting_frames{0};
  std::atomic<std::size_t> depth{0};
  std::atomic<runnable*> wanted{nullptr};  // to be abandoned
  std::atomic<runnable*> abandoned{nullptr};
  std::atomic<bool> abandoned_on_worker{false};
  std::atomic<std::size_t> too_many{0};
  countdown* stall_seen = nullptr;
  countdown* abandon_seen = nullptr;
};
seen_by_hooks* seen = nullptr;

scheduler_hooks stall_hooks(seen_by_hooks& s) {
  seen = &s;
  scheduler_hooks h = quiet_hooks();
  h.stalled = [](scheduler&, stall_report const& r) noexcept {
    seen->stalled = r.who;
    seen->waiting_frames = r.waiting_frames;
    seen->depth = r.depth;
    ++seen->stalls;
    if (seen->stall_seen != nullptr) seen->stall_seen->one();
  };
  h.wants_abandon = [](runnable& who, std::int64_t) noexcept { return seen->wanted == &who; };
  h.abandon = [](scheduler&, runnable& who, void* const*, std::size_t) noexcept {
    seen->abandoned = &who;
    seen->abandoned_on_worker = current_worker() != nullptr;
    if (seen->abandon_seen != nullptr) seen->abandon_seen->one();
  };
  h.too_many_abandoned = [](scheduler&, std::size_t n) noexcept { seen->too_many = n; };
  return h;
}

/// User code that calls nothing of the runtime until the test lets it go.
struct gate {
  std::atomic<bool> open{false};
  std::atomic<bool> reached{false};
  void stay() {
    user_code outside;
    reached = true;
    while (!open) std::this_thread::yield();
  }
};

}  // namespace

TEST_CASE("a runnable that does not come back does not stop the others", "[scheduler][stall]") {
  seen_by_hooks hooks;
  countdown others(100), stuck_done(1);
  gate g;
  std::vector<std::unique_ptr<task>> tasks;
  task stuck([&](task&) {
    for (auto& t : tasks) current_worker()->submit(*t);
    g.stay();
    stuck_done.one();
  });
  for (int i = 0; i < 100; ++i) {
    tasks.push_back(std::make_unique<task>([&](task& self) {
      self.yield();
      others.one();
    }));
  }
  running_scheduler s(1, stall_hooks(hooks));
  s.rts.submit(stuck);
  REQUIRE(others.wait());  // on the only core, while `stuck` is where it is
  CHECK_FALSE(g.open);
  g.open = true;
  REQUIRE(stuck_done.wait());
  CHECK(hooks.stalls == 1);
  CHECK(hooks.stalled == &stuck);
}

TEST_CASE("timers fire while a runnable does not come back", "[scheduler][stall][timer]") {
  static std::atomic<bool> fired;
  fired = false;
  static countdown* rang = nullptr;
  countdown ring(1), stuck_done(1);
  rang = &ring;
  seen_by_hooks hooks;
  scheduler_hooks h = stall_hooks(hooks);
  h.timer_fired = [](timer_node&) noexcept { rang->one(); };
  timer_node node;
  gate g;
  task stuck([&](task&) {
    current_worker()->start_timer(node, 1'000'000);
    g.stay();
    stuck_done.one();
  });
  running_scheduler s(1, h);
  s.rts.submit(stuck);
  CHECK(ring.wait());
  g.open = true;
  REQUIRE(stuck_done.wait());
}

TEST_CASE("frames on a stuck thread wait for it, and go on there", "[scheduler][stall]") {
  constexpr int frames = 10;
  seen_by_hooks hooks;
  countdown stall_seen(1), frames_done(frames), other_done(1), stuck_done(1);
  hooks.stall_seen = &stall_seen;
  gate g;
  std::atomic<int> moved{0};
  std::vector<std::unique_ptr<task>> waiting;
  task stuck([&](task&) {
    g.stay();
    stuck_done.one();
  });
  for (int i = 0; i < frames; ++i) {
    waiting.push_back(std::make_unique<task>([&](task& self) {
      auto const here = std::this_thread::get_id();
      self.wait_for_signal();
      if (std::this_thread::get_id() != here) ++moved;
      for (int k = 0; k < 5; ++k) self.yield();
      frames_done.one();
    }));
  }
  task root([&](task&) {
    for (auto& t : waiting) current_worker()->submit(*t);
    current_worker()->submit(stuck);
  });
  running_scheduler s(1, stall_hooks(hooks));
  s.rts.submit(root);
  REQUIRE(stall_seen.wait());
  CHECK(hooks.waiting_frames == frames);
  for (auto& t : waiting) t->wake(s.rts);
  // Another one runs at once, on the spare thread.
  task other([&](task&) { other_done.one(); });
  s.rts.submit(other);
  REQUIRE(other_done.wait());
  g.open = true;
  CHECK(stuck_done.wait());
  CHECK(frames_done.wait());
  CHECK(moved == 0);
}

TEST_CASE("one core goes round among the threads that have frames", "[scheduler][stall]") {
  // Three threads come to have a yielding frame each, since each was stuck once; there is one core.
  constexpr int threads = 3;
  seen_by_hooks hooks;
  running_scheduler s(1, stall_hooks(hooks));
  countdown done(threads);
  std::atomic<bool> over{false};
  std::vector<gate> gates(threads);
  std::vector<std::atomic<int>> turns(threads);
  std::vector<std::unique_ptr<task>> tasks;
  for (std::size_t i = 0; i < threads; ++i) {
    tasks.push_back(std::make_unique<task>([&, i](task& self) {
      gates[i].stay();
      while (!over) {
        ++turns[i];
        self.yield();
      }
      done.one();
    }));
    s.rts.submit(*tasks.back());
    // The next one begins only on another thread, once this one has lost the core.
    while (!gates[i].reached) std::this_thread::yield();
  }
  for (gate& g : gates) g.open = true;
  // Each gets on, again and again.
  for (int round = 0; round < 5; ++round) {
    for (auto& n : turns) {
      int const before = n;
      while (n == before) std::this_thread::yield();
    }
  }
  over = true;
  CHECK(done.wait());
}

TEST_CASE("user code that calls the runtime often keeps its core", "[scheduler][stall]") {
  seen_by_hooks hooks;
  countdown done(1);
  std::atomic<int> refused{0};
  std::atomic<std::int64_t> longest{0};  // between two calls, ns: a busy machine stretches it
  scheduler_options o;
  o.stall_limit_ns = 20'000'000;
  task busy([&](task&) {
    std::int64_t last = current_worker()->now();
    std::int64_t const until = last + 3 * o.stall_limit_ns;
    auto called = [&](std::int64_t now) {
      longest = std::max<std::int64_t>(longest, now - last);
      last = now;
    };
    {
      user_code outside;
      while (last < until) {
        runtime_entry in;
        if (in.refused()) ++refused;
        runtime_entry nested;
        called(in.here()->now());
      }
    }
    called(current_worker()->now());
    done.one();
  });
  running_scheduler s(o, stall_hooks(hooks));
  s.rts.submit(busy);
  REQUIRE(done.wait());
  CHECK(refused == 0);
  // Whoever is kept from the processor for so long between two calls has stalled.
  CHECK((hooks.stalls == 0 || longest >= o.stall_limit_ns));
}

TEST_CASE("a stall report carries a backtrace if it is wanted", "[scheduler][stall]") {
  seen_by_hooks hooks;
  countdown stall_seen(1), stuck_done(1);
  hooks.stall_seen = &stall_seen;
  gate g;
  task stuck([&](task&) {
    g.stay();
    stuck_done.one();
  });
  scheduler_options o;
  o.stall_backtraces = true;
  running_scheduler s(o, stall_hooks(hooks));
  s.rts.submit(stuck);
  REQUIRE(stall_seen.wait());
  CHECK(hooks.depth > 2);
  g.open = true;
  REQUIRE(stuck_done.wait());
}

TEST_CASE("an abandoned runnable is refused, and its thread serves others",
          "[scheduler][abandon]") {
  seen_by_hooks hooks;
  countdown abandon_seen(1), frame_done(1), left(1), later(1);
  hooks.abandon_seen = &abandon_seen;
  gate g;
  std::atomic<int> refused{0};
  std::atomic<bool> returned{false};
  task frame([&](task& self) {
    self.wait_for_signal();
    frame_done.one();
  });
  task stuck([&](task&) {
    {
      user_code outside;
      g.reached = true;
      while (!g.open) std::this_thread::yield();
      for (int i = 0; i < 3; ++i) {
        runtime_entry in;
        if (in.refused()) ++refused;
      }
      left.one();
    }
    returned = true;
  });
  task root([&](task&) {
    current_worker()->submit(frame);
    current_worker()->submit(stuck);
  });
  running_scheduler s(1, stall_hooks(hooks));
  hooks.wanted = &stuck;
  s.rts.submit(root);
  REQUIRE(abandon_seen.wait());
  CHECK(hooks.abandoned == &stuck);
  CHECK(hooks.abandoned_on_worker);
  CHECK(s.rts.stats().abandoned_threads == 1);
  g.open = true;
  REQUIRE(left.wait());
  // The thread leaves the abandoned frames where they are and is of use again.
  frame.wake(s.rts);
  CHECK(frame_done.wait());
  task after([&](task&) { later.one(); });
  s.rts.submit(after);
  CHECK(later.wait());
  CHECK(refused == 3);
  CHECK_FALSE(returned);
  CHECK(s.rts.stats().abandoned_threads == 0);
}

TEST_CASE("those who wait on a stuck thread are abandoned one by one", "[scheduler][abandon]") {
  constexpr int frames = 1000;
  seen_by_hooks hooks;
  countdown stall_seen(1), abandoned(frames / 2), done(frames / 2), stuck_done(1);
  hooks.stall_seen = &stall_seen;
  static std::atomic<bool> wanted;
  static countdown* all = nullptr;
  wanted = false;
  all = &abandoned;
  std::vector<std::unique_ptr<task>> waiting;
  scheduler_hooks h = stall_hooks(hooks);
  // Every second one.
  h.wants_abandon = [](runnable& who, std::int64_t) noexcept {
    if (!wanted) return false;
    auto const& t = static_cast<task&>(who);
    return t.word == task::running && (t.stack_bytes & 1) != 0;
  };
  h.abandon = [](scheduler&, runnable& who, void* const*, std::size_t) noexcept {
    if (who.frames == nullptr && current_worker()->current() == nullptr) all->one();
  };
  gate g;
  int to_come = frames;
  task stuck([&](task&) {
    g.stay();
    stuck_done.one();
  });
  for (unsigned i = 0; i < frames; ++i) {
    waiting.push_back(std::make_unique<task>([&](task& self) {
      if (--to_come == 0) current_worker()->submit(stuck);  // all wait on this thread
      self.wait_for_signal();
      done.one();
    }));
    waiting.back()->stack_bytes = i;  // of no meaning for a small stack: our mark
  }
  task root([&](task&) {
    for (auto& t : waiting) current_worker()->submit(*t);
  });
  running_scheduler s(1, h);
  s.rts.submit(root);
  REQUIRE(stall_seen.wait());
  for (auto& t : waiting) t->wake(s.rts);
  wanted = true;
  REQUIRE(abandoned.wait());
  CHECK(s.rts.stats().abandoned_threads == 0);  // what runs there was not
  g.open = true;
  CHECK(stuck_done.wait());
  CHECK(done.wait());  // the others go on
}

TEST_CASE("a turn can leave its stack for good", "[scheduler][abandon]") {
  countdown left(1), after(10);
  running_scheduler s(1);
  task deserter([&](task&) {
    REQUIRE(may_desert_stack());
    left.one();
    desert_stack();
  });
  s.rts.submit(deserter);
  REQUIRE(left.wait());
  std::vector<std::unique_ptr<task>> others;
  for (int i = 0; i < 10; ++i) {
    others.push_back(std::make_unique<task>([&](task& self) {
      self.yield();
      after.one();
    }));
    s.rts.submit(*others.back());
  }
  CHECK(after.wait());
}

TEST_CASE("too many abandoned threads are reported", "[scheduler][abandon]") {
  seen_by_hooks hooks;
  countdown abandon_seen(2);
  hooks.abandon_seen = &abandon_seen;
  gate g;
  countdown gone(2);
  auto hold = [&](task&) {
    user_code outside;
    while (!g.open) std::this_thread::yield();
    gone.one();
  };
  task first(hold), second(hold);
  scheduler_options o;
  o.max_abandoned = 1;
  running_scheduler s(o, stall_hooks(hooks));
  hooks.wanted = &first;
  s.rts.submit(first);
  while (hooks.abandoned != &first) std::this_thread::yield();
  hooks.wanted = &second;
  s.rts.submit(second);
  REQUIRE(abandon_seen.wait());
  while (hooks.too_many != 2) std::this_thread::yield();
  g.open = true;
  REQUIRE(gone.wait());
  CHECK(hooks.too_many == 2);
}

TEST_CASE("stop does not wait for a thread that does not come back", "[scheduler][stop]") {
  seen_by_hooks hooks;
  countdown stall_seen(1);
  hooks.stall_seen = &stall_seen;
  // Outlives the scheduler: the thread that is left behind still looks at it.
  static gate g;
  static countdown ended(1);
  static task stuck([](task&) {
    g.stay();
    ended.one();
  });
  static scheduler* const s = new scheduler(running_scheduler::with_workers(1), stall_hooks(hooks));
  s->start();
  s->submit(stuck);
  REQUIRE(stall_seen.wait());
  CHECK(s->stop(1'000'000'000) == 1);  // its spare comes back well before that
  // Let it end, so that nothing of this test is left running. The scheduler stays for it.
  g.open = true;
  CHECK(ended.wait());
}
