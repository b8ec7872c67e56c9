#pragma once

// backoff.hpp - the waits before restarts.

#include <optional>
#include <otter/restart_backoff.hpp>
#include <otter/timer.hpp>
#include <string>

namespace otter::detail {

/// What a supervisor remembers of the restarts of one child.
struct restart_history {
  unsigned restarts = 0;                        // since it last ran for long
  std::optional<node_clock::time_point> since;  // when it was started, unless it has ended
};

/// One supervisor's back-off. Threads: the supervisor's process.
class backoff {
 public:
  explicit backoff(restart_backoff const& how) : how_(how) {}

  [[nodiscard]] bool is_on() const noexcept { return how_.first > duration::zero(); }
  /// The child runs.
  void started(restart_history& child) const;
  /// The wait before the restart that is due now. Counts it.
  duration next_wait(restart_history& child) const;

 private:
  restart_backoff how_;
};

/// What is wrong with it, or an empty text.
std::string wrong_with(restart_backoff const& how);

}  // namespace otter::detail
