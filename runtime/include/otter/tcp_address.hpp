#pragma once

// otter/tcp_address.hpp - an internet address with a port number.

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <otter/detail/text_formatter.hpp>
#include <string>
#include <string_view>

namespace otter {

/// A small value: IPv4 or IPv6, and a port.
struct tcp_address {
  enum class family_type : std::uint8_t { none, v4, v6 };

  family_type family = family_type::none;
  std::uint16_t port = 0;
  std::uint32_t scope = 0;               ///< IPv6: interface of a link-local address
  std::array<std::uint8_t, 16> bytes{};  ///< network order; the first four for IPv4

  static tcp_address loopback(std::uint16_t port) noexcept;  ///< 127.0.0.1
  static tcp_address any(std::uint16_t port) noexcept;       ///< 0.0.0.0
  static tcp_address any6(std::uint16_t port) noexcept;      ///< ::
  /// A numeric address ("127.0.0.1", "::1"); nothing if `text` is none.
  static std::optional<tcp_address> parse(std::string_view text, std::uint16_t port);

  bool is_loopback() const noexcept;

  friend bool operator==(tcp_address const&, tcp_address const&) noexcept = default;
  friend std::strong_ordering operator<=>(tcp_address const&,
                                          tcp_address const&) noexcept = default;
};

/// "127.0.0.1:5222", "[::1]:5222".
std::string to_string(tcp_address const& address);

}  // namespace otter

template <>
struct fmt::formatter<otter::tcp_address> : otter::detail::text_formatter<otter::tcp_address> {};
