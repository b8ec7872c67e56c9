// io/framing.cpp - see framing.hpp.

#include "io/framing.hpp"

#include <algorithm>

namespace otter::rts {
namespace {

constexpr std::size_t header_bytes(packet mode) noexcept {
  switch (mode) {
    case packet::length_1:
      return 1;
    case packet::length_2:
      return 2;
    case packet::length_4:
      return 4;
    case packet::raw:
    case packet::line:
    case packet::header:
    case packet::framer:
      break;
  }
  return 0;
}

packet_cut next_line(std::string_view stream, std::size_t seen,
                     packet_limits const& limits) noexcept {
  std::size_t const most = limits.packet_size != 0 ? limits.packet_size : limits.buffer;
  std::size_t const end = stream.find('\n', seen);
  std::size_t const length = end == std::string_view::npos ? stream.size() : end + 1;
  if (length > most) {
    if (limits.packet_size != 0) return packet_cut::too_long();
    return packet_cut::packet(most);
  }
  if (end != std::string_view::npos) return packet_cut::packet(length);
  // A piece is cut as soon as it is full: waiting for one more byte would gain nothing.
  if (limits.packet_size == 0 && length == most) return packet_cut::packet(most);
  return packet_cut::incomplete();
}

packet_cut next_by_length(std::string_view stream, std::size_t header,
                          packet_limits const& limits) noexcept {
  if (stream.size() < header) return packet_cut::incomplete();
  std::size_t length = 0;
  for (std::size_t i = 0; i < header; ++i)
    length = length << 8 | static_cast<unsigned char>(stream[i]);
  if (length > (limits.packet_size != 0 ? limits.packet_size : most_at_once))
    return packet_cut::too_long();
  if (stream.size() - header < length) return packet_cut::incomplete();
  return packet_cut::packet(header + length, header);
}

/// The size of the empty line at `at`: 1 or 2; 0 if there is none.
std::size_t empty_line(std::string_view stream, std::size_t at) noexcept {
  if (at < stream.size() && stream[at] == '\n') return 1;
  if (at + 1 < stream.size() && stream[at] == '\r' && stream[at + 1] == '\n') return 2;
  return 0;
}

/// So many empty lines may lie ahead of a header: a client's slip, and no way to keep us reading.
constexpr int most_empty_lines = 8;

/// Lines up to and including the first empty one. Empty lines ahead of it belong to nothing (RFC
/// 9112, section 2.2) and are skipped.
packet_cut next_header(std::string_view stream, std::size_t seen,
                       packet_limits const& limits) noexcept {
  std::size_t const most = limits.packet_size != 0 ? limits.packet_size : limits.buffer;
  std::size_t skip = 0;
  int empty = 0;
  while (std::size_t const n = empty_line(stream, skip)) {
    // First what a stream that comes byte by byte would meet first.
    if (skip + n >= most) return packet_cut::too_long();
    if (++empty > most_empty_lines) return packet_cut::malformed();
    skip += n;
  }
  // The last three bytes seen may be the first of an end.
  std::size_t from = std::max(skip, seen > 3 ? seen - 3 : 0);
  for (;;) {
    std::size_t const newline = stream.find('\n', from);
    if (newline == std::string_view::npos) break;
    if (std::size_t const n = empty_line(stream, newline + 1)) {
      std::size_t const length = newline + 1 + n;
      return length > most ? packet_cut::too_long() : packet_cut::packet(length, skip);
    }
    from = newline + 1;
  }
  return stream.size() >= most ? packet_cut::too_long() : packet_cut::incomplete();
}

packet_cut next_by_framer(std::string_view stream, std::size_t seen, packet_limits const& limits,
                          tcp_framer const& framer) noexcept {
  std::size_t const most = limits.packet_size != 0 ? limits.packet_size : limits.buffer;
  packet_cut const cut = framer.next(stream, seen);
  switch (cut.what) {
    case packet_cut::kind::incomplete:
      return stream.size() >= most ? packet_cut::too_long() : cut;
    case packet_cut::kind::packet:
      if (cut.length == 0 || cut.length > stream.size() || cut.skip > cut.length ||
          cut.skip_end > cut.length - cut.skip)
        return packet_cut::malformed();
      return cut.length > most ? packet_cut::too_long() : cut;
    case packet_cut::kind::too_long:
    case packet_cut::kind::malformed:
      break;
  }
  return cut;
}

}  // namespace

packet_cut next_packet(packet mode, std::string_view stream, std::size_t seen,
                       packet_limits const& limits, tcp_framer const* framer) noexcept {
  switch (mode) {
    case packet::line:
      return next_line(stream, seen, limits);
    case packet::length_1:
    case packet::length_2:
    case packet::length_4:
      return next_by_length(stream, header_bytes(mode), limits);
    case packet::header:
      return next_header(stream, seen, limits);
    case packet::framer:
      return next_by_framer(stream, seen, limits, *framer);
    case packet::raw:
      break;
  }
  return packet_cut::packet(std::min<std::size_t>(stream.size(), limits.buffer));
}

std::optional<length_header> header_of(packet mode, std::size_t length) noexcept {
  length_header h;
  h.size = header_bytes(mode);
  if (h.size == 0) return h;
  if (length >> (8 * h.size) != 0) return std::nullopt;
  for (std::size_t i = 0; i < h.size; ++i)
    h.bytes[i] = static_cast<char>(length >> (8 * (h.size - 1 - i)) & 0xff);
  return h;
}

}  // namespace otter::rts
