#pragma once

// scheduler/scheduler.hpp - the scheduler as the rooms above see it, the same for both drivers.
//
//   scheduler        one per node: workers, queues, timers, pollers, blocking pool, watchdog
//   worker           what the code that is running right now may use without locks
//   current_worker() the worker of this OS thread (in simulation: the virtual worker chosen)
//   suspend.hpp      giving up the processor in the middle of a turn
//   runtime_entry    marks the border between user code and the runtime

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <otter/poller_kind.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/slab.hpp"
#include "scheduler/claim.hpp"
#include "scheduler/runnable.hpp"
#include "timers/wheel.hpp"

namespace otter::rts {

class poller;
class scheduler;
class turn_loop;
struct poll_source;

/// One stall: a thread that has been in user code for longer than the limit.
struct stall_report {
  runnable* who;               ///< what it runs; describe() names it
  std::int64_t ran_for_ns;     ///< how long, so far
  std::size_t waiting_frames;  ///< suspended runnables that only this thread can continue
  void* const* backtrace;      ///< program counters of the stuck thread
  std::size_t depth;
};

/// A time limit that is not a timer yet. Hardly any limit of some seconds is ever reached, and few
/// are still wanted when the worker next looks at the clock. So only those become timers then, with
/// that look for a beginning: a limit that is gone before costs no timer and no clock reading.
///
/// Never early, as the look comes after the beginning; late by what lies between two looks, which
/// is what the firing of any timer may be late by.
///
/// Ownership: of whoever waits.
/// Threads:   the thread that it was deferred on: whoever waits has frames there, and they stay.
struct deferred_timer {
  deferred_timer* next = nullptr;
  deferred_timer** back = nullptr;  ///< what points at this one; null: in no list

  bool is_deferred() const noexcept { return back != nullptr; }
  void unlist() noexcept {
    *back = next;
    if (next != nullptr) next->back = back;
    next = nullptr;
    back = nullptr;
  }
};

/// Upward calls, implemented by the room that owns the scheduler. None may throw.
struct scheduler_hooks {
  /// A timer is due. On the worker whose core owned it, in the runtime, outside any turn.
  void (*timer_fired)(timer_node&) noexcept;
  /// A timer that another thread cancelled has left its wheel and may be reused.
  void (*timer_released)(timer_node&) noexcept;
  /// Writes a name of `who` for reports. Async-signal-safe.
  void (*describe)(runnable const& who, char* buffer, std::size_t size) noexcept;
  /// A stall was seen; called once per stall on the watchdog's thread.
  void (*stalled)(scheduler&, stall_report const&) noexcept;
  /// The watchdog asks, for a thread whose core it took, at each of its ticks, about what it runs
  /// and about all that is ready to continue there: is `who` to be abandoned now? (A kill that was
  /// not obeyed within the limit.) Then it calls abandon below.
  bool (*wants_abandon)(runnable& who, std::int64_t now_ns) noexcept;
  /// `who` stays for ever where it is. Called on a worker, in the runtime, outside any turn; either
  /// the stuck thread is locked out of the runtime (it will find itself refused), or `who` was
  /// waiting there and has no frames and no home any more: the room above ends it.
  /// The program counters of where it is, if they could be had.
  void (*abandon)(scheduler&, runnable& who, void* const* backtrace, std::size_t depth) noexcept;
  /// More than max_abandoned threads are lost.
  void (*too_many_abandoned)(scheduler&, std::size_t threads) noexcept;
  /// The clock was read: unlists `t` and makes it a timer, on the worker that it was deferred on,
  /// in the runtime, outside any turn. If no timer can be had now it leaves it in the list, and is
  /// asked again.
  void (*start_deferred)(deferred_timer& t, std::int64_t now_ns) noexcept;
};

struct scheduler_options {
  unsigned workers = 1;
  bool simulated = false;
  std::uint64_t seed = 0;  ///< simulation only
  std::int64_t stall_limit_ns = 10'000'000;
  unsigned max_spare_threads = 16;
  unsigned max_abandoned = 8;
  unsigned blocking_threads = 16;
  poller_kind poller = poller_kind::epoll;
  bool stall_backtraces = false;  ///< takes a real-time signal (SIGRTMIN + 7) for itself
  std::uint64_t max_turns = 0;    ///< simulation only: livelock is suspected after so many
  void* owner = nullptr;          ///< the node; scheduler::owner() gives it back
};

/// Why run_simulation() returned.
enum class simulation_end : std::uint8_t {
  quiescent,     ///< nothing is runnable, no timer pending, no job out
  stopped,       ///< stop() became true
  out_of_turns,  ///< scheduler_options::max_turns: probably a livelock
};

/// Work for the blocking pool.
struct blocking_job {
  blocking_job* next = nullptr;
  /// On a pool thread (in simulation: inline, at a time that the seed chooses). Publishes its own
  /// completion, for a process by a signal. The pool does not touch the job afterwards.
  virtual void run() noexcept = 0;

