#pragma once

// otter/tcp_address.hpp - where a socket is: an internet address with a port number, or a name on
// this machine ("Unix-domain").

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <otter/detail/text_formatter.hpp>
#include <string>
#include <string_view>

namespace otter {

/// A small value: IPv4 or IPv6, and a port; or a local name, which is a file's path, or abstract.
struct tcp_address {
  enum class family_type : std::uint8_t { none, v4, v6, local };

  family_type family = family_type::none;
  std::uint16_t port = 0;
  std::uint32_t scope = 0;               ///< IPv6: interface of a link-local address
  std::array<std::uint8_t, 16> bytes{};  ///< network order; the first four for IPv4
  std::string path{};  ///< local: of a file; abstract if it begins with '\0'; empty: without a name

  static tcp_address loopback(std::uint16_t port) noexcept;  ///< 127.0.0.1
  static tcp_address any(std::uint16_t port) noexcept;       ///< 0.0.0.0
  static tcp_address any6(std::uint16_t port) noexcept;      ///< ::
  /// The file `path`, which a listener makes, and removes when it closes. Two names are the same if
  /// their texts are. Listening and connecting refuse more than `longest_path` bytes.
  static tcp_address local(std::string_view path);
  /// Linux: a name without a file, gone with its listener. Everybody on the machine (of the network
  /// namespace) may connect.
  static tcp_address abstract(std::string_view name);
  static constexpr std::size_t longest_path = 107;
  /// A numeric address ("127.0.0.1", "::1"); nothing if `text` is none.
  static std::optional<tcp_address> parse(std::string_view text, std::uint16_t port);

  /// 127.0.0.0/8, ::1, and every local name: nobody can be there but this machine.
  bool is_loopback() const noexcept;
  bool is_local() const noexcept { return family == family_type::local; }
  /// A local name that is a file's.
  bool has_file() const noexcept { return is_local() && !path.empty() && path.front() != '\0'; }

  friend bool operator==(tcp_address const&, tcp_address const&) noexcept = default;
  friend std::strong_ordering operator<=>(tcp_address const&,
                                          tcp_address const&) noexcept = default;
};

/// "127.0.0.1:5222", "[::1]:5222", "unix:/run/chat.socket", "unix:@abstract", "unix:" (no name).
std::string to_string(tcp_address const& address);

}  // namespace otter

template <>
struct fmt::formatter<otter::tcp_address> : otter::detail::text_formatter<otter::tcp_address> {};
