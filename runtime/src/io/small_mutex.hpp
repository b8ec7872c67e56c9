#pragma once

// io/small_mutex.hpp - a lock of four bytes, for blocks of which there are a million.
//
// std::mutex has 40. Held for a few hundred instructions or one system call, in the runtime, never
// across a suspension.

#include <atomic>
#include <cstdint>

namespace otter::rts {

/// Threads:  any.
/// Ordering: [S1] what was written under the lock is seen by the next who has it.
class small_mutex {
 public:
  void lock() noexcept {
    std::uint32_t expected = free;
    if (word_.compare_exchange_strong(expected, held, std::memory_order_acquire,  // [S1]
                                      std::memory_order_relaxed))
      return;
    // Whoever waits leaves the mark that somebody may wait, so that unlock() wakes.
    while (word_.exchange(contended, std::memory_order_acquire) != free)  // [S1]
      word_.wait(contended, std::memory_order_relaxed);
  }
  void unlock() noexcept {
    if (word_.exchange(free, std::memory_order_release) == contended)  // [S1]
      word_.notify_one();
  }

 private:
  static constexpr std::uint32_t free = 0, held = 1, contended = 2;
  std::atomic<std::uint32_t> word_{free};
};

/// std::unique_lock without its checks, which are calls: who unlocks holds it.
class port_lock {
 public:
  port_lock() noexcept = default;
  explicit port_lock(small_mutex& m) noexcept : mutex_(&m) { lock(); }
  port_lock(port_lock const&) = delete;
  port_lock& operator=(port_lock const&) = delete;
  ~port_lock() {
    if (held_) unlock();
  }
  void lock() noexcept {
    mutex_->lock();
    held_ = true;
  }
  void unlock() noexcept {
    held_ = false;
    mutex_->unlock();
  }
  bool owns_lock() const noexcept { return held_; }
  /// Takes over what is locked. Nothing is held here.
  void lock(small_mutex& m) noexcept {
    mutex_ = &m;
    lock();
  }

 private:
  small_mutex* mutex_ = nullptr;
  bool held_ = false;
};

}  // namespace otter::rts
