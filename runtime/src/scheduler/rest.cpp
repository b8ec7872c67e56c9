// scheduler/rest.cpp - all workers between two turns, so that one thread can look at everything.
//
//   1. at_rest() sets rest_wanted_, then the attention of each core, and wakes who sleeps.
//   2. A worker that does its housekeeping sees it, lets its slab rest and waits, with its core.
//   3. Whoever has a turn to finish and waits for a core is given one by a worker that rests.
//   4. When every thread is between two turns at_rest() looks, holding the mutex: nobody can be
//      given a core or come back from user code without it.
//
// [Q1] A worker that clears its core's attention reads rest_wanted_ after that, and at_rest()
// writes the attention after rest_wanted_, all seq_cst: so no worker clears the second without
// seeing the first. One that goes to sleep has its parked mark set before it reads rest_wanted_,
// and at_rest() looks for the mark after it has written that, as for [R1].
//
// Not chosen: a signal to each thread. What it interrupts may be in the middle of anything, the
// allocator too, and who looks has to allocate.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/clock.hpp"
#include "scheduler/threads_driver.hpp"

namespace otter::rts {

/// Somebody in line has left user code, and goes on in the middle of a turn.
bool threads_driver::turn_waits_locked() const noexcept {
  return std::any_of(line_.begin(), line_.end(), [](auto const* t) { return t->mid_turn; });
}

bool threads_driver::between_turns_locked(worker_thread const& t) noexcept {
  switch (t.status) {
    case thread_status::holding:
      return t.resting;
    case thread_status::in_line:
      return !t.mid_turn;
    case thread_status::spare:
    case thread_status::ended:
      return true;
    case thread_status::stuck:
    case thread_status::lost:
      break;
  }
  return false;
}

void threads_driver::tell_rest_locked() noexcept {
  if (!rest_wanted_.load(std::memory_order_relaxed)) return;
  rest_changed_.notify_all();
  rest_over_.notify_all();  // a turn may wait for a core
}

/// Step 2, by the worker; and step 3.
void threads_driver::rest(worker_thread& t) noexcept {
  std::unique_lock lock(mutex_);
  t.memory().rest();
  t.resting = true;
  rest_changed_.notify_all();
  rest_over_.wait(lock, [&] {
    return !rest_wanted_.load(std::memory_order_relaxed) || turn_waits_locked() ||
           stopping_.load(std::memory_order_relaxed);
  });
  t.resting = false;
  t.memory().resume();  // who is at the slab wants no mutex of ours
  core& c = *t.held;
  c.attention.store(true, std::memory_order_seq_cst);  // whoever holds it next is to rest as well
  if (!turn_waits_locked()) return;
  std::stable_partition(line_.begin(), line_.end(), [](auto const* w) { return w->mid_turn; });
  lock.unlock();
  hand_over(t);
}

/// Of a thread that is not between two turns.
std::string threads_driver::why_not_at_rest(worker_thread& t) const {
  // Behind the gate it does not come back from user code: what it runs can be named [C1].
  std::lock_guard gate(t.gate);
  std::lock_guard lock(mutex_);
  if (t.status == thread_status::lost)
    return "a thread is in user code of a process that was given up";
  if (t.status != thread_status::stuck || t.current() == nullptr || hooks_.describe == nullptr)
    return fmt::format("worker {} is in the middle of a turn", t.number());
  char name[128] = "";
  hooks_.describe(*t.current(), name, sizeof name);
  return fmt::format("worker {} is in user code for {} ms: {}", t.number(),
                     (monotonic_ns() - t.taken_at + options_.stall_limit_ns) / 1'000'000, name);
}

std::vector<std::string> threads_driver::at_rest(std::int64_t limit_ns,
                                                 std::function<void()> const& look) {
  std::vector<worker_thread*> busy;
  auto const find_busy = [&] {
    busy.clear();
    for (auto& t : threads_)
      if (!between_turns_locked(*t)) busy.push_back(t.get());
    return !busy.empty();
  };
  std::chrono::steady_clock::time_point const until{std::chrono::nanoseconds(
      monotonic_ns() + std::min<std::int64_t>(limit_ns, 3'600'000'000'000))};
  bool stopped = false;
  {
    std::unique_lock lock(mutex_);
    rest_wanted_.store(true, std::memory_order_seq_cst);                         // [Q1]
    for (auto& c : cores_) c->attention.store(true, std::memory_order_seq_cst);  // [Q1]
    for (auto& t : threads_)
      if (t->inbox.claim(private_queue::mark::parked)) unpark(*t);
    rest_changed_.wait_until(lock, until, [&] {
      stopped = stopping_.load(std::memory_order_relaxed);
      return stopped || !find_busy();
    });
    // Without the mutex, below, a thread would be busy for another reason.
    bool const all = !stopped && !find_busy();
    struct end {
      threads_driver& driver;
      ~end() {
        driver.rest_wanted_.store(false, std::memory_order_seq_cst);
        driver.rest_over_.notify_all();
      }
    } const at_the_end{*this};  // also if look() throws
    if (all) {
      look();
      return {};
    }
  }
  if (stopped) return {"the node stops"};
  std::vector<std::string> result;
  for (worker_thread* t : busy) result.push_back(why_not_at_rest(*t));
  return result;
}

}  // namespace otter::rts
