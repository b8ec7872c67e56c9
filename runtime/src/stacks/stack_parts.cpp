#include "stacks/stack_parts.hpp"

#include "base/sanitizers.hpp"
#include "base/words.hpp"
#include "stacks/stack_access.hpp"

namespace otter::rts {
namespace {

using look_at = std::function<void(std::span<std::byte const>)>;

// The head of an exception, as the C++ ABI has it that gcc and clang share: words, by number.
constexpr std::size_t next_exception = 4;
constexpr std::size_t exception_class = 10;
constexpr std::size_t head_words = 14;
constexpr std::size_t word = sizeof(std::uintptr_t);

std::uintptr_t word_of(std::byte const* head, std::size_t n) noexcept {
  return word_at(head + n * word);
}

void exceptions(void const* innermost, look_at const& look) {
  for (auto const* head = static_cast<std::byte const*>(innermost); head != nullptr;
       head = reinterpret_cast<std::byte const*>(word_of(head, next_exception))) {
    look({head, head_words * word});
    // One of std::rethrow_exception() has the object of another.
    if ((word_of(head, exception_class) & 0xff) != 1) continue;
    auto const* const object = reinterpret_cast<std::byte const*>(word_of(head, 0));
    look({object - head_words * word, head_words * word});
  }
}

/// Frames of which each word may be the address of a frame that AddressSanitizer keeps.
void with_fake_frames(std::span<std::byte const> frames, [[maybe_unused]] void* fake,
                      look_at const& look) {
  look(frames);
#if OTTER_ASAN
  if (fake == nullptr) return;
  auto const* const end = frames.data() + frames.size();
  for (auto const* at = frames.data(); end - at >= static_cast<std::ptrdiff_t>(word); at += word) {
    void* first = nullptr;
    void* last = nullptr;
    if (__asan_addr_is_in_fake_stack(fake, reinterpret_cast<void*>(word_at(at)), &first, &last) !=
        nullptr)
      look({static_cast<std::byte const*>(first), static_cast<std::byte const*>(last)});
  }
#endif
}

}  // namespace

void each_part(stack const& s, look_at const& look) {
  // Nothing is written: the accessors are those of who switches.
  auto& there = const_cast<stack&>(s);
  // An fcontext is the stack pointer, with the saved registers right above it.
  auto const* const from = static_cast<std::byte const*>(stack_access::context(there));
  if (from == nullptr) return;
  with_fake_frames({from, s.high()}, stack_access::fake_stack(there), look);
  exceptions(stack_access::caught(there), look);
}

void each_part(std::span<std::byte const> frames, look_at const& look) {
  with_fake_frames(frames, nullptr, look);
}

bool exception_under_way(stack const& s) noexcept {
  return stack_access::uncaught(const_cast<stack&>(s)) != 0;
}

}  // namespace otter::rts
