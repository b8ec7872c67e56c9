#pragma once

// scheduler/run_ring.hpp - the stealable run queue of one core: first in, first out, bounded.
//
// The design is Go's and Tokio's: the owner writes the tail, everybody moves the head by
// compare-exchange, and a thief takes half at once, however long the queue is.
//
// Refused: linked lists (CAF's thief walks one: quadratic); stealing from the tail (the thief
// would get what waited least).

#include <array>
#include <atomic>
#include <cstdint>

#include "base/cache_line.hpp"
#include "scheduler/runnable.hpp"

namespace otter::rts {

/// Ownership: none. A runnable in the ring is in no other queue.
/// Threads:   push() and pop() for the thread that holds the core; steal_into(), size() and
///            position() for any.
/// Invariant: slots [head, tail) hold runnables; tail - head <= capacity. A slot is overwritten
///            only after head has moved past it, so a thief that read a stale slot fails its CAS:
///            head never returns to an old value within 2^32 turns.
/// Ordering:  [Q1] carries a runnable from push() to whoever takes it.
class run_ring {
 public:
  static constexpr std::uint32_t capacity = 256;

  /// False if the ring is full.
  bool push(runnable& r) noexcept {
    std::uint32_t const tail = tail_.load(std::memory_order_relaxed);  // only we write it
    // [Q2] acquire: meets the release of a thief's CAS, so that it has read the slots we reuse.
    if (tail - head_.load(std::memory_order_acquire) >= capacity) return false;
    slots_[tail % capacity].store(&r, std::memory_order_relaxed);  // published by the next line
    tail_.store(tail + 1, std::memory_order_release);              // [Q1]
    return true;
  }

  runnable* pop() noexcept {
    std::uint32_t head = head_.load(std::memory_order_relaxed);  // the CAS checks it
    std::uint32_t const tail = tail_.load(std::memory_order_relaxed);
    while (head != tail) {
      runnable* const r = slots_[head % capacity].load(std::memory_order_relaxed);
      // Relaxed is enough for r: this thread, or the one that gave it the core, wrote it.
      if (head_.compare_exchange_weak(head, head + 1, std::memory_order_relaxed)) return r;
    }
    return nullptr;
  }

  /// Moves half of the ring, what has waited longest, into `out`; gives the number. At most
  /// capacity / 2.
  std::uint32_t steal(std::array<runnable*, capacity / 2>& out) noexcept {
    std::uint32_t head = head_.load(std::memory_order_acquire);
    for (;;) {
      std::uint32_t const tail = tail_.load(std::memory_order_acquire);  // [Q1]
      std::uint32_t const there = tail - head;
      // Head and tail are read at two moments: a nonsense distance means that head is old.
      if (there > capacity) {
        head = head_.load(std::memory_order_acquire);
        continue;
      }
      std::uint32_t const n = there - there / 2;
      if (n == 0) return 0;
      for (std::uint32_t i = 0; i < n; ++i) {
        out[i] = slots_[(head + i) % capacity].load(std::memory_order_relaxed);
      }
      // [Q2] release: our reads of the slots come before the owner's reuse of them.
      if (head_.compare_exchange_weak(head, head + n, std::memory_order_acq_rel,
                                      std::memory_order_acquire)) {
        return n;
      }
    }
  }

  /// Exact for the owner, unless thieves are at work; a guess for others.
  std::uint32_t size() const noexcept {
    std::uint32_t const n =
        tail_.load(std::memory_order_relaxed) - head_.load(std::memory_order_relaxed);
    return n > capacity ? 0 : n;
  }
  bool empty() const noexcept { return size() == 0; }
  /// Moves on by one with each runnable taken: how thieves see how fast the owner is.
  std::uint32_t position() const noexcept { return head_.load(std::memory_order_relaxed); }

 private:
  alignas(cache_line) std::atomic<std::uint32_t> head_{0};
  alignas(cache_line) std::atomic<std::uint32_t> tail_{0};
  std::array<std::atomic<runnable*>, capacity> slots_{};
};

}  // namespace otter::rts
