#pragma once

// scheduler/core.hpp - the core half of "a worker is a thread plus a core": what can move to
// another thread when its present one is stuck in user code.

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/cache_line.hpp"
#include "base/random.hpp"
#include "poller/poller.hpp"
#include "scheduler/core_timers.hpp"
#include "scheduler/fresh_deque.hpp"
#include "scheduler/run_ring.hpp"

namespace otter::rts {

struct worker_thread;

/// Threads:   everything is for the thread that holds the core (the claim word says when that is),
///            except the stealing ends of `ring` and `fresh`, the poller's wake() and remove(),
///            the wheel's cancel() from elsewhere, and the atomics.
/// Invariant: ring and fresh hold only runnables of normal priority without frames; `slot` may
///            hold one with frames on the thread that holds the core.
struct core {
  core(unsigned n, std::uint64_t seed, std::int64_t now, std::unique_ptr<poller> p)
      : number(n),
        timers(now, &core::release_timers, this),
        sockets(std::move(p)),
        random(seed),
        clock(now) {}

  /// Timers that others have cancelled pile up here: a worker that sleeps until one of them would
  /// have been due comes round and releases them. Any thread.
  static void release_timers(void* of) noexcept { static_cast<core*>(of)->sockets->wake(); }

  unsigned const number;

  run_ring ring;
  fresh_deque fresh;
  runnable* slot = nullptr;  ///< woken by the last turn: runs next

  // --- what is left of the present round: every queue is in it, as long as it was when it began
  std::uint32_t ring_left = 0;
  std::uint32_t fresh_left = 0;
  std::uint32_t slot_left = 0;
  std::uint32_t since_low = 0;  ///< turns since one of low priority
  bool private_next = false;    ///< whose turn it is within a rarer priority: private or shared

  // --- timers and clock
  core_timers timers;
  std::unique_ptr<poller> sockets;
  random_generator random;
  std::int64_t clock = 0;  ///< the last reading
  std::int64_t last_poll = 0;
  std::int64_t held_since = 0;  ///< when the present thread got the core
  int work = 0;                 ///< reductions since the last housekeeping, roughly
  std::uint32_t wakes_skipped = 0;

  // --- seen by others
  alignas(cache_line) std::atomic<worker_thread*> holder{nullptr};
  std::atomic<bool> attention{false};   ///< set by others: do your housekeeping after this turn
  std::atomic<std::uint64_t> turns{0};  // written by the holder only; relaxed statistics
  std::atomic<std::uint64_t> steals{0};
  std::atomic<std::uint64_t> wakeups{0};
  std::uint32_t watched_position = 0;  ///< the watchdog's: position of the ring at its last tick
};

/// A statistic with one writer: cheaper than an atomic addition.
inline void count_one(std::atomic<std::uint64_t>& counter) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

}  // namespace otter::rts
