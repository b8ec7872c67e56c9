#pragma once

// numbered_children.hpp - the children of a supervisor of several servers of one kind: those of a
// partition_supervisor and of a worker_pool.

#include <fmt/format.h>

#include <memory>
#include <otter/child_spec.hpp>
#include <otter/error.hpp>
#include <otter/partition_supervisor.hpp>
#include <otter/process_info.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace otter::detail {

/// How many there are to be: `wanted`, or one for each scheduler. `what` and `name` say whose, and
/// `children` what they are, for the error.
/// Throws: error(badarg): an empty name, or a number that cannot be.
inline unsigned number_of_children(std::string_view what, std::string const& name,
                                   std::string_view children, unsigned wanted) {
  if (name.empty()) throw error(errc::badarg, fmt::format("{}: its name is empty", what));
  if (wanted > 65'536)
    throw error(errc::badarg,
                fmt::format("{} \"{}\": {} {}, must be 1 to 65,536", what, name, wanted, children));
  return wanted == 0 ? schedulers() : wanted;
}

/// Children with the ids "0", "1" and so on, which are otherwise like `like`. Child n is started by
/// what `then(start, n)` makes of `start`; without a `start` by nothing, which is refused later.
template <class Then>
std::vector<child_spec> numbered_children(unsigned count, child_spec const& like,
                                          partition_start start, Then then) {
  auto const shared = std::make_shared<partition_start const>(std::move(start));
  std::vector<child_spec> all(count, like);
  for (unsigned number = 0; number != count; ++number) {
    all[number].id = std::to_string(number);
    if (*shared) all[number].start = then(shared, number);
  }
  return all;
}

}  // namespace otter::detail
