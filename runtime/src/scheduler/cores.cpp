// scheduler/cores.cpp - how a core gets from one thread to another: doc/scheduler.md, "Cores that
// move". Everything here is off the hot path and under one mutex.

#include <algorithm>
#include <system_error>

#include "base/clock.hpp"
#include "scheduler/threads_driver.hpp"

namespace otter::rts {

/// Step 2: finds a thread for a core that nobody holds.
void threads_driver::give_locked(core& c) noexcept {
  worker_thread* t = nullptr;
  if (!line_.empty()) {
    t = line_.front();
    line_.pop_front();
    core_wanted_.store(line_.size(), std::memory_order_seq_cst);
  } else if (!stopping_.load(std::memory_order_relaxed)) {
    if (!spares_.empty()) {
      t = spares_.back();
      spares_.pop_back();
    } else if (threads_.size() < cores_.size() + options_.max_spare_threads) {
      try {
        worker_thread& fresh = new_thread();
        fresh.held = &c;
        fresh.status = thread_status::holding;
        ++running_;
        fresh.os = std::thread([this, &fresh] { thread_main(fresh); });
        return;
      } catch (std::exception const&) {  // no thread to be had: it waits in free_cores_
        --running_;
        threads_.back()->held = nullptr;
        threads_.back()->status = thread_status::ended;
      }
    }
  }
  if (t == nullptr) {
    free_cores_.push_back(&c);
    return;
  }
  t->held = &c;
  t->status = thread_status::holding;
  t->changed.notify_one();
}

/// Step 4: gets in line, and sees to it that somebody between turns notices.
void threads_driver::ask_for_core_locked(worker_thread& t) noexcept {
  if (!free_cores_.empty()) {
    t.held = free_cores_.back();
    free_cores_.pop_back();
    t.status = thread_status::holding;
    t.changed.notify_one();
    return;
  }
  t.status = thread_status::in_line;
  line_.push_back(&t);
  core_wanted_.store(line_.size(), std::memory_order_seq_cst);  // [R1]
  for (auto& c : cores_) c->attention.store(true, std::memory_order_seq_cst);
  wake_one(true);  // [R1]
}

/// Step 5: false if the scheduler stops and the thread has no turn to finish.
bool threads_driver::await_core_locked(worker_thread& t, std::unique_lock<std::mutex>& lock,
                                       bool mid_turn) noexcept {
  t.memory().rest();
  t.mid_turn = mid_turn;
  tell_rest_locked();
  t.changed.wait(lock, [&] {
    return t.held != nullptr || (!mid_turn && stopping_.load(std::memory_order_relaxed));
  });
  t.mid_turn = false;
  t.memory().resume();  // who is at the slab wants no mutex of ours
  if (t.held == nullptr) {
    std::erase(line_, &t);
    std::erase(spares_, &t);
    core_wanted_.store(line_.size(), std::memory_order_seq_cst);
    return false;
  }
  adopt(t);
  return true;
}

/// The thread begins to use the core that it was given.
void threads_driver::adopt(worker_thread& t) noexcept {
  core& c = *t.held;
  // If a push has replaced the mark, its want_core() will find that the thread has a core.
  t.inbox.claim(private_queue::mark::coreless);
  worker_access::claim(t).hold();
  worker_access::number(t) = c.number;
  c.holder.store(&t, std::memory_order_release);
  c.held_since = c.clock = monotonic_ns();
  if (runnable* const r = c.slot; r != nullptr && r->home() != nullptr && r->home() != &t) {
    c.slot = nullptr;
    // Not push_private(): it would want the mutex that we hold. Who has frames and sleeps without
    // a core is woken by the same means.
    auto& home = static_cast<worker_thread&>(*r->home());
    switch (home.inbox.push(*r)) {
      case private_queue::mark::none:
        break;
      case private_queue::mark::parked:
        unpark(home);
        break;
      case private_queue::mark::coreless:
        if (home.status == thread_status::spare) {
          std::erase(spares_, &home);
          ask_for_core_locked(home);
        }
        break;
    }
  }
}

/// Step 6: between turns, somebody waits for a core and this thread has had its time.
void threads_driver::hand_over(worker_thread& t) noexcept {
  std::unique_lock lock(mutex_);
  if (line_.empty()) return;
  core& c = *t.held;
  if (runnable* const r = c.slot; r != nullptr && r->home() == &t) {
    c.slot = nullptr;
    keep(t, *r);
  }
  t.held = nullptr;
  worker_access::claim(t).drop();
  give_locked(c);
  lock.unlock();
}

/// A thread without a core and outside any turn: in line if it has something to do, else a spare.
bool threads_driver::wait_without_core(worker_thread& t) noexcept {
  std::unique_lock lock(mutex_);
  if (t.held == nullptr) {
    bool const has_work =
        std::any_of(t.own.begin(), t.own.end(), [](run_list const& l) { return !l.empty(); });
    if (has_work || !t.inbox.set_mark(private_queue::mark::coreless)) {
      ask_for_core_locked(t);
    } else {
      t.status = thread_status::spare;
      spares_.push_back(&t);
      // A core may have become free while no thread was to be had.
      if (!free_cores_.empty()) {
        core* const c = free_cores_.back();
        free_cores_.pop_back();
        give_locked(*c);
      }
    }
  }
  return await_core_locked(t, lock, false);
}

/// The thread ends: its core goes to somebody who still has a turn to finish.
void threads_driver::give_up_core(worker_thread& t) noexcept {
  std::lock_guard lock(mutex_);
  core& c = *t.held;
  t.held = nullptr;
  worker_access::claim(t).drop();
  c.attention.store(true, std::memory_order_relaxed);  // the next holder is to end as well
  give_locked(c);
}

/// A frame of a thread that sleeps without a core is ready.
void threads_driver::want_core(worker_thread& t) noexcept {
  std::lock_guard lock(mutex_);
  if (t.status != thread_status::spare) return;  // it has been given one meanwhile
  std::erase(spares_, &t);
  ask_for_core_locked(t);
}

/// Step 5: back from user code, and the core is gone.
bool threads_driver::regain(worker_thread& t) noexcept {
  std::unique_lock lock(mutex_, std::defer_lock);
  {
    // The watchdog may be looking at what we run: it finishes first, and then finds us in line.
    std::lock_guard gate(t.gate);
    lock.lock();
    // Whoever waits here began to before that stretch of user code: the time in which nobody looked
    // at the clock is not to be added to their limits.
    worker_access::date_deferred(t, t.taken_at);
    if (t.status == thread_status::lost) return false;
    ask_for_core_locked(t);
  }
  return await_core_locked(t, lock, true);
}

/// The turn that was abandoned has come to its end: only its thread is of use, and goes on.
void threads_driver::desert(worker_thread& t) noexcept {
  {
    std::lock_guard gate(t.gate);  // the watchdog may be at our lists
    std::lock_guard lock(mutex_);
    t.status = thread_status::spare;  // in no list yet: wait_without_core() decides
    --lost_;
  }
  t.loop.desert();
}

}  // namespace otter::rts
