// process/process.cpp - turns, waiting and safe points.

#include "process/process.hpp"

#include <execinfo.h>

#include <chrono>
#include <exception>
#include <optional>
#include <thread>

#include "process/process_system.hpp"
#include "process/trace.hpp"
#include "scheduler/backtrace.hpp"

namespace otter::rts {

namespace {
constexpr std::uint64_t generation_step = std::uint64_t{1} << pid_access::index_bits;
}

process::process(std::uint32_t index) noexcept : index_(index), bits_(generation_step | index) {}

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

void process::vacate() noexcept {
  destroy_body();
  delete std::exchange(extra_, nullptr);
}

void process::wake_up(worker* w) noexcept {
  if (attached())
    waker_->wake();
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

namespace {

/// A look at the clock, once in `every` reductions: 4,000 messages whose handling takes 10 us each
/// would be 40 ms in which nobody else runs. Not while the budget is whole: most turns are one
/// message long.
bool turn_is_long(worker& w, unsigned every) noexcept {
  return (static_cast<unsigned>(w.reductions) & (every - 1)) == every / 4 && w.turn_is_long();
}

}  // namespace

void process::turn_begins() noexcept {
  if (system_->watch().on()) [[unlikely]]
    note_turn_begin();
}
void process::turn_ends() noexcept {
  if (measured) [[unlikely]]
    extra_->stack_depth = stack_depth();
  if (system_->watch().on()) [[unlikely]]
    note_turn_end();
}

void process::run() noexcept {
  if (has(flag_dying)) {  // a long death goes on
    if (!die_in_portions()) submit_self();
    return;
  }
  turn_begins();
  for (;;) {
    envelope* lone = nullptr;
    if (envelope* const chain = inbox_.take_all(); chain != nullptr) {
      if (is_usual(*chain))
        lone = chain;
      else
        take_in(chain);
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
        turn_is_long(w, usual_look)) {  // behind everybody, and this is the last touch
      if (lone != nullptr) take_in(lone);
      turn_ends();
      w.submit_yielded(*this);
      return;
    }
    if (lone != nullptr) {
      if (lone->kind == signal_kind::request) list_request(*static_cast<request_envelope*>(lone));
      handle(lone);
      // Mostly that was all, and there is no need to go round once more to find it out.
      if (has(flag_exit_pending | flag_stop) || !inbox_.nothing_waits() || !mailbox_.empty() ||
          !system_messages_.empty())
        continue;
    } else if (next_event()) {
      continue;
    }
    home = nullptr;
    frames = nullptr;
    if (system_->simulated()) [[unlikely]]
      sched().interleave();
    turn_ends();
    if (inbox_.go_idle()) return;
    turn_begins();
  }
}

/// One message, cast or request that finds nothing waiting and nothing to be counted or watched: it
/// is handled at once, as it would be on its way through an empty mailbox.
bool process::is_usual(envelope const& chain) const noexcept {
  // flag_answered speaks of the last request, and stays until the next one.
  constexpr std::uint32_t of_no_account =
      flag_started | flag_trap_exit | flag_sensitive | flag_answered;
  bool const plain = chain.kind == signal_kind::message || chain.kind == signal_kind::cast ||
                     chain.kind == signal_kind::request;
  return plain && chain.next == nullptr && chain.flags == 0 && chain.target == bits() &&
         (flags_ & ~of_no_account) == 0 && has(flag_started) && mailbox_.empty() &&
         system_messages_.empty() && system_->limits().long_queue_on == 0 && !system_->watch().on();
}

bool process::next_event() noexcept {
  if (envelope* e = system_messages_.pop()) {
    handle(e);
    return true;
  }
  if (has(flag_paused)) return false;
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
    if (e == timeout_event_) timeout_event_ = nullptr;
    handle(e);
    return true;
  }
  return false;
}

void process::handle(envelope* e) noexcept {
  --current_worker()->reductions;
  ++reductions_;
  if (e->kind == signal_kind::ready) {
    // The notice is its port's: the event only says that it came.
    static_cast<notice*>(e)->in_flight_.store(false, std::memory_order_release);
    event what(e);
    in_user_code([&](reactive& body) { body.handle(what); });
    return;
  }
  bool const is_request = e->kind == signal_kind::request || e->kind == signal_kind::system;
  if (is_request) {
    handling_ = e;
    set(flag_answered, false);
  }
  event what(e);
  in_user_code([&](reactive& body) { body.handle(what); });
  handling_ = nullptr;
  if (what.envelope() == nullptr) return;  // taken
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
  r.flags |= handled;
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

void process::message_left(envelope* e) noexcept {
  release_count(e);
  backlog_.store(mailbox_.size(), std::memory_order_relaxed);
  if (!room_wanted_.empty()) grant_room();
  if (has(flag_long_queue)) watch_length();
  if (has(flag_seen_long | flag_seen_large)) [[unlikely]]
    observe_load();
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

// --- safe points ---

void process::exit_if_asked() {
  if (!has(flag_exit_pending | flag_dying | flag_probed)) return;
  if (has(flag_probed)) meet_fault();
  if (!has(flag_exit_pending) && !has(flag_dying)) return;
  if (deferring() || std::uncaught_exceptions() > 0 || has(flag_dying)) return;
  set(flag_unwinding, true);
  if (attached()) throw process_exit(reason_);
  throw detail::unwinding{};
}

/// Simulation: what a test wants to happen at this safe point.
void process::meet_fault() {
  if (has(flag_exit_pending | flag_dying)) return;
  switch (system_->at_safe_point(self_pid())) {
    case fault::none:
      return;
    case fault::kill:
      die(exit_reason::killed(), true);
      return;
    case fault::raise:
      if (!deferring() && std::uncaught_exceptions() == 0) throw injected_fault();
      return;
  }
}

void process::checkpoint(unsigned look_every) {
  if (attached()) {
    drain();
    exit_if_asked();
    return;
  }
  if (!inbox_.nothing_waits()) drain();
  if (has(flag_heap_limited)) check_heap();
  exit_if_asked();
  worker* w = current_worker();
  // Counted here, where every call that may wait comes by: a loop of checkpoints or of receives
  // that find nothing must end its turn too (PI-7).
  ++reductions_;
  // A guard against exits, or an exception on its way, puts off the token and not the turn's end:
  // others go on, or a loop in a destructor would starve them. Only no_suspend forbids to wait
  // here.
  if ((--w->reductions > 0 && !turn_is_long(*w, look_every)) || no_suspends_ != 0 ||
      has(flag_dying))
    return;
  // Out of budget in the middle of a frame: still runnable, so it submits itself.
  try {
    prepare_suspend(*w, *this);
  } catch (std::bad_alloc const&) {
    w->reductions = 1;  // no stack to go on with: it keeps the processor a little longer
    return;
  }
  turn_ends();
  w->submit_yielded(*this);
  suspend(*this);
  turn_begins();
  drain();
  exit_if_asked();
}

bool process::wait(std::int64_t due_ns) {
  wait_limit limit(due_ns);
  return wait(limit);
}

bool process::wait(wait_limit& limit) {
  if (drain()) {
    exit_if_asked();
    return true;
  }
  exit_if_asked();
  if (limit.expired) return false;
  require_suspendable();
  sleep(&limit);
  drain();
  exit_if_asked();
  return !limit.expired;
}

void process::require_suspendable() {
  if (has(flag_dying) || (has(flag_exit_pending) && std::uncaught_exceptions() > 0))
    throw error(errc::exiting, "this process is ending: its destructors may send, but not wait");
  if (no_suspends_ != 0)
    throw error(errc::would_suspend,
                "this call would have to wait, and a no_suspend guard forbids it");
}

/// In a frame of its own, since whoever deserts the stack destroys nothing.
[[gnu::noinline]] void process::abandon_here() noexcept {
  std::string where;
  try {
    void* counters[captured_backtrace::most];
    int const depth = ::backtrace(counters, static_cast<int>(std::size(counters)));
    where = backtrace_text(counters, static_cast<std::size_t>(depth));
  } catch (std::bad_alloc const&) {  // then without
  }
  abandon(where);
}

void process::wait_for(wake_signal& s) noexcept {
  wait_limit forever(INT64_MAX);
  std::optional<wait_limit> killed;  // until it is to be abandoned
  for (;;) {
    drain();
    if (s.arrived) return;
    if (std::int64_t const due = abandon_at(); due != INT64_MAX && !attached()) {
      if (!killed) killed.emplace(due);
      if (sched().now() >= due && may_desert_stack()) {
        abandon_here();
        desert_stack();
      }
    }
    try {
      sleep(killed && !killed->expired ? &*killed : &forever);
    } catch (std::bad_alloc const&) {
      // No stack for the worker to go on with: the thread itself waits, in small steps.
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  }
}

/// Suspends until something is in the inbox. The token is not thrown here.
void process::sleep(wait_limit* limit) {
  if (attached()) {
    if (waker_->marked != attached_waker::mark::idle && !inbox_.go_idle()) return;
    waker_->marked = attached_waker::mark::none;
    if (waker_->sleep(limit->due(*this))) return;
    limit->expired = true;
    if (inbox_.wake()) return;  // nobody else has: it is ours again
    // Somebody wakes us at this very moment: that must be consumed.
    waker_->sleep(INT64_MAX);
    return;
  }
  worker& w = *current_worker();
  limit->start(*this, w);
  if (system_->simulated() && sched().interleave()) [[unlikely]]
    give_way();
  turn_ends();
  prepare_suspend(w, *this);
  if (inbox_.go_idle())
    suspend(*this);
  else
    cancel_suspend(*this);
  turn_begins();
}

/// Others run before this process goes on; it takes nothing in.
void process::give_way() {
  worker& w = *current_worker();
  prepare_suspend(w, *this);
  w.submit_yielded(*this);
  suspend(*this);
}

void process::rearm() noexcept {
  using mark = attached_waker::mark;
  waker_->marked = inbox_.go_idle() ? mark::idle : mark::called;
  if (waker_->marked == mark::called) waker_->wake();
}

/// The inbox is an awake one's again. Whoever has called wake() since rearm(), the descriptor is
/// not readable any more.
void process::unmark() noexcept {
  using mark = attached_waker::mark;
  mark const was = std::exchange(waker_->marked, mark::none);
  if (was == mark::called || (was == mark::idle && !inbox_.wake()))
    waker_->sleep(INT64_MAX);  // consumes the wake-up, and clears
}

void process::detach() noexcept {
  if (!has(flag_exit_pending)) die(exit_reason::normal(), false);
  unmark();
  set(flag_dying, true);
  destroy_values();
  release_resources();
  while (!die_in_portions()) {
  }
}

// --- what it owns ---

void process::own(resource& r) noexcept {
  r.owner_ = this;
  r.previous_ = nullptr;
  r.next_ = resources_;
  if (resources_ != nullptr) resources_->previous_ = &r;
  resources_ = &r;
}

void process::disown(resource& r) noexcept {
  if (r.owner_ != this) return;
  (r.previous_ != nullptr ? r.previous_->next_ : resources_) = r.next_;
  if (r.next_ != nullptr) r.next_->previous_ = r.previous_;
  r.owner_ = nullptr;
  r.previous_ = r.next_ = nullptr;
}

// --- who runs here ---

process* current_process_or_null() noexcept { return here::now().self; }

process& current_process() { return *here::in_process().self; }

}  // namespace otter::rts
