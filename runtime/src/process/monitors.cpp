// process/monitors.cpp - monitors and aliases.

#include <new>
#include <otter/alias.hpp>
#include <otter/monitor.hpp>

#include "process/process.hpp"
#include "process/process_system.hpp"
#include "process/send.hpp"

namespace otter {
namespace rts {

void process::add_watcher(request_envelope& entry) noexcept { open_requests_.insert(entry); }

void process::drop_own_ref(own_ref& r) noexcept {
  delete r.name;
  if (r.tag != nullptr) detail::delete_envelope(r.tag);
  slab::free(&r, here::now().memory);
}

monitor_ref process::watch(pid target, alias_mode mode, std::string* name, envelope* tag,
                           detail::down_maker make) {
  std::unique_ptr<std::string> owned_name(name);
  detail::envelope_ptr owned_tag(tag);
  slab& memory = *here::now().memory;
  auto* entry = make_signal<request_envelope>(signal_kind::monitor, monitor_block_bytes);
  own_ref* mine = nullptr;
  try {
    mine = ::new (memory.allocate(sizeof(own_ref))) own_ref;
  } catch (...) {
    detail::delete_block(entry);
    throw;
  }
  mine->id = next_id();
  mine->what = own_ref::purpose::monitor;
  mine->target = pid_access::bits(target);
  mine->alias = mode;
  mine->name = owned_name.release();
  mine->tag = owned_tag.release();
  mine->make = make;
  own_refs_.insert(*mine);
  mailbox_.mark(mine->id);
  ref const id = make_own_ref(mine->id);
  entry->caller = from(id);
  entry->target = mine->target;
  bool const here_lives = target && node_of(target) == system_->node_index();
  if (target == self_pid() && here_lives) {  // never fires (MO-11): no signal needed
    detail::delete_block(entry);
    return monitor_ref(id);
  }
  if (!here_lives || !push(*system_, mine->target, entry)) answer_for_dead(*system_, entry);
  return monitor_ref(id);
}

bool process::unwatch(monitor_ref ref, demonitor_flush flush) noexcept {
  if (ref.owner() == self_pid()) {
    own_ref* r = own_refs_.find(id_of(ref));
    if (r != nullptr && r->what == own_ref::purpose::spawn) return false;  // SP-10
    if (r != nullptr && r->what == own_ref::purpose::monitor) {
      if (r->target != 0 && r->target != bits())
        send_peer_signal(*system_, signal_kind::demonitor, r->target, self_pid(), r->id);
      if (r->alias == alias_mode::explicit_unalias) {  // the alias part outlives the monitor
        r->what = own_ref::purpose::alias;
        r->target = 0;
      } else {
        own_refs_.remove(*r);
        drop_own_ref(*r);
      }
      return true;
    }
  }
  if (flush == demonitor_flush::yes) {
    for (envelope** place = mailbox_.first(); *place != nullptr; place = &(*place)->next) {
      envelope* e = *place;
      if (e->type == &descriptor_of<down>() && e->kind == signal_kind::message &&
          static_cast<down*>(e->payload())->ref == ref) {
        mailbox_.remove(place);
        message_left(e);
        detail::delete_envelope(e);
        return false;
      }
    }
    return true;  // nothing had to be flushed (MO-8)
  }
  return false;
}

bool process::end_start_monitor() noexcept {
  request_envelope* starters = nullptr;
  open_requests_.for_each([&](request_envelope& r) {
    if (r.kind == signal_kind::monitor && (r.flags & of_start) != 0) starters = &r;
  });
  if (starters == nullptr) return false;
  open_requests_.remove(*starters);
  detail::delete_block(starters);
  return true;
}

void process::forget_monitor(monitor_ref ref) noexcept {
  if (ref.owner() != self_pid()) return;
  if (own_ref* r = own_refs_.find(id_of(ref)); r != nullptr && r->what == own_ref::purpose::monitor)
    forget_own_ref(*r);
}

void process::on_down(down_signal* e) noexcept {
  own_ref* r = own_refs_.find(e->id);
  if (r == nullptr || r->what != own_ref::purpose::monitor) {  // demonitored meanwhile (MO-6)
    answer_for_dead(*system_, e);
    return;
  }
  own_refs_.remove(*r);
  down message{monitor_ref(make_own_ref(e->id)), e->who, {}, std::move(e->reason)};
  if (r->name != nullptr) message.name = std::move(*r->name);
  envelope* tag = std::exchange(r->tag, nullptr);
  detail::down_maker const make = r->make;
  if (r->alias == alias_mode::explicit_unalias) {
    r->what = own_ref::purpose::alias;
    r->target = 0;
    own_refs_.insert(*r);
  } else {
    drop_own_ref(*r);
  }
  std::uint64_t const target = e->target;
  std::uint32_t const bytes = e->bytes;
  e->~down_signal();
  if (tag != nullptr) {
    try {
      detail::envelope_ptr made = make(detail::envelope_ptr(tag), std::move(message));
      made->target = target;
      detail::delete_block(e);
      accept_message(made.release());
      return;
    } catch (...) {
      // No memory for the tagged form: the plain one, which needs none, is better than nothing.
    }
  }
  auto* m = ::new (static_cast<void*>(e)) envelope;
  m->kind = signal_kind::message;
  m->type = &descriptor_of<down>();
  m->target = target;
  m->bytes = bytes;
  m->payload_at = down_message_at;
  ::new (m->payload()) down(std::move(message));
  accept_message(m);
}

}  // namespace rts

using rts::here;
using rts::runtime_entry;

monitor_ref monitor(pid target) { return monitor(target, alias_mode::none); }

monitor_ref monitor(pid target, alias_mode mode) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  return here::in_process().self->watch(target, mode, nullptr, nullptr, nullptr);
}

