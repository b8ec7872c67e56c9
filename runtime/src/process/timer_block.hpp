#pragma once

// process/timer_block.hpp - what a process asks to happen later.
//
// One kind of block serves all: the limit of a receive or call, the time-out of a behaviour,
// send_after. Blocks lie in a table, so that whoever holds a timer_ref finds the block by its
// index and sees by the generation whether it is still that timer.

#include <cstdint>
#include <otter/pid.hpp>
#include <string>

#include "process/signals.hpp"
#include "timers/wheel.hpp"

namespace otter::rts {

class process;
class process_system;

/// A wait that may run out of time; lives on the stack of the one who waits.
struct wait_limit {
  std::int64_t due_ns = INT64_MAX;  ///< driver clock; INT64_MAX: no limit
  bool expired = false;
  struct timer_block* timer = nullptr;

  explicit wait_limit(std::int64_t due) noexcept : due_ns(due) {}
  ~wait_limit();
  wait_limit(wait_limit const&) = delete;
  wait_limit& operator=(wait_limit const&) = delete;
};

/// Ownership: of the table. While armed, the wheel of `home` holds it; when it fires it travels as
///            a signal of kind timer to the process that it is for, which gives it back.
/// Threads:   `word` any (see timers/wheel.hpp). limit, message, list links: the process that it
///            is for (`target`). The rest is constant from start to end.
struct timer_block : envelope, timer_node {
  explicit timer_block(std::uint32_t table_index) noexcept : index(table_index) {
    kind = signal_kind::timer;
    flags = from_table;
  }

  std::uint32_t index;
  std::uint32_t table_next = 0;
  process_system* system = nullptr;
  wait_limit* limit = nullptr;        ///< to be told, or null
  envelope* message = nullptr;        ///< to be delivered, or null
  std::string* name = nullptr;        ///< deliver to whoever has this name then
  timer_block* list_next = nullptr;   ///< the receiver's list of message timers, for its death
  timer_block** list_back = nullptr;  ///< what points at this one; null: in no list
};

}  // namespace otter::rts
