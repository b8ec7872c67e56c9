#pragma once

// otter/tcp_framer.hpp - a protocol's own way to cut a stream into packets.
//
//   otter::packet_cut   where the next packet ends, or that it has not all come, or that there is
//   none otter::tcp_framer   what you derive from; given to a socket by tcp_options::framer or
//                       tcp_socket::set_framer()
//
// For what the modes of otter::packet do not cut: a length that is not the first field, a text with
// its own end, a preamble before the protocol proper (otter/proxy_protocol.hpp is one).

#include <cstddef>
#include <string_view>

namespace otter {

/// The answer of a framer, made by one of the three functions.
struct packet_cut {
  enum class kind : unsigned char {
    incomplete,  ///< the packet goes on behind what has come
    packet,      ///< it ends here
    too_long,    ///< longer than is allowed: the socket ends with emsgsize
    malformed,   ///< this is not the protocol: the socket ends with ebadmsg
  };
  kind what = kind::incomplete;
  std::size_t length = 0;  ///< all that is used up; more than 0
  // Of it, what the owner does not get to see: a length that has been read, a mark of the end.
  std::size_t skip = 0;
  std::size_t skip_end = 0;

  static constexpr packet_cut incomplete() noexcept { return {}; }
  static constexpr packet_cut packet(std::size_t length, std::size_t skip = 0,
                                     std::size_t skip_end = 0) noexcept {
    return {kind::packet, length, skip, skip_end};
  }
  static constexpr packet_cut too_long() noexcept { return {kind::too_long, 0, 0, 0}; }
  static constexpr packet_cut malformed() noexcept { return {kind::malformed, 0, 0, 0}; }

  /// What the owner gets of the stream that was cut.
  constexpr std::string_view body(std::string_view stream) const noexcept {
    return stream.substr(skip, length - skip - skip_end);
  }
};

/// One framer may serve any number of sockets, from several threads at once: it is constant. The
/// socket keeps it alive.
class tcp_framer {
 public:
  virtual ~tcp_framer() = default;

  /// Where does the packet end that begins at the front of `stream`, which is never empty? The
  /// first `seen` bytes were shown before, as the beginning of the same packet, and were not all of
  /// it: a search may go on from there.
  ///
  /// A stream of tcp_options::packet_size bytes (64 KiB if that is 0) that is `incomplete` still
  /// ends the socket with emsgsize: no peer can make a socket hold more.
  ///
  /// Called from: the owner, under the socket's lock: must be short, and may not call otter. May
  /// not throw. An answer that makes no sense (a length of 0 or beyond the stream, more skipped
  /// than there is) counts as malformed.
  virtual packet_cut next(std::string_view stream, std::size_t seen) const noexcept = 0;

 protected:
  tcp_framer() = default;
  tcp_framer(tcp_framer const&) = default;
  tcp_framer& operator=(tcp_framer const&) = default;
};

}  // namespace otter
