#pragma once

// short_memory.hpp - for the tests of sets whose arrays may get no memory.

#include "base/sanitizers.hpp"

// clang links a `new` of its own into every program with ThreadSanitizer: there memory is never
// short, and the cases about that are left to the other builds.
#if OTTER_TSAN && defined(__clang__)
#define MEMORY_CAN_BE_SHORT 0
#else
#define MEMORY_CAN_BE_SHORT 1
#endif

/// While it is true, `new (std::nothrow)` gives nothing. In keyed_set_test.cpp.
extern bool memory_is_short;
