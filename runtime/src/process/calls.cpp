// process/calls.cpp - requests and replies: one envelope out, one back (doc/signals.md).

#include <limits>
#include <new>
#include <otter/detail/call.hpp>

#include "process/circles.hpp"
#include "process/process.hpp"
#include "process/process_system.hpp"
#include "process/send.hpp"

namespace otter {
namespace rts {

/// The caller's side.
struct call_engine {
  process& self;
  awaited_call call;
  bool done = false;
  waits_for mark;

  /// Before the request is on its way. `whom` is who keeps the caller waiting; `server` likewise,
  /// or 0 if nobody needs to hear that the wait is over.
  call_engine(process& p, std::uint64_t whom, std::uint64_t server, std::uint64_t id) noexcept
      : self(p), call{id, server, nullptr, p.call_}, mark(p, whom) {
    p.call_ = &call;
  }
  call_engine(call_engine const&) = delete;
  call_engine& operator=(call_engine const&) = delete;
  /// However the wait ends, nothing of the call stays: a caller that is killed or late tells the
  /// server that nobody waits any more.
  ~call_engine() {
    if (call.answer != nullptr) answer_for_dead(self.system(), call.answer);
    if (!done && call.server != 0)
      send_peer_signal(self.system(), signal_kind::cancel_call, call.server, self.self_pid(),
                       call.id);
    self.call_ = call.outer;
  }
  /// The answer, or null when the time is over.
  envelope* wait(wait_limit& limit) {
    if (call.answer == nullptr) {
      circle_watch circles(self, limit);
      while (call.answer == nullptr) {
        wait_limit& next = circles.look();
        if (self.wait(next) || call.answer != nullptr) continue;
        circles.time_over(next);
        if (&next == &limit) return nullptr;
      }
    }
    done = true;
    return std::exchange(call.answer, nullptr);
  }

