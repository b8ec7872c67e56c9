// process/timers.cpp - timers: messages that come later, time-outs of bodies, limits of waits.

#include <fmt/format.h>

#include <new>
#include <otter/exit.hpp>
#include <otter/timer.hpp>

#include "base/clock.hpp"
#include "process/process.hpp"
#include "process/process_system.hpp"
#include "process/send.hpp"
#include "process/trace.hpp"

namespace otter {
namespace rts {

namespace {

// A timer_ref's id: bit 63, 28 bits of table index, 35 of generation.
constexpr unsigned generation_bits = 35;
constexpr std::uint64_t generation_mask = (std::uint64_t{1} << generation_bits) - 1;
constexpr std::uint64_t timer_mark = std::uint64_t{1} << 63;

std::uint64_t timer_id_of(std::uint32_t index, std::uint64_t generation) noexcept {
  return timer_mark | std::uint64_t{index} << generation_bits | (generation & generation_mask);
}

/// The block that `ref` names if it may still be that timer, and its full generation.
timer_block* block_of(process_system& system, timer_ref ref, std::uint64_t& generation) noexcept {
  std::uint64_t const id = id_of(ref);
  if ((id & timer_mark) == 0) return nullptr;
  timer_block* t = system.timers().at((id & ~timer_mark) >> generation_bits);
  if (t == nullptr) return nullptr;
  generation = t->generation();
  return (generation & generation_mask) == (id & generation_mask) ? t : nullptr;
}

/// Cancels a timer that is ours. True if its block is ours too now; else it comes to our inbox,
/// fired or sent back by its home.
bool cancelled_at_home(here const& at, timer_block& t) noexcept {
  timer_wheel* const mine = at.on != nullptr ? &at.on->wheel() : nullptr;
  // Asked first: after a cancel elsewhere the block is its home's.
  bool const here = t.home.load(std::memory_order_acquire) == mine;
  std::uint32_t const index = t.index();
  std::uint64_t const generation = t.generation();
  bool const in_time = timer_wheel::cancel(t, generation, mine);
  if (at.system->simulated()) [[unlikely]]
    trace_cancel(*at.system, index, generation, in_time);
  return in_time && here;
}

/// Null if there is none left.
timer_block* try_acquire_timer(here const& at) noexcept {
  timer_block* const t = at.local->timers.acquire();
  if (t == nullptr) return nullptr;
  t->list = {};
  local_state::add(at.local->timer_count, 1);
  return t;
}

timer_block& acquire_timer(here const& at) {
  if (at.on == nullptr)
    throw error(errc::not_in_process, "timers belong to processes; an attached thread has none");
  timer_block* const t = try_acquire_timer(at);
  if (t == nullptr) throw error(errc::system_limit, "no timer left on this node");
  return *t;
}

}  // namespace

namespace {

void give_back(here const& at, timer_block& t) noexcept {
  if (t.has_message() && t.message() != nullptr) detail::delete_envelope(t.message());
  if (t.is_for_name()) [[unlikely]]
    delete t.name;
  t.flags = from_table;
  t.set_message(nullptr);
  local_state::add(at.local->timer_count, -1);
  at.local->timers.release(t.index());
}

}  // namespace

void give_back_timer(timer_block& t) noexcept { give_back(here::now(), t); }

void cancel_own_timer(timer_block& t) noexcept {
  // Lost: it has fired and is on its way to our inbox, which gives it back. Won, but at home
  // elsewhere: its home sends it to us for that.
  here const at = here::now();
  if (cancelled_at_home(at, t)) give_back(at, t);
}

// --- the limits of waits ---

namespace {

/// A time-out that finds no memory for its event comes so much later.
constexpr std::int64_t without_memory_ns = 10'000'000;

/// Shorter limits get their timers at once: what lies between two looks at the clock would be much
/// of them.
constexpr std::int64_t shortest_deferred_ns = 1'000'000'000;

std::int64_t later(std::int64_t from, std::int64_t by) noexcept {
  return by > INT64_MAX - from ? INT64_MAX : from + by;
}

}  // namespace

wait_limit::wait_limit(process& self, duration limit) noexcept {
  if (limit == infinity) return;
  // An attached thread sleeps in its own way, until a moment that it knows.
  if (limit.count() >= shortest_deferred_ns && !self.attached())
    open_ns_ = limit.count();
  else
    due_ns_ = later(self.sched().now(), limit.count());
}

std::int64_t wait_limit::due(process& self) noexcept {
  if (open_ns_ != 0) due_ns_ = later(self.sched().now(), std::exchange(open_ns_, 0));
  return due_ns_;
}

bool wait_limit::is_over(process& self) noexcept {
  return open_ns_ == 0 && due_ns_ != INT64_MAX && due_ns_ <= self.sched().now();
}

void wait_limit::start_first(process& self, worker& on) {
  if (open_ns_ != 0) {
    whom_ = self.bits();
    on.defer_timer(*this);
  } else {
    arm(acquire_timer(here::now()), self.bits());
  }
}

bool wait_limit::start_deferred(std::int64_t now_ns) noexcept {
  if (open_ns_ != 0) due_ns_ = later(now_ns, std::exchange(open_ns_, 0));
  timer_block* const t = try_acquire_timer(here::now());
  if (t == nullptr) return false;
  unlist();
  // Who waits may have been given up meanwhile, its stack left as it is: then the timer finds that
  // nobody has these bits any more.
  arm(*t, whom_);
  return true;
}

void wait_limit::arm(timer_block& t, std::uint64_t whom) noexcept {
  t.flags = from_table | of_wait;
  t.target = whom;
  t.set_limit(this);
  timer_ = &t;
  current_worker()->start_timer_at(t, due_ns_);
  trace_timer(*here::now().system, "timer started", t);
}

void wait_limit::stop() noexcept {
  timer_->set_limit(nullptr);  // from here on it tells nobody
  cancel_own_timer(*timer_);
}

void start_deferred(deferred_timer& t, std::int64_t now_ns) noexcept {
  static_cast<wait_limit&>(t).start_deferred(now_ns);
}

/// A timer's block has come: it fired, or it was cancelled elsewhere and comes to be given back.
void process::on_timer(timer_block* t) noexcept {
  bool const fired = t->state() == timer_state::fired;
  if (t->is_of_body()) {
    if (fired && timeout_ == t && !time_out(*t)) return;
  } else if (t->is_of_wait()) {
    if (fired && t->limit() != nullptr) t->limit()->expired = true;
  } else {
    timers_.remove(system_->timers(), *t);
    if (envelope* const e = fired ? t->take_message() : nullptr; e != nullptr) {
      e->target = bits();
      act(e);  // a message, or the exit signal of exit_after()
    }
  }
  give_back_timer(*t);
}

/// Somebody else started a timer for us: its end is ours too (TM-4).
void process::on_attach_timer(peer_signal* e) noexcept {
  std::uint64_t generation = 0;
  timer_block* t = block_of(*system_, timer_ref(ref_access::make(e->from, e->id)), generation);
  // Fired or cancelled meanwhile: the block may be anybody's now. Armed under the generation that
  // was started for us, it stays ours until we have drained it, since it comes to us when it ends.
  // Its target says no more, and may not be read: the core that fires it writes it (push).
  if (t != nullptr && t->state() == timer_state::armed && t->generation() == generation &&
      !timer_list::has(*t))
    timers_.add(system_->timers(), *t);
  detail::delete_block(e);
}

/// On the core that owned the wheel.
void timer_fired(timer_node& node) noexcept {
  auto& t = static_cast<timer_block&>(node);
  process_system& system = *here::now().system;
  trace_timer(system, "timer fires", t);
  if (t.is_for_name()) {  // looked up now (TM-5)
    std::uint64_t const bits = system.names().find(*t.name);
    envelope* e = t.take_message();
    if (bits != 0)
      deliver(system, bits, e);
    else
      detail::delete_envelope(e);
    give_back_timer(t);
    return;
  }
  deliver(system, t.target, &t);
}

void timer_released(timer_node& node) noexcept {
  auto& t = static_cast<timer_block&>(node);
  here const at = here::now();
  trace_timer(*at.system, "timer released", t);
  if (t.is_for_name())
    give_back(at, t);
  else
    deliver(*at.system, t.target, &t);  // to leave the receiver's list
}

/// A server sets its time-out anew with each request, and it hardly ever fires. So one that is to
/// come later than it would stays in the wheel as it is, wherever that is, and the process starts
/// it again when it fires: once in the length of the time-out, instead of a cancel and a start with
/// each request. Refused: always to leave the timer, also for an earlier time; it would come late.
void process::set_timeout(std::int64_t delay_ns, std::uint64_t token) {
  here const at = here::now();
  std::int64_t const due = later(at.system->sched().now(), delay_ns);
  if (timeout_ != nullptr && timeout_->kind == signal_kind::timer) {
    auto& t = static_cast<timer_block&>(*timeout_);
    if (due >= t.due_ns.load(std::memory_order_relaxed)) {
      t.set_token(token);
      t.put_off_ns = due;
      trace_timer(*at.system, "timer put off", t);
      return;
    }
  }
  clear_timeout();
  timer_block& t = acquire_timer(at);
  t.flags = from_table | of_body;
  t.target = bits();
  t.set_token(token);
  t.put_off_ns = 0;
  timeout_ = &t;
  at.on->start_timer_at(t, due);
  trace_timer(*at.system, "timer started", t);
}

/// The body's time-out has fired. False: it was put off, or there is no memory for its event, and
/// it is in the wheel again.
bool process::time_out(timer_block& t) noexcept {
  here const at = here::now();
  std::int64_t const now = at.system->sched().now();
  std::int64_t due = std::exchange(t.put_off_ns, 0);
  if (due <= now) {
    try {
      auto* e = static_cast<id_envelope*>(detail::new_envelope(
          signal_kind::timeout, detail::layout_of(signal_kind::timeout, 0, 1), 1));
      e->id = t.token();
      e->target = bits();
      timeout_ = e;
      act(e);
      return true;
    } catch (std::bad_alloc const&) {
      due = now + without_memory_ns;
    }
  }
  at.on->start_timer_at(t, due);
  trace_timer(*at.system, "timer started", t);
  return false;
}

void process::clear_timeout() noexcept {
  envelope* const was = std::exchange(timeout_, nullptr);
  if (was == nullptr) return;
  if (was->kind == signal_kind::timeout) {  // it stands in the mailbox: nobody shall see it
    was->flags |= voided;
    return;
  }
  cancel_own_timer(static_cast<timer_block&>(*was));
}

/// At the death of the receiver: whatever is armed for it goes.
void cancel_listed_timers(process_system& system, timer_list& list) noexcept {
  while (timer_block* const t = list.take_first(system.timers())) cancel_own_timer(*t);
}

}  // namespace rts

using rts::here;
using rts::process;
using rts::runtime_entry;
using rts::timer_block;

node_clock::time_point node_clock::now() {
  return time_point(duration(here::in_process().system->sched().now()));
}

system_time_point system_time() noexcept {
  constexpr std::int64_t year_2000 = 946'684'800'000'000'000;  // ns since 1970
  here const at = here::now();
  bool const is_virtual = at.system != nullptr && at.system->simulated();
  return system_time_point(
      duration(is_virtual ? year_2000 + at.system->sched().now() : rts::wall_ns()));
}

namespace detail {

duration checked_limit(duration limit) {
  if (limit == infinity) return limit;
  constexpr duration longest = std::chrono::milliseconds(0xffffffffu);
  if (limit < duration::zero() || limit > longest)
    throw error(errc::timeout_value,
                fmt::format("a time limit of {} ms; it must be within 0 .. 2^32-1 ms, or infinity",
                            std::chrono::duration_cast<std::chrono::milliseconds>(limit).count()));
  return limit;
}

namespace {

/// Throws: error(badarg) as due_after().
node_clock::time_point moment_after(node_clock::time_point now, duration delay) {
  if (delay < duration::zero())
    throw error(errc::badarg, fmt::format("a timer with a delay of {} ns: it must not be negative",
                                          delay.count()));
  if (delay > node_clock::time_point::max() - now)
    throw error(errc::badarg, "a timer's delay is beyond the end of the clock");
  return now + delay;
}

/// A block that is to fire for `to`.
timer_block& reserve(here const& at, pid to) {
  timer_block& t = rts::acquire_timer(at);
  t.target = rts::node_of(to) == at.system->node_index() ? rts::pid_access::bits(to) : 0;
  return t;
}

/// The ref of `t` once it is started.
timer_ref ref_of(here const& at, timer_block const& t) noexcept {
  return timer_ref(
      rts::ref_access::make(at.self->self_pid(), rts::timer_id_of(t.index(), t.generation() + 1)));
}

/// Tells a receiver that is not the caller; a dead one ends the timer at once (TM-4).
OTTER_NOINLINE void attach(here const& at, timer_ref ref, std::uint64_t target) noexcept {
  rts::peer_signal* s = nullptr;
  try {
    s = rts::make_signal<rts::peer_signal>(signal_kind::attach_timer);
  } catch (...) {
    return;  // it will fire and be dropped, should the receiver die first
  }
  s->from = ref.owner();
  s->id = rts::id_of(ref);
  if (rts::push(*at.system, target, s)) return;
  delete_block(s);
  cancel_timer(ref);
}

void arm(here const& at, timer_block& t, timer_ref ref, std::int64_t due,
         envelope* message) noexcept {
  std::uint64_t const target = t.target;
  bool const for_us = target == at.self->bits();
  bool const for_a_name = t.is_for_name();
  t.set_message(message);
  if (for_us) at.self->timers().add(at.system->timers(), t);
  at.on->start_timer_at(t, due);
  if (at.system->simulated()) [[unlikely]]
    rts::trace_timer(*at.system, "timer started", t);
  if (!for_us && !for_a_name) attach(at, ref, target);
}

}  // namespace

node_clock::time_point due_after(duration delay) { return moment_after(node_clock::now(), delay); }

timer_ref start_message_timer(duration delay, pid to, envelope_ptr message) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  here const at = here::in_process(entry);
  node_clock::time_point const now(duration(at.system->sched().now()));
  std::int64_t const due = moment_after(now, delay).time_since_epoch().count();
  timer_block& t = reserve(at, to);
  timer_ref const ref = ref_of(at, t);
  arm(at, t, ref, due, message.release());
  return ref;
}

timer_ref start_message_timer(node_clock::time_point due, pid to, envelope_ptr message) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  here const at = here::in_process(entry);
  timer_block& t = reserve(at, to);
  timer_ref const ref = ref_of(at, t);
  arm(at, t, ref, due.time_since_epoch().count(), message.release());
  return ref;
}

