#pragma once

// base/clock.hpp - the one place where the threads driver reads the time.
//
// Code above the scheduler asks its driver instead: in the simulation time is virtual.

#include <cstdint>

namespace otter::rts {

/// Nanoseconds of CLOCK_MONOTONIC: never goes back, not set by anybody.
[[nodiscard]] std::int64_t monotonic_ns() noexcept;

}  // namespace otter::rts
