#pragma once

// stacks/report.hpp - a line of text from a place where nothing may be allocated or locked.
//
//   report_line        builds a line in itself and writes it at once
//   set_describer()    how stacks are named in such lines
//   stack_broken()     what ends the program when a stack cannot be trusted any more
//
// All of it is async-signal-safe.

#include <cstddef>
#include <cstdint>

#include "stacks/stack.hpp"

namespace otter::rts {

class report_line {
 public:
  report_line& add(char const* text) noexcept;
  report_line& number(std::uint64_t value) noexcept;
  report_line& address(void const* value) noexcept;
  report_line& size(std::size_t bytes) noexcept;  ///< "64 KiB", or "1000 bytes"
  report_line& name(stack const& s) noexcept;     ///< the describer's words
  report_line& extent(stack const& s) noexcept;   ///< "64 KiB stack (small, 0x10-0x20)"
  /// Writes the line with a newline in one write, as far as `descriptor` takes it.
  void write(int descriptor) noexcept;
  char const* text() const noexcept { return text_; }

 private:
  static constexpr std::size_t room = 766;
  std::size_t used_ = 0;
  char text_[room + 2] = {};  // a newline and a zero always fit
};

/// Null takes it away. See overflow_handler.hpp.
void set_describer(void (*describer)(stack const&, char*, std::size_t) noexcept) noexcept;

/// Bytes reserved for `s`, guard included: the number that a user knows it by.
std::size_t reserved(stack const& s) noexcept;

/// Prints `what` with the name of `s` and a backtrace of the caller, and aborts.
[[noreturn]] void stack_broken(stack const& s, char const* what) noexcept;

}  // namespace otter::rts
