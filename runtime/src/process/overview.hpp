#pragma once

// process/overview.hpp - one process as somebody else sees it while it does not run.
//
//   process_place      where in a process something lies
//   process_visitor    is shown everything that a process has
//   overview()         shows it
//
// For who has stopped all workers and holds all attached threads: scheduler::at_rest() and
// attached_waker::hold().

#include <cstddef>
#include <cstdint>
#include <otter/detail/envelope.hpp>
#include <span>

#include "stacks/stack.hpp"

namespace otter::rts {

class process;

enum class process_place : std::uint8_t {
  mailbox,     ///< messages that wait, received or not
  request,     ///< of a call whose answer is still owed
  dictionary,  ///< a value of the process
  monitor,     ///< the tag of a monitor or of a spawn request
  call,        ///< the answer that a call waits for
};

class process_visitor {
 public:
  virtual void signal(process_place where, detail::envelope const& e) = 0;
  /// What it remembers of a monitor or a request.
  virtual void entry(void const* block) = 0;
  /// A body, or one that it wraps. `memory` is its whole block, if that is in no slab; else one
  /// byte of it.
  virtual void body(std::span<std::byte const> memory, bool in_slab) = 0;
  virtual void frames(stack const& s) = 0;

 protected:
  ~process_visitor() = default;
};

/// Nothing for a block without an occupant. Throws: what the visitor throws.
void overview(process& of, process_visitor& visitor);

}  // namespace otter::rts
