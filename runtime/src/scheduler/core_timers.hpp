#pragma once

// scheduler/core_timers.hpp - the timers of one core: its wheel, and the room above's callbacks.

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "timers/wheel.hpp"

namespace otter::rts {

/// Threads: the thread that holds the core; count() any.
class core_timers {
 public:
  using callback = void (*)(timer_node&) noexcept;

  explicit core_timers(std::int64_t now, timer_wheel::backlog_hook on_backlog = nullptr,
                       void* whom = nullptr) noexcept
      : wheel_(now, on_backlog, whom) {}

  timer_wheel& wheel() noexcept { return wheel_; }
  std::int64_t next_due() const noexcept { return wheel_.next_due(); }

  /// Fires and releases, at most `most` steps of work; gives how many of either. Both may have made
  /// something ready: who means to sleep looks at the queues again.
  std::size_t run(std::int64_t now, std::size_t most, callback fire, callback release) noexcept {
    struct handler {
      callback on_fire;
      callback on_release;
      std::size_t& told;
      void fire(timer_node& t) noexcept {
        ++told;
        on_fire(t);
      }
      void release(timer_node& t) noexcept {
        ++told;
        on_release(t);
      }
    };
    std::size_t told = 0;
    wheel_.collect(now, most, handler{fire, release, told});
    count_.store(wheel_.size(), std::memory_order_relaxed);
    return told;
  }

  /// As of the last run(); exact once the core's worker sleeps.
  std::size_t count() const noexcept { return count_.load(std::memory_order_relaxed); }

 private:
  timer_wheel wheel_;
  std::atomic<std::size_t> count_{0};
};

}  // namespace otter::rts
