// Cutting a stream into packets, whatever pieces it comes in.

#include "io/framing.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "base/random.hpp"

using namespace otter;
using otter::rts::header_of;
using otter::rts::next_packet;
using otter::rts::packet_limits;

namespace {

using cut_kind = packet_cut::kind;

/// What a reader does that is handed the stream in pieces.
struct reader {
  packet mode;
  packet_limits limits;
  tcp_framer const* framer = nullptr;
  std::string kept = {};
  std::size_t scanned = 0;
  std::vector<std::string> packets = {};
  bool dead = false;

  void take(std::string const& piece) {
    kept += piece;
    while (!dead && !kept.empty()) {
      packet_cut const cut = next_packet(mode, kept, scanned, limits, framer);
      if (cut.what == cut_kind::too_long || cut.what == cut_kind::malformed) dead = true;
      if (cut.what != cut_kind::packet) break;
      REQUIRE(cut.length > 0);
      REQUIRE(cut.length <= kept.size());
      REQUIRE(cut.skip + cut.skip_end <= cut.length);
      packets.emplace_back(cut.body(kept));
      kept.erase(0, cut.length);
      scanned = 0;
    }
    scanned = kept.size();
  }
  /// The whole stream, in pieces of random sizes.
  void take_in_pieces(std::string const& stream, rts::random_generator& random) {
    for (std::size_t at = 0; at < stream.size();) {
      std::size_t const n = 1 + random.below(random.below(2) == 0 ? 1 : 20);
      take(stream.substr(at, n));
      at += n;
    }
  }
};

/// The rule itself, on the whole stream at once.
std::vector<std::string> by_the_rule(std::string const& stream, packet_limits limits, bool& dead) {
  std::vector<std::string> out;
  std::string line;
  dead = false;
  std::size_t const most = limits.packet_size != 0 ? limits.packet_size : limits.buffer;
  for (char c : stream) {
    if (line.size() == most) {
      if (limits.packet_size != 0) {
        dead = true;
        return out;
      }
      out.push_back(line);
      line.clear();
    }
    line += c;
    if (c == '\n') {
      out.push_back(line);
      line.clear();
    }
  }
  if (limits.packet_size == 0 && line.size() == most) out.push_back(line);
  return out;
}

}  // namespace

TEST_CASE("lines are the same in whatever pieces the stream comes", "[io][TCP-5][TCP-6]") {
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    rts::random_generator random(seed);
    packet_limits limits;
    limits.buffer = static_cast<std::uint32_t>(1 + random.below(12));
    if (random.below(2) == 0) limits.packet_size = static_cast<std::uint32_t>(1 + random.below(12));
    std::string stream(random.below(120), 'x');
    std::uint64_t const rarity = 1 + random.below(15);
    for (char& c : stream)
      c = random.below(rarity) == 0 ? '\n' : static_cast<char>('a' + random.below(26));

    reader r{packet::line, limits};
    r.take_in_pieces(stream, random);
    bool dead = false;
    auto const expected = by_the_rule(stream, limits, dead);
    INFO("seed " << seed);
    // A line that is too long may be noticed before the lines ahead of it in the same piece are
    // out, never instead of them.
    REQUIRE(r.packets == expected);
    REQUIRE(r.dead == dead);
  }
}

TEST_CASE("packets with a length ahead are the same in whatever pieces the stream comes",
          "[io][TCP-5]") {
  for (packet mode : {packet::length_1, packet::length_2, packet::length_4}) {
    for (std::uint64_t seed = 1; seed <= 500; ++seed) {
      rts::random_generator random(seed);
      std::string stream;
      std::vector<std::string> sent;
      for (std::uint64_t n = random.below(8); n > 0; --n) {
        std::string body(random.below(random.below(4) == 0 ? 256 : 5), 'x');
        for (char& c : body) c = static_cast<char>(random.below(256));
        auto const header = header_of(mode, body.size());
        REQUIRE(header);
        stream.append(header->bytes.data(), header->size).append(body);
        sent.push_back(body);
      }
      reader r{mode, {}};
      r.take_in_pieces(stream, random);
      INFO("seed " << seed);
      REQUIRE(r.packets == sent);
      REQUIRE(r.kept.empty());
      REQUIRE(!r.dead);
    }
  }
}

