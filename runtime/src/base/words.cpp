#include "base/words.hpp"

#include "base/sanitizers.hpp"

namespace otter::rts {

OTTER_UNCHECKED std::uintptr_t word_at(std::byte const* at) noexcept {
  return *reinterpret_cast<std::uintptr_t const volatile*>(at);
}

OTTER_UNCHECKED std::byte const* find_address(std::byte const* at, std::byte const* end,
                                              std::uintptr_t low, std::uintptr_t high) noexcept {
  constexpr std::uintptr_t in_word = sizeof(std::uintptr_t) - 1;
  at += (0 - reinterpret_cast<std::uintptr_t>(at)) & in_word;
  std::uintptr_t const span = high - low;
  for (; at < end && end - at > static_cast<std::ptrdiff_t>(in_word);
       at += sizeof(std::uintptr_t)) {
    // One comparison: what is below `low` becomes very large.
    if (*reinterpret_cast<std::uintptr_t const volatile*>(at) - low < span) return at;
  }
  return end;
}

}  // namespace otter::rts
