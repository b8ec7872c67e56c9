// process/envelope.cpp - blocks for signals: where they come from and go to.

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <otter/detail/envelope.hpp>
#include <otter/error.hpp>
#include <otter/reactive.hpp>

#include "base/cache_line.hpp"
#include "process/process_system.hpp"
#include "process/send.hpp"
#include "process/signals.hpp"

namespace otter {
namespace detail {

using rts::slab;

namespace {

OTTER_COLD slab* slab_elsewhere() noexcept { return rts::here::now().memory; }

/// The calling thread's, or null.
[[gnu::always_inline]] inline slab* own_slab() noexcept {
  rts::worker* const w = rts::current_worker();
  if (w == nullptr || w->upper == nullptr) [[unlikely]]
    return slab_elsewhere();
  return &w->memory();
}

[[noreturn]] OTTER_COLD void refuse_thread() {
  throw error(errc::not_in_process,
              "a message was made on a thread that is neither a process nor attached to a node");
}

[[gnu::always_inline]] inline slab& memory_here() {
  slab* const memory = own_slab();
  if (memory == nullptr) [[unlikely]]
    refuse_thread();
  return *memory;
}

envelope* filled_in(envelope* e, signal_kind kind, std::size_t payload_at,
                    std::size_t bytes) noexcept {
  e->kind = kind;
  e->payload_at = static_cast<std::uint16_t>(payload_at);
  e->bytes = static_cast<std::uint32_t>(bytes);
  return e;
}

/// What the payload of a message beyond the slab's classes may ask for.
constexpr std::size_t large_alignment = 2 * slab::large_alignment;

[[noreturn]] OTTER_COLD void refuse_alignment(std::size_t bytes, std::size_t alignment) {
  if (alignment > slab::small_alignment)
    throw error(errc::badarg, fmt::format("a message type is aligned to {} bytes; {} is the most",
                                          alignment, slab::small_alignment));
  throw error(errc::badarg, fmt::format("a message of {} bytes may be aligned to {} bytes at most",
                                        bytes, large_alignment));
}

}  // namespace

envelope* new_envelope(signal_kind kind, envelope_layout layout, std::size_t alignment) {
  slab& memory = memory_here();
  std::size_t bytes = layout.bytes;
  if (alignment > large_alignment &&
      (alignment > slab::small_alignment || bytes > slab::largest_small)) [[unlikely]]
    refuse_alignment(bytes, alignment);
  std::size_t payload_at = layout.payload_at;
  if (bytes > slab::largest_small && alignment == large_alignment) {
    // Such a block lies half of that behind what is so aligned: its payload comes as much later.
    payload_at += slab::large_alignment;
    bytes += slab::large_alignment;
  }
  // A request may have to become the failure of its call in place.
  bool const asks =
      kind == signal_kind::request || kind == signal_kind::system || kind == signal_kind::query;
  if (asks) bytes = std::max(bytes, sizeof(request_envelope));
  void* const block = memory.allocate(bytes);
  envelope* e = nullptr;
  if (asks)
    e = ::new (block) request_envelope;
  else if (header_size(kind) == sizeof(id_envelope))
    e = ::new (block) id_envelope;
  else
    e = ::new (block) envelope;
  return filled_in(e, kind, payload_at, bytes);
}

envelope* new_plain_envelope(signal_kind kind, envelope_layout layout) {
  auto* const e = ::new (memory_here().allocate(layout.bytes)) envelope;
  return filled_in(e, kind, layout.payload_at, layout.bytes);
}

envelope* new_id_envelope(signal_kind kind, envelope_layout layout) {
  auto* const e = ::new (memory_here().allocate(layout.bytes)) id_envelope;
  return filled_in(e, kind, layout.payload_at, layout.bytes);
}

envelope* new_request_envelope(signal_kind kind, envelope_layout layout) {
  // It may have to become the failure of its call in place.
  static_assert(sizeof(rts::call_failed_signal) <= sizeof(request_envelope));
  auto* const e = ::new (memory_here().allocate(layout.bytes)) request_envelope;
  return filled_in(e, kind, layout.payload_at, layout.bytes);
}

envelope* move_to_envelope(signal_kind kind, type_descriptor const& type, void* payload) {
  envelope* const e = new_envelope(kind, layout_of(kind, type.size, type.align), type.align);
  try {
    type.move_construct(e->payload(), payload);
  } catch (...) {
    delete_block(e);
    throw;
  }
  e->type = &type;
  return e;
}

void delete_block(envelope* e) noexcept { slab::free(e, own_slab()); }

void delete_envelope(envelope* e) noexcept {
  if (e->type != nullptr) {
    if (!e->type->trivially_destructible) e->type->destroy(e->payload());
  } else {
    switch (e->kind) {
      case signal_kind::exit:
      case signal_kind::link_exit:
        static_cast<rts::exit_signal*>(e)->reason.~exit_reason();
        break;
      case signal_kind::down:
        static_cast<rts::down_signal*>(e)->reason.~exit_reason();
        break;
      case signal_kind::call_failed:
        static_cast<rts::call_failed_signal*>(e)->reason.~exit_reason();
        break;
      default:
        break;
    }
  }
  slab::free(e, own_slab());
}

// Bodies come from the caller's slab. A plain thread, which starts the first processes of a node,
// has none: its blocks come from the heap, and an address that is 16 above a cache line says so.
void* allocate_body(std::size_t size, std::size_t alignment) {
  if (alignment > 16)
    throw error(errc::badarg,
                fmt::format("a process body is aligned to {} bytes; 16 is the most", alignment));
  if (slab* memory = own_slab()) return memory->allocate(size);
  auto* block = static_cast<std::byte*>(::operator new (size + 16, std::align_val_t{64}));
  // What somebody has left there would be taken for something of the body: overview.cpp.
  std::memset(block, 0, ::malloc_usable_size(block));
  return block + 16;
}

void free_body(void* block) noexcept {
  if ((reinterpret_cast<std::uintptr_t>(block) & 63) == 16)
    ::operator delete (static_cast<std::byte*>(block) - 16, std::align_val_t{64});
  else
    slab::free(block, own_slab());
}

}  // namespace detail

}  // namespace otter
