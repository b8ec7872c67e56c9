#pragma once

// process/system_watch.hpp - what system_monitor() has been asked to look for.

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <otter/system_monitor.hpp>

namespace otter::rts {

class process_system;

/// Ownership: of the process_system.
/// Threads:   any. The thresholds are read without the mutex (relaxed: around a change one event
///            more or less, nothing depends on them); set() and clear() write them under it.
/// Invariant: on() is true exactly while somebody is to be told.
class system_watch {
 public:
  bool on() const noexcept { return to_.load(std::memory_order_relaxed) != 0; }
  bool tells(std::uint64_t bits) const noexcept {
    return to_.load(std::memory_order_relaxed) == bits;
  }
  std::int64_t long_schedule_ns() const noexcept {
    return long_schedule_.load(std::memory_order_relaxed);
  }
  std::uint64_t large_heap() const noexcept { return large_heap_.load(std::memory_order_relaxed); }
  bool busy_port() const noexcept { return busy_port_.load(std::memory_order_relaxed); }
  std::uint32_t long_queue() const noexcept { return long_queue_.load(std::memory_order_relaxed); }
  std::uint32_t long_queue_off() const noexcept {
    return long_queue_off_.load(std::memory_order_relaxed);
  }

  /// `to`: bits of a pid, or 0.
  void set(std::uint64_t to, system_monitor_options const& options) noexcept;
  /// That process ends.
  void clear(std::uint64_t bits) noexcept;
  /// Who is told, and of what; 0: nobody.
  std::uint64_t get(system_monitor_options& options) const noexcept;
  void tell(process_system& system, system_event const& event) noexcept;

 private:
  std::atomic<std::uint64_t> to_{0};
  std::atomic<std::int64_t> long_schedule_{0};
  std::atomic<std::uint64_t> large_heap_{0};
  std::atomic<std::uint32_t> long_queue_{0};
  std::atomic<std::uint32_t> long_queue_off_{0};
  std::atomic<bool> busy_port_{false};
  mutable std::mutex mutex_;
  system_monitor_options options_;  // guarded by mutex_
};

}  // namespace otter::rts
