// scheduler/watchdog.cpp - the thread that sees to it that one runnable which does not come back
// stops nobody but those who have frames on its thread. doc/scheduler.md, "Cores that move".
//
// It ticks only while some worker runs: when all have been asleep for a second it sleeps without
// limit, and the first worker that wakes wakes it.

#include <algorithm>
#include <chrono>

#include "base/clock.hpp"
#include "scheduler/backtrace.hpp"
#include "scheduler/threads_driver.hpp"

namespace otter::rts {
namespace {

constexpr std::int64_t quiet_before_sleep_ns = 1'000'000'000;
constexpr std::int64_t shortest_tick_ns = 500'000;
constexpr std::int64_t longest_tick_ns = 1'000'000'000;  // it has other things to look at as well

/// Tells the room above, on a worker, that a runnable stays for ever where it is.
struct abandonment final : runnable {
  abandonment(scheduler& s, scheduler_hooks const& h, runnable& w) noexcept
      : owner(s), hooks(h), who(w) {
    priority = priority_level::max;
  }
  void run() noexcept override {
    worker_access::current(*current_worker()) = nullptr;  // no turn of anybody whom they know
    hooks.abandon(owner, who, trace.frames(), trace.depth());
    delete this;
  }
  scheduler& owner;
  scheduler_hooks const& hooks;
  runnable& who;
  captured_backtrace trace;
};

}  // namespace

void threads_driver::watch_over() {
  std::int64_t const tick =
      std::clamp(options_.stall_limit_ns / 2, shortest_tick_ns, longest_tick_ns);
  std::int64_t quiet_since = 0;
  std::unique_lock lock(mutex_);
  while (!watchdog_ends_) {
    watchdog_wake_.wait_for(lock, std::chrono::nanoseconds(tick), [&] { return watchdog_ends_; });
    if (watchdog_ends_) break;
    std::int64_t const now = monotonic_ns();
    for (std::size_t i = 0; i < threads_.size(); ++i) {  // it may grow meanwhile
      worker_thread& t = *threads_[i];
      lock.unlock();
      look_at(t, now);
      lock.lock();
    }
    if (!all_quiet()) {
      quiet_since = 0;
      help_waiting_rings();
      continue;
    }
    if (quiet_since == 0) quiet_since = now;
    if (now - quiet_since < quiet_before_sleep_ns) continue;
    quiet_since = 0;
    // [W1] Two sides: we write watchdog_asleep_, then read idle_; a waking worker writes idle_,
    // then reads watchdog_asleep_. One of the two sees the other.
    watchdog_asleep_.store(true, std::memory_order_seq_cst);
    if (all_quiet()) {
      watchdog_wake_.wait(lock, [&] {
        return watchdog_ends_ || !watchdog_asleep_.load(std::memory_order_relaxed);
      });
    }
    watchdog_asleep_.store(false, std::memory_order_relaxed);
  }
}

/// Every core is asleep with its worker or in want of a thread, and nobody is stuck.
bool threads_driver::all_quiet() const noexcept {
  if (idle_.load(std::memory_order_seq_cst) + free_cores_.size() != cores_.size()) return false;
  return std::none_of(threads_.begin(), threads_.end(), [](auto const& t) {
    return t->status == thread_status::stuck || t->status == thread_status::lost;
  });
}

void threads_driver::wake_watchdog() noexcept {
  std::lock_guard lock(mutex_);
  watchdog_asleep_.store(false, std::memory_order_relaxed);
  watchdog_wake_.notify_all();
}

void threads_driver::look_at(worker_thread& t, std::int64_t now) noexcept {
  claim::stretch const s = worker_access::claim(t).look();
  if (claim::state_of(s) == claim::state::in_user) {
    if (s != t.seen) {
      t.seen = s;
      t.seen_since = now;
    } else if (now - t.seen_since >= options_.stall_limit_ns) {
      take_from(t, s, now - t.seen_since);
    }
    return;
  }
  if (claim::state_of(s) != claim::state::lost || hooks_.wants_abandon == nullptr) return;
  maybe_abandon(t, now);
  if (t.waiting_frames.load(std::memory_order_relaxed) != 0) abandon_waiting(t, now);
}

/// Step 1: the core of a thread that is still in the same stretch of user code.
void threads_driver::take_from(worker_thread& t, claim::stretch s, std::int64_t ran_for) noexcept {
  // Holding the gate: if the thread comes back now it waits for the end of the report, so that the
  // runnable which we name is still there.
  std::lock_guard gate(t.gate);
  {
    std::lock_guard lock(mutex_);
    if (!worker_access::claim(t).take(s)) return;
    core& c = *t.held;
    t.held = nullptr;
    t.status = thread_status::stuck;
    t.taken_at = monotonic_ns();
    c.holder.store(nullptr, std::memory_order_relaxed);
    give_locked(c);
  }
  if (hooks_.stalled == nullptr) return;
  // [C1] What t wrote before it left for user code is visible, and it writes no more until the
  // gate opens.
  captured_backtrace trace;
  if (options_.stall_backtraces) trace.capture(t.tid);
  stall_report const report{t.current(), ran_for, t.waiting_frames.load(std::memory_order_relaxed),
                            trace.frames(), trace.depth()};
  hooks_.stalled(owner_, report);
}

void threads_driver::maybe_abandon(worker_thread& t, std::int64_t now) noexcept {
  std::size_t lost = 0;
  {
    std::lock_guard gate(t.gate);
    {
      std::lock_guard lock(mutex_);
      if (t.status != thread_status::stuck) return;
    }
    // It cannot pass the gate, so it stays stuck until we have decided.
    runnable* const who = t.current();
    if (who == nullptr || !hooks_.wants_abandon(*who, now)) return;
    auto* const task = new (std::nothrow) abandonment(owner_, hooks_, *who);
    if (task == nullptr) return;  // at the next tick
    if (options_.stall_backtraces) task->trace.capture(t.tid);
    {
      std::lock_guard lock(mutex_);
      t.status = thread_status::lost;
      lost = ++lost_;
    }
    submit_shared(*task);
  }
  if (lost > options_.max_abandoned && hooks_.too_many_abandoned != nullptr) {
    hooks_.too_many_abandoned(owner_, lost);
  }
}

/// Those who are ready on the thread, because somebody killed them, need not wait for its end.
void threads_driver::abandon_waiting(worker_thread& t, std::int64_t now) noexcept {
  // Behind the gate the thread stays out of the runtime, so its queue and lists are ours: what it
  // wrote to them came before its leave() [C1], and it reads them again only after the gate.
  std::lock_guard gate(t.gate);
  {
    std::lock_guard lock(mutex_);
    if (t.status != thread_status::stuck && t.status != thread_status::lost) return;
  }
  if (t.inbox.has_any()) take_inbox(t);
  for (run_list& list : t.own) {
    for (std::size_t left = list.size(); left > 0; --left) {
      runnable& r = *list.pop();
      bool const wanted = r.frames != nullptr && hooks_.wants_abandon(r, now);
      auto* const task = wanted ? new (std::nothrow) abandonment(owner_, hooks_, r) : nullptr;
      if (task == nullptr) {
        list.push(r);
        continue;
      }
      task->trace.walk(*r.frames);
      if (r.priority != priority_level::normal) --t.own_rarer;
      t.count_frames(-1);
      r.frames = nullptr;  // its stack stays where it is
      submit_shared(*task);
    }
  }
  t.own_left = std::min(t.own_left, t.own[index_of(priority_level::normal)].size());
}

/// Offers are rare after some that were in vain; if work has not moved for a whole tick, they were
/// too rare. Also sends every running worker to its timers and sockets.
void threads_driver::help_waiting_rings() noexcept {
  bool waits = false;
  for (auto& c : cores_) {
    std::uint32_t const position = c->ring.position();
    waits = waits || (position == c->watched_position && !c->ring.empty()) || c->fresh.size() != 0;
    c->watched_position = position;
    c->attention.store(true, std::memory_order_relaxed);
  }
  if (!waits) return;
  wake_backoff_.store(0, std::memory_order_relaxed);
  wake_one(false);
}

}  // namespace otter::rts
