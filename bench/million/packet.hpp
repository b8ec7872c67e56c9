#pragma once

// packet.hpp - IPv4 and TCP without options, as far as one client end needs them.
//
//   bench::endpoint   an IPv4 address and a port, in the host's order
//   bench::segment    what a TCP segment says; made and read by the two functions below it

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

namespace bench {

struct endpoint {
  std::uint32_t address;
  std::uint16_t port;
};

struct segment {
  endpoint from, to;
  std::uint32_t sequence = 0;
  std::uint32_t acknowledged = 0;
  std::uint8_t flags = 0;  ///< TH_SYN and so on
  std::string_view data = {};
};

inline constexpr std::size_t header_bytes = sizeof(iphdr) + sizeof(tcphdr);
inline constexpr std::size_t packet_bytes = 1500;

/// The one's complement sum of 16-bit words as they lie in memory (RFC 1071).
inline std::uint32_t partial_sum(void const* data, std::size_t size, std::uint32_t sum = 0) {
  auto const* p = static_cast<unsigned char const*>(data);
  for (; size >= 2; p += 2, size -= 2) {
    std::uint16_t word;
    std::memcpy(&word, p, 2);
    sum += word;
  }
  if (size == 1) {
    std::uint16_t word = 0;
    std::memcpy(&word, p, 1);
    sum += word;
  }
  return sum;
}
inline std::uint16_t checksum(std::uint32_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

/// The sum over a TCP segment with its pseudo header; 0 if it holds its own checksum rightly.
inline std::uint16_t tcp_checksum(iphdr const& ip, void const* tcp, std::size_t size) {
  std::uint32_t sum = partial_sum(&ip.saddr, 8);
  sum += htons(IPPROTO_TCP);
  sum += htons(static_cast<std::uint16_t>(size));
  return checksum(partial_sum(tcp, size, sum));
}

/// Writes the packet into `into`, at least header_bytes and the data long, and gives its length.
inline std::size_t write_packet(segment const& s, char* into) {
  std::size_t const size = header_bytes + s.data.size();
  iphdr ip{};
  ip.version = 4;
  ip.ihl = 5;
  ip.tot_len = htons(static_cast<std::uint16_t>(size));
  ip.frag_off = htons(IP_DF);
  ip.ttl = 64;
  ip.protocol = IPPROTO_TCP;
  ip.saddr = htonl(s.from.address);
  ip.daddr = htonl(s.to.address);
  ip.check = checksum(partial_sum(&ip, sizeof ip));
  tcphdr tcp{};
  tcp.th_sport = htons(s.from.port);
  tcp.th_dport = htons(s.to.port);
  tcp.th_seq = htonl(s.sequence);
  tcp.th_ack = htonl(s.acknowledged);
  tcp.th_off = sizeof tcp / 4;
  tcp.th_flags = s.flags;
  tcp.th_win = htons(65535);
  std::memcpy(into, &ip, sizeof ip);
  std::memcpy(into + sizeof ip, &tcp, sizeof tcp);
  if (!s.data.empty()) std::memcpy(into + header_bytes, s.data.data(), s.data.size());
  tcp.th_sum = tcp_checksum(ip, into + sizeof ip, size - sizeof ip);
  std::memcpy(into + sizeof ip + offsetof(tcphdr, th_sum), &tcp.th_sum, sizeof tcp.th_sum);
  return size;
}

/// The segment in a packet; nothing if it is no whole TCP segment, or its checksum is wrong. The
/// data is a view of the packet.
inline std::optional<segment> read_packet(std::span<char const> packet) {
  if (packet.size() < header_bytes) return {};
  iphdr ip;
  tcphdr tcp;
  std::memcpy(&ip, packet.data(), sizeof ip);
  std::size_t const ip_bytes = std::size_t{ip.ihl} * 4, size = ntohs(ip.tot_len);
  if (ip.version != 4 || ip.protocol != IPPROTO_TCP || ip_bytes < sizeof ip) return {};
  if (size > packet.size() || size < ip_bytes + sizeof tcp) return {};
  std::memcpy(&tcp, packet.data() + ip_bytes, sizeof tcp);
  std::size_t const tcp_bytes = std::size_t{tcp.th_off} * 4;
  if (tcp_bytes < sizeof tcp || ip_bytes + tcp_bytes > size) return {};
  if (tcp_checksum(ip, packet.data() + ip_bytes, size - ip_bytes) != 0) return {};
  segment s;
  s.from = {ntohl(ip.saddr), ntohs(tcp.th_sport)};
  s.to = {ntohl(ip.daddr), ntohs(tcp.th_dport)};
  s.sequence = ntohl(tcp.th_seq);
  s.acknowledged = ntohl(tcp.th_ack);
  s.flags = tcp.th_flags;
  s.data = {packet.data() + ip_bytes + tcp_bytes, size - ip_bytes - tcp_bytes};
  return s;
}

}  // namespace bench
