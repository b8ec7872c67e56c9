#pragma once

// otter/proxy_protocol.hpp - whom a proxy speaks for: the PROXY protocol, versions 1 and 2.
//
//   otter::proxy_framer()   a framer that cuts the preamble off a stream
//   otter::proxy_preamble   what it says
//   otter::parse_proxy()    reads it
//
// Behind a load balancer every connection comes from the balancer's address. HAProxy, nginx, AWS
// and others can put a preamble ahead of the stream that names the client:
//
//   auto socket = tcp_accept(listener);                       // with packet::raw, passive
//   socket->set_framer(proxy_framer(), proxy_preamble_bytes);
//   auto preamble = socket->recv(0, 5s);
//   auto who = preamble ? parse_proxy(*preamble) : std::nullopt;
//   socket->set_packet(packet::raw);                          // the protocol proper
//
// Only on a port that the proxy alone can reach: whoever else may connect could claim any address.

#include <cstdint>
#include <memory>
#include <optional>
#include <otter/tcp_address.hpp>
#include <otter/tcp_framer.hpp>
#include <string_view>

namespace otter {

/// No preamble is longer, its optional fields included, as far as we take it: packet_size for
/// set_framer(). A longer one ends the socket with emsgsize.
inline constexpr std::uint32_t proxy_preamble_bytes = 4096;

struct proxy_preamble {
  unsigned version = 1;
  /// The connection is the proxy's own, a health check: the socket's own addresses count. Also what
  /// a proxy says that does not know (UNKNOWN), or that speaks for something other than TCP.
  bool local = false;
  tcp_address source = {};       ///< the client; no address if `local`
  tcp_address destination = {};  ///< what the client connected to
};

/// Cuts one preamble off; a stream that begins otherwise ends the socket with ebadmsg. The same
/// object for every call.
std::shared_ptr<tcp_framer const> proxy_framer();

/// Nothing if `preamble` is not exactly one well-formed preamble.
///
/// Called from: anywhere. Blocks: never. Throws: nothing.
std::optional<proxy_preamble> parse_proxy(std::string_view preamble) noexcept;

}  // namespace otter
