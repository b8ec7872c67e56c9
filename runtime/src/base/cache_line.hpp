#pragma once

// base/cache_line.hpp - the unit in which cores fight over memory, and the inlining attributes
// that hot and cold paths carry.
//
//   cache_line        what to align to so that two threads do not share a line
//   OTTER_NOINLINE    keep this out of its callers (slow paths, thread-local accessors)

#include <cstddef>

namespace otter::rts {

// Not std::hardware_destructive_interference_size: it changes with -mtune, and a layout that two
// translation units disagree about is worse than one that is a line too small on some machine.
constexpr std::size_t cache_line = 64;

}  // namespace otter::rts

#define OTTER_NOINLINE [[gnu::noinline]]
#define OTTER_COLD [[gnu::noinline, gnu::cold]]
