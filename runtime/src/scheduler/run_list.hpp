#pragma once

// scheduler/run_list.hpp - runnables in a chain, linked through queue_next: one thread's, or
// shared under a lock.

#include <atomic>
#include <cstddef>
#include <mutex>

#include "scheduler/runnable.hpp"

namespace otter::rts {

/// First in, first out. For one thread.
class run_list {
 public:
  void push(runnable& r) noexcept {
    r.queue_next = nullptr;
    (last_ != nullptr ? last_->queue_next : first_) = &r;
    last_ = &r;
    ++size_;
  }
  runnable* pop() noexcept {
    runnable* const r = first_;
    if (r == nullptr) return nullptr;
    first_ = r->queue_next;
    if (first_ == nullptr) last_ = nullptr;
    --size_;
    return r;
  }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

 private:
  runnable* first_ = nullptr;
  runnable* last_ = nullptr;
  std::size_t size_ = 0;
};

/// The overflow queue, and the queues of the rarer priorities.
///
/// Threads:  any. size() is read without the lock.
/// Ordering: [R1] size_ is the pushing side's half: see threads_driver.hpp.
class shared_run_list {
 public:
  void push(runnable& r) noexcept {
    std::lock_guard lock(mutex_);
    list_.push(r);
    size_.store(list_.size(), std::memory_order_seq_cst);  // [R1]
  }
  /// Takes all of `from`.
  void push_all(run_list& from) noexcept {
    std::lock_guard lock(mutex_);
    while (runnable* r = from.pop()) list_.push(*r);
    size_.store(list_.size(), std::memory_order_seq_cst);  // [R1]
  }
  runnable* pop() noexcept {
    if (size_.load(std::memory_order_relaxed) == 0) return nullptr;
    std::lock_guard lock(mutex_);
    runnable* const r = list_.pop();
    size_.store(list_.size(), std::memory_order_relaxed);
    return r;
  }
  /// Takes at most `most` into `to`.
  void pop_some(run_list& to, std::size_t most) noexcept {
    std::lock_guard lock(mutex_);
    for (; most > 0; --most) {
      runnable* const r = list_.pop();
      if (r == nullptr) break;
      to.push(*r);
    }
    size_.store(list_.size(), std::memory_order_relaxed);
  }
  std::size_t size(std::memory_order order = std::memory_order_relaxed) const noexcept {
    return size_.load(order);
  }

 private:
  std::mutex mutex_;
  run_list list_;                     // guarded by mutex_
  std::atomic<std::size_t> size_{0};  // written under mutex_
};

}  // namespace otter::rts
