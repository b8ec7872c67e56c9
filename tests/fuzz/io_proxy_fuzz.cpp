// libFuzzer program for the PROXY protocol's preambles; see run.

#include <cstdint>
#include <cstdlib>
#include <otter/proxy_protocol.hpp>

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view const stream(reinterpret_cast<char const*>(data), size);
  auto const parsed = otter::parse_proxy(stream);
  if (size == 0) return 0;
  otter::packet_cut const cut = otter::proxy_framer()->next(stream, 0);
  bool const is_packet = cut.what == otter::packet_cut::kind::packet;
  // What can be read whole is what the framer cuts off.
  if (parsed && size <= otter::proxy_preamble_bytes && !(is_packet && cut.length == size))
    std::abort();
  if (is_packet && cut.length > otter::proxy_preamble_bytes) std::abort();
  if (parsed && !parsed->local &&
      (parsed->source.family != parsed->destination.family ||
       parsed->source.family == otter::tcp_address::family_type::none))
    std::abort();
  return 0;
}
