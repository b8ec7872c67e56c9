#pragma once

// io/scratch.hpp - buffers that sockets are read into: lent to a worker for one read, or to a
// process for as long as it looks at what came.

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>

#include "scheduler/scheduler.hpp"

namespace otter::rts {

inline constexpr std::size_t scratch_bytes = 65536;

/// A few buffers kept warm, about one for each worker.
///
/// Ownership: of the buffers that lie in it. Threads: any.
/// Ordering:  [C1] carries a buffer from who gave it back to who takes it.
class scratch_pool {
 public:
  scratch_pool() = default;
  scratch_pool(scratch_pool const&) = delete;
  scratch_pool& operator=(scratch_pool const&) = delete;
  ~scratch_pool() {
    for (auto& place : places_) delete[] place.load(std::memory_order_relaxed);
  }

  /// `near`: the worker's number, so that workers do not meet. Throws: std::bad_alloc.
  char* take(unsigned near) {
    char* const warm = places_[near % places].exchange(nullptr, std::memory_order_acquire);  // [C1]
    return warm != nullptr ? warm : new char[scratch_bytes];
  }
  void put(unsigned near, char* buffer) noexcept {
    char* expected = nullptr;
    if (!places_[near % places].compare_exchange_strong(expected, buffer,
                                                        std::memory_order_release,  // [C1]
                                                        std::memory_order_relaxed))
      delete[] buffer;
  }

 private:
  static constexpr unsigned places = 64;
  std::array<std::atomic<char*>, places> places_{};
};

/// A buffer for one read, that does not wait.
class borrowed_scratch {
 public:
  /// `shift`: who needs a second one at a time does not take it where the first lay. Throws:
  /// std::bad_alloc.
  explicit borrowed_scratch(scratch_pool& pool, unsigned shift = 0)
      : pool_(pool), number_(near() + shift), buffer_(pool.take(number_)) {}
  borrowed_scratch(borrowed_scratch const&) = delete;
  borrowed_scratch& operator=(borrowed_scratch const&) = delete;
  ~borrowed_scratch() { pool_.put(number_, buffer_); }
  char* get() const noexcept { return buffer_; }

 private:
  static unsigned near() noexcept {
    worker* const w = current_worker();
    return w != nullptr ? w->number() : 0;
  }
  scratch_pool& pool_;
  unsigned number_;
  char* buffer_;
};

}  // namespace otter::rts
