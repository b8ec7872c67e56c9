#pragma once

// stacks/sanitizer_hooks.hpp - telling AddressSanitizer, ThreadSanitizer and Valgrind of stacks.
//
//   leave(), arrive()   around each switch
//   begin(), forget()   when a context is made, and when its frames are discarded
//
// Empty functions in ordinary builds, but for Valgrind's, which are a few rotations of a register
// and only at making and discarding a context.
//
// ThreadSanitizer gets one fiber per stack, made at its first switch and kept while the stack
// has a context: gcc 12's counts fibers as threads, and dies above 8,128 of them.

#include "stacks/stack_access.hpp"

#if defined(__SANITIZE_ADDRESS__)
#define OTTER_STACKS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OTTER_STACKS_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define OTTER_STACKS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define OTTER_STACKS_TSAN 1
#endif
#endif

#ifdef OTTER_STACKS_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define OTTER_STACKS_NO_ASAN __attribute__((no_sanitize("address")))
#else
#define OTTER_STACKS_NO_ASAN
#endif
#ifdef OTTER_STACKS_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define OTTER_STACKS_VALGRIND 1
#endif

namespace otter::rts::sanitizer_hooks {

inline bool running_on_valgrind() noexcept {
#ifdef OTTER_STACKS_VALGRIND
  return RUNNING_ON_VALGRIND != 0;
#else
  return false;
#endif
}

/// Code on `from` is about to jump to `to`.
inline void leave([[maybe_unused]] stack& from, [[maybe_unused]] stack& to) noexcept {
#ifdef OTTER_STACKS_ASAN
  __sanitizer_start_switch_fiber(&stack_access::fake_stack(from), to.low(), to.size());
#endif
#ifdef OTTER_STACKS_TSAN
  void*& fiber = stack_access::fiber(to);
  if (fiber == nullptr) fiber = __tsan_create_fiber(0);
  __tsan_switch_to_fiber(fiber, 0);  // 0: what came before the switch happens before what follows
#endif
}

/// The first thing that code on `here` does after a jump to it.
inline void arrive([[maybe_unused]] stack& here) noexcept {
#ifdef OTTER_STACKS_ASAN
  __sanitizer_finish_switch_fiber(stack_access::fake_stack(here), nullptr, nullptr);
#endif
}

/// A context is made on `s`.
inline void begin([[maybe_unused]] stack& s) noexcept {
#ifdef OTTER_STACKS_VALGRIND
  stack_access::valgrind_id(s) =
      static_cast<unsigned int>(VALGRIND_STACK_REGISTER(s.low(), s.high()));
#endif
}

/// `s` is the stack of this OS thread.
inline void adopt([[maybe_unused]] stack& s) noexcept {
#ifdef OTTER_STACKS_TSAN
  stack_access::fiber(s) = __tsan_get_current_fiber();
#endif
}

/// The frames on `s` will never run again. Runs on another stack.
OTTER_STACKS_NO_ASAN inline void forget([[maybe_unused]] stack& s) noexcept {
#ifdef OTTER_STACKS_ASAN
  // Frames that were not left have their red zones still there.
  __asan_unpoison_memory_region(s.low(), s.size());
  if (stack_access::fake_stack(s) != nullptr) {
    // The only way to free a fake stack is to leave it for good, so pretend to have been on it.
    void* mine = nullptr;
    void const* bottom = nullptr;
    std::size_t size = 0;
    __sanitizer_start_switch_fiber(&mine, s.low(), s.size());
    __sanitizer_finish_switch_fiber(stack_access::fake_stack(s), &bottom, &size);
    __sanitizer_start_switch_fiber(nullptr, bottom, size);
    __sanitizer_finish_switch_fiber(mine, nullptr, nullptr);
    stack_access::fake_stack(s) = nullptr;
  }
#endif
#ifdef OTTER_STACKS_TSAN
  if (stack_access::fiber(s) != nullptr) {
    __tsan_destroy_fiber(stack_access::fiber(s));
    stack_access::fiber(s) = nullptr;
  }
#endif
#ifdef OTTER_STACKS_VALGRIND
  VALGRIND_STACK_DEREGISTER(stack_access::valgrind_id(s));
#endif
}

/// Between these two, reading below a stack pointer is meant: memcheck takes it for a mistake.
inline void look_below_frames_begin() noexcept {
#ifdef OTTER_STACKS_VALGRIND
  VALGRIND_DISABLE_ERROR_REPORTING;
#endif
}
inline void look_below_frames_end() noexcept {
#ifdef OTTER_STACKS_VALGRIND
  VALGRIND_ENABLE_ERROR_REPORTING;
#endif
}

}  // namespace otter::rts::sanitizer_hooks
