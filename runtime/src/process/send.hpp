#pragma once

// process/send.hpp - getting a signal into an inbox, and what happens when that cannot be.

#include <otter/detail/envelope.hpp>

#include "process/process_system.hpp"
#include "process/signals.hpp"

namespace otter::rts {

/// Pushes `e` to the process that `target` names. True if it took it over; false if that process
/// is dead: then `e` is still the caller's. Sets e->target.
bool push(process_system& system, std::uint64_t target, envelope* e) noexcept;
/// For who knows on which worker it is, or that it is on none.
bool push(process_system& system, std::uint64_t target, envelope* e, worker* on) noexcept;

/// push() of a notice. Whoever it wakes is about to look at its body and at its time-out: those are
/// fetched meanwhile.
bool push_notice(process_system& system, std::uint64_t target, notice& n) noexcept;

/// Does with a signal what the rule says for a receiver that does not live: drops it, or answers
/// `noproc`. Takes it over.
void answer_for_dead(process_system& system, envelope* e) noexcept;

/// push(), else answer_for_dead().
void deliver(process_system& system, std::uint64_t target, envelope* e) noexcept;

/// A small signal. Dropped when there is no memory: those that it is used for only tidy up.
void send_peer_signal(process_system& system, signal_kind kind, std::uint64_t target, pid from,
                      std::uint64_t id) noexcept;

/// Turns `r` (in no list) into the failure of its call and sends it.
void fail_call(process_system& system, request_envelope& r, exit_reason why) noexcept;

/// A raw block for a signal of the runtime. Throws: std::bad_alloc, error(not_in_process).
template <class Signal>
Signal* make_signal(signal_kind kind, std::size_t bytes = sizeof(Signal)) {
  slab* memory = here::now().memory;
  if (memory == nullptr)
    throw error(errc::not_in_process,
                "called from a thread that is neither a process nor attached");
  auto* s = ::new (memory->allocate(bytes)) Signal;
  s->kind = kind;
  s->bytes = static_cast<std::uint32_t>(bytes);
  return s;
}

/// Sends a message, cast or request that counts in a bounded mailbox. False if it was not sent;
/// `why`, if asked for, then says why, and a request is not answered but destroyed. `due_ns` bounds
/// the wait for room (relative). Exits: may. Throws: error(mailbox_full).
bool send_counted(here const& at, pid to, detail::envelope_ptr e, std::int64_t block_limit_ns,
                  exit_reason* why);

/// Waits until the process `to` keeps a place for `sender`; false if `to` is dead.
/// Throws: error(mailbox_full) when `limit_ns` is over. Exits: may.
bool wait_for_room(process& sender, pid to, std::int64_t limit_ns);

/// Places that were given to a sender, none used, go back to who gave them.
void return_places(process_system& system, peer_signal& given) noexcept;

/// A timer's block, no longer armed or listed, goes back to its table with what it carried.
void give_back_timer(timer_block& t) noexcept;
/// Cancels one of the calling process, in no list any more. Its block goes back, at once or when it
/// comes.
void cancel_own_timer(timer_block& t) noexcept;
/// A spawn request that nobody waits for.
void drop_spawn_signal(spawn_signal* e) noexcept;
/// The owner of the notice is dead.
void refuse_notice(notice& n) noexcept;

/// Turns `e`, an exit_signal's block, into the message `exited`.
void become_exited(exit_signal* e) noexcept;

}  // namespace otter::rts