 protected:
  ~blocking_job() = default;
};

/// The thread half of "a worker is a thread plus a core": what cannot move.
///
/// Threads: all members are for the code that runs on this worker, except where said.
class worker {
 public:
  scheduler& owner() noexcept { return *scheduler_; }
  /// Blocks for signals; see slab::free for giving them back from anywhere.
  slab& memory() noexcept { return *slab_; }
  /// The runnable whose turn this is, or null in the loop. Set by the loop before run() and again
  /// when a suspended one continues.
  runnable* current() noexcept { return current_; }
  /// For the room above: what it keeps for each worker.
  void* upper = nullptr;
  /// What is left of the present turn's budget; the room above counts it down.
  int reductions = 0;
  /// True if the present turn has lasted for turn_time_ns since the first time that this was asked
  /// in it. Reads the clock: the room above asks once in so many reductions. Never in the
  /// simulation, where no time passes within a turn.
  bool turn_is_long() noexcept;
  /// The same, asked once in `every` reductions, a power of two: 4,000 messages whose handling
  /// takes 10 us each would be 40 ms in which nobody else runs. Not while the budget is whole: most
  /// turns are one message long.
  bool turn_is_long(unsigned every) noexcept {
    return (static_cast<unsigned>(reductions) & (every - 1)) == every / 4 && turn_is_long();
  }
  /// Clock of the driver, ns. Threads: a clock reading; simulation: virtual time.
  std::int64_t now() noexcept;
  /// Small number of the worker, for statistics and traces: 0 .. workers-1 (spares reuse them).
  unsigned number() const noexcept { return number_; }

  // --- queues (never block) ---
  /// `r` is ready: goes to its home thread's private queue if it has frames, else to this core.
  void submit(runnable& r) noexcept;
  /// `r` has just been woken by the current turn: it may use the slot that runs next.
  void submit_woken(runnable& r) noexcept;
  /// `r` is a child that the current turn spawned: fresh children run first.
  void submit_fresh(runnable& r) noexcept;
  /// `r` has used up its budget and goes behind everybody of its priority.
  void submit_yielded(runnable& r) noexcept;

  // --- timers (never block; see timers/wheel.hpp) ---
  /// Starts `t` so that it fires `delay_ns` from now, never earlier.
  void start_timer(timer_node& t, std::int64_t delay_ns) noexcept;
  void start_timer_at(timer_node& t, std::int64_t due_ns) noexcept;
  /// `t` is to be started when this worker next looks at the clock, unless it is unlisted before.
  void defer_timer(deferred_timer& t) noexcept { list(t, deferred_); }
  /// From any worker: true exactly if it will now never fire. False with `released` semantics as
  /// described in wheel.hpp.
  bool cancel_timer(timer_node& t, std::uint64_t generation) noexcept;
  /// The wheel that this core's timers are in (for comparing with timer_node::home).
  timer_wheel& wheel() noexcept;

