#pragma once

// io/accept_gate.hpp - how many connections of one listener may live, and how fast new ones come.
//
//   accept_gate   of a listener with limits: shared by it and its connections
//   gate_place    one connection's place; given up when its descriptor is closed
//
// While the gate is shut nobody calls accept: connections wait in the system's queue (and above
// its length are the system's to refuse), and cost the node nothing.

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace otter::rts {

class io_state;

struct accept_limits {
  std::uint32_t connections = 0;  ///< 0: any number
  std::uint32_t per_second = 0;   ///< 0: any
  std::uint32_t burst = 1;

  bool any() const noexcept { return connections != 0 || per_second != 0; }
};

/// Ownership: shared. Threads: alive_ any; left() any, with no lock of the listener; all else under
///            the listener's lock.
/// Invariant: alive_ is the number of places. earliest_ns_ is the moment at which all tokens would
///            be there again: a bucket without a clock that fills it.
/// Ordering:  [G1] left() counts down, then looks for a waiter under the listener's lock. An
///            acceptor is listed under that lock before it looks at the count for the last time. So
///            one of the two sees the other.
class accept_gate {
 public:
  accept_gate(io_state& io, accept_limits const& limits) noexcept : io_(io), limits_(limits) {}

  /// The listener whose gate this is; before anybody can connect.
  void belongs_to(std::uint32_t index, std::uint64_t generation) noexcept {
    index_ = index;
    generation_ = generation;
  }

  struct answer {
    bool open = true;
    std::int64_t until_ns = INT64_MAX;  ///< shut until then, or until a connection ends
    char const* begins = nullptr;       ///< the limit that is met now and was not before
  };
  answer may_accept(std::int64_t now_ns) noexcept;
  void accepted(std::int64_t now_ns) noexcept;
  void left() noexcept;

  std::uint32_t alive() const noexcept { return alive_.load(std::memory_order_relaxed); }
  accept_limits const& limits() const noexcept { return limits_; }
  std::uint64_t times_full() const noexcept { return times_full_; }
  std::uint64_t times_fast() const noexcept { return times_fast_; }

 private:
  std::int64_t interval_ns() const noexcept { return 1'000'000'000 / limits_.per_second; }

  io_state& io_;
  accept_limits const limits_;
  std::uint32_t index_ = 0;
  std::uint64_t generation_ = 0;
  std::atomic<std::uint32_t> alive_{0};
  std::int64_t earliest_ns_ = INT64_MIN;
  std::uint64_t times_full_ = 0;
  std::uint64_t times_fast_ = 0;
  bool full_ = false;  // since a limit was met; until there is room again, with a distance
  bool fast_ = false;
};

/// Ends without the lock of any port.
class gate_place {
 public:
  gate_place() noexcept = default;
  explicit gate_place(std::shared_ptr<accept_gate> gate) noexcept : gate_(std::move(gate)) {}
  gate_place(gate_place&&) noexcept = default;
  gate_place& operator=(gate_place&& other) noexcept {
    std::swap(gate_, other.gate_);
    return *this;
  }
  ~gate_place() {
    if (gate_) gate_->left();
  }
  explicit operator bool() const noexcept { return gate_ != nullptr; }
  /// The node ends: nobody waits at the gate, and the listener may be gone.
  void forget() noexcept { gate_.reset(); }

 private:
  std::shared_ptr<accept_gate> gate_;
};

}  // namespace otter::rts
