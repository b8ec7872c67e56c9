#pragma once

// otter/detail/abi_stamp.hpp - what must be equal where a program and a module are compiled.
//
//   OTTER_ABI_STAMP(version, digest)   as one literal; the build gives it the digest of otter's
//   headers
//
// Inline functions and layouts of the headers are compiled into both, so one changed header is
// enough to break what crosses the border. What the compiler spells differently (names of types are
// part of their identity) or lays out differently counts as well.

#define OTTER_ABI_TEXT_OF(x) #x
#define OTTER_ABI_TEXT(x) OTTER_ABI_TEXT_OF(x)

#if defined(__clang__)
#define OTTER_ABI_COMPILER "clang"
#else
#define OTTER_ABI_COMPILER "gcc"
#endif

#if defined(__has_feature)
#define OTTER_ABI_HAS(x) __has_feature(x)
#else
#define OTTER_ABI_HAS(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || OTTER_ABI_HAS(address_sanitizer)
#define OTTER_ABI_SANITIZER ", address sanitizer"
#elif defined(__SANITIZE_THREAD__) || OTTER_ABI_HAS(thread_sanitizer)
#define OTTER_ABI_SANITIZER ", thread sanitizer"
#else
#define OTTER_ABI_SANITIZER ""
#endif

#if defined(_GLIBCXX_DEBUG)
#define OTTER_ABI_LIBRARY "libstdc++ debug"
#elif defined(_GLIBCXX_USE_CXX11_ABI)
#define OTTER_ABI_LIBRARY "libstdc++ cxx11=" OTTER_ABI_TEXT(_GLIBCXX_USE_CXX11_ABI)
#else
#define OTTER_ABI_LIBRARY "another standard library"
#endif

#define OTTER_ABI_STAMP(version, digest)                       \
  "otter " version ", headers " digest ", " OTTER_ABI_COMPILER \
  ", " OTTER_ABI_LIBRARY OTTER_ABI_SANITIZER
