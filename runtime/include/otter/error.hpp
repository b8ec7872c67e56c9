#pragma once

// otter/error.hpp - what a runtime function throws when it is called wrongly or cannot be obeyed.
//
//   otter::errc     which rule was broken
//   otter::error    the exception: an errc and a sentence with the numbers that decide
//
// A process that lets an error escape ends with it as its exit reason, as with any exception.

#include <otter/detail/text_formatter.hpp>
#include <stdexcept>
#include <string>

namespace otter {

enum class errc : unsigned char {
  badarg,          ///< an argument that no call could obey
  noproc,          ///< the process (or name) does not exist
  not_in_process,  ///< called from code that is no process of a running node
  timeout_value,   ///< a time limit outside 0 .. 2^32-1 ms
  system_limit,    ///< a limit of the node is reached: processes, stacks, timers
  would_suspend,   ///< the call would have to wait where waiting is forbidden
  exiting,         ///< the process is ending: its destructors may send, but not wait
  mailbox_full,    ///< a bounded mailbox stayed full for block_limit
  abandoned,       ///< the process was given up; its code may not call the runtime any more
  nolocal,         ///< the process belongs to another node
  undef,           ///< the module is not loaded, or has no such function; or its code was purged
};

/// The name of the rule, as in "badarg".
char const* to_string(errc code) noexcept;

class error : public std::runtime_error {
 public:
  error(errc code, std::string const& text);
  errc code() const noexcept { return code_; }

 private:
  errc code_;
};

}  // namespace otter

template <>
struct fmt::formatter<otter::errc> : otter::detail::text_formatter<otter::errc> {};
