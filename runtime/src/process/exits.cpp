// process/exits.cpp - links, exit signals, and the guards around them.

#include <fmt/format.h>

#include <new>
#include <otter/exit.hpp>
#include <otter/link.hpp>

#include "process/process.hpp"
#include "process/process_system.hpp"
#include "process/send.hpp"
#include "stacks/depth.hpp"

namespace otter {
namespace rts {

void become_exited(exit_signal* e) noexcept {
  exited message{e->from, std::move(e->reason)};
  std::uint64_t const target = e->target;
  std::uint32_t const bytes = e->bytes;
  e->~exit_signal();
  auto* m = ::new (static_cast<void*>(e)) envelope;
  m->kind = signal_kind::message;
  m->type = &descriptor_of<exited>();
  m->target = target;
  m->bytes = bytes;
  m->payload_at = sizeof(envelope);
  ::new (m->payload()) exited(std::move(message));
}

/// Table X-1.
void process::on_exit_signal(exit_signal* e) noexcept {
  bool const by_link = e->kind == signal_kind::link_exit;
  if (by_link) {
    std::uint64_t const peer = pid_access::bits(e->from);
    bool active = links_.erase(peer);
    if (link_entry* l = active ? nullptr : link_entries_.remove(peer); l != nullptr) {
      active = l->unlink_id == 0;
      detail::delete_block(l);
    }
    if (!active) {  // X-1g
      answer_for_dead(*system_, e);
      return;
    }
  }
  if ((e->flags & untrappable) != 0 || (!by_link && e->reason == exit_kind::kill)) {
    die(e->reason == exit_kind::kill ? exit_reason::killed() : e->reason, true);  // X-1d
  } else if (has(flag_trap_exit)) {
    std::uint64_t const sender = pid_access::bits(e->from);
    become_exited(e);
    if (has(flag_paused) && extra_ != nullptr && extra_->paused_parent == sender)
      system_messages_.append(e);  // goes ahead, and is heard in spite of the pause (SY-9)
    else
      accept_message(e);
    return;
  } else if (e->reason != exit_kind::normal || (!by_link && e->from == self_pid())) {
    die(e->reason, true);  // X-1a, X-1c, X-1e
  }
  answer_for_dead(*system_, e);  // ignored or acted upon: the block goes
}

void process::pause_messages_but_exit_of(pid parent) {
  extra().paused_parent = pid_access::bits(parent);
  pause_messages(true);
  for (envelope** place = mailbox_.first(); *place != nullptr; place = &(*place)->next) {
    envelope* e = *place;
    if (e->kind != signal_kind::message || e->type != &descriptor_of<exited>() ||
        static_cast<exited*>(e->payload())->process != parent)
      continue;
    mailbox_.remove(place);
    message_left(e);
    system_messages_.append(e);
    return;
  }
}

void process::receive_system_messages() noexcept {
  if (has(flag_receives_system)) return;
  set(flag_receives_system, true);
  while (envelope* e = system_messages_.pop()) {
    if (e->kind == signal_kind::system)
      system_becomes_message(*static_cast<request_envelope*>(e));
    else
      accept_message(e);
  }
}

/// The head of one that is to be answered stays behind, as that of a request does when its handler
/// has returned: so the asker hears of the end of this process.
OTTER_COLD void process::system_becomes_message(request_envelope& r) noexcept {
  if (!r.caller) {
    r.kind = signal_kind::message;
    return accept_message(&r);
  }
  envelope* m = nullptr;
  try {
    m = detail::move_to_envelope(signal_kind::message, *r.type, r.payload());
    m->target = bits();
  } catch (...) {
    // No memory. The asker hears of it by its time limit, or when this process ends.
  }
  if (!r.type->trivially_destructible) r.type->destroy(r.payload());
  r.type = nullptr;
  if ((r.flags & listed) != 0)
    r.flags |= handled;
  else
    detail::delete_block(&r);  // nobody waits any more
  if (m != nullptr) accept_message(m);
}

void process::link_to(pid other) {
  std::uint64_t const peer = pid_access::bits(other);
  if (other == self_pid()) return;
  if (links_.contains(peer)) return;  // linked already (L-1)
  link_entry* const l = link_entries_.find(peer);
  if (l != nullptr && l->unlink_id == 0) return;  // likewise
  if (!links_.reserve_one()) throw std::bad_alloc();
  auto* request = make_signal<link_entry>(signal_kind::link);
  request->peer = bits();
  if (l != nullptr) {  // L-10: re-activated, the outstanding acknowledgement no longer counts
    link_entries_.remove(*l);
    detail::delete_block(l);
  }
  links_.insert(peer);
  if (node_of(other) == system_->node_index() && push(*system_, peer, request)) return;
  // Dead already (L-4, L-5).
  links_.erase(peer);
  if (!has(flag_trap_exit)) {
    detail::delete_block(request);
    throw error(errc::noproc, fmt::format("link to {}: that process has ended", other));
  }
  auto* x = ::new (static_cast<void*>(request)) exit_signal;
  x->kind = signal_kind::link_exit;
  x->bytes = sizeof(link_entry);
  x->target = bits();
  x->from = other;
  x->reason = exit_reason::noproc();
  become_exited(x);
  accept_message(x);
}

void process::unlink_from(pid other) noexcept {
  std::uint64_t const peer = pid_access::bits(other);
  bool const without_entry = links_.erase(peer);
  link_entry* l = without_entry ? nullptr : link_entries_.find(peer);
  if (!without_entry && (l == nullptr || l->unlink_id != 0)) return;  // L-7
  peer_signal* s = nullptr;
  try {
    s = make_signal<peer_signal>(signal_kind::unlink);
    if (without_entry) {
      l = make_signal<link_entry>(signal_kind::link);
      l->peer = peer;
      link_entries_.insert(*l);
    }
  } catch (std::bad_alloc const&) {
    // No memory to tell the other: the link ends here all the same, so no exit gets through (L-6).
    if (s != nullptr) detail::delete_block(s);
    if (l != nullptr) l->unlink_id = next_id();
    return;
  }
  l->unlink_id = next_id();
  s->from = self_pid();
  s->id = l->unlink_id;
  if (push(*system_, peer, s)) return;
  detail::delete_block(s);
  link_entries_.remove(*l);
  detail::delete_block(l);
}

void process::on_link(link_entry* e) noexcept {
  // L-10: while our own unlink is on its way the request is ignored; both end up unlinked.
  bool const known = links_.contains(e->peer) || link_entries_.find(e->peer) != nullptr;
  if (!known && !links_.reserve_one()) {
    link_entries_.insert(*e);  // the request itself is the entry, and needs no memory
    return;
  }
  if (!known) links_.insert(e->peer);
  detail::delete_block(e);
}

void process::on_unlink(peer_signal* e) noexcept {
  std::uint64_t const peer = pid_access::bits(e->from);
  if (!links_.erase(peer)) {
    if (link_entry* l = link_entries_.find(peer); l != nullptr && l->unlink_id == 0) {
      link_entries_.remove(*l);
      detail::delete_block(l);
    }
  }
  // The same block goes back (L-9).
  e->kind = signal_kind::unlink_ack;
  e->from = self_pid();
  deliver(*system_, peer, e);
}

}  // namespace rts

using rts::here;
using rts::runtime_entry;

void exit(exit_reason reason) { throw process_exit(std::move(reason)); }

void exit(pid to, exit_reason reason) {
  runtime_entry entry;
  if (entry.refused()) return;
  here const at = here::in_process();
  auto* x = rts::make_signal<rts::exit_signal>(detail::signal_kind::exit);
  bool const kill = reason == exit_kind::kill;
  x->from = at.self->self_pid();
  x->reason = std::move(reason);
  if (kill) {
    // For the watchdog: a kill that is not obeyed within the limit abandons the process.
    if (rts::process* p = at.system->find(to)) p->note_kill(to, at.system->sched().now());
  }
  if (rts::node_of(to) != at.system->node_index()) {
    rts::answer_for_dead(*at.system, x);
    return;
  }
  rts::deliver(*at.system, rts::pid_access::bits(to), x);
}

bool trap_exit(bool on) noexcept {
  rts::kept_process self;
  return self && self->trap_exit(on);
}

void checkpoint() {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  constexpr unsigned often = 4;  // who calls this computes for microseconds in between
  rts::process& self = rts::current_process();
  // A deep recursion comes by here more often than it suspends.
  if (rts::current_worker() != nullptr) rts::record_depth(*rts::running_stack());
  self.checkpoint(often);
}

defer_exit::defer_exit() noexcept {
  if (rts::kept_process self; self) self->defer(1);
}
defer_exit::~defer_exit() {
  if (rts::kept_process self; self) self->defer(-1);
}
no_suspend::no_suspend() noexcept {
  if (rts::kept_process self; self) self->forbid_suspend(1);
}
no_suspend::~no_suspend() {
  if (rts::kept_process self; self) self->forbid_suspend(-1);
}

void link(pid other) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  here::in_process().self->link_to(other);
}

void unlink(pid other) noexcept {
  runtime_entry entry;
  if (entry.refused()) return;
  if (rts::process* self = rts::current_process_or_null()) self->unlink_from(other);
}

}  // namespace otter
