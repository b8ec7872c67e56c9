#pragma once

// process/pool_gate.hpp - keeps threads of the pool from making signals while somebody looks at all
// of them.

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace otter::rts {

/// Threads:   any. Invariant: while it is closed nobody is inside. Who is inside does not enter
///            again: it would wait for who waits for it.
class pool_gate {
 public:
  void enter() noexcept {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !closed_; });
    ++inside_;
  }
  void leave() noexcept {
    std::lock_guard lock(mutex_);
    if (--inside_ == 0) changed_.notify_all();
  }

  /// Waits until nobody is inside; false if the time is over.
  bool empty_until(std::int64_t until_ns) noexcept {
    std::chrono::steady_clock::time_point const until{std::chrono::nanoseconds(until_ns)};
    std::unique_lock lock(mutex_);
    return changed_.wait_until(lock, until, [this] { return inside_ == 0; });
  }
  /// False: somebody is inside, and it stays open. Not waited for: he may want a lock of the
  /// caller.
  bool try_close() noexcept {
    std::lock_guard lock(mutex_);
    closed_ = inside_ == 0;
    return closed_;
  }
  void open() noexcept {
    std::lock_guard lock(mutex_);
    closed_ = false;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t inside_ = 0;  // guarded by mutex_
  bool closed_ = false;     // guarded by mutex_
};

}  // namespace otter::rts
