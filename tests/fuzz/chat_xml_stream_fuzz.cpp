// libFuzzer program for the XML parser; see run.

#include <cstdint>
#include <cstdlib>

#include "chat_targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (!chat_fuzz::xml({reinterpret_cast<char const*>(data), size})) std::abort();
  return 0;
}
