#pragma once

// otter/detail/keyed_hash.hpp - a hash that nobody outside the node can foresee.
//
// For tables whose keys come from strangers: who does not know the secret cannot choose keys that
// fall on one another. In the simulation the secret comes from the seed.

#include <cstdint>
#include <string_view>

namespace otter::detail {

/// Equal for equal texts as long as the caller's node lives; another node has another.
///
/// Called from: a process, or an attached thread. Blocks: never. Exits: never.
/// Throws: error(not_in_process) elsewhere.
std::uint64_t keyed_hash(std::string_view text);

}  // namespace otter::detail
