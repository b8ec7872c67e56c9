#pragma once

// process/circles.hpp - processes that wait for each other, so that none can go on.
//
//   waits_for      says, while it lives, whom the process waits for
//   circle_watch   looks, during one wait, whether the chain of those who wait leads back to it
//
// A process that calls, or that waits for room in a full mailbox, says whom it waits for before its
// request is on its way ... so whoever takes that request in can see it. When does anybody look?
//
//   1. Before it sleeps, and whenever something has come that is not its answer, but only a process
//      that others wait for: it alone can close a circle. A client that nobody calls pays one test.
//   2. A chain that leads back may be old: one of its processes has been answered and has not run
//      since. So the circle is reported when it is still there a second later, or when the time of
//      the wait is over.
//   3. Every request of a circle is in some mailbox or on its way to one. Whoever takes in the last
//      of them looks afterwards, and then all have said whom they wait for: no circle is missed,
//      and no barrier is needed beyond the one that carries the request [I1].
//
// Refused: a time limit of its own for each wait without one (a timer for each call), and walking
// through all processes when the node falls asleep (a million cache misses, and never if it is
// busy).

#include <atomic>
#include <cstdint>
#include <optional>

#include "process/process.hpp"

namespace otter::rts {

/// While it lives, `self` waits for the process with the bits `whom`.
class waits_for {
 public:
  // Relaxed: what is read from it may be old, and is checked a second time.
  waits_for(process& self, std::uint64_t whom) noexcept
      : self_(self), before_(self.waits_for().load(std::memory_order_relaxed)) {
    self_.waits_for().store(whom, std::memory_order_relaxed);
  }
  ~waits_for() {
    self_.waits_for().store(before_, std::memory_order_relaxed);
    self_.circle_told().store(false, std::memory_order_relaxed);
  }
  waits_for(waits_for const&) = delete;
  waits_for& operator=(waits_for const&) = delete;

 private:
  process& self_;
  std::uint64_t before_;
};

/// One wait, which ends at `whole` at the latest. Threads: the process itself, while its waits_for
/// lives.
class circle_watch {
 public:
  circle_watch(process& self, wait_limit& whole) noexcept : self_(self), whole_(whole) {}

  /// Step 1. How long to wait now: to the end, or, with a circle in sight, until the second look.
  wait_limit& look();
  /// That time is over: reports a circle, once for all who are in it.
  void time_over(wait_limit const& which) noexcept;

 private:
  process& self_;
  wait_limit& whole_;
  std::optional<wait_limit> second_look_;
};

}  // namespace otter::rts
