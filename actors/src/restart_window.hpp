#pragma once

// restart_window.hpp - how many restarts were there within the period? (SUP-18 to SUP-20)

#include <cstddef>
#include <deque>
#include <otter/timer.hpp>

namespace otter::detail {

/// One supervisor's restarts. Holds at most intensity + 1 moments.
class restart_window {
 public:
  restart_window(unsigned intensity, duration period) : intensity_(intensity), period_(period) {}

  /// Counts a restart that is about to be made. False if it is one too many.
  bool allow(node_clock::time_point now) {
    restarts_.push_back(now);
    // One that is exactly a period old still counts.
    while (now - restarts_.front() > period_) restarts_.pop_front();
    return restarts_.size() <= intensity_;
  }
  /// From now on; what has been counted stays counted.
  void allow_other(unsigned intensity, duration period) noexcept {
    intensity_ = intensity;
    period_ = period;
  }
  [[nodiscard]] std::size_t count() const noexcept { return restarts_.size(); }
  [[nodiscard]] unsigned intensity() const noexcept { return intensity_; }
  [[nodiscard]] duration period() const noexcept { return period_; }

 private:
  unsigned intensity_;
  duration period_;
  std::deque<node_clock::time_point> restarts_;
};

}  // namespace otter::detail
