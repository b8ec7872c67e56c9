#pragma once

// stacks/frame_walk.hpp - where the code on a suspended stack is: for reports of what will never
// run again.

#include <cstddef>

#include "stacks/stack.hpp"

namespace otter::rts {

/// Writes the program counters of the frames suspended on `s`, innermost first, and gives how many;
/// 0 if nothing is suspended there. Follows frame pointers, since no unwinder begins at frames that
/// do not run: behind the first function that was compiled without them the rest is missing.
///
/// Threads: whoever knows that nobody continues `s` meanwhile, and has seen what its thread wrote.
/// Blocks: never. Throws: never.
std::size_t suspended_frames(stack const& s, void** counters, std::size_t room) noexcept;

}  // namespace otter::rts
