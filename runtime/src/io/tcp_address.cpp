// io/tcp_address.cpp - addresses as text.

#include <arpa/inet.h>
#include <fmt/format.h>

#include <cstring>
#include <otter/tcp_address.hpp>

namespace otter {

tcp_address tcp_address::loopback(std::uint16_t port) noexcept {
  tcp_address a = any(port);
  a.bytes[0] = 127;
  a.bytes[3] = 1;
  return a;
}
tcp_address tcp_address::any(std::uint16_t port) noexcept {
  tcp_address a;
  a.family = family_type::v4;
  a.port = port;
  return a;
}
tcp_address tcp_address::any6(std::uint16_t port) noexcept {
  tcp_address a;
  a.family = family_type::v6;
  a.port = port;
  return a;
}

tcp_address tcp_address::local(std::string_view path) {
  tcp_address a;
  a.family = family_type::local;
  a.path = path;
  return a;
}
tcp_address tcp_address::abstract(std::string_view name) {
  tcp_address a = local({});
  a.path.reserve(name.size() + 1);
  a.path += '\0';
  a.path += name;
  return a;
}

std::optional<tcp_address> tcp_address::parse(std::string_view text, std::uint16_t port) {
  std::string const zero_ended(text);
  if (zero_ended.find('\0') != std::string::npos) return std::nullopt;
  tcp_address a;
  a.port = port;
  if (::inet_pton(AF_INET, zero_ended.c_str(), a.bytes.data()) == 1) {
    a.family = family_type::v4;
    return a;
  }
  if (::inet_pton(AF_INET6, zero_ended.c_str(), a.bytes.data()) == 1) {
    a.family = family_type::v6;
    return a;
  }
  return std::nullopt;
}

bool tcp_address::is_loopback() const noexcept {
  if (is_local()) return true;
  if (family == family_type::v4) return bytes[0] == 127;
  if (family != family_type::v6) return false;
  for (std::size_t i = 0; i < 15; ++i)
    if (bytes[i] != 0) return false;
  return bytes[15] == 1;
}

std::string to_string(tcp_address const& a) {
  char text[INET6_ADDRSTRLEN] = "";
  switch (a.family) {
    case tcp_address::family_type::v4:
      ::inet_ntop(AF_INET, a.bytes.data(), text, sizeof text);
      return fmt::format("{}:{}", text, a.port);
    case tcp_address::family_type::v6:
      ::inet_ntop(AF_INET6, a.bytes.data(), text, sizeof text);
      return fmt::format("[{}]:{}", text, a.port);
    case tcp_address::family_type::local:
      if (!a.path.empty() && a.path.front() == '\0')
        return fmt::format("unix:@{}", std::string_view(a.path).substr(1));
      return "unix:" + a.path;
    case tcp_address::family_type::none:
      break;
  }
  return "no address";
}

}  // namespace otter
