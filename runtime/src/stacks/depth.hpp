#pragma once

// stacks/depth.hpp - how much of a stack was used.
//
//   record_depth()     notes the present stack pointer: checkpoint(), and each switch away
//   depth_of()         the deepest noted so far, in bytes: cheap, misses what happened in between
//   paint()            fills the unused part with a pattern
//   painted_depth()    the deepest byte written since: exact, but paint() touches every page
//   forget_depth()     starts again

#include <cstddef>

#include "stacks/stack.hpp"

namespace otter::rts {

/// Notes where the stack pointer is now. Aborts with a message if that is below the stack, which
/// means that a large frame has stepped over the guard.
/// Called from: code running on `s`.
void record_depth(stack& s) noexcept;

/// Bytes between the top and the deepest stack pointer noted. 0: nothing has run here.
std::size_t depth_of(stack const& s) noexcept;

void forget_depth(stack& s) noexcept;

/// Fills everything below the frames on `s` with a pattern. Costs the whole stack in resident
/// memory until the source trims it. Called from: code on `s`, or while nothing runs on it.
void paint(stack& s) noexcept;

/// Bytes between the top and the lowest one that no longer has the pattern; 0 if never painted.
std::size_t painted_depth(stack const& s) noexcept;

}  // namespace otter::rts
