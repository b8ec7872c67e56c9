#pragma once

// process/circles.hpp - processes that wait for each other, so that none can go on.
//
// A process that calls, or that waits for room in a full mailbox, says whom it waits for. When its
// time is over, it looks whether the chain of those who wait leads back to itself, and if it does,
// the node reports the circle with its names. To look earlier would cost every call a barrier, and
// a call that has just been answered would be taken for one that waits.

#include <atomic>
#include <cstdint>

#include "process/process.hpp"

namespace otter::rts {

/// While it lives, `self` waits for the process with the bits `whom`.
class waits_for {
 public:
  // Relaxed: who looks does so at the end of a time limit, long after, and only to tell.
  waits_for(process& self, std::uint64_t whom) noexcept
      : self_(self), before_(self.waits_for().load(std::memory_order_relaxed)) {
    self_.waits_for().store(whom, std::memory_order_relaxed);
  }
  ~waits_for() { self_.waits_for().store(before_, std::memory_order_relaxed); }
  waits_for(waits_for const&) = delete;
  waits_for& operator=(waits_for const&) = delete;

 private:
  process& self_;
  std::uint64_t before_;
};

/// `self` has waited in vain: reports a failure if it is part of a circle. Called from: the process
/// itself, while its waits_for lives.
void report_circle(process& self) noexcept;

}  // namespace otter::rts
