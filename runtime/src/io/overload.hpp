#pragma once

// io/overload.hpp - what all sockets of a node may hold together, and who goes first.
//
//   output_account   how much of a port's queue the node has counted
//   node_marks       queued output and memory against the node's marks; sockets that may be shed
//
// Everything here is off until a node option sets a mark. Nothing has a timer: memory is looked at
// when a socket does something, at most ten times a second, so an idle node sleeps.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>

namespace otter::rts {

class io_state;
struct overload_limits;

/// Threads: any. Ownership: of nothing; the list of idle sockets names ports, which unlist
///          themselves, under their lock, when their name becomes void.
/// Invariant: queued_ is the sum of what the accounts have counted. A port's lock is never taken
///          under mutex_; mutex_ may be taken under a port's.
class node_marks {
 public:
  node_marks(io_state& io, overload_limits const& limits);
  ~node_marks();
  node_marks(node_marks const&) = delete;
  node_marks& operator=(node_marks const&) = delete;

  // --- queued output ---
  void output_changed(std::size_t before, std::size_t now) noexcept;
  std::size_t queued() const noexcept { return queued_.load(std::memory_order_relaxed); }
  /// Above the high mark, and not below the low one since. A moment late is good enough: it decides
  /// who waits, and whoever waits is woken by its own socket.
  bool output_above() const noexcept { return output_above_.load(std::memory_order_relaxed); }
  /// Reports that the mark was passed, once. Without the lock of any port.
  void tell_of_output() noexcept {
    if (output_untold_.load(std::memory_order_relaxed)) report_output();
  }

  // --- memory ---
  /// Looks at the memory if it is time. Sheds. Without the lock of any port.
  void sample(std::int64_t now_ns) noexcept;
  bool watches_memory() const noexcept { return watches_memory_; }
  bool accepts() const noexcept { return !memory_above_.load(std::memory_order_relaxed); }
  std::uint64_t shed() const noexcept { return shed_.load(std::memory_order_relaxed); }
  /// For tests: what the node is said to hold. Before anything runs.
  void measure_memory_by(std::function<std::size_t()> how) { measure_ = std::move(how); }

  // --- sockets that may be shed; under the port's lock ---
  struct entry {
    std::uint32_t index;
    std::uint64_t generation;
  };
  using place = std::list<entry>::iterator;
  /// Throws: std::bad_alloc.
  place list_idle(entry const& e);
  void unlist_idle(place at) noexcept;

 private:
  std::size_t resident() const noexcept;
  void shed_some(std::int64_t now_ns) noexcept;
  void report_output() noexcept;
  void report(char const* text, std::size_t is, std::size_t mark) noexcept;

  io_state& io_;
  overload_limits const& limits_;
  std::atomic<std::size_t> queued_{0};
  std::atomic<bool> output_above_{false};
  std::atomic<bool> output_untold_{false};
  bool const watches_memory_;
  std::atomic<bool> memory_above_{false};
  std::atomic<std::int64_t> next_sample_ns_{INT64_MIN};  // who moves it on samples
  std::atomic<std::uint64_t> shed_{0};
  std::atomic<bool> shedding_{false};
  std::function<std::size_t()> measure_;
  int statm_ = -1;  // /proc/self/statm, open while there are marks
  std::mutex mutex_;
  std::list<entry> idle_;  // guarded by mutex_; who was looked at longest ago first
};

/// Part of a port's buffers, so that what is counted ends with them.
class output_account {
 public:
  output_account() noexcept = default;
  output_account(output_account const&) = delete;
  output_account& operator=(output_account const&) = delete;
  ~output_account() {
    if (counted_ != 0) marks_->output_changed(counted_, 0);
  }
  void set(node_marks& marks, std::size_t queued) noexcept {
    if (queued == counted_) return;
    marks_ = &marks;
    marks.output_changed(counted_, queued);
    counted_ = queued;
  }

 private:
  node_marks* marks_ = nullptr;
  std::size_t counted_ = 0;
};

}  // namespace otter::rts
