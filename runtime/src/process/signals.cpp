// process/signals.cpp - acting on what came.

#include <fmt/format.h>

#include <new>
#include <utility>

#include "process/process.hpp"
#include "process/process_system.hpp"
#include "process/send.hpp"

namespace otter::rts {

namespace {

/// A message or a cast, for the present occupant.
bool is_plain(envelope const& e, std::uint64_t us) noexcept {
  return (e.target == us) & (e.kind <= signal_kind::cast) & ((e.flags & ~detail::counted) == 0);
}

}  // namespace

bool process::drain_inbox() noexcept {
  bool const has_descriptor = attached() && waker()->has_descriptor();
  if (has_descriptor) unmark();
  envelope* const newest = inbox_.take_newest();
  if (newest != nullptr) take_in(newest);
  if (has_descriptor && !has(flag_dying)) rearm();
  return newest != nullptr;
}

/// Turns the chain round, so that the oldest is first, and looks what there is on the way: nearly
/// always nothing but messages and casts, which go into the mailbox as they are.
void process::take_in(envelope* newest) noexcept {
  std::uint64_t const us = bits();
  envelope* const last = newest;
  envelope* oldest = nullptr;
  std::uint32_t count = 0;
  std::uint32_t lines = 0;
  bool plain = true;
  for (envelope* e = newest; e != nullptr;) {
    envelope* const older = e->next;
    e->next = oldest;
    oldest = e;
    plain = plain & is_plain(*e, us);
    ++count;
    lines += mailbox::lines_of(e);
    e = older;
  }
  if (plain && accepts_at_once()) {
    mailbox_.append_all(oldest, last, count, lines);
  } else {
    act_on_each(oldest);
  }
  backlog_.store(mailbox_.size(), std::memory_order_relaxed);
}

void process::act_on_each(envelope* oldest) noexcept {
  std::uint64_t const us = bits();
  while (oldest != nullptr) {
    envelope* const e = std::exchange(oldest, oldest->next);
    // Asked again each time: what is acted upon may change the answer.
    if (is_plain(*e, us) && accepts_at_once())
      mailbox_.append(e);
    else
      act(e);
  }
}

/// Whether accept_message() would only append.
bool process::accepts_at_once() const noexcept {
  mailbox_bound const bound(limit_.load(std::memory_order_relaxed));
  return system_->limits().long_queue_on == 0 && !has(flag_heap_limited) &&
         !system_->watch().on() && bound.policy != overflow::drop_oldest;
}

void process::list_request(request_envelope& r) noexcept {
  r.flags |= listed;
  open_requests_.insert(r);
}

void process::act(envelope* e) noexcept {
  if (e->target != bits()) {  // for an earlier occupant of this block
    answer_for_dead(*system_, e);
    return;
  }
  switch (e->kind) {
    case signal_kind::request:
      list_request(*static_cast<request_envelope*>(e));
      ++waiting_calls_;
      accept_message(e);
      return;
    case signal_kind::message:
    case signal_kind::cast:
    case signal_kind::timeout:
      accept_message(e);
      return;
    case signal_kind::system: {
      auto& r = *static_cast<request_envelope*>(e);
      if (r.caller) list_request(r);
      if (has(flag_receives_system))
        system_becomes_message(r);
      else
        system_messages_.append(e);
      return;
    }
    case signal_kind::ready:
      mailbox_.append(e);
      return;
    case signal_kind::reply:
    case signal_kind::call_failed:
      on_reply(static_cast<id_envelope*>(e));
      return;
    case signal_kind::alias_message:
      on_alias_message(static_cast<id_envelope*>(e));
      return;
    case signal_kind::exit:
    case signal_kind::link_exit:
      on_exit_signal(static_cast<exit_signal*>(e));
      return;
    case signal_kind::link:
      on_link(static_cast<link_entry*>(e));
      return;
    case signal_kind::unlink:
      on_unlink(static_cast<peer_signal*>(e));
      return;
    case signal_kind::unlink_ack: {
      auto* ack = static_cast<peer_signal*>(e);
      link_entry* l = link_entries_.find(pid_access::bits(ack->from));
      if (l != nullptr && l->unlink_id == ack->id) {  // else linked again meanwhile
        link_entries_.remove(*l);
        detail::delete_block(l);
      }
      detail::delete_block(e);
      return;
    }
    case signal_kind::monitor:
      add_watcher(*static_cast<request_envelope*>(e));
      return;
    case signal_kind::demonitor: {
      auto* p = static_cast<peer_signal*>(e);
      if (auto* r = open_requests_.remove(ref_access::make(p->from, p->id)))
        detail::delete_block(r);
      detail::delete_block(e);
      return;
    }
    case signal_kind::down:
      on_down(static_cast<down_signal*>(e));
      return;
    case signal_kind::cancel_call: {
      // The caller has gone or has its answer from elsewhere. The request is still treated (GC-6),
      // only nobody is owed an answer.
      auto* p = static_cast<peer_signal*>(e);
      if (auto* r = open_requests_.remove(ref_access::make(p->from, p->id))) {
        r->flags = static_cast<std::uint8_t>(r->flags & ~listed);
        if ((r->flags & handled) != 0) detail::delete_block(r);
      }
      detail::delete_block(e);
      return;
    }
    case signal_kind::timer:
      on_timer(static_cast<timer_block*>(e));
      return;
    case signal_kind::attach_timer:
      on_attach_timer(static_cast<peer_signal*>(e));
      return;
    case signal_kind::query:
      on_query(static_cast<request_envelope*>(e));
      return;
    case signal_kind::set_group_leader: {
      auto* p = static_cast<peer_signal*>(e);
      set_group_leader(p->from);
      detail::delete_block(e);
      return;
    }
    case signal_kind::room_wanted:
      on_room_wanted(static_cast<peer_signal*>(e));
      return;
    case signal_kind::room_returned:
      on_room_returned(static_cast<peer_signal*>(e));
      return;
    case signal_kind::room_given: {
      auto* p = static_cast<peer_signal*>(e);
      if (call_ != nullptr && call_->id == p->id && call_->answer == nullptr)
        call_->answer = e;
      else
        answer_for_dead(*system_, e);  // waited too long: the place is given back
      return;
    }
    case signal_kind::wake:
      static_cast<wake_signal*>(e)->arrived = true;
      return;
    case signal_kind::spawn_begun:
      on_spawn_begun(static_cast<spawn_signal*>(e));
      return;
    case signal_kind::spawn_done:
      on_spawn_done(static_cast<spawn_signal*>(e));
      return;
  }
}

void process::accept_message(envelope* e) noexcept {
  mailbox_.append(e);
  if ((e->flags & detail::counted) != 0) enforce_limit();
  if (system_->limits().long_queue_on != 0) watch_length();
  if (has(flag_heap_limited)) check_heap();
  if (system_->watch().on()) [[unlikely]]
    observe_load();
}

/// drop_oldest: the receiver makes room.
void process::enforce_limit() noexcept {
  mailbox_bound const bound(limit_.load(std::memory_order_relaxed));
  if (bound.policy != overflow::drop_oldest || bound.limit == 0) return;
  std::uint32_t const limit = bound.limit;
  std::uint32_t waiting = 0;
  envelope** oldest = nullptr;
  // Only what is in the mailbox can be dropped; what is still in the inbox comes through here too.
  if (mailbox_.size() <= limit) return;
  for (envelope** place = mailbox_.first(); *place != nullptr; place = &(*place)->next) {
    if (((*place)->flags & detail::counted) == 0) continue;
    if (oldest == nullptr) oldest = place;
    if (++waiting > limit) break;
  }
  if (waiting <= limit) return;
  envelope* e = mailbox_.remove(oldest);
  release_count(e);
  here const at = here::now();
  at.local->dropped.fetch_add(1, std::memory_order_relaxed);
  if (e->kind == signal_kind::request) {
    --waiting_calls_;
    auto& r = *static_cast<request_envelope*>(e);
    if ((r.flags & listed) != 0) {
      open_requests_.remove(r);
      fail_call(*system_, r, exit_reason::busy());
      return;
    }
  }
  detail::delete_envelope(e);
}

void process::watch_length() noexcept {
  process_limits const& l = system_->limits();
  bool const was = has(flag_long_queue);
  bool now = was;
  if (mailbox_.size() > l.long_queue_on) now = true;
  if (mailbox_.size() <= l.long_queue_off) now = false;
  if (now == was) return;
  set(flag_long_queue, now);
  try {
    system_->report(
        {node_event::kind::long_queue, self_pid(),
         now ? fmt::format("{} messages wait (alarm above {})", mailbox_.size(), l.long_queue_on)
             : fmt::format("{} messages wait: the alarm is over (at {} or below)", mailbox_.size(),
                           l.long_queue_off)});
  } catch (std::bad_alloc const&) {
    // The alarm is lost, not the process.
  }
}

// --- replies ---

void process::on_reply(id_envelope* e) noexcept {
  std::uint64_t const id = e->id;
  bool wanted = false;
  std::uint64_t server = 0;
  if (call_ != nullptr && call_->id == id && call_->answer == nullptr) {
    wanted = true;
    server = call_->server;
    call_->answer = e;
  } else if (own_ref* r = own_refs_.find(id);
             r != nullptr && r->what == own_ref::purpose::request && r->target != 0) {
    wanted = true;
    server = r->target;
    r->target = 0;  // answered: a second reply is dropped
    mailbox_.append(e);
  }
  if (wanted && e->kind == signal_kind::reply && e->extra != server && server != 1)
    send_peer_signal(*system_, signal_kind::cancel_call, server, self_pid(), id);
  if (!wanted) detail::delete_envelope(e);  // late, or a second one (GC-6, GC-9)
}

void process::on_alias_message(id_envelope* e) noexcept {
  own_ref* r = own_refs_.find(e->id);
  if (r == nullptr || r->alias == alias_mode::none) {  // inactive (AL-5)
    release_count(e);
    detail::delete_envelope(e);
    return;
  }
  if (r->alias == alias_mode::reply) {
    own_refs_.remove(*r);
    drop_own_ref(*r);
  } else if (r->alias == alias_mode::reply_demonitor) {  // ends both (AL-3)
    if (r->target != 0)
      send_peer_signal(*system_, signal_kind::demonitor, r->target, self_pid(), r->id);
    if (r->what == own_ref::purpose::spawn) {  // the reply is still owed
      r->monitors = false;
      r->alias = alias_mode::none;
    } else {
      forget_own_ref(*r);
    }
  }
  e->kind = signal_kind::message;
  accept_message(e);
}

}  // namespace otter::rts
