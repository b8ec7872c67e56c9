#pragma once

// scheduler/fresh_deque.hpp - freshly spawned children of one core: the owner takes the youngest,
// thieves the oldest. So a tree of spawns unfolds depth first, and what is stolen is the largest
// subtree. A bounded Chase-Lev deque.
//
// The seq_cst operations stand where the paper has fences, since ThreadSanitizer in gcc 12 does
// not model fences.

#include <array>
#include <atomic>
#include <cstdint>

#include "base/cache_line.hpp"
#include "scheduler/runnable.hpp"

namespace otter::rts {

/// Ownership: none. A runnable in the deque is in no other queue.
/// Threads:   push() and pop() for the thread that holds the core; steal(), size() and
///            position() for any.
/// Invariant: slots [top, bottom) hold runnables. The owner takes the last one only by winning
///            top, so it and a thief never both take it.
/// Ordering:  [D1] carries a runnable from push() to the thief.
///            [D2] the owner writes bottom, then reads top; a thief reads top, then bottom, all
///            seq_cst: at least one of the two sees what the other did.
class fresh_deque {
 public:
  static constexpr std::int64_t capacity = 256;

  bool push(runnable& r) noexcept {
    std::int64_t const bottom = bottom_.load(std::memory_order_relaxed);
    // acquire: meets a thief's CAS, which has read the slot that we may reuse now.
    if (bottom - top_.load(std::memory_order_acquire) >= capacity) return false;
    slot(bottom).store(&r, std::memory_order_relaxed);
    bottom_.store(bottom + 1, std::memory_order_release);  // [D1]
    return true;
  }

  runnable* pop() noexcept {
    std::int64_t const bottom = bottom_.load(std::memory_order_relaxed) - 1;
    // Thieves only move top up: an empty deque stays empty for us.
    if (top_.load(std::memory_order_relaxed) > bottom) return nullptr;
    bottom_.store(bottom, std::memory_order_seq_cst);         // [D2]
    std::int64_t top = top_.load(std::memory_order_seq_cst);  // [D2]
    if (top < bottom) return slot(bottom).load(std::memory_order_relaxed);
    runnable* r = nullptr;
    if (top == bottom) {
      r = slot(bottom).load(std::memory_order_relaxed);
      if (!top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst)) r = nullptr;
    }
    bottom_.store(bottom + 1, std::memory_order_release);
    return r;
  }

  /// The oldest, or null (empty, or another thief was quicker).
  runnable* steal() noexcept {
    std::int64_t top = top_.load(std::memory_order_seq_cst);              // [D2]
    std::int64_t const bottom = bottom_.load(std::memory_order_seq_cst);  // [D1] [D2]
    if (top >= bottom) return nullptr;
    runnable* const r = slot(top).load(std::memory_order_relaxed);
    return top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst) ? r : nullptr;
  }

  std::uint32_t size() const noexcept {
    std::int64_t const n =
        bottom_.load(std::memory_order_relaxed) - top_.load(std::memory_order_relaxed);
    return n > 0 ? static_cast<std::uint32_t>(n) : 0;
  }

  /// Moves on whenever the oldest is taken, by whom it may be: while it stays and the deque is not
  /// empty, the oldest is the same.
  std::int64_t position() const noexcept { return top_.load(std::memory_order_relaxed); }

 private:
  std::atomic<runnable*>& slot(std::int64_t index) noexcept {
    return slots_[static_cast<std::size_t>(index) % static_cast<std::size_t>(capacity)];
  }

  alignas(cache_line) std::atomic<std::int64_t> top_{0};
  alignas(cache_line) std::atomic<std::int64_t> bottom_{0};
  std::array<std::atomic<runnable*>, static_cast<std::size_t>(capacity)> slots_{};
};

}  // namespace otter::rts
