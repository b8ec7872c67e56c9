#pragma once

// scheduler/threads_driver.hpp - the scheduler on OS threads. doc/scheduler.md tells the whole
// story.
//
//   threads_driver.cpp   a worker's round: next(), housekeeping, the submit functions, start, stop
//   idle.cpp             searching, stealing, parking, waking
//   cores.cpp            cores that move: hand-over, spares, coming back from user code
//   watchdog.cpp         the thread that takes cores from stuck threads
//   rest.cpp             all workers between two turns, for who wants to look at everything
//
// [R1] No runnable may lie ready in a shared queue while every worker sleeps. Two sides, each
// writes its own word and then reads the other's, all seq_cst:
//
//     a submitter:  count of the queue += 1     then   is anyone idle?      -> wake one
//     a sleeper:    idle_ += 1, parked mark     then   is any queue filled? -> do not sleep
//
// Whoever writes second reads after both writes, so at least one side sees the other. A submitter
// that sees a searching worker leaves it at that: the searcher gives up its place (searching_ -= 1)
// before it looks at the queues for the last time. Not chosen: fences, which ThreadSanitizer in gcc
// 12 does not understand.
//
// A core's own ring is not part of it: its worker is awake and comes to it; a wake-up for the ring
// is an offer to share, and may be missed.

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/slab.hpp"
#include "scheduler/blocking_pool.hpp"
#include "scheduler/run_list.hpp"
#include "scheduler/scheduler.hpp"
#include "scheduler/worker_thread.hpp"
#include "stacks/stack_source.hpp"

namespace otter::rts {

/// What a turn may use up before it should yield.
constexpr int turn_budget = 4000;
/// How long a turn may last that has not used up its budget: what its reductions do may take long.
constexpr std::int64_t turn_time_ns = 50'000;
/// How many timers are fired or released before others run again.
constexpr std::size_t timers_at_once = 64;
/// How often a worker looks at its sockets that has other things to do.
constexpr std::int64_t poll_every_ns = 50'000;

class threads_driver {
 public:
  threads_driver(scheduler& owner, scheduler_options const& options, scheduler_hooks const& hooks);
  ~threads_driver();
  threads_driver(threads_driver const&) = delete;
  threads_driver& operator=(threads_driver const&) = delete;

  void start();
  std::size_t stop(std::int64_t limit_ns);

  // --- from any thread ---
  void submit_foreign(runnable& r) noexcept;
  void submit_blocking(blocking_job& job) { blocking_.submit(job); }
  scheduler::statistics stats() const;
  std::vector<std::string> at_rest(std::int64_t limit_ns, std::function<void()> const& look);
  slab_set const& memory() const noexcept { return slabs_; }
  poller_kind poller() const noexcept { return poller_; }
  std::string const& poller_refused() const noexcept { return poller_refused_; }

  // --- on a worker of this driver, in the runtime ---
  void submit(worker_thread& t, runnable& r) noexcept;
  void submit_woken(worker_thread& t, runnable& r) noexcept;
  void submit_fresh(worker_thread& t, runnable& r) noexcept;
  void submit_yielded(worker_thread& t, runnable& r) noexcept;

  // --- a thread that has left user code without a core (cores.cpp) ---
  /// False if what it runs has been abandoned.
  bool regain(worker_thread& t) noexcept;
  /// The abandoned turn is over: the thread goes on without it.
  void desert(worker_thread& t) noexcept;

 private:
  enum class after : std::uint8_t { go_on, again, end };

  // threads_driver.cpp
  static runnable* next_of(void* thread) noexcept;
  runnable* next(worker_thread& t) noexcept;
  runnable* pick(worker_thread& t, core& c) noexcept;
  runnable* pick_rarer(worker_thread& t, core& c) noexcept;
  runnable* pick_level(worker_thread& t, core& c, priority_level level) noexcept;
  bool begin_round(worker_thread& t, core& c) noexcept;
  after housekeeping(worker_thread& t) noexcept;
  void tidy_a_little(worker_thread& t) noexcept;
  std::size_t run_timers(core& c, std::size_t most) noexcept;
  void start_deferred(worker_thread& t) noexcept;
  void keep(worker_thread& t, runnable& r) noexcept;
  void take_inbox(worker_thread& t) noexcept;
  void submit_shared(runnable& r) noexcept;
  void push_ring(core& c, runnable& r) noexcept;
  void push_private(worker_thread& home, runnable& r) noexcept;
  worker_thread& new_thread();
  void thread_main(worker_thread& t) noexcept;

