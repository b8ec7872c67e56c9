// process/envelope.cpp - blocks for signals: where they come from and go to.

#include <fmt/format.h>

#include <new>
#include <otter/detail/envelope.hpp>
#include <otter/error.hpp>
#include <otter/reactive.hpp>

#include "process/process_system.hpp"
#include "process/send.hpp"
#include "process/signals.hpp"

namespace otter {
namespace detail {

using rts::slab;

envelope* new_envelope(signal_kind kind, std::size_t payload_size, std::size_t alignment) {
  rts::runtime_entry entry;
  rts::refuse_abandoned(entry);
  slab* memory = rts::here::now().memory;
  if (memory == nullptr)
    throw error(errc::not_in_process,
                "a message was made on a thread that is neither a process nor attached to a node");
  if (alignment > rts::slab::small_alignment)
    throw error(errc::badarg, fmt::format("a message type is aligned to {} bytes; {} is the most",
                                          alignment, rts::slab::small_alignment));
  std::size_t const head = header_size(kind);
  std::size_t const at = (head + alignment - 1) / alignment * alignment;
  std::size_t bytes = at + payload_size;
  // Blocks beyond the slab's classes are aligned to half a line only.
  if (bytes > rts::slab::largest_small && alignment > rts::slab::large_alignment)
    throw error(errc::badarg,
                fmt::format("a message of {} bytes may be aligned to {} bytes at most",
                            payload_size, rts::slab::large_alignment));
  // A request may have to become the failure of its call in place.
  if (kind == signal_kind::request || kind == signal_kind::system || kind == signal_kind::query)
    bytes = std::max(bytes, sizeof(request_envelope));
  void* block = memory->allocate(bytes);
  envelope* e = nullptr;
  switch (kind) {
    case signal_kind::request:
    case signal_kind::system:
    case signal_kind::query:
      e = ::new (block) request_envelope;
      break;
    case signal_kind::reply:
    case signal_kind::alias_message:
    case signal_kind::timeout:
      e = ::new (block) id_envelope;
      break;
    default:
      e = ::new (block) envelope;
      break;
  }
  e->kind = kind;
  e->payload_at = static_cast<std::uint16_t>(at);
  e->bytes = static_cast<std::uint32_t>(bytes);
  return e;
}

void delete_block(envelope* e) noexcept {
  rts::runtime_entry entry;
  rts::slab::free(e, rts::here::now().memory);
}

void delete_envelope(envelope* e) noexcept {
  rts::runtime_entry entry;
  if (e->type != nullptr) {
    e->type->destroy(e->payload());
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
  rts::slab::free(e, rts::here::now().memory);
}

// Bodies come from the caller's slab. A plain thread, which starts the first processes of a node,
// has none: its blocks come from the heap, and an address that is 16 above a cache line says so.
void* allocate_body(std::size_t size, std::size_t alignment) {
  rts::runtime_entry entry;
  rts::refuse_abandoned(entry);
  if (alignment > 16)
    throw error(errc::badarg,
                fmt::format("a process body is aligned to {} bytes; 16 is the most", alignment));
  if (slab* memory = rts::here::now().memory) return memory->allocate(size);
  auto* block = static_cast<std::byte*>(::operator new (size + 16, std::align_val_t{64}));
  return block + 16;
}

void free_body(void* block) noexcept {
  rts::runtime_entry entry;
  if ((reinterpret_cast<std::uintptr_t>(block) & 63) == 16)
    ::operator delete (static_cast<std::byte*>(block) - 16, std::align_val_t{64});
  else
    rts::slab::free(block, rts::here::now().memory);
}

}  // namespace detail

char const* to_string(errc code) noexcept {
  switch (code) {
    case errc::badarg:
      return "badarg";
    case errc::noproc:
      return "noproc";
    case errc::not_in_process:
      return "not_in_process";
    case errc::timeout_value:
      return "timeout_value";
    case errc::system_limit:
      return "system_limit";
    case errc::would_suspend:
      return "would_suspend";
    case errc::exiting:
      return "exiting";
    case errc::mailbox_full:
      return "mailbox_full";
    case errc::abandoned:
      return "abandoned";
  }
  return "?";
}

error::error(errc code, std::string const& text)
    : std::runtime_error(std::string(to_string(code)) + ": " + text), code_(code) {}

}  // namespace otter
