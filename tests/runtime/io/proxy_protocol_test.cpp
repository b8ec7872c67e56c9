// Who is behind a proxy, by both versions of the preamble, and what is no preamble.

#include <otter/proxy_protocol.hpp>

#include "base/random.hpp"
#include "io/framing.hpp"
#include "tcp_support.hpp"

using namespace otter;
using namespace tcp_test;
using namespace std::string_literals;

namespace {

std::string const v2_mark = "\r\n\r\n\0\r\nQUIT\n"s;

std::string v2(char command, char transport, std::string const& body) {
  return v2_mark + command + transport + static_cast<char>(body.size() >> 8) +
         static_cast<char>(body.size() & 0xff) + body;
}
std::string const v2_tcp4 = v2(0x21, 0x11, "\xc0\xa8\0\1\x7f\0\0\1\xdc\4\x14\x66"s);

std::string read(std::string const& preamble) {
  auto const p = parse_proxy(preamble);
  if (!p) return "nothing";
  if (p->local) return "local " + std::to_string(p->version);
  return to_string(p->source) + " to " + to_string(p->destination);
}

/// What the framer makes of a whole stream: the preamble's length, or why not.
std::string cut(std::string const& stream) {
  packet_cut const c = rts::next_packet(packet::framer, stream, 0, {proxy_preamble_bytes, 65536},
                                        proxy_framer().get());
  switch (c.what) {
    case packet_cut::kind::incomplete:
      return "incomplete";
    case packet_cut::kind::too_long:
      return "too_long";
    case packet_cut::kind::malformed:
      return "malformed";
    case packet_cut::kind::packet:
      break;
  }
  return std::to_string(c.length);
}

}  // namespace

TEST_CASE("the first version names client and server as text", "[io]") {
  CHECK(read("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n") ==
        "192.168.0.1:56324 to 192.168.0.11:443");
  CHECK(read("PROXY TCP6 2001:db8::1 ::1 65535 0\r\n") == "[2001:db8::1]:65535 to [::1]:0");
  CHECK(read("PROXY UNKNOWN\r\n") == "local 1");
  CHECK(read("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n") == "local 1");
}

TEST_CASE("the second version names them in binary, and may carry more", "[io]") {
  CHECK(read(v2_tcp4) == "192.168.0.1:56324 to 127.0.0.1:5222");
  std::string const six = std::string(15, '\0') + "\1" + std::string(15, '\0') + "\2\0\x50\1\xbb"s;
  CHECK(read(v2(0x21, 0x21, six)) == "[::1]:80 to [::2]:443");
  CHECK(read(v2(0x21, 0x21, six + "\4\0\1x"s)) == "[::1]:80 to [::2]:443");
  CHECK(read(v2(0x20, 0x00, "")) == "local 2");
  CHECK(read(v2(0x21, 0x31, std::string(216, 'u'))) == "local 2");
}

TEST_CASE("what is not quite a preamble is none", "[io]") {
  for (std::string const& wrong : {"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\n"s,
                                   "PROXY TCP4 192.168.0.1\r\n"s,
                                   "PROXY TCP4 192.168.0.1 192.168.0.11 56324 65536\r\n"s,
                                   "PROXY TCP4 192.168.0.1 192.168.0.11 056324 443\r\n"s,
                                   "PROXY TCP4 ::1 ::1 1 2\r\n"s,
                                   "PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n"s,
                                   "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n"s,
                                   "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n"s,
                                   "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n"s,
                                   "PROXY \r\n"s,
                                   "PROXY "s,
                                   "PROXY TCP5 a b 1 2\r\n"s,
                                   "PROXY TCP4 1.2.3.4\0x 1.2.3.4 1 2\r\n"s,
                                   ""s,
                                   "GET / HTTP/1.1\r\n"s,
                                   v2(0x31, 0x11, std::string(12, 'x')),
                                   v2(0x22, 0x11, std::string(12, 'x')),
                                   v2(0x21, 0x11, std::string(11, 'x')),
                                   v2(0x21, 0x21, std::string(35, 'x')),
                                   v2(0x21, 0x13, std::string(12, 'x')),
                                   v2(0x21, 0x41, std::string(12, 'x')),
                                   v2_tcp4 + "x",
                                   v2_tcp4.substr(0, 20),
                                   v2_mark}) {
    INFO(wrong);
    CHECK(read(wrong) == "nothing");
  }
}

TEST_CASE("the framer cuts the preamble off and nothing else", "[io][TCP-5]") {
  CHECK(cut("PROXY UNKNOWN\r\nhello") == "15");
  CHECK(cut(v2_tcp4 + "hello") == "28");
  CHECK(cut("PRO") == "incomplete");
  CHECK(cut(v2_tcp4.substr(0, 27)) == "incomplete");
  CHECK(cut("PROXX") == "malformed");
  CHECK(cut("PROXY " + std::string(101, 'x')) == "malformed");
  CHECK(cut("PROXY " + std::string(100, 'x')) == "incomplete");
  CHECK(cut(v2_mark + "\x21\x11\xff\xff"s) == "too_long");
}

TEST_CASE("whatever the bytes, a preamble is read or refused, and never beyond its end", "[io]") {
  std::vector<std::string> const seeds = {"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n",
                                          "PROXY TCP6 2001:db8::1 ::1 65535 0\r\n", v2_tcp4,
                                          v2(0x21, 0x21, std::string(40, '\1'))};
  std::size_t read_well = 0;
  for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
    rts::random_generator random(seed);
    std::string bytes = seeds[random.below(seeds.size())];
    for (std::uint64_t n = random.below(4); n > 0; --n)
      bytes[random.below(bytes.size())] = static_cast<char>(random.below(256));
    bytes.resize(bytes.size() - random.below(random.below(3) == 0 ? bytes.size() : 1));
    // A block of its own, so that AddressSanitizer sees a byte too many.
    std::vector<char> const exact(bytes.begin(), bytes.end());
    auto const p = parse_proxy({exact.data(), exact.size()});
    if (p && !p->local) ++read_well;
    if (!exact.empty()) static_cast<void>(proxy_framer()->next({exact.data(), exact.size()}, 0));
  }
  CHECK(read_well > 1000);
}

TEST_CASE("a socket reads the preamble, and then the protocol proper", "[io][TCP-5]") {
  everywhere({"192.168.0.1:56324 to 127.0.0.1:5222", "'hello'", "ebadmsg"}, [](notes& see) {
    pair p = connect_pair();
    must(p.server.set_framer(proxy_framer(), proxy_preamble_bytes), "set_framer");
    must(p.client.send(v2_tcp4 + "hello"), "send");
    see.add(read(must(p.server.recv(0, long_time), "recv")));
    must(p.server.set_packet(packet::raw), "set_packet");
    see.add(show(p.server.recv(5, long_time)));
    pair other = connect_pair();
    must(other.server.set_framer(proxy_framer(), proxy_preamble_bytes), "set_framer");
    must(other.client.send("GET / HTTP/1.1\r\n"), "send");
    see.add(show(other.server.recv(0, long_time)));
  });
}
