#pragma once

// otter/duration.hpp - lengths of time in otter's interfaces.
//
//   otter::duration   nanoseconds, as std::chrono
//   otter::infinity   "never": a receive, call or wait without a limit

#include <chrono>

namespace otter {

using duration = std::chrono::nanoseconds;

/// No limit.
inline constexpr duration infinity = duration::max();

namespace detail {
/// The limit as the runtime wants it. Throws: error(timeout_value) if it is negative or longer
/// than 2^32-1 ms and not infinity (MB-7).
duration checked_limit(duration limit);
}  // namespace detail

}  // namespace otter
