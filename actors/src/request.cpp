// Requests whose response is awaited later: what needs no types.

#include <fmt/format.h>

#include <otter/request.hpp>

namespace otter::detail {

duration time_left(node_clock::time_point when) {
  const duration left = when - node_clock::now();
  return left < duration::zero() ? duration::zero() : left;
}

void throw_unknown_request(ref id) {
  throw error(
      errc::badarg,
      fmt::format("cannot wait for the response to request {}: it was received, given up, or "
                  "sent by another process",
                  to_string(id)));
}

}  // namespace otter::detail
