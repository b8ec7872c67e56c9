#pragma once

// base/slab_large.hpp - what lies before a large block of a slab. For the slab's own sources.

#include "base/slab.hpp"

namespace otter::rts::slab_detail {

/// In front of every large block, and on a cache line.
struct large_header {
  slab* owner;
  large_header* prev;
  large_header* next;
  std::size_t bytes;
  std::byte gap[slab::large_alignment];  // so that is_large() knows what lies behind it
};
static_assert(sizeof(large_header) % slab::smallest == slab::large_alignment);

}  // namespace otter::rts::slab_detail
