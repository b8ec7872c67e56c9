// process/send.cpp - getting a signal into an inbox; mailbox limits.

#include "process/send.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <new>
#include <otter/message.hpp>
#include <otter/spawn.hpp>
#include <otter/timer.hpp>

#include "process/process.hpp"
#include "process/trace.hpp"

namespace otter {

namespace rts {

namespace {

/// push() to a block that the table has given. `here`: the calling worker, if it is one.
bool push_to(process_system& system, process& p, std::uint64_t target, envelope* e,
             worker* here) noexcept {
  // Nothing of *e may be read after a push that succeeds.
  if (system.simulated()) [[unlikely]]
    trace_signal(system, "signal", target, *e);
  if (p.bits() != target) return false;
  e->target = target;
  switch (p.signals().push(e)) {
    case inbox::pushed::refused:
      return false;
    case inbox::pushed::woke:
      p.wake_up(here);
      return true;
    case inbox::pushed::queued:
      return true;
  }
  return true;
}

}  // namespace

bool push(process_system& system, std::uint64_t target, envelope* e) noexcept {
  return push(system, target, e, current_worker());
}

bool push(process_system& system, std::uint64_t target, envelope* e, worker* on) noexcept {
  process* p = system.at(static_cast<std::uint32_t>(target) & max_process_index);
  if (p != nullptr) return push_to(system, *p, target, e, on);
  if (system.simulated()) trace_signal(system, "signal", target, *e);
  return false;
}

bool push_notice(process_system& system, std::uint64_t target, notice& n) noexcept {
  process* const p = system.at(static_cast<std::uint32_t>(target) & max_process_index);
  if (p == nullptr || system.simulated()) [[unlikely]]
    return push(system, target, &n);
  if (p->bits() != target) return false;
  n.target = target;
  inbox::pushed const how = p->signals().push(&n);
  if (how == inbox::pushed::woke) {
    p->fetch_body();
    p->wake_up(current_worker());
  }
  return how != inbox::pushed::refused;
}

void deliver(process_system& system, std::uint64_t target, envelope* e) noexcept {
  if (!push(system, target, e)) answer_for_dead(system, e);
}

void send_peer_signal(process_system& system, signal_kind kind, std::uint64_t target, pid from,
                      std::uint64_t id) noexcept {
  peer_signal* s = nullptr;
  try {
    s = make_signal<peer_signal>(kind);
  } catch (...) {
    return;
  }
  s->from = from;
  s->id = id;
  deliver(system, target, s);
}

void fail_call(process_system& system, request_envelope& r, exit_reason why) noexcept {
  from const caller = r.caller;
  if (r.type != nullptr) r.type->destroy(r.payload());
  std::uint32_t const bytes = r.bytes;
  r.~request_envelope();
  auto* f = ::new (static_cast<void*>(&r)) call_failed_signal;
  f->kind = signal_kind::call_failed;
  f->bytes = bytes;
  f->id = id_of(caller.call());
  f->reason = std::move(why);
  deliver(system, pid_access::bits(caller.caller()), f);
}

void answer_for_dead(process_system& system, envelope* e) noexcept {
  if ((e->flags & detail::counted) != 0) {
    // Its place was taken in the counter of the block that it was sent to.
    process* p = system.at(static_cast<std::uint32_t>(e->target) & max_process_index);
    if (p != nullptr) p->places().give_back(1);
    e->flags = static_cast<std::uint8_t>(e->flags & ~detail::counted);
  }
  switch (e->kind) {
    case signal_kind::request:
    case signal_kind::system:
    case signal_kind::query: {
      auto& r = *static_cast<request_envelope*>(e);
      if (r.caller)
        fail_call(system, r, exit_reason::noproc());
      else
        detail::delete_envelope(e);
      return;
    }
    case signal_kind::monitor: {
      auto& r = *static_cast<request_envelope*>(e);
      from const watcher = r.caller;
      pid const who = system.make_pid_of(e->target);
      std::uint32_t const bytes = e->bytes;
      auto* d = ::new (static_cast<void*>(e)) down_signal;
      d->kind = signal_kind::down;
      d->bytes = bytes;
      d->id = id_of(watcher.call());
      d->who = who;
      d->reason = exit_reason::noproc();
      deliver(system, pid_access::bits(watcher.caller()), d);
      return;
    }
    case signal_kind::link: {
      auto* l = static_cast<link_entry*>(e);
      std::uint64_t const peer = l->peer;
      pid const dead = system.make_pid_of(e->target);
      auto* x = ::new (static_cast<void*>(l)) exit_signal;
      x->kind = signal_kind::link_exit;
      x->bytes = sizeof(link_entry);
      x->from = dead;
      x->reason = exit_reason::noproc();
      deliver(system, peer, x);
      return;
    }
    case signal_kind::unlink: {
      // The unlinker need not wait for our acknowledgement: no exit of ours can follow.
      auto* p = static_cast<peer_signal*>(e);
      std::uint64_t const to = pid_access::bits(p->from);
      p->from = system.make_pid_of(e->target);
      p->kind = signal_kind::unlink_ack;
      deliver(system, to, p);
      return;
    }
    case signal_kind::room_wanted: {
      // Room for nothing: the sender goes on, and its message is dropped.
      auto* p = static_cast<peer_signal*>(e);
      std::uint64_t const to = pid_access::bits(p->from);
      p->from = pid{};
      p->kind = signal_kind::room_given;
      deliver(system, to, p);
      return;
    }
    case signal_kind::room_given: {
      auto* p = static_cast<peer_signal*>(e);
      if (p->from)
        return_places(system, *p);
      else
        detail::delete_block(e);
      return;
    }
    case signal_kind::room_returned: {
      process* p = system.at(static_cast<std::uint32_t>(e->target) & max_process_index);
      if (p != nullptr) p->places().give_back(static_cast<peer_signal*>(e)->places);
      detail::delete_block(e);
      return;
    }
    case signal_kind::timer: {
      auto* t = static_cast<timer_block*>(e);
      give_back_timer(*t);
      return;
    }
    case signal_kind::ready: {
      auto* n = static_cast<notice*>(e);
      refuse_notice(*n);
      return;
    }
    case signal_kind::wake:
      return;
    case signal_kind::spawn_begun:
    case signal_kind::spawn_done:
      drop_spawn_signal(static_cast<spawn_signal*>(e));
      return;
    case signal_kind::message:
    case signal_kind::cast:
    case signal_kind::reply:
    case signal_kind::timeout:
    case signal_kind::alias_message:
    case signal_kind::exit:
    case signal_kind::link_exit:
    case signal_kind::down:
    case signal_kind::call_failed:
      detail::delete_envelope(e);
      return;
    case signal_kind::unlink_ack:
    case signal_kind::demonitor:
    case signal_kind::cancel_call:
    case signal_kind::attach_timer:
    case signal_kind::set_group_leader:
      detail::delete_block(e);
      return;
  }
}

// --- limits (design: overload) ---

namespace {

enum class admission : unsigned char { granted, dropped, refused };

/// A sender pays for what it piles up: the longer the queue, the shorter its turn.
int cost_of(process const& to) noexcept {
  return 1 + static_cast<int>(std::min<std::uint32_t>(to.backlog() >> 6, 64));
}

/// Asks a bounded mailbox for a place for a plain message, cast or request. `granted` has counted
/// it. Exits: may, under overflow::block. Throws: error(mailbox_full).
admission ask_for_place(process_system& system, process& to, process& sender, bool may_block,
                        std::int64_t due_ns) {
  mailbox_bound const is(to.limit_word().load(std::memory_order_relaxed));
  overflow const policy = is.policy;
  if (policy == overflow::block && sender.use_room(to)) return admission::granted;
  if (!is.in_line && to.places().admit(is.bound())) return admission::granted;
  // Who may not wait is over-admitted, and counted: destructors of a dying process may send (C0-3).
  if (policy == overflow::block && (&to == &sender || !may_block || sender.deferring() ||
                                    sender.is_dying() || std::uncaught_exceptions() > 0)) {
    to.places().admit_anyway();
    return admission::granted;
  }
  here const at = here::now();
  switch (policy) {
    case overflow::kill: {
      auto* x = make_signal<exit_signal>(signal_kind::exit);
      x->flags = untrappable;
      x->from = sender.self_pid();
      x->reason = exit_reason::mailbox_full();
      deliver(system, to.bits(), x);
      return admission::refused;
    }
    case overflow::drop_newest:
    case overflow::drop_oldest:
    case overflow::busy:
      at.local->dropped.fetch_add(1, std::memory_order_relaxed);
      return admission::dropped;
    case overflow::block:
      break;
  }
  return wait_for_room(sender, to.self_pid(), due_ns) ? admission::granted : admission::dropped;
}

/// What nearly every send is: the receiver is there, a place need not be asked for, and nothing is
/// traced. The same as send_counted() would do.
[[gnu::always_inline]] inline void send_at_once(process_system& system, process& self, worker* on,
                                                process& to, std::uint64_t target, envelope* e,
                                                int cost) {
  e->target = target;
  switch (to.signals().push(e)) {
    case inbox::pushed::queued:
      break;
    case inbox::pushed::woke:
      to.wake_up(on);
      break;
    case inbox::pushed::refused:
      answer_for_dead(system, e);
      break;
  }
  self.charge(cost, on);
}

/// On a worker, nearly always. False: nothing has happened, send_counted() is to look.
[[gnu::always_inline]] inline bool sent_at_once(worker* on, pid to, detail::envelope_ptr& e) {
  if (on == nullptr || on->upper == nullptr || on->current() == nullptr) [[unlikely]]
    return false;
  process_system& system = static_cast<local_state*>(on->upper)->system;
  process* const p = system.find(to);
  if (p == nullptr || system.simulated()) [[unlikely]]
    return false;
  auto& self = static_cast<process&>(*on->current());
  int cost = 1;  // who waits for room pays by waiting
  if (p->limit_word().load(std::memory_order_relaxed) == 0) [[likely]] {
    cost = cost_of(*p);
  } else {
    if (e->kind == signal_kind::system || !self.use_room(*p)) return false;
    e->flags |= detail::counted;
  }
  send_at_once(system, self, on, *p, pid_access::bits(to), e.release(), cost);
  return true;
}

}  // namespace

bool send_counted(here const& at, pid to, detail::envelope_ptr e, std::int64_t due_ns,
                  exit_reason* why) {
  process_system& system = *at.system;
  process& sender = *at.self;
  process* p = system.find(to);
  if (p == nullptr) {
    if (system.simulated()) trace_signal(system, "to the dead", pid_access::bits(to), *e);
    if (why != nullptr) *why = exit_reason::noproc();
    sender.charge(1, at.on);  // a loop of sends in vain ends its turn too, and obeys a kill (PI-7)
    return false;
  }
  // The table of limits says who can be refused: not a system message.
  mailbox_bound const bound(p->limit_word().load(std::memory_order_relaxed));
  bool const bounded = bound.limit != 0;
  if (bounded && e->kind != signal_kind::system) [[unlikely]] {
    admission const place = ask_for_place(system, *p, sender, true, due_ns);
    if (place != admission::granted && system.simulated())
      trace_signal(system, "no place", pid_access::bits(to), *e);
    if (place != admission::granted) {
      if (why != nullptr)
        *why = place == admission::dropped ? exit_reason::busy() : exit_reason::mailbox_full();
      sender.charge(1);  // as above; a wait for room may have come between
      return false;
    }
    e->flags |= detail::counted;
  }
  // Who waits for room pays by waiting.
  int const cost = bounded && bound.policy == overflow::block ? 1 : cost_of(*p);
  envelope* raw = e.release();
  // A wait for room may have come between: who runs here is asked again then.
  worker* const here = bounded ? current_worker() : at.on;
  if (!push_to(system, *p, pid_access::bits(to), raw, here)) {
    if (raw->kind == signal_kind::request) {
      if (why != nullptr) *why = exit_reason::noproc();
      if ((raw->flags & detail::counted) != 0) p->places().give_back(1);
      detail::delete_envelope(raw);
    } else {
      raw->target = pid_access::bits(to);
      answer_for_dead(system, raw);
    }
    sender.charge(cost, here);
    return false;
  }
  if (why == nullptr) sender.charge(cost, here);
  return true;
}

}  // namespace rts

namespace detail {

using rts::here;
using rts::runtime_entry;

void send_envelope(pid to, envelope_ptr e) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  if (rts::sent_at_once(entry.here(), to, e)) [[likely]]
    return;
  here const at = here::in_process(entry);
  rts::send_counted(at, to, std::move(e), at.system->limits().block_limit_ns, nullptr);
}

void send_envelope(std::string_view name, envelope_ptr e) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  here const at = here::in_process(entry);
  std::uint64_t const bits = at.system->names().find(name);
  if (bits == 0)
    throw error(errc::badarg,
                fmt::format("send to \"{}\": nobody on this node has that name", name));
  rts::send_counted(at, at.system->make_pid_of(bits), std::move(e),
                    at.system->limits().block_limit_ns, nullptr);
}

void send_envelope(alias_ref to, envelope_ptr e) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  here const at = here::in_process();
  static_cast<id_envelope*>(e.get())->id = rts::id_of(to);
  rts::send_counted(at, to.owner(), std::move(e), at.system->limits().block_limit_ns, nullptr);
}

envelope_ptr pack_for(alias_ref, any_message&& message) {
  envelope_ptr const plain = message.release();
  return envelope_ptr(move_to_envelope(signal_kind::alias_message, *plain->type, plain->payload()));
}

void cast(std::string_view name, envelope_ptr e) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  here const at = here::in_process();
  if (std::uint64_t const bits = at.system->names().find(name); bits != 0)
    rts::send_counted(at, at.system->make_pid_of(bits), std::move(e),
                      at.system->limits().block_limit_ns, nullptr);
  else
    at.self->charge(1, at.on);
}

}  // namespace detail
}  // namespace otter