  /// `on`: the worker, if it is one.
  static void reply(process& self, from to, detail::envelope_ptr answer, worker* on) noexcept {
    auto* e = static_cast<id_envelope*>(answer.release());
    e->id = id_of(to.call());
    e->extra = self.bits();
    if (request_envelope* r = self.open_requests_.find(to.call());
        r != nullptr && r->kind != signal_kind::monitor) {
      self.open_requests_.remove(*r);
      r->flags = static_cast<std::uint8_t>(r->flags & ~listed);
      if ((r->flags & treated) != 0)
        self.set(process::flag_answered, true);
      else if ((r->flags & handled) != 0)
        detail::delete_block(r);
      // else it still stands in the mailbox, and will be treated without an answer
    }
    if (node_of(to.caller()) != self.system().node_index() ||
        !push(self.system(), pid_access::bits(to.caller()), e, on))
      answer_for_dead(self.system(), e);
  }
};

bool wait_for_room(process& sender, pid to, std::int64_t limit_ns) {
  std::uint64_t const id = sender.next_id();
  process_system& system = sender.system();
  sender.extra();  // has room for what it may keep
  auto* ask = make_signal<peer_signal>(signal_kind::room_wanted);
  ask->from = sender.self_pid();
  ask->id = id;
  ask->places = sender.attached() ? 1 : std::numeric_limits<std::uint32_t>::max();
  call_engine call(sender, pid_access::bits(to), 0, id);
  deliver(system, pid_access::bits(to), ask);
  wait_limit limit(sender, duration(limit_ns));
  waiting mark(sender, wait_place::send);
  envelope* e = call.wait(limit);
  if (e == nullptr)
    throw error(errc::mailbox_full, fmt::format("send to {}: its mailbox stayed full for {} ms", to,
                                                limit_ns / 1'000'000));
  auto& given = *static_cast<peer_signal*>(e);
  if (!given.from) {
    detail::delete_block(e);
    return false;
  }
  sender.keep_room(given);
  return true;
}

}  // namespace rts

namespace detail {

using rts::call_engine;
using rts::here;
using rts::process;
using rts::runtime_entry;

namespace {

response response_of(envelope* e) {
  response result;
  if (e->kind == signal_kind::reply) {
    result.reply.reset(e);
  } else {
    auto* f = static_cast<rts::call_failed_signal*>(e);
    result.why = std::move(f->reason);
    f->~call_failed_signal();
    delete_block(f);
  }
  return result;
}

}  // namespace

response call(pid server, envelope_ptr request, duration limit) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  here const at = here::in_process(entry);
  process& self = *at.self;
  if (server == self.self_pid()) return {nullptr, exit_reason::calling_self()};
  rts::wait_limit until(self, checked_limit(limit));
  self.checkpoint();
  std::uint64_t const id = self.next_id();
  auto& r = *static_cast<request_envelope*>(request.get());
  r.caller = from(self.make_own_ref(id));
  std::uint64_t const to = rts::pid_access::bits(server);
  // Who is asked about itself answers whatever it waits for: that closes no circle.
  call_engine call(self, r.kind == signal_kind::query ? 0 : to, to, id);
  exit_reason why;
  if (r.kind == signal_kind::request) {
    std::int64_t const room =
        limit == infinity ? INT64_MAX : limit.count();  // block waits within the call's limit
    try {
      if (!rts::send_counted(at, server, std::move(request), room, &why)) {
        call.done = true;
        return {nullptr, why};
      }
    } catch (error const& e) {
      call.done = true;
      if (e.code() != errc::mailbox_full) throw;
      return {nullptr, exit_reason::timeout()};
    }
  } else {
    envelope* e = request.release();
    if (rts::node_of(server) != at.system->node_index() || !rts::push(*at.system, to, e)) {
      delete_envelope(e);
      call.done = true;
      return {nullptr, exit_reason::noproc()};
    }
  }
  rts::waiting mark(self, rts::wait_place::call);
  envelope* answer = call.wait(until);
  if (answer == nullptr) return {nullptr, exit_reason::timeout()};
  return response_of(answer);
}

request_id send_request(pid server, envelope_ptr request,
                        void (*tell)(void* payload, from asker) noexcept) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  here const at = here::in_process(entry);
  process& self = *at.self;
  auto* mine = ::new (at.memory->allocate(sizeof(rts::own_ref))) rts::own_ref;
  mine->id = self.next_id();
  mine->what = rts::own_ref::purpose::request;
  mine->target = rts::pid_access::bits(server);
  if (mine->target == 0) mine->target = 1;  // no such process; still unanswered
  self.add_own_ref(*mine);
  self.messages().mark(mine->id);
  request_id const id(self.make_own_ref(mine->id));
  auto& r = *static_cast<request_envelope*>(request.get());
  r.caller = from(id);
  if (tell != nullptr) tell(r.payload(), r.caller);
  exit_reason why;
  bool sent = false;
  if (r.kind == signal_kind::request) {
    try {
      sent = rts::send_counted(at, server, std::move(request), at.system->limits().block_limit_ns,
                               &why);
    } catch (...) {
      self.forget_own_ref(*mine);
      throw;
    }
  } else {
    envelope* e = request.release();
    sent = rts::node_of(server) == at.system->node_index() &&
           rts::push(*at.system, rts::pid_access::bits(server), e);
    if (!sent) {
      delete_envelope(e);
      why = exit_reason::noproc();
    }
  }
  if (!sent) {  // the error arrives as the response (GC-11)
    auto* f = rts::make_signal<rts::call_failed_signal>(signal_kind::call_failed);
    f->id = mine->id;
    f->reason = std::move(why);
    f->target = self.bits();
    rts::deliver(*at.system, self.bits(), f);
  }
  return id;
}

namespace {

/// The first response in the mailbox to one of `ids`; null if there is none.
envelope** find_response(process& self, envelope** place, request_id const* ids, std::size_t count,
                         std::size_t& which) noexcept {
  for (; *place != nullptr; place = &(*place)->next) {
    envelope* e = *place;
    if (e->kind != signal_kind::reply && e->kind != signal_kind::call_failed) continue;
    std::uint64_t const id = static_cast<id_envelope*>(e)->id;
    for (std::size_t i = 0; i < count; ++i) {
      if (ids[i].owner() == self.self_pid() && rts::id_of(ids[i]) == id) {
        which = i;
        return place;
      }
    }
  }
  return nullptr;
}

void take_response_at(process& self, envelope** place, response& out) {
  envelope* e = self.messages().remove(place);
  self.message_left(e);
  if (rts::own_ref* r = self.find_own_ref(static_cast<id_envelope*>(e)->id))
    self.forget_own_ref(*r);
  out = response_of(e);
}

}  // namespace

