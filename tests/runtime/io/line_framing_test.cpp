// Cutting a stream into lines, whatever pieces it comes in.

#include "io/line_framing.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "base/random.hpp"

using otter::rts::find_line;
using otter::rts::line_cut;
using otter::rts::line_limits;

namespace {

/// What a reader does that is handed the stream in pieces.
struct reader {
  line_limits limits;
  std::string kept;
  std::size_t scanned = 0;
  std::vector<std::string> packets;
  bool dead = false;

  void take(std::string const& piece) {
    kept += piece;
    while (!dead) {
      line_cut const cut = find_line(kept, scanned, limits);
      if (cut.what == line_cut::kind::too_long) dead = true;
      if (cut.what != line_cut::kind::line) break;
      packets.push_back(kept.substr(0, cut.length));
      kept.erase(0, cut.length);
      scanned = 0;
    }
    scanned = kept.size();
  }
};

/// The rule itself, on the whole stream at once.
std::vector<std::string> by_the_rule(std::string const& stream, line_limits limits, bool& dead) {
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
    otter::rts::random_generator random(seed);
    line_limits limits;
    limits.buffer = static_cast<std::uint32_t>(1 + random.below(12));
    if (random.below(2) == 0) limits.packet_size = static_cast<std::uint32_t>(1 + random.below(12));
    std::string stream(random.below(120), 'x');
    std::uint64_t const rarity = 1 + random.below(15);
    for (char& c : stream)
      c = random.below(rarity) == 0 ? '\n' : static_cast<char>('a' + random.below(26));

    reader r{limits, {}, 0, {}, false};
    for (std::size_t at = 0; at < stream.size();) {
      std::size_t const n = 1 + random.below(random.below(2) == 0 ? 1 : 20);
      r.take(stream.substr(at, n));
      at += n;
    }
    bool dead = false;
    auto const expected = by_the_rule(stream, limits, dead);
    INFO("seed " << seed);
    // A line that is too long may be noticed before the lines ahead of it in the same piece are
    // out, never instead of them.
    REQUIRE(r.packets == expected);
    REQUIRE(r.dead == dead);
  }
}
