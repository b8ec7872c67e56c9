// io/proxy_protocol.cpp - the PROXY protocol's two preambles.
//
// By "The PROXY protocol, versions 1 & 2" (HAProxy, 2020/03/05). A preamble is read twice: next()
// looks for its end, with the least that this takes, and parse_proxy() reads it when it is whole.

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <otter/proxy_protocol.hpp>

#include "io/framing.hpp"

namespace otter {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view v1_mark = "PROXY ";
constexpr std::size_t v1_most = 107;  // with its CRLF
constexpr std::string_view v2_mark = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr std::size_t v2_header = 16;

unsigned byte_at(std::string_view s, std::size_t i) noexcept {
  return static_cast<unsigned char>(s[i]);
}
std::uint16_t word_at(std::string_view s, std::size_t i) noexcept {
  return static_cast<std::uint16_t>(byte_at(s, i) << 8 | byte_at(s, i + 1));
}

bool begins_like(std::string_view stream, std::string_view mark) noexcept {
  std::size_t const n = std::min(stream.size(), mark.size());
  return stream.substr(0, n) == mark.substr(0, n);
}

class framer final : public tcp_framer {
 public:
  packet_cut next(std::string_view stream, std::size_t seen) const noexcept override {
    if (begins_like(stream, v1_mark)) return next_v1(stream, seen);
    if (begins_like(stream, v2_mark)) return next_v2(stream);
    return packet_cut::malformed();
  }

 private:
  static packet_cut next_v1(std::string_view stream, std::size_t seen) noexcept {
    std::size_t const end = stream.substr(0, v1_most).find('\n', seen);
    if (end != std::string_view::npos) return packet_cut::packet(end + 1);
    return stream.size() >= v1_most ? packet_cut::malformed() : packet_cut::incomplete();
  }
  static packet_cut next_v2(std::string_view stream) noexcept {
    if (stream.size() < v2_header) return packet_cut::incomplete();
    std::size_t const length = v2_header + word_at(stream, 14);
    if (length > proxy_preamble_bytes) return packet_cut::too_long();
    return stream.size() < length ? packet_cut::incomplete() : packet_cut::packet(length);
  }
};

/// What lies between single blanks, the last part with all that is left.
using fields = std::array<std::string_view, 5>;
fields split(std::string_view text) noexcept {
  fields out;
  for (std::size_t i = 0; i + 1 < out.size(); ++i) {
    std::size_t const blank = text.find(' ');
    out[i] = text.substr(0, blank);
    text = blank == std::string_view::npos ? std::string_view{} : text.substr(blank + 1);
  }
  out.back() = text;
  return out;
}

std::optional<std::uint16_t> port_number(std::string_view text) noexcept {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  std::uint16_t n = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return n;
}

std::optional<tcp_address> address_of(std::string_view host, std::string_view port,
                                      tcp_address::family_type family) {
  auto const number = port_number(port);
  if (!number) return std::nullopt;
  auto const address = tcp_address::parse(host, *number);
  return address && address->family == family ? address : std::nullopt;
}

std::optional<proxy_preamble> parse_v1(std::string_view line) {
  if (line.size() > v1_most || !line.ends_with("\r\n")) return std::nullopt;
  auto const [kind, from, to, from_port, to_port] =
      split(line.substr(v1_mark.size(), line.size() - v1_mark.size() - 2));
  proxy_preamble out;
  if (kind == "UNKNOWN"sv) {  // whatever follows
    out.local = true;
    return out;
  }
  if (kind != "TCP4"sv && kind != "TCP6"sv) return std::nullopt;
  auto const family =
      kind == "TCP4"sv ? tcp_address::family_type::v4 : tcp_address::family_type::v6;
  auto const source = address_of(from, from_port, family);
  auto const destination = address_of(to, to_port, family);
  if (!source || !destination) return std::nullopt;
  out.source = *source;
  out.destination = *destination;
  return out;
}

tcp_address binary_address(std::string_view bytes, std::uint16_t port,
                           tcp_address::family_type family) noexcept {
  tcp_address a;
  a.family = family;
  a.port = port;
  std::memcpy(a.bytes.data(), bytes.data(), bytes.size());
  return a;
}

std::optional<proxy_preamble> parse_v2(std::string_view all) noexcept {
  if (all.size() < v2_header || all.size() != v2_header + word_at(all, 14)) return std::nullopt;
  unsigned const command = byte_at(all, 12);
  if (command != 0x20 && command != 0x21) return std::nullopt;  // version 2: LOCAL or PROXY
  proxy_preamble out;
  out.version = 2;
  unsigned const transport = byte_at(all, 13);
  if (command == 0x20 || (transport != 0x11 && transport != 0x21)) {
    // A proxy's own, or for a transport that is not TCP over IP: its addresses are not ours to
    // read.
    if (transport >> 4 > 3 || (transport & 0xf) > 2) return std::nullopt;
    out.local = true;
    return out;
  }
  auto const family =
      transport == 0x11 ? tcp_address::family_type::v4 : tcp_address::family_type::v6;
  std::size_t const size = transport == 0x11 ? 4 : 16;
  std::string_view const body = all.substr(v2_header);
  if (body.size() < 2 * size + 4) return std::nullopt;  // optional fields may follow
  out.source = binary_address(body.substr(0, size), word_at(body, 2 * size), family);
  out.destination = binary_address(body.substr(size, size), word_at(body, 2 * size + 2), family);
  return out;
}

}  // namespace

std::shared_ptr<tcp_framer const> proxy_framer() {
  static std::shared_ptr<tcp_framer const> const one = std::make_shared<framer const>();
  return one;
}

std::optional<proxy_preamble> parse_proxy(std::string_view preamble) noexcept {
  try {
    if (preamble.starts_with(v1_mark)) return parse_v1(preamble);
    if (preamble.starts_with(v2_mark)) return parse_v2(preamble);
  } catch (std::bad_alloc const&) {  // a host's copy: then it could not be read
  }
  return std::nullopt;
}

}  // namespace otter
