#pragma once

// upgrade_order.hpp - the order of a plan's modules, and which of them go together.
//
//   otter::detail::order_of()    positions in plan.modules, each after what it depends on
//   otter::detail::groups_of()   the same, cut where one may be loaded before the next is
//
// Everything that is wrong with a plan by itself is found here: names that come twice, a circle.

#include <cstddef>
#include <otter/upgrade.hpp>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace otter::detail {

/// As in the plan where nothing says otherwise. An error is a line: a module that is there twice,
/// or depends on itself, by which way.
tl::expected<std::vector<std::size_t>, std::string> order_of(upgrade::plan const& plan);

/// Modules that stand behind one another, are together both, and of which the later one depends on
/// one of those before, are a group; every other one is a group by itself.
std::vector<std::vector<std::size_t>> groups_of(upgrade::plan const& plan,
                                                std::vector<std::size_t> const& order);

}  // namespace otter::detail