TEST_CASE("a length is held against its limit before its packet has come", "[io][TCP-6]") {
  std::string const four_gigabytes("\xff\xff\xff\xff", 4);
  CHECK(next_packet(packet::length_4, four_gigabytes, 0, {}, nullptr).what == cut_kind::too_long);
  std::string const hundred("\0\0\0\x64", 4);
  CHECK(next_packet(packet::length_4, hundred, 0, {99, 65536}, nullptr).what == cut_kind::too_long);
  CHECK(next_packet(packet::length_4, hundred, 0, {100, 65536}, nullptr).what ==
        cut_kind::incomplete);
  // Three of the four bytes say nothing yet.
  CHECK(next_packet(packet::length_4, four_gigabytes.substr(1), 0, {}, nullptr).what ==
        cut_kind::incomplete);
}

TEST_CASE("a length that its header cannot say has no header", "[io][TCP-5]") {
  CHECK(header_of(packet::length_1, 255));
  CHECK(!header_of(packet::length_1, 256));
  CHECK(header_of(packet::length_2, 65535));
  CHECK(!header_of(packet::length_2, 65536));
  CHECK(header_of(packet::length_4, 0xffffffff));
  CHECK(!header_of(packet::length_4, 0x100000000));
  CHECK(header_of(packet::raw, 0x100000000)->size == 0);
}

TEST_CASE("a header ends with its first empty line, whatever pieces it comes in", "[io][TCP-5]") {
  std::vector<std::string> const headers = {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "a\n\n",
                                            "a: b\r\n\n", "\r\r\n\r\n", "x\n\r\n"};
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    rts::random_generator random(seed);
    std::string stream;
    std::vector<std::string> sent;
    for (std::uint64_t n = 1 + random.below(6); n > 0; --n) {
      for (std::uint64_t empty = random.below(4); empty > 0; --empty)
        stream += random.below(2) == 0 ? "\r\n" : "\n";
      sent.push_back(headers[random.below(headers.size())]);
      stream += sent.back();
    }
    reader r{packet::header, {}};
    r.take_in_pieces(stream, random);
    INFO("seed " << seed);
    REQUIRE(r.packets == sent);
    REQUIRE(!r.dead);
  }
}

TEST_CASE("a header without an end, or behind a row of empty lines, ends the socket",
          "[io][TCP-6]") {
  reader endless{packet::header, {10, 65536}};
  endless.take("123456789");
  CHECK(!endless.dead);
  endless.take("0");
  CHECK(endless.dead);
  reader empty{packet::header, {}};
  empty.take("\r\n\n\r\n\n\n\n\n\n");
  CHECK(!empty.dead);
  empty.take("\n");
  CHECK(empty.dead);
  // The same whether it comes at once or byte by byte (found by the fuzzer).
  std::string const lines(12, '\n');
  CHECK(next_packet(packet::header, lines, 0, {4, 65536}, nullptr).what == cut_kind::too_long);
  CHECK(next_packet(packet::header, lines.substr(0, 4), 3, {4, 65536}, nullptr).what ==
        cut_kind::too_long);
}

namespace {
/// Answers whatever it is told to.
struct told_framer : tcp_framer {
  packet_cut answer;
  packet_cut next(std::string_view, std::size_t) const noexcept override { return answer; }
};
}  // namespace

TEST_CASE("a framer whose answer makes no sense ends the socket", "[io][TCP-5]") {
  told_framer framer;
  auto const what = [&](packet_cut answer) {
    framer.answer = answer;
    return next_packet(packet::framer, "abcd", 0, {8, 65536}, &framer).what;
  };
  CHECK(what(packet_cut::packet(4, 4)) == cut_kind::packet);
  CHECK(what(packet_cut::packet(0)) == cut_kind::malformed);
  CHECK(what(packet_cut::packet(5)) == cut_kind::malformed);
  CHECK(what(packet_cut::packet(2, 3)) == cut_kind::malformed);
  CHECK(what(packet_cut::packet(4, 2, 2)) == cut_kind::packet);
  CHECK(what(packet_cut::packet(4, 2, 3)) == cut_kind::malformed);
  CHECK(what(packet_cut::malformed()) == cut_kind::malformed);
  CHECK(what(packet_cut::incomplete()) == cut_kind::incomplete);
  // One that never has enough cannot make the socket hold more than is allowed.
  CHECK(next_packet(packet::framer, "12345678", 0, {8, 65536}, &framer).what == cut_kind::too_long);
}
