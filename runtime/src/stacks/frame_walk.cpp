#include "stacks/frame_walk.hpp"

#include <cstdint>

#include "stacks/sanitizer_hooks.hpp"
#include "stacks/stack_access.hpp"

namespace otter::rts {
namespace {

/// How a frame begins on x86-64 and on AArch64: where the caller's begins, and the place in the
/// caller to which it returns. bottom_frame of switch.cpp ends the chain with zeros.
struct frame_record {
  frame_record const* caller;
  void* returns_to;
};

bool lies_in(stack const& s, frame_record const* frame) noexcept {
  auto const at = reinterpret_cast<std::uintptr_t>(frame);
  return at % alignof(frame_record) == 0 && at >= reinterpret_cast<std::uintptr_t>(s.low()) &&
         at <= reinterpret_cast<std::uintptr_t>(s.high()) - sizeof(frame_record);
}

}  // namespace

// Words that others wrote for their own use: no sanitizer has to find them good.
OTTER_STACKS_NO_ASAN std::size_t suspended_frames(stack const& s, void** counters,
                                                  std::size_t room) noexcept {
  if (!s.has_context()) return 0;
  auto const* frame = reinterpret_cast<frame_record const*>(stack_access::left_at(s));
  std::size_t depth = 0;
  while (depth < room && lies_in(s, frame) && frame->returns_to != nullptr) {
    counters[depth++] = frame->returns_to;
    if (frame->caller <= frame) break;  // stacks grow downwards: what else it is, it is no frame
    frame = frame->caller;
  }
  return depth;
}

}  // namespace otter::rts
