// process/receive.cpp - waiting for a message: one pass through the mailbox.

#include <otter/receive.hpp>

#include "process/process.hpp"
#include "process/process_system.hpp"

namespace otter {
namespace detail {

using rts::here;
using rts::process;
using rts::runtime_entry;
using rts::wait_limit;

// The limit of the wait lives as long as the scan; it is made at the first wait only, so that a
// receive that finds its message at once reads no clock.
mailbox_scan::mailbox_scan(duration limit, ref marker) : limit_(limit) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  process& self = *here::in_process().self;
  process_ = &self;
  self.checkpoint();
  self.drain();
  self.exit_if_asked();
  bool const ours = marker && marker.owner() == self.self_pid();
  position_ = ours ? self.messages().marked(rts::id_of(marker)) : self.messages().first();
  candidate_ = position_;
}

mailbox_scan::~mailbox_scan() {
  runtime_entry entry;
  auto* const limit = wait_made_ ? reinterpret_cast<wait_limit*>(wait_) : nullptr;
  if (entry.refused()) {  // given up in a guard: what it waited for is gone
    // So is this frame soon, but not the thread: its list must not lead here.
    if (limit != nullptr && limit->is_deferred()) limit->unlist();
    return;
  }
  auto& self = *static_cast<process*>(process_);
  self.messages().waiting_at = nullptr;
  if (limit != nullptr) limit->~wait_limit();
}

envelope* mailbox_scan::next() {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  auto& self = *static_cast<process*>(process_);
  static_assert(sizeof(wait_limit) <= sizeof(wait_));
  for (;;) {
    envelope* e = *position_;
    if (e != nullptr) {
      if (e->kind == signal_kind::ready && !static_cast<rts::notice*>(e)->direct &&
          !self.holds_enough()) {
        self.expand_notice(position_);
        continue;  // what it stands for is at the same place now
      }
      candidate_ = position_;
      position_ = &e->next;
      if (e->kind == signal_kind::message) return e;
      continue;  // requests, casts, replies and time-outs are a behaviour's
    }
    if (late_) return nullptr;
    if (limit_ == duration::zero()) {  // a look, no wait (MB-6)
      late_ = true;
      self.messages().waiting_at = position_;
      bool const more = self.drain();
      position_ = self.messages().waiting_at;
      self.exit_if_asked();
      if (!more) return nullptr;
      continue;
    }
    if (!wait_made_) {
      ::new (static_cast<void*>(wait_)) wait_limit(self, limit_);
      wait_made_ = true;
    }
    rts::waiting mark(self, rts::wait_place::receive);
    self.messages().waiting_at = position_;
    // When the time is over, what has come by then is still looked at (MB-8).
    late_ = !self.wait(*reinterpret_cast<wait_limit*>(wait_));
    position_ = self.messages().waiting_at;
  }
}

envelope_ptr mailbox_scan::take() {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  auto& self = *static_cast<process*>(process_);
  envelope* e = self.messages().remove(candidate_);
  position_ = candidate_;
  self.message_left(e);
  return envelope_ptr(e);
}

}  // namespace detail

using rts::runtime_entry;

void sleep_for(duration time) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  rts::process& self = *rts::here::in_process().self;
  self.checkpoint();
  rts::wait_limit limit(self, detail::checked_limit(time));
  rts::waiting mark(self, rts::wait_place::sleep_for);
  while (!limit.expired && !limit.is_over(self)) self.wait(limit);
}

}  // namespace otter
