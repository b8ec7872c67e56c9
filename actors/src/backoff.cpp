#include "backoff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <otter/random.hpp>
#include <utility>

namespace otter::detail {

void backoff::started(restart_history& child) const {
  if (is_on()) child.since = node_clock::now();  // else nobody asks
}

duration backoff::next_wait(restart_history& child) const {
  if (!is_on()) return {};
  const auto since = std::exchange(child.since, std::nullopt);
  if (since && node_clock::now() - *since > how_.most) child.restarts = 0;
  duration wait = how_.first;
  // Stops at `most`: no count of restarts makes it overflow.
  for (unsigned i = 0; i != child.restarts && wait < how_.most; ++i) wait *= 2;
  wait = std::min(wait, how_.most);
  ++child.restarts;
  const auto chance =
      static_cast<std::uint64_t>(static_cast<double>(wait.count()) * how_.jitter) + 1;
  return wait - duration(static_cast<duration::rep>(random_number() % chance));
}

std::string wrong_with(restart_backoff const& how) {
  constexpr duration longest = std::chrono::hours(24);
  if (how.first < duration::zero())
    return fmt::format("invalid_backoff: its first wait is {} ns, must not be below 0",
                       how.first.count());
  if (how.most < how.first || how.most > longest)
    return fmt::format("invalid_backoff: its longest wait is {} ns, must be within {} ns and a day",
                       how.most.count(), how.first.count());
  if (!(how.jitter >= 0 && how.jitter <= 1))
    return fmt::format("invalid_backoff: its jitter is {}, must be within 0 and 1", how.jitter);
  return {};
}

}  // namespace otter::detail
