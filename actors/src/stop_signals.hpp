#pragma once

// stop_signals.hpp - SIGTERM and SIGINT as something to wait for.
//
// Only who runs a whole program may take them (see run_main()): a library leaves the signals of a
// program alone.

#include <csignal>

namespace otter::detail {

/// While it lives the two are blocked in the thread that made it, and in those that this one starts
/// afterwards. A signal that the program ignores never comes.
///
/// Threads: the one that made it.
class stop_signals {
 public:
  /// Throws: std::system_error.
  stop_signals();
  /// Everything is again as it was.
  ~stop_signals();
  stop_signals(stop_signals const&) = delete;
  stop_signals& operator=(stop_signals const&) = delete;

  /// Waits for a signal, or until `other` is readable; gives the signal, or 0.
  int wait(int other) const noexcept;
  /// From now on they do what they did before: a second Ctrl-C ends the program.
  void release() noexcept;

 private:
  sigset_t set_{};
  sigset_t before_{};
  int descriptor_ = -1;
};

}  // namespace otter::detail
