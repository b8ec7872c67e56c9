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

/// A secret of one's own, for what is also looked up where no process runs.
struct hash_key {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
};
/// Made of the node's secret. Called from, Throws: as keyed_hash().
hash_key make_hash_key();
/// Called from: any thread. Blocks: never. Exits: never.
std::uint64_t keyed_hash(hash_key const& key, std::string_view text) noexcept;

}  // namespace otter::detail
