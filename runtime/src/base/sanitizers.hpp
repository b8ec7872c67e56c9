#pragma once

// base/sanitizers.hpp - which sanitizer this translation unit is built with.
//
//   OTTER_ASAN, OTTER_TSAN                1 or 0, for #if
//   built_with_asan, built_with_tsan      the same as constants
//   OTTER_NO_ASAN                         a function that may touch poisoned memory; never inlined
//                                         into instrumented code
//   asan_poison(), asan_unpoison()        nothing without ASan
//
// gcc defines __SANITIZE_x__, clang answers __has_feature.

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define OTTER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OTTER_ASAN 1
#endif
#endif
#ifndef OTTER_ASAN
#define OTTER_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__)
#define OTTER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define OTTER_TSAN 1
#endif
#endif
#ifndef OTTER_TSAN
#define OTTER_TSAN 0
#endif

#if OTTER_ASAN
#include <sanitizer/asan_interface.h>
#define OTTER_NO_ASAN __attribute__((no_sanitize_address, noinline))
#else
#define OTTER_NO_ASAN
#endif

/// On a function that reads memory of which it knows nothing.
#define OTTER_UNCHECKED __attribute__((no_sanitize_address, no_sanitize_thread, noinline))

namespace otter::rts {

constexpr bool built_with_asan = OTTER_ASAN != 0;
constexpr bool built_with_tsan = OTTER_TSAN != 0;

/// Any access to these bytes is a report from now on.
inline void asan_poison([[maybe_unused]] void const volatile* at,
                        [[maybe_unused]] std::size_t bytes) noexcept {
#if OTTER_ASAN
  __asan_poison_memory_region(at, bytes);
#endif
}

inline void asan_unpoison([[maybe_unused]] void const volatile* at,
                          [[maybe_unused]] std::size_t bytes) noexcept {
#if OTTER_ASAN
  __asan_unpoison_memory_region(at, bytes);
#endif
}

}  // namespace otter::rts
