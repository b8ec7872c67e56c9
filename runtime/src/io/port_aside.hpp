#pragma once

// io/port_aside.hpp - what a port holds elsewhere once it is not as usual: settings, and the upper
// part of its counters. A hundred thousand connections that wait have none of it.
//
//   port_tuning   what tcp_options may say of a port and seldom do
//   port_aside    that, and what the counters have carried; one pointer in the port
//   port_counts   how much has come and gone

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>

#include "base/cache_line.hpp"
#include "io/framing.hpp"

namespace otter::rts {

struct port_tuning {
  std::int64_t send_timeout_ns = INT64_MAX;
  packet_limits limits;
  std::uint32_t high = 8192;
  std::uint32_t low = 4096;

  friend bool operator==(port_tuning const&, port_tuning const&) = default;
};

/// Of a port that has none of its own: what tcp_options say unless they are told otherwise.
inline constexpr port_tuning usual_tuning{};

/// What a port counts.
enum class port_count : std::uint8_t { received_bytes, received_packets, sent_bytes, sends };
inline constexpr std::size_t port_count_kinds = 4;

struct port_aside {
  port_tuning tuning;
  std::array<std::uint64_t, port_count_kinds> carried{};
};
using aside_ptr = std::unique_ptr<port_aside>;

/// Four counters of 64 bits, of which the port holds 32.
///
/// Threads:   under the lock of the port.
/// Invariant: a counter is what stands here and what stands in the port_aside, if there is one.
class port_counts {
 public:
  void add(port_count what, std::uint64_t n, aside_ptr& aside) noexcept {
    std::uint32_t& low = low_[static_cast<std::size_t>(what)];
    std::uint64_t const sum = low + n;
    if (sum < carried_from) [[likely]]
      low = static_cast<std::uint32_t>(sum);
    else
      carry(what, sum, aside);
  }
  std::uint64_t total(port_count what, port_aside const* aside) const noexcept {
    auto const i = static_cast<std::size_t>(what);
    return low_[i] + (aside != nullptr ? aside->carried[i] : 0);
  }

 private:
  /// Half of what there is room for: without memory for the rest it goes on counting, and asks
  /// again with each step. Only if there is none for as much again does it stop at the last it can
  /// say.
  static constexpr std::uint64_t carried_from = std::uint64_t{1} << 31;

  OTTER_NOINLINE void carry(port_count what, std::uint64_t sum, aside_ptr& aside) noexcept {
    auto const i = static_cast<std::size_t>(what);
    if (!aside) aside.reset(new (std::nothrow) port_aside);
    if (aside) aside->carried[i] += sum;
    std::uint64_t const most = std::numeric_limits<std::uint32_t>::max();
    low_[i] = aside ? 0 : static_cast<std::uint32_t>(std::min(sum, most));
  }

  std::array<std::uint32_t, port_count_kinds> low_{};
};

}  // namespace otter::rts
