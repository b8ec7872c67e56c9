#pragma once

// otter/poller_kind.hpp - which of the kernel's interfaces a node hears of its sockets by.

namespace otter {

enum class poller_kind : unsigned char {
  epoll,
  io_uring,  ///< where the kernel refuses it: epoll, and one node_event of kind failure says so
};

}  // namespace otter
