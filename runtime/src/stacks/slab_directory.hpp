#pragma once

// stacks/slab_directory.hpp - from any address to the stack that it lies in, also in a signal
// handler.
//
//   stack_slab      one mapping and the headers of the stacks in it
//   acquire_slab()  a header block; release_slab() takes it back
//   publish_slab()  makes a slab findable; withdraw_slab() ends that
//   slab_at()       the slab that an address lies in
//
// One for the whole program, and not one per node, because a signal handler is one for the whole
// program: it gets an address and nothing else.

#include <cstddef>
#include <cstdint>

#include "stacks/stack.hpp"

namespace otter::rts {

/// Slabs begin at multiples of this, so one unit of address space never belongs to two.
inline constexpr std::size_t slab_unit = std::size_t{2} << 20;

/// Makes the constructor of stack usable in arrays.
struct slab_stack : stack {};

/// One mapping of equal stacks, each with its guard page below.
///
/// Ownership: the source that mapped it; between lives the directory's list of free ones. Never
///            freed, so a handler that found it may read it at any time.
/// Threads:   written by the source under its mutex, before publish_slab().
struct stack_slab {
  std::byte* base = nullptr;
  std::size_t bytes = 0;       // mapped
  std::size_t stride = 0;      // from one stack's guard to the next one's
  std::size_t count = 0;       // stacks, whose headers follow this struct; constant for ever
  std::size_t idle = 0;        // for the source's trim()
  stack_slab* next = nullptr;  // free list of the directory

  slab_stack* stacks() noexcept { return reinterpret_cast<slab_stack*>(this + 1); }
};

/// A block of `count` headers (at most 32). Throws: std::bad_alloc.
stack_slab* acquire_slab(std::size_t count);
void release_slab(stack_slab* slab) noexcept;

/// Enters each unit of `slab`. Throws: std::bad_alloc, and then nothing is entered.
void publish_slab(stack_slab& slab);
void withdraw_slab(stack_slab& slab) noexcept;

/// Async-signal-safe. Null for addresses that are no stack's.
stack_slab* slab_at(std::uintptr_t address) noexcept;

}  // namespace otter::rts
