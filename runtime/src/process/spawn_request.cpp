// process/spawn_request.cpp - spawning without waiting to learn how it went.
//
// The child is started at once, with its link and monitor in place on both sides. What is
// asynchronous is the requester's knowledge of it: the child's first deed is to send the request
// back, and only when that is received does the request become a reply. So the reply precedes all
// that the child does (SP-9), and a requester that ends before is no special case (SP-12).

#include <otter/spawn_request.hpp>

#include "process/process.hpp"
#include "process/process_system.hpp"
#include "process/send.hpp"
#include "process/spawn.hpp"

namespace otter {
namespace rts {

namespace {

/// The block of a request becomes the message for the one who asked.
envelope* become_reply(spawn_signal* e, spawn_reply&& reply) noexcept {
  envelope* const tag = std::exchange(e->tag, nullptr);
  detail::spawn_reply_maker const make = e->make;
  std::uint64_t const target = e->target;
  std::uint32_t const bytes = e->bytes;
  if (tag != nullptr) {
    try {
      detail::envelope_ptr made = make(detail::envelope_ptr(tag), std::move(reply));
      made->target = target;
      detail::delete_block(e);
      return made.release();
    } catch (...) {
      // No memory for the tagged form: the plain one, which needs none, is better than nothing.
    }
  }
  auto* m = ::new (static_cast<void*>(e)) envelope;
  m->kind = signal_kind::message;
  m->type = &descriptor_of<spawn_reply>();
  m->target = target;
  m->bytes = bytes;
  m->payload_at = sizeof(envelope);
  ::new (m->payload()) spawn_reply(std::move(reply));
  return m;
}

}  // namespace

void drop_spawn_signal(spawn_signal* e) noexcept {
  if (e->tag != nullptr) detail::delete_envelope(e->tag);
  detail::delete_block(e);
}

/// At the child.
void process::on_spawn_begun(spawn_signal* e) noexcept {
  e->kind = signal_kind::spawn_done;
  e->extra = bits();
  deliver(*system_, parent_.load(std::memory_order_relaxed), e);
}

/// At the requester.
void process::on_spawn_done(spawn_signal* e) noexcept {
  own_ref* r = own_refs_.find(e->id);
  if (r == nullptr || r->what != own_ref::purpose::spawn) {  // abandoned (SP-11)
    drop_spawn_signal(e);
    return;
  }
  if (r->monitors)
    r->what = own_ref::purpose::monitor;
  else
    forget_own_ref(*r);
  if (!e->wanted) {
    drop_spawn_signal(e);
    return;
  }
  accept_message(
      become_reply(e, {request_id(make_own_ref(e->id)), system_->make_pid_of(e->extra), {}, {}}));
}

bool process::abandon_spawn(request_id request) noexcept {
  if (request.owner() != self_pid()) return false;
  own_ref* r = own_refs_.find(id_of(request));
  if (r == nullptr || r->what != own_ref::purpose::spawn) return false;
  std::uint64_t const child = r->target;
  bool linked = r->links && links_.erase(child);
  if (link_entry* l = r->links && !linked ? link_entries_.remove(child) : nullptr; l != nullptr) {
    linked = l->unlink_id == 0;
    detail::delete_block(l);
  }
  if (r->monitors) send_peer_signal(*system_, signal_kind::demonitor, child, self_pid(), r->id);
  if (!linked) {
    forget_own_ref(*r);
    return true;
  }
  // What is remembered of the request becomes the exit signal, so that nothing has to be allocated.
  own_refs_.remove(*r);
  auto* x = ::new (static_cast<void*>(r)) exit_signal;
  x->kind = signal_kind::link_exit;
  x->bytes = own_ref_bytes;
  x->from = self_pid();
  x->reason = exit_reason::abandoned();
  deliver(*system_, child, x);
  return true;
}

}  // namespace rts

using rts::here;
using rts::runtime_entry;

request_id detail::request_spawn(spawn_options const& options, spawn_reply_mode mode,
                                 reactive_ptr body, envelope_ptr tag, spawn_reply_maker make) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  here const at = here::in_process();
  rts::process& self = *at.self;
  auto* s = rts::make_signal<rts::spawn_signal>(signal_kind::spawn_begun, rts::spawn_block_bytes);
  s->tag = tag.release();
  s->make = make;
  s->wanted = mode == spawn_reply_mode::yes || mode == spawn_reply_mode::success_only;
  spawn_reply refused;
  ref started;
  try {
    started = rts::spawn_process(*at.system, *at.local, *at.memory, &self, options, std::move(body),
                                 {s, nullptr, nullptr})
                  .ref;
  } catch (error const& e) {
    refused.error = e.code();
    refused.text = e.what();
  } catch (std::exception const&) {
    refused.error = errc::system_limit;
    refused.text = "spawn: out of memory";
  }
  if (started) {
    self.charge(10);
    return request_id(started);
  }
  std::uint64_t const id = self.next_id();
  self.messages().mark(id);
  refused.request = request_id(self.make_own_ref(id));
  request_id const request = refused.request;
  if (mode == spawn_reply_mode::yes || mode == spawn_reply_mode::error_only)
    rts::deliver(*at.system, self.bits(), rts::become_reply(s, std::move(refused)));
  else
    rts::drop_spawn_signal(s);
  return request;
}

bool spawn_request_abandon(request_id request) noexcept {
  runtime_entry entry;
  if (entry.refused()) return false;
  rts::process* self = rts::current_process_or_null();
  return self != nullptr && self->abandon_spawn(request);
}

}  // namespace otter