 private:
  friend class runtime_entry;
  friend class user_code;
  friend struct worker_access;
  static void list(deferred_timer& t, deferred_timer*& first) noexcept {
    t.next = first;
    t.back = &first;
    if (first != nullptr) first->back = &t.next;
    first = &t;
  }

  scheduler* scheduler_ = nullptr;
  slab* slab_ = nullptr;
  turn_loop* loop_ = nullptr;  // constant; of the simulation, for all its workers
  runnable* current_ = nullptr;
  unsigned number_ = 0;
  bool in_user_ = false;  // this thread is in user code: the outermost runtime_entry must enter
  bool simulated_ = false;
  std::int64_t turn_asked_ns_ = 0;  // 0: not yet in this turn
  deferred_timer* deferred_ = nullptr;
  deferred_timer* dated_ = nullptr;  // deferred before dated_ns_, when somebody else read the clock
  std::int64_t dated_ns_ = 0;
  claim claim_;
};

/// The worker of the calling OS thread, or null on a foreign thread. Never inlined, and read again
/// after every suspension: the compiler would keep the address of the thread-local across it.
worker* current_worker() noexcept;

/// Gives up the processor in the middle of a turn.
///
///     prepare_suspend(w, self);            // writes self.frames, and whose they are
///     if (!self.publish_idle()) { cancel_suspend(self); return; }   // e.g. a signal has come
///     suspend(self);                       // returns when somebody has submitted self and
///                                          // its home thread has taken it from its private queue
/// After it, current_worker() must be asked again (in simulation it may differ).
///
/// Throws: std::bad_alloc, before anything is published; it reserves the stack that suspend()
/// needs.
void prepare_suspend(worker& w, runnable& self);
void cancel_suspend(runnable& self) noexcept;
void suspend(runnable& self) noexcept;

/// The stack that the calling turn runs on.
stack* running_stack() noexcept;

/// True if desert_stack() has a stack to go on with.
bool may_desert_stack() noexcept;
/// Leaves the running stack for good, frames and all, in the middle of the turn of a runnable that
/// has been ended otherwise: the frames are never continued, what lies in them stays readable.
[[noreturn]] void desert_stack() noexcept;

/// Marks a stretch of runtime code called from user code. Constructed at the top of every public
/// function that touches the core; nests (the inner one does nothing).
///
/// If the watchdog has taken this thread's core meanwhile, the constructor waits until the thread
/// has a core again. If the current runnable has been abandoned, `refused()` is true and the
/// caller must touch nothing but leave (throw, or return a default where it may not throw).
class runtime_entry {
 public:
  runtime_entry() noexcept
      : worker_(current_worker()), entered_(worker_ != nullptr && worker_->in_user_) {
    if (entered_) {
      worker_->in_user_ = false;
      if (!worker_->claim_.enter()) [[unlikely]]
        refused_ = !regain_core();
    }
  }
  ~runtime_entry() {
    if (entered_) leave();
  }
  runtime_entry(runtime_entry const&) = delete;
  runtime_entry& operator=(runtime_entry const&) = delete;
  bool refused() const noexcept { return refused_; }
  worker* here() const noexcept { return worker_; }  ///< null on a foreign thread

 private:
  worker* worker_;
  /// Waits for a core. False if the current runnable has been abandoned.
  bool regain_core() noexcept;
  /// In simulation the virtual worker may be another one after a suspension: asked again.
  void leave() noexcept {
    worker* const w = current_worker();
    w->in_user_ = true;
    w->claim_.leave();
  }

  bool entered_;
  bool refused_ = false;
};

/// The other direction: run() wraps each call of user code in one.
///
/// If the runnable has been abandoned meanwhile, the destructor does not return: the thread
/// deserts the stack with all its frames and goes on with other work.
class user_code {
 public:
  user_code() noexcept : user_code(*current_worker()) {}
  explicit user_code(worker& w) noexcept {
    w.in_user_ = true;
    w.claim_.leave();
  }
  ~user_code() {
    worker* const w = current_worker();
    w->in_user_ = false;
    if (!w->claim_.enter()) [[unlikely]]
      regain_core();
  }
  user_code(user_code const&) = delete;
  user_code& operator=(user_code const&) = delete;

