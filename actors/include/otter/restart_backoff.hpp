#pragma once

// otter/restart_backoff.hpp - how long a supervisor waits before it starts a child again.
//
//   otter::restart_backoff   off by default: a child is started again at once, as in OTP
//
//     otter::supervisor::start_link(
//         {.intensity = 10, .period = 10min, .backoff = {.first = 100ms, .most = 30s}}, ...);
//
// For children that need something from outside which may be gone for a while: to start them a
// thousand times a second does not bring it back. Each restart counts for the intensity, when it is
// decided upon and before it waits; so the period should be longer than several waits, or the
// supervisor never gives up.

#include <chrono>
#include <otter/duration.hpp>

namespace otter {

/// The wait before a child is started again. It doubles with each restart of that child, and with
/// each start that fails, from `first` up to `most`. A child that has run for longer than `most`
/// begins with `first` again, and so does one that was stopped or started by hand.
///
/// What waits is shown as restarting; terminate_child() takes the restart back.
struct restart_backoff {
  duration first{};                          ///< 0: no wait
  duration most = std::chrono::seconds(30);  ///< not below `first`, at most a day
  /// Up to this part of a wait, 0 to 1, is left out by chance: those that failed together do not
  /// all come back at one moment.
  double jitter = 0.25;
  friend bool operator==(restart_backoff const&, restart_backoff const&) = default;
};

}  // namespace otter
