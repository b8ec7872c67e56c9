// libFuzzer program for the packet modes; see run. The first bytes of an input choose mode, limits
// and the sizes of the pieces in which the rest comes.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "io/framing.hpp"

namespace {

using namespace otter;
using kind = packet_cut::kind;

void require(bool holds) {
  if (!holds) std::abort();
}

struct outcome {
  std::vector<std::string> packets;
  kind end = kind::incomplete;
  bool operator==(outcome const&) const = default;
};

/// What a port does: keeps what is incomplete, and says how far it has looked.
outcome cut_all(packet mode, std::string_view stream, rts::packet_limits const& limits,
                std::size_t piece) {
  outcome out;
  std::string kept;
  std::size_t seen = 0;
  while (!stream.empty()) {
    kept += stream.substr(0, piece);
    stream.remove_prefix(std::min(piece, stream.size()));
    while (!kept.empty()) {
      packet_cut const cut = rts::next_packet(mode, kept, seen, limits, nullptr);
      seen = 0;
      out.end = cut.what;
      if (cut.what == kind::too_long || cut.what == kind::malformed) return out;
      if (cut.what == kind::incomplete) break;
      require(cut.length > 0 && cut.length <= kept.size());
      require(cut.skip + cut.skip_end <= cut.length);
      out.packets.emplace_back(cut.body(kept));
      if (limits.packet_size != 0 && mode != packet::raw)
        require(out.packets.back().size() <= limits.packet_size);
      kept.erase(0, cut.length);
    }
    seen = kept.size();
  }
  out.end = kept.empty() ? kind::packet : kind::incomplete;
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (size < 4) return 0;
  constexpr std::array modes = {packet::line, packet::length_1, packet::length_2, packet::length_4,
                                packet::header};
  packet const mode = modes[data[0] % modes.size()];
  rts::packet_limits limits;
  limits.packet_size = data[1];
  limits.buffer = 1 + data[2];
  std::string_view const stream(reinterpret_cast<char const*>(data) + 4, size - 4);
  // However it comes, it is cut in the same way.
  outcome const whole = cut_all(mode, stream, limits, stream.size() + 1);
  require(whole == cut_all(mode, stream, limits, 1));
  require(whole == cut_all(mode, stream, limits, 1 + data[3]));
  return 0;
}
