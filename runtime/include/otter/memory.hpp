#pragma once

// otter/memory.hpp - how much memory a process holds, and what it may hold.
//
//   otter::max_heap_size        the limit (otter/spawn.hpp); see spawn_options and node_options too
//   otter::set_max_heap_size()  the caller's own
//   otter::account_memory()     says what the runtime cannot see
//   otter::counted_allocator    says it for a container
//
// The runtime sees its own blocks: those of the process, its links and monitors, and the messages
// that wait. What they own on the heap, and what a process allocates itself, counts if it is
// accounted for. Looked at when a message is received, at safe points and when something is
// accounted (PI-13). How much it is now: process_info(p, info_item::memory).

#include <cstddef>
#include <memory>
#include <otter/spawn.hpp>

namespace otter {

/// Sets the calling process's limit and returns the old one (PI-5). A limit that is exceeded
/// already acts at the next safe point.
///
/// Called from: a process. Blocks: never. Exits: never. Throws: std::bad_alloc.
max_heap_size set_max_heap_size(max_heap_size const& limit);

/// The calling process holds `bytes` more than it said before, or less if negative. Never below
/// nothing: what another process has accounted for is not taken from this one's account.
///
/// Called from: anywhere; outside a process it does nothing. Blocks: never. Exits: never.
void account_memory(std::ptrdiff_t bytes) noexcept;

/// Allocates as std::allocator does, and accounts for it at whoever runs. For containers that stay
/// in their process: one that is sent away goes on counting there until the process ends.
template <class T>
struct counted_allocator {
  using value_type = T;
  counted_allocator() noexcept = default;
  template <class U>
  counted_allocator(counted_allocator<U> const&) noexcept {}

  [[nodiscard]] T* allocate(std::size_t n) {
    T* const block = std::allocator<T>().allocate(n);
    account_memory(static_cast<std::ptrdiff_t>(n * sizeof(T)));
    return block;
  }
  void deallocate(T* block, std::size_t n) noexcept {
    std::allocator<T>().deallocate(block, n);
    account_memory(-static_cast<std::ptrdiff_t>(n * sizeof(T)));
  }
  template <class U>
  friend bool operator==(counted_allocator const&, counted_allocator<U> const&) noexcept {
    return true;
  }
};

}  // namespace otter
