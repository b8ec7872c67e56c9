#pragma once

// scheduler/backtrace.hpp - where another thread is right now: program counters, taken by a
// real-time signal whose handler stores them and returns.

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "stacks/stack.hpp"

namespace otter::rts {

/// Once, before the first capture: installs the handler, and calls the unwinder so that nothing is
/// loaded later in the handler. The program's own handler for that signal, if any, is kept: then
/// captures give nothing.
void prepare_backtraces() noexcept;

/// A line for each of `frames`, which ::backtrace() gave. Throws: std::bad_alloc.
std::string backtrace_text(void* const* frames, std::size_t depth);

/// Lines as in all reports, `function in program` with what symbols the program has, else
/// `program+0x1234`, which addr2line takes. Without addresses, so that two runs of one program say
/// the same. For each of `calls`, which lie within calls: `most` lines, each cut to `width` bytes.
/// Throws: std::bad_alloc.
std::vector<std::string> stacktrace_lines(std::span<void* const> calls, std::size_t most,
                                          std::size_t width);
/// The same for where the caller is, the innermost first.
std::vector<std::string> stacktrace_here(std::size_t most, std::size_t width);

/// Threads: one at a time captures; the signal's handler fills it on the other thread.
class captured_backtrace {
 public:
  static constexpr std::size_t most = 64;

  /// Waits up to 20 ms for the thread to answer; empty if it does not.
  void capture(pid_t thread) noexcept;
  /// Of the frames suspended on `s`, whose thread is locked out of the runtime.
  void walk(stack const& s) noexcept;

  void* const* frames() const noexcept { return frames_.data(); }
  std::size_t depth() const noexcept { return depth_; }

 private:
  std::array<void*, most> frames_{};
  std::size_t depth_ = 0;
};

}  // namespace otter::rts