monitor_ref monitor(std::string_view name) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  here const at = here::in_process();
  std::uint64_t const bits = at.system->names().find(name);
  return at.self->watch(bits == 0 ? pid{} : at.system->make_pid_of(bits), alias_mode::none,
                        new std::string(name), nullptr, nullptr);
}

monitor_ref detail::monitor_tagged(pid target, envelope_ptr tag, down_maker make) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  return here::in_process().self->watch(target, alias_mode::none, nullptr, tag.release(), make);
}

bool demonitor(monitor_ref ref, demonitor_flush flush) noexcept {
  runtime_entry entry;
  if (entry.refused()) return false;
  rts::process* self = rts::current_process_or_null();
  return self != nullptr && self->unwatch(ref, flush);
}

bool detail::end_start_monitor() noexcept {
  runtime_entry entry;
  if (entry.refused()) return false;
  rts::process* self = rts::current_process_or_null();
  return self != nullptr && self->end_start_monitor();
}

void detail::forget_monitor(monitor_ref ref) noexcept {
  runtime_entry entry;
  if (entry.refused()) return;
  if (rts::process* self = rts::current_process_or_null()) self->forget_monitor(ref);
}

alias_ref alias(alias_mode mode) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  if (mode != alias_mode::explicit_unalias && mode != alias_mode::reply)
    throw error(errc::badarg,
                "alias: the mode is explicit_unalias or reply; the others belong to monitor()");
  here const at = here::in_process();
  auto* r = ::new (at.memory->allocate(sizeof(rts::own_ref))) rts::own_ref;
  r->id = at.self->next_id();
  r->what = rts::own_ref::purpose::alias;
  r->alias = mode;
  at.self->add_own_ref(*r);
  at.self->messages().mark(r->id);
  return alias_ref(at.self->make_own_ref(r->id));
}

bool unalias(alias_ref name) noexcept {
  runtime_entry entry;
  if (entry.refused()) return false;
  rts::process* self = rts::current_process_or_null();
  if (self == nullptr || name.owner() != self->self_pid()) return false;
  rts::own_ref* r = self->find_own_ref(rts::id_of(name));
  if (r == nullptr || r->alias == alias_mode::none || r->what == rts::own_ref::purpose::request)
    return false;
  r->alias = alias_mode::none;
  if (r->what == rts::own_ref::purpose::alias) self->forget_own_ref(*r);
  return true;
}

ref make_ref() noexcept {
  runtime_entry entry;
  rts::process* self = rts::current_process_or_null();
  if (self == nullptr || entry.refused()) return {};
  std::uint64_t const id = self->next_id();
  self->messages().mark(id);
  return self->make_own_ref(id);
}

}  // namespace otter
