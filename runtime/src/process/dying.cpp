// process/dying.cpp - the end of a process, step by step (doc/signals.md, "Death").
//
//  1. ending() of the body, if the end was its own; the report of a crash
//  2. the body is destroyed, then the dictionary: destructors may send, but not wait
//  3. ports, timers, tables and the name are released (P-18)
//  4. links get their exit signals, in portions; then watchers and callers
//  5. the inbox is closed, and what had come is answered as the rules say
//  6. the block goes back to the table under a new generation

#include <fmt/format.h>

#include <new>
#include <otter/process_info.hpp>

#include "process/process.hpp"
#include "process/process_system.hpp"
#include "process/send.hpp"

namespace otter::rts {

void cancel_listed_timers(process_system& system, timer_list& list) noexcept;

namespace {
constexpr int portion_size = 1000;
constexpr std::uint64_t simulated_portion = 12;  // so that others see each step
}  // namespace

void process::finish() noexcept {
  if (body_ != nullptr && has(flag_started) && !has(flag_by_signal)) {
    // Still a living process while it tidies up (terminate of a behaviour may call others).
    exit_reason why = reason_;
    set(flag_exit_pending | flag_stop | flag_unwinding, false);
    in_user_code([&](reactive& body) { body.ending(why); });
    if (!has(flag_exit_pending)) {
      reason_ = std::move(why);
      set(flag_exit_pending, true);
    }
  }
  if (has(flag_crashed)) report_crash();
  set(flag_dying, true);
  destroy_body();
  destroy_values();
  if (has(flag_keeps_room)) return_room();
  release_resources();
  if (!die_in_portions()) submit_self();
}

void process::submit_self() noexcept {
  if (worker* w = current_worker())
    w->submit_yielded(*this);
  else
    sched().submit(*this);
}

void process::report_crash() noexcept {
  try {
    std::string text = to_string(reason_);
    if (extra_ != nullptr && !extra_->initial_call.empty())
      text = fmt::format("{}\n  initial call: {}", text, extra_->initial_call);
    std::string const state =
        body_ != nullptr && !has(flag_sensitive) ? body_->describe() : std::string();
    if (!state.empty()) text = fmt::format("{}\n  state: {}", text, state.substr(0, 1024));
    if (!mailbox_.empty()) text = fmt::format("{}\n  messages waiting: {}", text, mailbox_.size());
    if (auto const lines = stacktrace_of(reason_); !lines.empty())
      text += fmt::format("\n  backtrace: {}", fmt::join(lines, "\n    "));
    system_->report({node_event::kind::crash, self_pid(), std::move(text)});
  } catch (...) {
    system_->report({node_event::kind::crash, self_pid(), {}});
  }
}

void process::destroy_body() noexcept {
  if (body_ == nullptr) return;
  reactive_ptr body(std::exchange(body_, nullptr));
  worker* const w = current_worker();
  if (w == nullptr) return;  // the spawn of a plain thread was refused, a name was taken
  user_code border(*w);
  body.reset();
}

void process::release_resources() noexcept {
  while (resource* r = resources_) {
    disown(*r);
    r->owner_died();
  }
  if (system_->watch().tells(bits())) system_->watch().clear(bits());
  clear_timeout_at_death();
  cancel_listed_timers(*system_, timers_);
  release_estate();
  if (name_state_.exchange(nameless, std::memory_order_acq_rel) == named)
    system_->names().erase_bits(bits());
}

void process::clear_timeout_at_death() noexcept {
  envelope* const was = std::exchange(timeout_, nullptr);  // its event goes with the mailbox
  if (was != nullptr && was->kind == signal_kind::timer)
    cancel_own_timer(static_cast<timer_block&>(*was));
}

/// True when the process is gone.
bool process::die_in_portions() noexcept {
  scheduler& s = system_->sched();
  int portion = s.simulated() ? 1 + static_cast<int>(s.random() % simulated_portion) : portion_size;
  if (!tell_links(portion) || !tell_watchers(portion) || !drop_own_refs(portion)) {
    refuse_arrivals();  // so that the inbox stays short
    return false;
  }
  close_and_free();
  return true;
}

/// What comes while a long death goes on is answered as if it were over: who links, watches or
/// calls now gets noproc, not a reason that it may have heard before.
void process::refuse_arrivals() noexcept {
  for (envelope* e = inbox_.take_all(); e != nullptr;) {
    envelope* next = e->next;
    answer_for_dead(*system_, e);
    e = next;
  }
}

/// Without memory for a signal the death waits: it comes round with its next portion. The body, the
/// messages of others and those that die meanwhile give some back.
bool process::tell_links(int& portion) noexcept {
  while (std::uint64_t const peer = links_.any()) {
    exit_signal* x = nullptr;
    try {
      x = make_signal<exit_signal>(signal_kind::link_exit);
    } catch (std::bad_alloc const&) {
      return false;
    }
    links_.erase(peer);
    x->from = self_pid();
    x->reason = reason_;
    deliver(*system_, peer, x);
    if (--portion <= 0) return false;
  }
  while (link_entry* l = link_entries_.pop_any()) {
    std::uint64_t const peer = l->peer;
    if (l->unlink_id != 0) {  // unlinked: it must not hear of us
      detail::delete_block(l);
    } else {
      auto* x = ::new (static_cast<void*>(l)) exit_signal;
      x->kind = signal_kind::link_exit;
      x->bytes = sizeof(link_entry);
      x->from = self_pid();
      x->reason = reason_;
      deliver(*system_, peer, x);
    }
    if (--portion <= 0) return false;
  }
  return true;
}

void process::dispose_mailbox() noexcept {
  while (envelope* e = system_messages_.pop()) {
    if ((e->flags & listed) == 0) detail::delete_envelope(e);  // else: answered from the set
  }
  mailbox_.unmark();
  mailbox_.waiting_at = nullptr;
  while (!mailbox_.empty()) {
    envelope* e = mailbox_.remove(mailbox_.first());
    release_count(e);
    if (e->kind == signal_kind::request && (e->flags & listed) != 0) continue;
    if (e->kind == signal_kind::ready)
      refuse_notice(*static_cast<notice*>(e));
    else
      detail::delete_envelope(e);
  }
  waiting_calls_ = 0;
  backlog_.store(0, std::memory_order_relaxed);
}

bool process::tell_watchers(int& portion) noexcept {
  dispose_mailbox();
  while (request_envelope* r = open_requests_.pop_any()) {
    if (r->kind != signal_kind::monitor) {
      fail_call(*system_, *r, reason_);
    } else {
      from const watcher = r->caller;
      std::uint32_t const bytes = r->bytes;
      auto* d = ::new (static_cast<void*>(r)) down_signal;
      d->kind = signal_kind::down;
      d->bytes = bytes;
      d->id = id_of(watcher.call());
      d->who = self_pid();
      d->reason = reason_;
      deliver(*system_, pid_access::bits(watcher.caller()), d);
    }
    if (--portion <= 0) return false;
  }
  return true;
}

bool process::drop_own_refs(int& portion) noexcept {
  while (own_ref* r = own_refs_.pop_any()) {
    bool const watches =
        r->what == own_ref::purpose::monitor || (r->what == own_ref::purpose::spawn && r->monitors);
    if (r->target > 1 && (watches || r->what == own_ref::purpose::request))
      send_peer_signal(*system_, watches ? signal_kind::demonitor : signal_kind::cancel_call,
                       r->target, self_pid(), r->id);
    drop_own_ref(*r);
    if (--portion <= 0) return false;
  }
  return true;
}

void process::close_and_free() noexcept {
  system_->sched().interleave();
  envelope* e = inbox_.close();
  while (e != nullptr) {
    envelope* next = e->next;
    if (e->kind == signal_kind::timer) {
      give_back_timer(*static_cast<timer_block*>(e));
    } else {
      answer_for_dead(*system_, e);
    }
    e = next;
  }
  // Nothing, unless a resource left something behind: the rest was told before.
  dispose_mailbox();
  while (request_envelope* r = open_requests_.pop_any()) answer_open(*r);
  if (in_line_for_room())
    while (envelope* w = extra_->room_wanted.pop()) answer_for_dead(*system_, w);
  links_.shrink();
  link_entries_.shrink();
  open_requests_.shrink();
  own_refs_.shrink();
  delete std::exchange(extra_, nullptr);
  call_ = nullptr;
  waits_for_.store(0, std::memory_order_relaxed);
  circle_told_.store(false, std::memory_order_relaxed);
  limit_.store(0, std::memory_order_relaxed);
  reason_ = exit_reason();
  priority = priority_level::normal;
  stack_kind = stack_class::small;
  stack_bytes = 0;
  measured = false;
  frames = nullptr;
  defers_ = no_suspends_ = 0;
  last_id_ = 0;
  reductions_ = 0;
  parent_.store(0, std::memory_order_relaxed);
  leader_.store(0, std::memory_order_relaxed);
  flags_ = 0;
  waiting_in_ = wait_place::none;
  process_system& system = *system_;
  here const at = here::now();
  // A pid of the old generation names nobody from here on.
  bits_.store(bits() + (std::uint64_t{1} << pid_access::index_bits),
              std::memory_order_release);  // [GL1]
  at.local->processes.release(index());
  local_state::add(at.local->alive, -1);
  system.process_ended();
}

namespace {

constexpr unsigned kill_time_bits = 44;  // milliseconds: 557 years
constexpr std::uint64_t kill_time_mask = (std::uint64_t{1} << kill_time_bits) - 1;

std::uint64_t kill_generation(std::uint64_t bits) noexcept {
  return (bits >> pid_access::index_bits) << kill_time_bits;
}

}  // namespace

void process::note_kill(pid to, std::int64_t now_ns) noexcept {
  std::uint64_t const generation = kill_generation(pid_access::bits(to));
  std::uint64_t old = killed_.load(std::memory_order_relaxed);
  if (old != 0 && (old & ~kill_time_mask) == generation) return;
  // Rounded up: never abandoned early. Lost to another killer: that one's time is as good.
  auto const ms = static_cast<std::uint64_t>(now_ns / 1'000'000 + 1) & kill_time_mask;
  killed_.compare_exchange_strong(old, generation | ms, std::memory_order_relaxed);
}

std::int64_t process::abandon_at() const noexcept {
  std::uint64_t const word = killed_.load(std::memory_order_relaxed);
  if (word == 0 || (word & ~kill_time_mask) != kill_generation(bits())) return INT64_MAX;
  auto const killed_at = static_cast<std::int64_t>(word & kill_time_mask) * 1'000'000;
  std::int64_t const limit = system_->limits().kill_limit_ns;
  return limit > INT64_MAX - killed_at ? INT64_MAX : killed_at + limit;
}

/// It did not obey a kill in time: it runs user code on a thread that is locked out of the runtime,
/// or waits with frames that nobody will continue, or waits for a job that does not end. Its frames
/// and body stay where they are; everything that others see of it ends as for `killed`.
void process::abandon(std::string_view where) noexcept {
  reason_ = exit_reason::killed();
  set(flag_abandoned | flag_dying | flag_exit_pending | flag_by_signal, true);
  system_->abandoned.fetch_add(1, std::memory_order_relaxed);
  try {
    char name[128];
    describe_to(name, sizeof name, in_signal::no);
    system_->report(
        {node_event::kind::process_abandoned, self_pid(),
         fmt::format("{} did not end within {} ms of a kill ({}): it is given up, its "
                     "stack stays where it is{}",
                     name, system_->limits().kill_limit_ns / 1'000'000,
                     waiting_in_ != wait_place::none ? name_of(waiting_in_) : "running user code",
                     where)});
  } catch (...) {
    system_->report({node_event::kind::process_abandoned, self_pid(), {}});
  }
  // Never destroyed: its frames may refer to them.
  body_ = nullptr;
  if (extra_ != nullptr) extra_->values = nullptr;
  if (awaited_call* const c = std::exchange(call_, nullptr)) {
    if (envelope* e = std::exchange(c->answer, nullptr)) answer_for_dead(*system_, e);
    if (c->server != 0)
      send_peer_signal(*system_, signal_kind::cancel_call, c->server, self_pid(), c->id);
  }
  if (has(flag_keeps_room)) return_room();
  drain();
  release_resources();
  if (!die_in_portions()) submit_self();
}

/// A request or monitor that came in between our telling and our closing.
void process::answer_open(request_envelope& r) noexcept {
  r.target = bits();
  answer_for_dead(*system_, &r);
}

}  // namespace otter::rts
