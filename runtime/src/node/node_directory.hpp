#pragma once

// node/node_directory.hpp - the live nodes of this OS process: numbers for the node part of a pid.

#include <cstdint>

namespace otter::rts {

/// A number that no node of this OS process had before: eight bits of place, the rest counts how
/// often the place was taken. Throws: error(system_limit) when 255 nodes live. Any thread.
std::uint32_t enter_node_directory();
void leave_node_directory(std::uint32_t id) noexcept;

}  // namespace otter::rts
