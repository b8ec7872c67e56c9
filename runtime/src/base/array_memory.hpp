#pragma once

// base/array_memory.hpp - memory for the arrays of sets that may have a million elements.

#include <sys/mman.h>

#include <cstddef>
#include <new>

namespace otter::rts {

/// Large arrays come straight from the system: a general allocator keeps them for the thread that
/// had the owner by chance, and the next owner of a large set sits on another.
inline constexpr std::size_t array_mapped_from = std::size_t{256} * 1024;

/// Null if memory is short. Not filled with anything.
inline void* allocate_array(std::size_t bytes) noexcept {
  if (bytes < array_mapped_from) return ::operator new(bytes, std::nothrow);
  void* const mapped =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return mapped == MAP_FAILED ? nullptr : mapped;
}

/// `bytes` are those that were asked for.
inline void free_array(void* memory, std::size_t bytes) noexcept {
  if (bytes < array_mapped_from)
    ::operator delete(memory);
  else
    ::munmap(memory, bytes);
}

}  // namespace otter::rts