timer_ref reserve_timer(pid to, node_clock::time_point due) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  here const at = here::in_process(entry);
  timer_block& t = reserve(at, to);
  t.due_ns.store(due.time_since_epoch().count(), std::memory_order_relaxed);
  return ref_of(at, t);
}

void arm_timer(timer_ref ref, envelope_ptr message) noexcept {
  runtime_entry entry;
  if (entry.refused()) return;  // who is given up leaves the block behind with all the rest
  here const at = here::now(entry);
  timer_block& t =
      *at.system->timers().at((rts::id_of(ref) & ~rts::timer_mark) >> rts::generation_bits);
  arm(at, t, ref, t.due_ns.load(std::memory_order_relaxed), message.release());
}

timer_ref start_message_timer(node_clock::time_point due, std::string_view name,
                              envelope_ptr message) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  here const at = here::in_process(entry);
  auto owned = std::make_unique<std::string>(name);
  timer_block& t = rts::acquire_timer(at);
  t.flags = rts::from_table | rts::by_name;
  t.target = 0;
  t.name = owned.release();
  timer_ref const ref = ref_of(at, t);
  arm(at, t, ref, due.time_since_epoch().count(), message.release());
  return ref;
}

}  // namespace detail

std::optional<duration> cancel_timer(timer_ref timer) noexcept {
  runtime_entry entry;
  here const at = here::now(entry);
  if (at.local == nullptr || entry.refused()) return std::nullopt;
  std::uint64_t generation = 0;
  timer_block* t = rts::block_of(*at.system, timer, generation);
  if (t == nullptr) return std::nullopt;
  bool const simulated = at.system->simulated();
  if (simulated) [[unlikely]]
    at.system->sched().interleave();
  rts::timer_wheel* const mine = at.on != nullptr ? &at.on->wheel() : nullptr;
  // Before the attempt: afterwards a foreign home may reuse the block at any moment. If this is
  // its home, nobody else can make it anything else meanwhile.
  bool const home_is_here = t->home.load(std::memory_order_acquire) == mine;
  std::int64_t due = 0;
  std::uint32_t const index = t->index();
  bool const in_time = rts::timer_wheel::cancel(*t, generation, mine, &due);
  if (simulated) [[unlikely]]
    rts::trace_cancel(*at.system, index, generation, in_time);
  if (!in_time) return std::nullopt;
  if (home_is_here) {  // then it is ours
    if (t->is_for_name()) {
      rts::give_back(at, *t);
    } else if (at.self != nullptr && at.self->bits() == t->target) {
      at.self->timers().remove(at.system->timers(), *t);
      rts::give_back(at, *t);
    } else {
      rts::deliver(*at.system, t->target, t);  // it stands in the receiver's list
    }
  }
  std::int64_t const left = due - at.system->sched().now();
  return duration(left > 0 ? left : 0);
}

std::optional<duration> read_timer(timer_ref timer) noexcept {
  runtime_entry entry;
  here const at = here::now();
  if (at.local == nullptr || entry.refused()) return std::nullopt;
  std::uint64_t generation = 0;
  timer_block* t = rts::block_of(*at.system, timer, generation);
  if (t == nullptr || t->state() != rts::timer_state::armed) return std::nullopt;
  std::int64_t const due = t->due_ns.load(std::memory_order_acquire);
  if (t->state() != rts::timer_state::armed || t->generation() != generation) return std::nullopt;
  std::int64_t const left = due - at.system->sched().now();
  return duration(left > 0 ? left : 0);
}

}  // namespace otter
