#pragma once

// otter/udp.hpp - datagrams, with the owners and the active modes of otter/tcp.hpp.
//
//   otter::udp_open()     a socket
//   otter::udp_socket     send_to(), recv_from(), set_active(), close() ...
//   otter::udp_data, udp_error, udp_passive   what an active socket tells its owner
//
// A datagram arrives whole, or not at all, or twice, and in any order: what is lost is told to
// nobody. One that is longer than the socket's `buffer` comes cut off, and says so.

#include <cstdint>
#include <functional>
#include <optional>
#include <otter/duration.hpp>
#include <otter/pid.hpp>
#include <otter/tcp.hpp>
#include <otter/tcp_address.hpp>
#include <otter/tcp_error.hpp>
#include <otter/tcp_options.hpp>
#include <string_view>

namespace otter {

struct udp_options {
  active_mode active = {};  ///< all but active::ready
  /// The most bytes of a datagram that are kept. 1 .. 64 KiB.
  std::uint32_t buffer = 65536;
  /// How long a send waits for room in the system's buffer.
  duration send_timeout = infinity;
  bool broadcast = false;
  bool reuse_address = false;
  bool reuse_port = false;  ///< several sockets share the address; the system chooses among them
  bool v6_only = false;
  std::optional<int> send_buffer = {};     ///< of the system, bytes
  std::optional<int> receive_buffer = {};  ///< of the system, bytes
};

struct udp_datagram {
  tcp_address from;
  tcp_bytes bytes;
  bool truncated = false;  ///< it was longer; the rest is lost
};

/// Names one socket: a small value, as tcp_socket is.
class udp_socket : public detail::port_name {
 public:
  constexpr udp_socket() noexcept = default;

  /// Called from: a process. Blocks: while the system has no room, at most send_timeout. Exits:
  /// may. Errors: closed, timeout; emsgsize: no network carries so much at once; enetunreach ...
  tcp_result<void> send_to(tcp_address const& to, std::string_view data) const;
  /// The next datagram. Called from: a process. Blocks: until there is one, at most `limit`.
  /// Exits: may. Errors: as tcp_socket::recv().
  tcp_result<udp_datagram> recv_from(duration limit = infinity) const;
  /// As tcp_socket's: udp_data takes the place of tcp_data. Errors: einval for active::ready too.
  tcp_result<void> set_active(active_mode mode) const noexcept;
  /// As tcp_socket's.
  tcp_result<void> controlling_process(pid next) const;
  /// What has come and was not received is lost. Called from: a process. Blocks, exits: never.
  void close() const noexcept;
  tcp_result<tcp_address> local_address() const noexcept;
  pid owner() const noexcept;
};

/// A datagram, in active mode.
struct udp_data {
  udp_socket socket;
  tcp_address from;
  tcp_bytes bytes;
  bool truncated = false;
};
/// The system told of an error, of an earlier send perhaps. The socket goes on.
struct udp_error {
  udp_socket socket;
  std::error_code error;
};
/// The counter of active_n() has come down to 0.
struct udp_passive {
  udp_socket socket;
};

/// A socket at `address`, an internet address; port 0 lets the system choose. The caller becomes
/// the owner, and the socket ends with it.
///
/// Called from: a process. Blocks: never. Exits: never.
/// Errors: eaddrinuse, eacces, emfile ... Throws: error(badarg) for options out of range.
tcp_result<udp_socket> udp_open(tcp_address const& address, udp_options const& options = {});

}  // namespace otter

template <>
struct std::hash<otter::udp_socket> {
  std::size_t operator()(otter::udp_socket const& s) const noexcept { return s.hash(); }
};