  // idle.cpp
  static bool may_spin() noexcept;
  bool anything_shared() const noexcept;
  void idle(worker_thread& t) noexcept;
  bool worth_searching(core const& mine) const noexcept;
  bool search(worker_thread& t) noexcept;
  bool tidy_slabs(worker_thread& t) noexcept;
  void begin_window(worker_thread& t, std::int64_t now) noexcept;
  static void see_oldest(seen_queues& seen, core const& c, std::int64_t now) noexcept;
  bool child_ripens(worker_thread& t, std::int64_t then, std::int64_t now) noexcept;
  bool steal(worker_thread& t, core& victim, std::int64_t now) noexcept;
  void park(worker_thread& t) noexcept;
  void offer(core& c) noexcept;
  void wake_one(bool even_if_searching) noexcept;
  void unpark(worker_thread& t) noexcept;

  // cores.cpp; the names ending in _locked want mutex_
  void give_locked(core& c) noexcept;
  void ask_for_core_locked(worker_thread& t) noexcept;
  bool await_core_locked(worker_thread& t, std::unique_lock<std::mutex>& lock,
                         bool mid_turn) noexcept;
  void adopt(worker_thread& t) noexcept;
  void hand_over(worker_thread& t) noexcept;
  bool wait_without_core(worker_thread& t) noexcept;
  void give_up_core(worker_thread& t) noexcept;
  void want_core(worker_thread& t) noexcept;

  // rest.cpp
  void rest(worker_thread& t) noexcept;
  bool turn_waits_locked() const noexcept;
  static bool between_turns_locked(worker_thread const& t) noexcept;
  void tell_rest_locked() noexcept;
  std::string why_not_at_rest(worker_thread& t) const;

  // watchdog.cpp
  void watch_over();
  void look_at(worker_thread& t, std::int64_t now) noexcept;
  void take_from(worker_thread& t, claim::stretch s, std::int64_t ran_for) noexcept;
  void maybe_abandon(worker_thread& t, std::int64_t now) noexcept;
  void abandon_waiting(worker_thread& t, std::int64_t now) noexcept;
  void help_waiting_rings() noexcept;
  bool all_quiet() const noexcept;
  void wake_watchdog() noexcept;

  // --- constant after construction ---
  scheduler& owner_;
  scheduler_options const options_;
  poller_kind poller_ = poller_kind::epoll;  // constant after construction
  std::string poller_refused_;               // likewise
  scheduler_hooks const hooks_;

  // --- own locking ---
  slab_set slabs_;
  stack_source stacks_;
  blocking_pool blocking_;
  shared_run_list overflow_;                         // normal priority
  std::array<shared_run_list, level_count> levels_;  // the others
  std::vector<std::unique_ptr<core>> cores_;         // constant after construction

  // --- any thread ---
  alignas(cache_line) std::atomic<std::size_t> rarer_{0};  // in levels_: written after the push
  std::atomic<std::size_t> core_wanted_{0};                // size of line_
  std::atomic<bool> stopping_{false};
  std::atomic<bool> rest_wanted_{false};               // written under mutex_
  std::atomic<unsigned> wake_backoff_{0};              // offers skipped: 2^this
  alignas(cache_line) std::atomic<unsigned> idle_{0};  // [R1] parked, or about to be
  std::atomic<unsigned> searching_{0};
  std::atomic<unsigned> wake_from_{0};        // where wake_one() begins
  std::atomic<bool> watchdog_asleep_{false};  // [W1]

  // --- guarded by mutex_ ---
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<worker_thread>> threads_;  // only grows
  std::deque<worker_thread*> line_;                      // who waits for a core, in order
  std::vector<worker_thread*> spares_;
  std::vector<core*> free_cores_;  // nobody could be found to hold them
  std::size_t running_ = 0;        // threads that have not ended
  std::size_t started_ = 0;        // threads that have begun
  std::size_t lost_ = 0;
  std::condition_variable life_changed_;  // running_ or started_
  std::condition_variable watchdog_wake_;
  std::condition_variable rest_changed_;  // for at_rest(): a thread came between two turns
  std::condition_variable rest_over_;     // for those who rest
  bool watchdog_ends_ = false;

  std::thread watchdog_;

  // --- the caller of start() and stop() ---
  bool stopped_ = false;
  std::size_t left_behind_ = 0;
};

}  // namespace otter::rts
