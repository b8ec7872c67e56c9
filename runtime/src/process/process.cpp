// process/process.cpp - an occupant of the block, and its turns.

#include "process/process.hpp"

#include "process/process_system.hpp"

namespace otter::rts {

namespace {
constexpr std::uint64_t generation_step = std::uint64_t{1} << pid_access::index_bits;
}

process::process(std::uint32_t index) noexcept : bits_(generation_step | index) {}

pid process::self_pid() const noexcept { return system_->make_pid_of(bits()); }
pid process::parent_pid() const noexcept {
  std::uint64_t const parent = parent_.load(std::memory_order_relaxed);
  return parent == 0 ? pid{} : system_->make_pid_of(parent);
}
pid process::group_leader_pid() const noexcept {
  std::uint64_t const leader = leader_.load(std::memory_order_relaxed);
  return leader == 0 ? parent_pid()
                     : pid_access::make(leader_node_.load(std::memory_order_relaxed), leader);
}
void process::set_group_leader(pid leader) noexcept {
  leader_node_.store(pid_access::node(leader), std::memory_order_relaxed);
  leader_.store(pid_access::bits(leader), std::memory_order_release);  // [GL1]
}

// [GL1] A block may get its next occupant while somebody looks at it. An end wipes leader and
// parent out and then releases the next generation; a start writes them, by a release, when that
// generation stands. So whoever acquires first the generation, then leader and parent, and finds
// the same generation behind them, has read those of its occupant.
std::uint64_t process::bits_if_led_by(pid leader) const noexcept {
  std::uint64_t const occupant = bits_.load(std::memory_order_acquire);
  std::uint64_t const wanted = pid_access::bits(leader);
  std::uint64_t const own = leader_.load(std::memory_order_acquire);
  bool const led = own != 0 ? own == wanted && leader_node_.load(std::memory_order_acquire) ==
                                                   pid_access::node(leader)
                            : parent_.load(std::memory_order_acquire) == wanted;
  return led && inbox_.is_open() && bits() == occupant ? occupant : 0;
}
scheduler& process::sched() noexcept { return system_->sched(); }
ref process::make_own_ref(std::uint64_t id) const noexcept {
  return ref_access::make(self_pid(), id);
}

process_extra& process::extra() {
  if (extra_ == nullptr) extra_ = new process_extra;
  return *extra_;
}

pid process::occupy(process_system& system, reactive_ptr body, pid parent, pid group_leader) {
  system_ = &system;  // bits_ is ours already: the end of the last occupant moved it on
  name_state_.store(unnamed, std::memory_order_relaxed);
  estate_.store(estate_word(bits(), owns_nothing), std::memory_order_release);
  parent_.store(pid_access::bits(parent), std::memory_order_release);  // [GL1]
  set_group_leader(group_leader);
  body_ = body.release();
  set(flag_probed, static_cast<bool>(system.at_safe_point));
  return self_pid();
}

reactive_ptr process::replace_body(reactive_ptr next) {
  reactive_ptr* place = body_->inner();
  if (place != nullptr)
    while (reactive_ptr* const deeper = (*place)->inner()) place = deeper;
  reactive& before = place != nullptr ? **place : *body_;
  if (code_watch* const code = system_->code().get()) code->replaced(self_pid(), before, *next);
  if (place != nullptr) return std::exchange(*place, std::move(next));
  return reactive_ptr(std::exchange(body_, next.release()));
}

void process::vacate() noexcept {
  destroy_body();
  delete std::exchange(extra_, nullptr);
}

void process::wake_up(worker* w) noexcept {
  if (attached())
    waker()->wake();
  else if (w != nullptr)
    w->submit_woken(*this);
  else
    sched().submit(*this);
}

bool process::trap_exit(bool on) noexcept {
  bool const was = has(flag_trap_exit);
  set(flag_trap_exit, on);
  return was;
}
bool process::sensitive(bool on) noexcept {
  bool const was = has(flag_sensitive);
  set(flag_sensitive, on);
  return was;
}

// --- a turn ---

void process::turn_begins() noexcept {
  if (system_->watch().on()) [[unlikely]]
    note_turn_begin();
}
void process::turn_ends() noexcept {
  if (has(flag_keeps_room)) [[unlikely]]
    return_room();
  if (measured) [[unlikely]]
    extra_->stack_depth = stack_depth();
  if (system_->watch().on()) [[unlikely]]
    note_turn_end();
}

/// A message or a cast, as most events are: as handle(), without what others need.
[[gnu::always_inline]] inline void process::handle_plain(envelope* e, worker& w) noexcept {
  --w.reductions;
  ++reductions_;
  event what(e);
  in_user_code(w, [&](reactive& body) { body.handle(what); });
  if (what.envelope() != nullptr) detail::delete_envelope(e);
}

/// Handles one; false: there is nothing to do.
[[gnu::always_inline]] inline bool process::next_event(worker& w) noexcept {
  if (!system_messages_.empty()) [[unlikely]] {
    handle(system_messages_.pop(), w);
    return true;
  }
  if (has(flag_paused)) return false;
  if (mailbox_.empty()) return false;
  envelope* const e = *mailbox_.first();
  if (e->kind > signal_kind::cast) [[unlikely]]
    return next_rarer_event(w);
  mailbox_.remove(mailbox_.first());
  message_left(e);
  handle_plain(e, w);
  return true;
}

void process::run() noexcept {
  if (has(flag_dying)) {  // a long death goes on
    if (!die_in_portions()) submit_self();
    return;
  }
  turn_begins();
  for (;;) {
    envelope* lone = nullptr;
    if (envelope* const newest = inbox_.take_newest(); newest != nullptr) {
      if (is_usual(*newest))
        lone = newest;
      else
        take_in(newest);
    }
    if (has(flag_exit_pending | flag_stop)) {
      turn_ends();
      finish();
      return;
    }
    if (!has(flag_started)) {
      set(flag_started, true);
      in_user_code([](reactive& body) { body.start(); });
      continue;
    }
    worker& w = *current_worker();
    if (w.reductions <= 0 ||
        w.turn_is_long(usual_look)) {  // behind everybody, and this is the last touch
      if (lone != nullptr) take_in(lone);
      turn_ends();
      w.submit_yielded(*this);
      return;
    }
    if (lone != nullptr) {
      if (lone->flags != 0) message_left(lone);
      if (lone->kind == signal_kind::ready) {
        handle_ready(static_cast<notice&>(*lone), w);
      } else if (lone->kind == signal_kind::request) {
        list_request(*static_cast<request_envelope*>(lone));
        handle(lone, w);
      } else {
        handle_plain(lone, w);
      }
      // Mostly that was all, and there is no need to go round once more to find it out.
      if (has(flag_exit_pending | flag_stop) || !inbox_.nothing_waits() || !mailbox_.empty() ||
          !system_messages_.empty())
        continue;
    } else if (next_event(w)) {
      continue;
    }
    if (in_line_for_room()) [[unlikely]]
      give_room(1);
    frames = nullptr;
    if (system_->simulated()) [[unlikely]]
      sched().interleave();
    turn_ends();
    if (inbox_.go_idle()) return;
    turn_begins();
  }
}

/// One message, cast, request or direct notice that finds nothing waiting and nothing to be
/// watched: it is handled at once, as it would be on its way through an empty mailbox.
bool process::is_usual(envelope const& chain) const noexcept {
  // flag_answered speaks of the last request, and stays until the next one.
  constexpr std::uint32_t of_no_account =
      flag_started | flag_trap_exit | flag_sensitive | flag_answered;
  bool const plain = chain.kind == signal_kind::message || chain.kind == signal_kind::cast ||
                     chain.kind == signal_kind::request ||
                     (chain.kind == signal_kind::ready && static_cast<notice const&>(chain).direct);
  return plain && chain.next == nullptr && (chain.flags & ~detail::counted) == 0 &&
         chain.target == bits() && (flags_ & ~of_no_account) == 0 && has(flag_started) &&
         mailbox_.empty() && system_messages_.empty() && system_->limits().long_queue_on == 0 &&
         !system_->watch().on();
}

/// The first in the mailbox is neither a message nor a cast.
bool process::next_rarer_event(worker& w) noexcept {
  while (!mailbox_.empty()) {
    envelope* e = *mailbox_.first();
    if (e->kind == signal_kind::ready && !static_cast<notice*>(e)->direct) {
      expand_notice(mailbox_.first());
      continue;
    }
    mailbox_.remove(mailbox_.first());
    if (e->kind == signal_kind::request) --waiting_calls_;
    message_left(e);
    if ((e->flags & voided) != 0) {
      detail::delete_envelope(e);
      continue;
    }
    if (e == timeout_) timeout_ = nullptr;
    handle(e, w);
    return true;
  }
  return false;
}

/// The notice is its port's: the event only says that it came.
void process::handle_ready(notice& n, worker& w) noexcept {
  --w.reductions;
  ++reductions_;
  n.in_flight_.store(false, std::memory_order_release);
  event what(&n);
  in_user_code(w, [&](reactive& body) { body.handle(what); });
}

void process::handle(envelope* e, worker& w) noexcept {
  if (e->kind == signal_kind::ready) return handle_ready(static_cast<notice&>(*e), w);
  --w.reductions;
  ++reductions_;
  bool const is_request = e->kind == signal_kind::request || e->kind == signal_kind::system;
  if (is_request) {
    e->flags |= treated;
    set(flag_answered, false);
  }
  event what(e);
  in_user_code(w, [&](reactive& body) { body.handle(what); });
  if (what.envelope() == nullptr) return;  // taken: no request ever is
  if (is_request)
    end_of_request(*static_cast<request_envelope*>(e));
  else
    detail::delete_envelope(e);
}

/// The handler has returned: the payload goes, the head stays while an answer is owed.
void process::end_of_request(request_envelope& r) noexcept {
  if (r.type != nullptr) {
    if (!r.type->trivially_destructible) r.type->destroy(r.payload());
    r.type = nullptr;
  }
  if (has(flag_answered) || (r.flags & listed) == 0) {
    detail::delete_block(&r);
    return;
  }
  r.flags = static_cast<std::uint8_t>((r.flags & ~treated) | handled);
}

void process::expand_notice(envelope** place) noexcept {
  struct at_place final : message_sink {
    process& owner;
    envelope** place;
    at_place(process& p, envelope** at) noexcept : owner(p), place(at) {}
    void append(detail::envelope_ptr message) noexcept override {
      envelope* e = message.release();
      e->target = owner.bits();
      owner.mailbox_.insert(place, e);
      place = &e->next;
    }
  };
  auto* n = static_cast<notice*>(mailbox_.remove(place));
  n->in_flight_.store(false, std::memory_order_release);
  at_place sink(*this, place);
  n->expand(*this, sink);
}

bool process::take_notice(notice& n) noexcept {
  for (envelope** place = mailbox_.first(); *place != nullptr; place = &(*place)->next) {
    if (*place == &n) {
      mailbox_.remove(place);
      n.in_flight_.store(false, std::memory_order_release);
      return true;
    }
  }
  return false;
}

OTTER_COLD void process::message_left_watched() noexcept {
  if (in_line_for_room()) give_room_by_half();
  if (has(flag_long_queue)) watch_length();
  if (has(flag_seen_long | flag_seen_large)) observe_load();
}

void process::request_stop(exit_reason reason) noexcept {
  if (has(flag_exit_pending | flag_stop)) return;
  reason_ = std::move(reason);
  set(flag_stop, true);
}

void process::die(exit_reason reason, bool by_signal) noexcept {
  // The first that terminates decides. But what a body asked for with stop() is not an end
  // yet: an exit signal or exception before it returns is earlier.
  if (has(flag_exit_pending | flag_dying)) return;
  reason_ = std::move(reason);
  set(flag_stop, false);
  set(flag_exit_pending, true);
  set(flag_by_signal, by_signal);
}

// --- what it owns ---

void process::own(resource& r) noexcept {
  r.previous_ = nullptr;
  r.next_ = resources_;
  if (resources_ != nullptr) resources_->previous_ = &r;
  resources_ = &r;
}

void process::disown(resource& r) noexcept {
  if (r.previous_ == nullptr && resources_ != &r) return;
  (r.previous_ != nullptr ? r.previous_->next_ : resources_) = r.next_;
  if (r.next_ != nullptr) r.next_->previous_ = r.previous_;
  r.previous_ = r.next_ = nullptr;
}

// --- who runs here ---

process* current_process_or_null() noexcept { return here::now().self; }

process& current_process() { return *here::in_process().self; }

}  // namespace otter::rts
