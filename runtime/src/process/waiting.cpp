// process/waiting.cpp - safe points, and how a process waits.

#include <execinfo.h>

#include <chrono>
#include <exception>
#include <iterator>
#include <optional>
#include <string>
#include <thread>

#include "process/process.hpp"
#include "process/process_system.hpp"
#include "scheduler/backtrace.hpp"

namespace otter::rts {

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
  if ((--w->reductions > 0 && !w->turn_is_long(look_every)) || no_suspends_ != 0 || has(flag_dying))
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
  if (in_line_for_room()) [[unlikely]]
    give_room(1);
  if (attached()) {
    attached_waker* const waker = extra_->waker;
    if (waker->marked != attached_waker::mark::idle && !inbox_.go_idle()) return;
    waker->marked = attached_waker::mark::none;
    if (waker->sleep(limit->due(*this))) return;
    limit->expired = true;
    if (inbox_.wake()) return;  // nobody else has: it is ours again
    // Somebody wakes us at this very moment: that must be consumed.
    waker->sleep(INT64_MAX);
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

// --- the descriptor of an attached thread ---

void process::rearm() noexcept {
  using mark = attached_waker::mark;
  attached_waker* const waker = extra_->waker;
  waker->marked = inbox_.go_idle() ? mark::idle : mark::called;
  if (waker->marked == mark::called) waker->wake();
}

/// The inbox is an awake one's again. Whoever has called wake() since rearm(), the descriptor is
/// not readable any more.
void process::unmark() noexcept {
  using mark = attached_waker::mark;
  attached_waker* const waker = extra_->waker;
  mark const was = std::exchange(waker->marked, mark::none);
  if (was == mark::called || (was == mark::idle && !inbox_.wake()))
    waker->sleep(INT64_MAX);  // consumes the wake-up, and clears
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

}  // namespace otter::rts
