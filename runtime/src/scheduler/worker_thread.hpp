#pragma once

// scheduler/worker_thread.hpp - the thread half of "a worker is a thread plus a core", as the
// threads driver sees it: what cannot move.

#include <sys/types.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <mutex>
#include <thread>
#include <vector>

#include "scheduler/core.hpp"
#include "scheduler/private_queue.hpp"
#include "scheduler/scheduler.hpp"
#include "scheduler/turn_loop.hpp"

namespace otter::rts {

/// The drivers' way to the members of a worker.
struct worker_access {
  static scheduler*& owner(worker& w) noexcept { return w.scheduler_; }
  static slab*& memory(worker& w) noexcept { return w.slab_; }
  static turn_loop*& loop(worker& w) noexcept { return w.loop_; }
  static runnable*& current(worker& w) noexcept { return w.current_; }
  static unsigned& number(worker& w) noexcept { return w.number_; }
  static bool& simulated(worker& w) noexcept { return w.simulated_; }
  static void begin_turn(worker& w) noexcept { w.turn_asked_ns_ = 0; }
  static bool& in_user(worker& w) noexcept { return w.in_user_; }
  static class claim& claim(worker& w) noexcept { return w.claim_; }
  static bool has_deferred(worker const& w) noexcept {
    return w.deferred_ != nullptr || w.dated_ != nullptr;
  }
  /// The clock says `now`.
  static void start_deferred(worker& w, std::int64_t now, scheduler_hooks const& hooks) noexcept {
    start_all(w.dated_, w.dated_ns_, hooks);
    start_all(w.deferred_, now, hooks);
  }
  /// The clock said `then` after all that is deferred here now. It is started later.
  static void date_deferred(worker& w, std::int64_t then) noexcept {
    while (deferred_timer* const t = w.deferred_) {
      t->unlist();
      worker::list(*t, w.dated_);
    }
    w.dated_ns_ = then;  // for what was dated before it is later than need be, never earlier
  }
  /// What current_worker() gives on this OS thread from now on.
  static void enter_thread(worker* w) noexcept;

 private:
  static void start_all(deferred_timer* first, std::int64_t now,
                        scheduler_hooks const& hooks) noexcept {
    while (first != nullptr) {
      deferred_timer& t = *first;
      first = t.next;
      hooks.start_deferred(t, now);
    }
  }
};

constexpr std::size_t level_count = 4;
constexpr std::size_t index_of(priority_level p) noexcept { return static_cast<std::size_t>(p); }

/// Where a thread is in its life, for the slow paths.
enum class thread_status : std::uint8_t {
  holding,  ///< has a core
  in_line,  ///< waits for a core because it has something to do with it
  spare,    ///< waits for a core, with nothing to do of its own
  stuck,    ///< in user code, and its core was taken
  lost,     ///< likewise, and what it runs has been abandoned: it is refused
  ended,
};

class threads_driver;

/// What a thread that searches has seen of the queues of a core.
struct seen_queues {
  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

  std::uint32_t ring = 0;             ///< position of the ring when the window began
  std::uint32_t least_ring = 0;       ///< fewest in it since then
  std::uint64_t turns = 0;            ///< of the core, when the window began
  std::int64_t fresh = 0;             ///< position of the fresh children
  std::int64_t oldest_since = never;  ///< since when it is that, with a child there
};

/// Ownership: of its stacks (through the loop); the driver owns the thread itself.
/// Threads:   the thread itself, except where said.
struct worker_thread : worker {
  worker_thread(threads_driver& d, stack_source& source, next_turn next) noexcept
      : driver(d), loop(source, next, this) {
    worker_access::loop(*this) = &loop;
  }

  threads_driver& driver;
  turn_loop loop;

  // --- ready here and nowhere else ---
  std::array<run_list, level_count> own;
  std::size_t own_left = 0;          ///< what is left of the round in own[normal]
  std::size_t own_rarer = 0;         ///< how many in the other levels
  bool spins = false;                ///< looks around for a moment before it sleeps
  std::int64_t tidied = 0;           ///< when its slab was last tidied for want of work
  std::uint32_t seen_shortages = 0;  ///< of the slab_set, when it was last tidied between turns
  std::vector<seen_queues> queues;   ///< search(), by core

  /// Written by the thread, and by whoever gives or takes the core while the thread is known to
  /// wait or to be locked out (under the driver's mutex).
  core* held = nullptr;

  // --- any thread ---
  private_queue inbox;
  std::atomic<bool> token{false};      ///< [P1] for who lost the parked mark: set once all is done
  std::atomic<bool> to_search{false};  ///< woken to look for work: counted in searching already
  std::atomic<std::size_t> waiting_frames{0};  ///< suspended here; relaxed, for reports
  /// One writer at a time, so no locked instruction: the thread, or the watchdog while the gate
  /// keeps the thread out of the runtime.
  void count_frames(int by) noexcept {
    waiting_frames.store(
        waiting_frames.load(std::memory_order_relaxed) + static_cast<std::size_t>(by),
        std::memory_order_relaxed);
  }

  // --- guarded by the driver's mutex ---
  thread_status status = thread_status::spare;
  std::condition_variable changed;  ///< held or the driver's stopping has changed
  std::int64_t taken_at = 0;        ///< when the watchdog took its core
  bool resting = false;             ///< with its core between two turns: rest.cpp
  bool mid_turn = false;            ///< in line, with a turn to finish

  /// Held by the watchdog while it reports on this thread, abandons what it runs, or looks through
  /// its lists; taken by the thread when it comes back from user code without a core, and when it
  /// deserts an abandoned turn. Before the driver's mutex.
  std::mutex gate;

  // --- the watchdog's ---
  claim::stretch seen = 0;
  std::int64_t seen_since = 0;

  pid_t tid = 0;  ///< constant once the thread runs
  std::thread os;
};

}  // namespace otter::rts
