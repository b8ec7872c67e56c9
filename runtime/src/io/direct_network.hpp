#pragma once

// io/direct_network.hpp - a network whose accepted sockets live in tables of io_uring.

#include <cstdint>
#include <memory>
#include <string>

#include "io/network.hpp"

namespace otter::rts {

/// `system` with room for `connections` accepted sockets that are no descriptors. Where the kernel
/// cannot do it: `system` as it was, and `refused` says why.
std::unique_ptr<network> make_direct_network(scheduler& node, std::unique_ptr<network> system,
                                             std::uint32_t connections, std::string& refused);

}  // namespace otter::rts
