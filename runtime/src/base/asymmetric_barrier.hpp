#pragma once

// base/asymmetric_barrier.hpp - two threads of which each writes its own word and then reads the
// other's, where one does so millions of times a second and the other hardly ever.
//
//   store_before_loads()   the frequent side: its store, ahead of the loads that follow
//   barrier_for_all()      the rare side: between its store and its load
//
// Usually both sides pay for a full barrier, 20 cycles each. Linux can make one side pay for both:
// membarrier() runs a barrier on every core that runs a thread of ours, and the frequent side needs
// none (a barrier for the compiler is left).
//
// [A1] Of two such threads at least one sees what the other wrote. The kernel's barrier cuts the
// frequent thread at some point. Its load comes after the cut: it reads what the rare side stored
// before the call. Or before: then so does its store, and the rare side, which loads after the
// call, reads that.
//
// Where there is no membarrier, and under ThreadSanitizer, which does not know it,
// store_before_loads() is an exchange; then [A1] holds as all four accesses are seq_cst.

#include <atomic>

namespace otter::rts {

namespace asymmetric {
/// Threads: set by prepare() before the threads that use it exist; never reset.
extern std::atomic<bool> kernel_helps;
/// To be called before the first thread of either side starts. Any thread, any number of times.
void prepare() noexcept;
}  // namespace asymmetric

/// The loads that follow must be seq_cst.
template <class T>
inline void store_before_loads(std::atomic<T>& word, T value) noexcept {
  if (asymmetric::kernel_helps.load(std::memory_order_relaxed)) [[likely]] {
    word.store(value, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);  // [A1]
  } else {
    word.exchange(value, std::memory_order_seq_cst);  // [A1]
  }
}

/// Store before and load after it must be seq_cst. A system call, some 10 us.
void barrier_for_all() noexcept;

}  // namespace otter::rts
