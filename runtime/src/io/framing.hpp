#pragma once

// io/framing.hpp - where the next packet of a stream ends (TCP-5, TCP-6), and what goes ahead of
// one that is sent.
//
// Pure functions of the bytes: no socket, no memory. What a peer claims takes none either: a length
// is held against its limit as soon as it can be read, and bytes are kept as they come.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <otter/tcp_framer.hpp>
#include <otter/tcp_options.hpp>
#include <string_view>

namespace otter::rts {

/// The most that one packet may hold where no packet_size says less; and that a receive of an exact
/// length may ask for. OTP's limit.
inline constexpr std::size_t most_at_once = std::size_t{64} * 1024 * 1024;

struct packet_limits {
  std::uint32_t packet_size = 0;  ///< not 0: a longer packet is an error
  std::uint32_t buffer = 65536;   ///< else: raw and lines come in pieces of this size at most

  friend bool operator==(packet_limits const&, packet_limits const&) = default;
};

/// `stream` is not empty; its first `seen` bytes are known to hold no end. `framer` is there in the
/// mode packet::framer, and asked in no other.
packet_cut next_packet(packet mode, std::string_view stream, std::size_t seen,
                       packet_limits const& limits, tcp_framer const* framer) noexcept;

/// The big-endian length that goes ahead of a packet: 0, 1, 2 or 4 bytes.
struct length_header {
  std::array<char, 4> bytes{};
  std::size_t size = 0;
};
/// Nothing if the length cannot be said in so many bytes.
std::optional<length_header> header_of(packet mode, std::size_t length) noexcept;

}  // namespace otter::rts
