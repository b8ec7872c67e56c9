#pragma once

// otter/random.hpp - random numbers of the node: for jitter and for choices, not for secrets.
//
//   otter::random_number()   64 bits by chance
//
// In simulation they come from its seed, so that a run with chance in it is repeated exactly. The
// standard's generators would do for a process that keeps one of its own; seed it from here.

#include <cstdint>

namespace otter {

/// Each value is equally likely.
///
/// Called from: a process, not an attached thread. Blocks: never. Exits: never.
/// Throws: error(not_in_process).
std::uint64_t random_number();

}  // namespace otter
