#pragma once

// base/clock.hpp - the one place where the threads driver reads the time.
//
// Code above the scheduler asks its driver instead: in the simulation time is virtual.

#include <cstdint>

namespace otter::rts {

/// Nanoseconds of CLOCK_MONOTONIC: never goes back, not set by anybody.
[[nodiscard]] std::int64_t monotonic_ns() noexcept;

/// Nanoseconds since 1970, of CLOCK_REALTIME: what people call the time. Somebody may set it.
[[nodiscard]] std::int64_t wall_ns() noexcept;

}  // namespace otter::rts