response_state wait_any_response(request_id const* ids, std::size_t count, duration limit,
                                 std::size_t& which, response& out) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  process& self = *here::in_process().self;
  rts::wait_limit until(self, checked_limit(limit));
  self.checkpoint();
  self.drain();
  self.exit_if_asked();
  for (;;) {
    envelope** start =
        count == 1 ? self.messages().marked(rts::id_of(ids[0])) : self.messages().first();
    if (envelope** place = find_response(self, start, ids, count, which)) {
      take_response_at(self, place, out);
      return response_state::ready;
    }
    bool any = false;
    for (std::size_t i = 0; i < count && !any; ++i)
      any = ids[i].owner() == self.self_pid() && self.find_own_ref(rts::id_of(ids[i])) != nullptr;
    if (!any) return response_state::unknown;
    if (until.is_over(self) && !self.drain()) return response_state::late;
    rts::waiting mark(self, rts::wait_place::receive_response);
    if (!self.wait(until) && !self.drain()) {
      if (envelope** place = find_response(self, start, ids, count, which)) {
        take_response_at(self, place, out);
        return response_state::ready;
      }
      return response_state::late;
    }
  }
}

response_state wait_response(request_id id, duration limit, bool abandon, response& out) {
  std::size_t which = 0;
  response_state const state = wait_any_response(&id, 1, limit, which, out);
  if (state == response_state::late && abandon) abandon_request(id);
  return state;
}

void abandon_request(request_id id) noexcept {
  runtime_entry entry;
  process* self = rts::current_process_or_null();
  if (entry.refused() || self == nullptr || id.owner() != self->self_pid()) return;
  rts::own_ref* r = self->find_own_ref(rts::id_of(id));
  if (r == nullptr || r->what != rts::own_ref::purpose::request) return;
  if (r->target > 1)
    rts::send_peer_signal(self->system(), signal_kind::cancel_call, r->target, self->self_pid(),
                          r->id);
  self->forget_own_ref(*r);
  std::size_t which = 0;
  if (envelope** place = find_response(*self, self->messages().first(), &id, 1, which)) {
    envelope* e = self->messages().remove(place);
    self->message_left(e);
    delete_envelope(e);
  }
}

request_id response_id(envelope& e) noexcept {
  rts::kept_process self;
  if (!self || (e.kind != signal_kind::reply && e.kind != signal_kind::call_failed)) return {};
  return request_id(self->make_own_ref(static_cast<id_envelope&>(e).id));
}

bool take_response(envelope& e, request_id id, response& out) noexcept {
  rts::kept_process self;
  if (!self || response_id(e) != id) return false;
  if (rts::own_ref* r = self->find_own_ref(rts::id_of(id))) self->forget_own_ref(*r);
  // The event keeps the block; only what is in it is taken.
  if (e.kind == signal_kind::reply) {
    try {
      out.reply.reset(move_to_envelope(signal_kind::reply, *e.type, e.payload()));
    } catch (...) {
      out.why = exit_reason::from_current_exception();
    }
  } else {
    out.why = static_cast<rts::call_failed_signal&>(e).reason;
  }
  return true;
}

void reply(from to, envelope_ptr answer) noexcept {
  runtime_entry entry;
  here const at = here::now(entry);
  if (entry.refused() || at.self == nullptr || !to) return;
  call_engine::reply(*at.self, to, std::move(answer), at.on);
}

void reply_failed(from to, exit_reason why) noexcept {
  runtime_entry entry;
  here const at = here::now(entry);
  if (entry.refused() || at.self == nullptr || !to) return;
  try {
    auto* f = rts::make_signal<rts::call_failed_signal>(signal_kind::call_failed);
    f->reason = std::move(why);
    call_engine::reply(*at.self, to, envelope_ptr(f), at.on);
  } catch (std::bad_alloc const&) {
    // The caller hears of it when this process ends, or by its time-out.
  }
}

std::uint32_t waiting_calls() noexcept {
  rts::kept_process self;
  return self ? self->waiting_calls() : 0;
}

bool is_awaited(from caller) noexcept {
  rts::kept_process self;
  return self && caller && self->owes_answer(caller.call());
}

}  // namespace detail
}  // namespace otter
