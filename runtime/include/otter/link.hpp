#pragma once

// otter/link.hpp - the two-way bond: when one ends, the other gets an exit signal.
//
//   otter::link()     binds the calling process to another
//   otter::unlink()   dissolves the bond
//
// To hear of an end without sharing it, see otter/monitor.hpp. To be linked from the first
// instruction on, spawn with otter::spawn_link().

#include <otter/pid.hpp>

namespace otter {

/// Links the caller to `other`. Linked twice is linked once; linking to self() does nothing.
///
/// If `other` has ended: a caller that traps exits gets `exited{other, noproc}`, for another the
/// call throws error(noproc) (L-4, L-5). If it ends just then, the exit signal comes later.
///
/// Called from: a process, or an attached thread. Blocks: never. Exits: never.
/// Throws: error(noproc), std::bad_alloc.
void link(pid other);

/// Dissolves the link: afterwards no exit signal caused by it reaches the caller (L-6). An
/// `exited` message that is queued already stays. Not linked is not an error.
///
/// Called from: a process, or an attached thread. Blocks: never. Exits: never. Throws: never.
void unlink(pid other) noexcept;

}  // namespace otter
