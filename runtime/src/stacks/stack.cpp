#include "stacks/stack.hpp"

#include "stacks/sanitizer_hooks.hpp"

namespace otter::rts {

std::size_t stack_size_factor() noexcept {
#if defined(OTTER_STACKS_ASAN) || defined(OTTER_STACKS_TSAN)
  return 4;
#else
  return 1;
#endif
}

std::size_t stack_size(stack_class kind) noexcept {
  constexpr std::size_t kib = 1024;
  switch (kind) {
    case stack_class::small:
      return stack_size_factor() * 64 * kib;
    case stack_class::medium:
      return stack_size_factor() * 256 * kib;
    case stack_class::large:
      return stack_size_factor() * 1024 * kib;
    case stack_class::exact:
      break;
  }
  return 0;
}

char const* to_string(stack_class kind) noexcept {
  switch (kind) {
    case stack_class::small:
      return "small";
    case stack_class::medium:
      return "medium";
    case stack_class::large:
      return "large";
    case stack_class::exact:
      break;
  }
  return "exact";
}

}  // namespace otter::rts