 private:
  static void regain_core() noexcept;
};

class scheduler {
 public:
  scheduler(scheduler_options const&, scheduler_hooks const&);
  ~scheduler();

  void* owner() const noexcept;
  bool simulated() const noexcept;
  unsigned workers() const noexcept;
  /// What its workers wait by, and, where that is not what was asked for, why. In simulation:
  /// epoll.
  poller_kind poller() const noexcept;
  std::string poller_refused() const;

  /// Threads driver: starts the workers; returns when they run. Simulation: nothing.
  void start();
  /// Threads driver: asks the workers to end once their current turns end, and joins those that
  /// can be joined; returns the number of threads that were left behind (abandoned or stuck for
  /// longer than `limit_ns`).
  std::size_t stop(std::int64_t limit_ns);
  /// Simulation: runs until nothing is runnable, no timer is pending, no job is out, or until
  /// `stop()` becomes true (asked after each turn). On the calling thread.
  simulation_end run_simulation(std::function<bool()> const& stop);

  /// From any thread: `r` is ready.
  void submit(runnable& r) noexcept;
  /// Clock of the driver, from any thread.
  std::int64_t now() noexcept;
  /// From any thread, worker or foreign.
  void submit_blocking(blocking_job& job);
  /// Seeded in simulation, else from the system: for jitter and ids, not for secrets. Called on a
  /// worker.
  std::uint64_t random() noexcept;

  /// Registers a descriptor with the poller of the current worker's core (see poller/poller.hpp).
  void watch(poll_source& source);
  /// It is used here. True: its events come here. `again`: the last time they did not, so they are
  /// made to, if that can be: see poller::take_over(). The first time may be the last, and moving
  /// costs two system calls. On a worker.
  bool follow(poll_source& source, bool again) noexcept;
  void unwatch(poll_source& source) noexcept;
  /// Its descriptor is closed at once: see poller::forget(). False: released() follows.
  bool forget(poll_source& source) noexcept;

  struct statistics {
    std::size_t timers = 0, stacks_mapped = 0, stacks_in_use = 0, blocks_in_use = 0;
    std::size_t abandoned_threads = 0;
    std::uint64_t wakeups = 0;  ///< times that a worker came back from sleeping
    std::uint64_t steals = 0;
    std::uint64_t turns = 0;
  };
  statistics stats() const noexcept;  ///< exact when quiescent

  /// Runs `look()` while no worker is in a turn: each waits between two of them, its slab at rest,
  /// and what they have written is seen. Empty if that was so. Otherwise who did not come there
  /// within `limit_ns`, a text for each, and `look()` was not called. All that is due waits as long
  /// as `look()` runs; that must neither submit anything nor make a signal.
  /// Called from: a job of the blocking pool, one at a time.
  std::vector<std::string> at_rest(std::int64_t limit_ns, std::function<void()> const& look);
  /// The blocks that are the workers'; see slab_set. Called from: look() of at_rest().
  bool each_block_in_use(std::function<void(std::byte const*, std::size_t)> const& look) const;

  /// Simulation: this is a place where another core could get in between. Time passes, and timers
  /// of other virtual workers may fire. True: the caller, if it can, is to let other processes run
  /// before it goes on. Called where a race is worth trying, by code that has nothing half done.
  /// In the threads driver, where cores do that by themselves: nothing, false.
  bool interleave() noexcept;

  /// Simulation: adds one line to the trace (what, two numbers, and bytes, none of which depends
  /// on an address), which also enters the digest. Nothing in the threads driver.
  void trace(char const* what, std::uint64_t a, std::uint64_t b,
             std::string_view bytes = {}) noexcept;
  std::uint64_t trace_digest() const noexcept;
  /// Simulation: append the text of the trace to `path` too.
  void keep_trace(std::string const& path);

  struct implementation;

 private:
  friend struct driver_of;
  std::unique_ptr<implementation> impl_;
};

}  // namespace otter::rts
