#include "stacks/depth.hpp"

#include <cstdint>
#include <functional>

#include "stacks/report.hpp"
#include "stacks/sanitizer_hooks.hpp"

namespace otter::rts {
namespace {

constexpr std::uint64_t pattern = 0x9a9b9c9d9a9b9c9d;

// Below the stack pointer lie the red zone of the ABI (128 bytes) and the frame of paint() itself.
constexpr std::size_t frame_margin = 1024;

bool contains(stack const& s, std::byte const* at) noexcept {
  return std::less_equal<>{}(s.low(), at) && std::less<>{}(at, s.high());
}

}  // namespace

void record_depth(stack& s) noexcept {
  auto* const here = static_cast<std::byte*>(__builtin_frame_address(0));
  if (here < s.low()) stack_broken(s, "stack overflow in");
  if (here < stack_access::deepest(s)) stack_access::deepest(s) = here;
}

std::size_t depth_of(stack const& s) noexcept {
  return static_cast<std::size_t>(s.high() - stack_access::deepest(s));
}

void forget_depth(stack& s) noexcept {
  stack_access::deepest(s) = s.high();
  stack_access::painted(s) = false;
}

// By hand and volatile: memset may be a sanitizer's, which would see red zones here.
OTTER_STACKS_NO_ASAN __attribute__((noinline)) void paint(stack& s) noexcept {
  auto* const here = static_cast<std::byte*>(__builtin_frame_address(0));
  std::byte* end = s.high();
  if (contains(s, here)) {
    end =
        here - s.low() > static_cast<std::ptrdiff_t>(frame_margin) ? here - frame_margin : s.low();
  } else if (s.has_context()) {
    end = static_cast<std::byte*>(stack_access::context(s));  // an fcontext is the stack pointer
  }
  auto* const first = reinterpret_cast<std::uint64_t volatile*>(s.low());
  auto const words = static_cast<std::size_t>(end - s.low()) / sizeof(std::uint64_t);
  for (std::size_t i = 0; i < words; ++i) first[i] = pattern;
  stack_access::painted(s) = true;
}

OTTER_STACKS_NO_ASAN std::size_t painted_depth(stack const& s) noexcept {
  if (!stack_access::painted(s)) return 0;
  auto const* at = reinterpret_cast<std::uint64_t const volatile*>(s.low());
  auto const* const end = reinterpret_cast<std::uint64_t const volatile*>(s.high());
  sanitizer_hooks::look_below_frames_begin();
  while (at != end && *at == pattern) ++at;
  sanitizer_hooks::look_below_frames_end();
  return static_cast<std::size_t>(end - at) * sizeof(std::uint64_t);
}

}  // namespace otter::rts
