#pragma once

// scheduler/private_queue.hpp - what is ready on one thread and must not leave it: runnables with
// frames on the thread's stacks. Any thread pushes, the thread itself takes.
//
// The same word says that the thread sleeps, so that "is anything there?" and "do you sleep?" are
// one question: who replaces the mark wakes, and nobody else.

#include <atomic>
#include <cstdint>

#include "base/cache_line.hpp"
#include "scheduler/run_list.hpp"
#include "scheduler/runnable.hpp"

namespace otter::rts {

/// Ownership: none.
/// Threads:   push() and claim() any; the rest for the thread that owns the queue.
/// Invariant: the word is empty, a mark, or the newest of a chain of runnables. A mark is set only
///            by the owner, by compare-exchange from empty. Who replaces it owes the owner what
///            the mark stands for (parked: a token; coreless: a place in the line for cores).
/// Ordering:  [V1] carries a runnable from push() to take_all().
///            [R1] the mark is a sleeper's half of the pattern: set, and only then are the shared
///            queues looked at.
class private_queue {
 public:
  enum class mark : std::uintptr_t { none = 0, parked = 1, coreless = 2 };

  /// Gives the mark that this push replaced.
  mark push(runnable& r) noexcept {
    std::uintptr_t old = word_.load(std::memory_order_relaxed);  // the CAS checks it
    do {
      r.queue_next = is_mark(old) ? nullptr : reinterpret_cast<runnable*>(old);
      // [V1] release; every push continues the release sequence of those before it. seq_cst for
      // [R1] with the mark.
    } while (!word_.compare_exchange_weak(old, reinterpret_cast<std::uintptr_t>(&r),
                                          std::memory_order_seq_cst, std::memory_order_relaxed));
    return is_mark(old) ? static_cast<mark>(old) : mark::none;
  }

  /// Takes the mark away without bringing anything. True for exactly one claimant.
  bool claim(mark m) noexcept {
    auto expected = static_cast<std::uintptr_t>(m);
    return word_.load(std::memory_order_relaxed) == expected &&
           word_.compare_exchange_strong(expected, 0, std::memory_order_seq_cst);
  }

  /// False if something is there.
  bool set_mark(mark m) noexcept {
    std::uintptr_t expected = 0;
    return word_.compare_exchange_strong(expected, static_cast<std::uintptr_t>(m),
                                         std::memory_order_seq_cst);  // [R1]
  }

  bool has_any() const noexcept { return word_.load(std::memory_order_relaxed) > last_mark; }

  /// Calls f(runnable&), oldest first. For the owner, when no mark is set.
  template <class F>
  void take_all(F&& f) noexcept {
    auto* chain =
        reinterpret_cast<runnable*>(word_.exchange(0, std::memory_order_acquire));  // [V1]
    runnable* oldest_first = nullptr;
    while (chain != nullptr) {
      runnable* const next = chain->queue_next;
      chain->queue_next = oldest_first;
      oldest_first = chain;
      chain = next;
    }
    while (oldest_first != nullptr) {
      runnable* const next = oldest_first->queue_next;
      f(*oldest_first);
      oldest_first = next;
    }
  }

 private:
  static constexpr std::uintptr_t last_mark = 2;
  static bool is_mark(std::uintptr_t word) noexcept { return word <= last_mark; }

  alignas(cache_line) std::atomic<std::uintptr_t> word_{0};
};

}  // namespace otter::rts
