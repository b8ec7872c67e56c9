#pragma once

// process/trace.hpp - what the trace of a simulation tells of signals and timers.
//
// All of it but what depends on an address: those of two runs differ. That is why a payload is
// there as the text of its type's print operation, which never shows a pointer, and not as its
// bytes, in which nobody could tell one (doc/simulation.md, "The trace").

#include <cstdint>
#include <otter/detail/envelope.hpp>

#include "process/process_system.hpp"
#include "process/timer_block.hpp"

namespace otter::rts {

/// `e`, which the caller still owns, is `sent`, `refused` or the like to the process with the bits
/// `target`. Simulation only: who calls has asked simulated().
void trace_signal(process_system& system, char const* what, std::uint64_t target,
                  envelope& e) noexcept;

/// A timer that the caller owns has been started, or fires, or is released. In the threads driver:
/// nothing.
void trace_timer(process_system& system, char const* what, timer_block& t) noexcept;

/// Somebody cancels a timer, or comes too late. By numbers: if that was lost, the block is not the
/// caller's. In the threads driver: nothing.
void trace_cancel(process_system& system, std::uint32_t index, std::uint64_t generation,
                  bool in_time) noexcept;

}  // namespace otter::rts
