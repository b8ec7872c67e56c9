#pragma once

// otter/detail/envelope.hpp - the block that carries one signal from one process to another.
//
// A message is moved once into an envelope; header and payload share one block, so that a small
// message is one cache line. Users never see it: send() packs, receive() unpacks.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <otter/pid.hpp>
#include <otter/ref.hpp>
#include <otter/type_descriptor.hpp>
#include <type_traits>
#include <utility>

namespace otter::detail {

/// What one process does to another. The order groups them: those up to `reply` may carry a
/// user's payload and can stand in a mailbox.
enum class signal_kind : std::uint8_t {
  message,        // a plain message
  cast,           // a behaviour's asynchronous request
  request,        // a call: a request_envelope, answered by reply()
  reply,          // the answer to a call, id in front of the payload
  call_failed,    // the answer that no server gave: reason in place of the payload
  timeout,        // an event timer of a reactive process, token in front
  system,         // sys: suspend, get_state, terminate ...; kept in a list of its own
  ready,          // a port has something for its owner
  alias_message,  // a plain message sent through an alias, id in front of the payload
  // --- from here on: acted upon when received, never in a mailbox ---
  exit,
  link_exit,
  link,
  unlink,
  unlink_ack,
  monitor,
  demonitor,
  down,
  cancel_call,
  timer,
  attach_timer,
  query,
  set_group_leader,
  room_wanted,
  room_given,
  room_returned,
  wake,
  spawn_begun,  // to a child, which sends it back as its first deed
  spawn_done,   // from the child to whoever requested it: becomes the reply
};

/// The common head of all signals: 32 bytes.
///
/// Ownership: the sender's until the push into an inbox succeeds, then the receiver's; what a
///            closing inbox took is the closer's.
/// Invariant: written completely before it is pushed; nobody writes to it while it is queued.
struct envelope {
  envelope* next = nullptr;
  type_descriptor const* type = nullptr;  ///< of the payload, or null: there is none
  std::uint64_t target = 0;               ///< bits of the pid that it is for
  signal_kind kind = signal_kind::message;
  std::uint8_t flags = 0;
  std::uint16_t payload_at = 0;  ///< offset of the payload from the start of the block
  std::uint32_t bytes = 0;       ///< size of the block

  void* payload() noexcept { return reinterpret_cast<std::byte*>(this) + payload_at; }
};

/// Flags of an envelope.
inline constexpr std::uint8_t counted = 1;  ///< takes a place in a bounded mailbox

/// Heads of the kinds that carry more than a payload. The payload follows each of them.
struct id_envelope : envelope {  // reply, alias_message, timeout
  std::uint64_t id = 0;
  std::uint64_t extra = 0;  // reply: bits of the pid that answered
};
struct request_envelope : envelope {
  request_envelope* hash_next = nullptr;
  from caller;
};

constexpr std::size_t header_size(signal_kind kind) noexcept {
  switch (kind) {
    case signal_kind::request:
    case signal_kind::system:
    case signal_kind::query:
      return sizeof(request_envelope);
    case signal_kind::reply:
    case signal_kind::alias_message:
    case signal_kind::timeout:
    case signal_kind::call_failed:
      return sizeof(id_envelope);
    default:
      return sizeof(envelope);
  }
}

/// What an envelope of `kind` with such a payload needs; pack() knows it when it is compiled.
struct envelope_layout {
  std::size_t payload_at;
  std::size_t bytes;
};
constexpr envelope_layout layout_of(signal_kind kind, std::size_t payload_size,
                                    std::size_t alignment) noexcept {
  std::size_t const at = (header_size(kind) + alignment - 1) / alignment * alignment;
  return {at, at + payload_size};
}
/// Blocks come from the calling thread's own slab, not from its core: none of this has to pass the
/// border of the runtime, and a process that was given up is refused when it sends.
///
/// A block for a signal of `kind`; header filled in, payload raw. `alignment` is the payload's.
/// Throws std::bad_alloc; error(not_in_process); error(badarg) for an alignment above 64 bytes, or
/// 32 in a large message.
envelope* new_envelope(signal_kind kind, envelope_layout layout, std::size_t alignment);
/// The same for a head of that type and a payload that needs no more than the usual alignment: most
/// messages, requests and answers.
envelope* new_plain_envelope(signal_kind kind, envelope_layout layout);
envelope* new_id_envelope(signal_kind kind, envelope_layout layout);
envelope* new_request_envelope(signal_kind kind, envelope_layout layout);
/// The one of these that serves, decided when it is compiled.
inline envelope* new_envelope_for(signal_kind kind, envelope_layout layout, std::size_t alignment) {
  if (alignment > alignof(std::max_align_t)) return new_envelope(kind, layout, alignment);
  switch (header_size(kind)) {
    case sizeof(request_envelope):
      return new_request_envelope(kind, layout);
    case sizeof(id_envelope):
      return new_id_envelope(kind, layout);
    default:
      return new_plain_envelope(kind, layout);
  }
}
/// Moves the payload of type `type` at `payload` into a fresh envelope of another kind.
/// Throws: as new_envelope(), and what moving it throws.
envelope* move_to_envelope(signal_kind kind, type_descriptor const& type, void* payload);
/// Destroys the payload, if there is one, and gives the block back. Any thread.
void delete_envelope(envelope* e) noexcept;
/// Gives back a block whose payload was never constructed or is gone already.
void delete_block(envelope* e) noexcept;

struct envelope_deleter {
  void operator()(envelope* e) const noexcept { delete_envelope(e); }
};
using envelope_ptr = std::unique_ptr<envelope, envelope_deleter>;

/// Moves `value` into a fresh envelope of `kind`.
template <class Message, class Value>
envelope_ptr pack(signal_kind kind, Value&& value) {
  static_assert(std::is_object_v<Message> && std::is_move_constructible_v<Message>,
                "otter: a message must be a movable object; this type is not");
  static_assert(!std::is_pointer_v<Message>,
                "otter: a pointer is not a message: two processes never share mutable state. "
                "Send a value, or otter::shared<T> for one immutable payload with many readers");
  envelope_layout const layout = layout_of(kind, sizeof(Message), alignof(Message));
  envelope* e = new_envelope_for(kind, layout, alignof(Message));
  try {
    ::new (e->payload()) Message(std::forward<Value>(value));
  } catch (...) {
    delete_block(e);
    throw;
  }
  e->type = &otter::descriptor_of<Message>();
  return envelope_ptr(e);
}

}  // namespace otter::detail
