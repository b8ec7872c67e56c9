#pragma once

// process/signals.hpp - the shapes of the signals that are no user's messages.
//
// Some change their shape in place, so that what a death has to say needs no memory: a monitor's
// entry becomes the `down`, a request becomes the failure of its call. Only a link has no block of
// its own while it lasts, as there are millions of them: a supervisor and each of its children. So
// the exit signals of a death are made when it comes to that (dying.cpp).

#include <algorithm>
#include <cstdint>
#include <otter/detail/envelope.hpp>
#include <otter/exit.hpp>
#include <otter/exit_reason.hpp>
#include <otter/monitor.hpp>
#include <otter/pid.hpp>
#include <otter/process_info.hpp>
#include <otter/spawn_request.hpp>

namespace otter::rts {

using detail::envelope;
using detail::id_envelope;
using detail::request_envelope;
using detail::signal_kind;

// --- flags of an envelope, beside detail::counted ---
inline constexpr std::uint8_t untrappable = 2;  ///< exit: kill, or a mailbox limit
inline constexpr std::uint8_t listed = 4;       ///< request: in the server's set of open requests
inline constexpr std::uint8_t handled = 8;      ///< request: its handler has returned
inline constexpr std::uint8_t treated = 64;     ///< request: its handler runs
inline constexpr std::uint8_t voided = 16;      ///< timeout: stopped while it stood in the mailbox
inline constexpr std::uint8_t of_start = 128;   ///< monitor: of who waits for the process's start
inline constexpr std::uint8_t from_table = 32;  ///< the block is a timer's: back to its table
inline constexpr std::uint8_t of_body = 64;     ///< timer: of reactive::start_timeout()
inline constexpr std::uint8_t of_wait = 4;      ///< timer: the limit of a wait
inline constexpr std::uint8_t by_name = 2;      ///< timer: its message is for who has a name

/// kind exit, link_exit.
struct exit_signal : envelope {
  pid from;
  exit_reason reason;
};

/// kind link (as a signal), and an entry in a process's link_entries_.
struct link_entry : envelope {
  link_entry* hash_next = nullptr;
  std::uint64_t peer = 0;       ///< bits of the other's pid; of the sender while it is a signal
  std::uint64_t unlink_id = 0;  ///< not 0: unlinked by us and not yet acknowledged: inactive
  std::uint64_t room = 0;       ///< for the exit_signal, which is longer
};

/// kind unlink, unlink_ack, demonitor, cancel_call, set_group_leader, attach_timer, room_*.
struct peer_signal : envelope {
  pid from;
  std::uint64_t id = 0;
  std::uint32_t places = 0;  ///< room_*: how many; in room_wanted the most that are of use
};
static_assert(sizeof(peer_signal) <= 64);

/// kind call_failed.
struct call_failed_signal : id_envelope {
  exit_reason reason;
};

/// kind down: what a monitor's entry becomes.
struct down_signal : id_envelope {
  pid who;
  exit_reason reason;
};

/// kind wake: embedded in what a process waits for without regard to exits.
struct wake_signal : envelope {
  wake_signal() noexcept { kind = signal_kind::wake; }
  bool arrived = false;  ///< the process has drained it: nobody else touches it any more
};

/// kind spawn_begun, spawn_done. `id` is the request, `extra` the child.
struct spawn_signal : id_envelope {
  envelope* tag = nullptr;  ///< a tagged request's
  detail::spawn_reply_maker make = nullptr;
  bool wanted = true;  ///< success is to be told
};
inline constexpr std::size_t spawn_block_bytes =
    std::max(sizeof(spawn_signal), sizeof(envelope) + sizeof(spawn_reply));
static_assert(spawn_block_bytes <= 128, "a spawn's reply is two cache lines");

/// Room in a monitor's block for the `down` message that it becomes in the end.
inline constexpr std::size_t down_message_at = sizeof(envelope);
inline constexpr std::size_t monitor_block_bytes = down_message_at + sizeof(down);
static_assert(sizeof(down_signal) <= monitor_block_bytes);
static_assert(sizeof(request_envelope) <= monitor_block_bytes);
static_assert(monitor_block_bytes <= 128, "a monitor is two cache lines");
static_assert(sizeof(link_entry) <= 64 && sizeof(exit_signal) <= sizeof(link_entry));
static_assert(sizeof(exited) <= sizeof(exit_signal) - sizeof(envelope));

/// What a process remembers of something that it asked for: a monitor, an alias, a request.
struct own_ref {
  enum class purpose : std::uint8_t {
    monitor,
    alias,
    request,
    spawn,  ///< a spawn request without its reply; becomes a monitor if `monitors`
  };

  own_ref* hash_next = nullptr;
  std::uint64_t id = 0;
  std::uint64_t target = 0;  ///< bits of the watched process or server; 0: there is none
  purpose what = purpose::alias;
  alias_mode alias = alias_mode::none;
  bool monitors = false;        ///< spawn: the monitor is there already
  bool links = false;           ///< spawn: and so is the link
  std::string* name = nullptr;  ///< monitor by name: the name
  envelope* tag = nullptr;      ///< tagged monitor
  detail::down_maker make = nullptr;
};

/// One of a spawn request can become the exit signal of abandon_spawn().
inline constexpr std::size_t own_ref_bytes = std::max(sizeof(own_ref), sizeof(exit_signal));

struct link_key {
  using key_type = std::uint64_t;
  static key_type key(link_entry const& l) noexcept { return l.peer; }
  static std::uint64_t hash(key_type k) noexcept { return detail::mix_bits(k); }
};
struct own_ref_key {
  using key_type = std::uint64_t;
  static key_type key(own_ref const& r) noexcept { return r.id; }
  static std::uint64_t hash(key_type k) noexcept { return detail::mix_bits(k); }
};
struct request_key {
  using key_type = otter::ref;
  static key_type key(request_envelope const& r) noexcept { return r.caller.call(); }
  static std::uint64_t hash(key_type const& k) noexcept { return std::hash<otter::ref>{}(k); }
};

}  // namespace otter::rts
