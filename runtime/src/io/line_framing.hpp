#pragma once

// io/line_framing.hpp - where the next packet of a line-mode stream ends (TCP-5, TCP-6).

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace otter::rts {

struct line_limits {
  std::uint32_t packet_size = 0;  ///< not 0: a longer line is an error
  std::uint32_t buffer = 65536;   ///< else a longer line is cut into pieces of this size
};

struct line_cut {
  enum class kind : unsigned char { incomplete, line, too_long };
  kind what = kind::incomplete;
  std::size_t length = 0;  ///< of the packet, its '\n' included
};

/// Looks at `stream`, of which the first `scanned` bytes are known to hold no '\n'.
inline line_cut find_line(std::string_view stream, std::size_t scanned,
                          line_limits const& limits) noexcept {
  std::size_t const most = limits.packet_size != 0 ? limits.packet_size : limits.buffer;
  std::size_t const end = stream.find('\n', scanned);
  std::size_t const length = end == std::string_view::npos ? stream.size() : end + 1;
  if (length > most) {
    if (limits.packet_size != 0) return {line_cut::kind::too_long, 0};
    return {line_cut::kind::line, most};
  }
  if (end != std::string_view::npos) return {line_cut::kind::line, length};
  // A piece is cut as soon as it is full: waiting for one more byte would gain nothing.
  if (limits.packet_size == 0 && length == most) return {line_cut::kind::line, most};
  return {};
}

}  // namespace otter::rts
