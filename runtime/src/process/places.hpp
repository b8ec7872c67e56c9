#pragma once

// process/places.hpp - the places of a bounded mailbox: how many are taken.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <otter/spawn.hpp>

namespace otter::rts {

/// What the word of a mailbox's limit says. 0: there is no limit.
struct mailbox_bound {
  explicit constexpr mailbox_bound(std::uint64_t word) noexcept
      : policy(static_cast<overflow>(word & 0xff)),
        limit(static_cast<std::uint32_t>(word >> 8)),
        in_line((word & line_mark) != 0) {}

  /// How many places senders may take. With drop_oldest the receiver is the one who keeps the
  /// limit.
  constexpr std::uint32_t bound() const noexcept {
    bool const twice = policy == overflow::drop_oldest && limit < most / 2;
    return policy != overflow::drop_oldest ? limit : twice ? 2 * limit : most;
  }

  /// Senders stand in line for room: whoever comes now goes behind them (room.cpp).
  static constexpr std::uint64_t line_mark = std::uint64_t{1} << 63;
  static constexpr std::uint32_t most = std::numeric_limits<std::uint32_t>::max();

  overflow policy;
  std::uint32_t limit;
  bool in_line;
};

/// The places that are taken: by messages that count, in the inbox and in the mailbox, and by those
/// that were given to senders beforehand. Two numbers, so that nobody but senders needs an atomic
/// read-modify-write for each message.
///
/// Ownership: of nothing. The block's, whoever occupies it: what is on its way to one that has
///            ended is given back here, and a block in which something is taken gets no occupant
///            with a limit (spawn.cpp).
/// Threads:   leave(), take() and taken() who runs the process, or owns the free block; everything
///            else any. While the occupant lives, give_back() too is only its own: what a sender
///            has not used comes back as a signal (room.cpp). So the occupant, which gives room to
///            those in line before it waits, misses no place that has become free.
/// Invariant: admitted_ - left_ is the number; both wrap. Each place is admitted once, and then
///            either leaves or is given back: the number is never negative. admit() and take()
///            never make it exceed their bound: left_ only grows, so the number computed from a
///            value read before is not too small; and they change admitted_ only from the value
///            that they looked at, whatever it was in between.
/// Ordering:  [PL1] whoever reads left_, and then admitted_, reads an admitted_ no older than what
///            has left: an admission comes before the push of its message, or before the signal
///            that gave the place to a sender, that before [I1], that before leave(). Without it
///            admitted_ - left_ could be negative, which is a very full mailbox.
class place_count {
 public:
  /// Takes a place if less than `bound` are taken.
  bool admit(std::uint32_t bound) noexcept {
    std::uint32_t left = left_.load(std::memory_order_acquire);  // [PL1]
    for (;;) {
      std::uint32_t admitted = admitted_.load(std::memory_order_relaxed);
      if (admitted - left < bound) {
        if (admitted_.compare_exchange_weak(admitted, admitted + 1, std::memory_order_relaxed))
          return true;
      }
      std::uint32_t const left_before = left;
      left = left_.load(std::memory_order_acquire);  // [PL1]
      // Unchanged: so many were taken at once when admitted_ was read, not one after the other.
      if (admitted - left >= bound && left == left_before) return false;
    }
  }
  /// Takes a place that there need not be.
  void admit_anyway() noexcept { admitted_.fetch_add(1, std::memory_order_relaxed); }
  /// Takes up to `n` places for a sender, as far as the bound allows; how many these are. By who
  /// runs the process, so that nothing leaves meanwhile; senders may be taking some too.
  std::uint32_t take(std::uint32_t n, std::uint32_t bound) noexcept {
    std::uint32_t const left = left_.load(std::memory_order_relaxed);
    std::uint32_t admitted = admitted_.load(std::memory_order_relaxed);
    std::uint32_t room = 0;
    do {
      room = std::min(n, bound - std::min(admitted - left, bound));
    } while (room != 0 && !admitted_.compare_exchange_weak(admitted, admitted + room,
                                                           std::memory_order_relaxed));
    return room;
  }
  /// Places that nothing came of.
  void give_back(std::uint32_t n) noexcept { admitted_.fetch_sub(n, std::memory_order_relaxed); }
  /// A message has left.
  void leave() noexcept {
    left_.store(left_.load(std::memory_order_relaxed) + 1, std::memory_order_release);  // [PL1]
  }
  /// How many are taken, for who runs the process; others may be taking more.
  std::uint32_t taken() const noexcept {
    return admitted_.load(std::memory_order_relaxed) - left_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint32_t> admitted_{0};
  std::atomic<std::uint32_t> left_{0};
};

}  // namespace otter::rts
