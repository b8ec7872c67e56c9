#pragma once

// process/process_system.hpp - what all processes of one node share.
//
//   process_system   process table, timer table, names, limits, counters
//   local_state      one worker's (or attached thread's) stocks, so that spawning and timers
//                    touch no shared line

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <otter/detail/estate.hpp>
#include <otter/detail/node_log.hpp>
#include <otter/fault.hpp>
#include <otter/node.hpp>
#include <vector>

#include "base/slab.hpp"
#include "base/stable_table.hpp"
#include "process/attached_threads.hpp"
#include "process/code_watch.hpp"
#include "process/names.hpp"
#include "process/offloads.hpp"
#include "process/pool_gate.hpp"
#include "process/process.hpp"
#include "process/system_watch.hpp"
#include "process/throw_note.hpp"
#include "process/timer_block.hpp"
#include "scheduler/scheduler.hpp"

namespace otter::rts {

/// Ownership: of the process_system. Threads: the worker or thread that it is lent to; the counters
/// are read by anybody (relaxed: sums that are exact when nothing runs).
struct alignas(64) local_state {
  explicit local_state(process_system& s);

  process_system& system;
  stable_table<process>::cache processes;
  stable_table<timer_block>::cache timers;
  std::atomic<std::int64_t> alive{0};        ///< spawned here minus ended here
  std::atomic<std::int64_t> timer_count{0};  ///< started here minus given back here
  std::atomic<std::uint64_t> dropped{0};
  std::int64_t turn_began_ns = 0;  ///< while system_monitor() is on; the worker's own
  throw_note thrown;               ///< the worker's own
  /// Kept warm for the room above, by which they are of one size; the worker's own.
  std::array<std::unique_ptr<char[]>, 2> buffers;

  static void add(std::atomic<std::int64_t>& n, std::int64_t by) noexcept {
    // One writer: a plain addition that readers may see late.
    n.store(n.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
};

/// Something that a room above keeps for the node, made when it is first asked for.
///
/// Threads:   any. Ordering: [NL1] the release of the pointer shows the finished object to who
/// finds it without the mutex.
template <class Thing>
class made_once {
 public:
  Thing* get() const noexcept { return found_.load(std::memory_order_acquire); }  // [NL1]
  Thing& make(std::unique_ptr<Thing> (*made)()) {
    std::lock_guard lock(mutex_);
    if (!owner_) {
      owner_ = made();
      found_.store(owner_.get(), std::memory_order_release);  // [NL1]
    }
    return *owner_;
  }

 private:
  std::mutex mutex_;
  std::unique_ptr<Thing> owner_;  // guarded by mutex_; set once
  std::atomic<Thing*> found_{nullptr};
};

/// What the sockets of a node may hold together: of the room of ports, which reads it.
struct overload_limits {
  std::size_t output_high = 0;  ///< bytes queued in all sockets; 0: no mark
  std::size_t output_low = 0;
  std::size_t stop_accepting = 0;  ///< bytes of memory; 0: no mark
  std::size_t shed_idle = 0;
};

struct process_limits {
  std::uint32_t max_processes = 1u << 22;
  std::int64_t kill_limit_ns = 5'000'000'000;
  std::int64_t block_limit_ns = 5'000'000'000;
  std::uint32_t long_queue_on = 0;
  std::uint32_t long_queue_off = 0;
  max_heap_size max_heap;
  bool throw_backtraces = true;
  std::uint32_t direct_connections = 0;  // the io room's
  overload_limits overload;
};

/// Ownership: of all process and timer blocks, names and slabs of a node.
/// Threads:   any, by the rules of its parts.
class process_system {
 public:
  process_system(std::uint32_t node_index, process_limits const& limits, std::uint64_t secret,
                 std::function<void(node_event const&)> on_event);
  ~process_system();

  /// The block that a pid of this node names, if it lives there now; else null. The answer may be
  /// old at once: a push decides.
  process* find(pid p) noexcept {
    if (node_of(p) != node_index_) return nullptr;
    process* found = table_.at(index_of(p));
    return found != nullptr && found->is(p) ? found : nullptr;
  }
  process* at(std::uint32_t index) noexcept { return table_.at(index); }
  pid make_pid_of(std::uint64_t bits) const noexcept { return pid_access::make(node_index_, bits); }

  local_state& lend_local();
  void give_back_local(local_state& local) noexcept;

  std::uint32_t node_index() const noexcept { return node_index_; }
  process_limits const& limits() const noexcept { return limits_; }
  name_table& names() noexcept { return names_; }
  slab_set& slabs() noexcept { return slabs_; }
  system_watch& watch() noexcept { return watch_; }
  stable_table<timer_block>& timers() noexcept { return timer_table_; }
  stable_table<process>& table() noexcept { return table_; }

  scheduler& sched() noexcept { return *scheduler_; }
  /// Whether the scheduler is the simulation: asked on hot paths before anything is traced.
  bool simulated() const noexcept { return simulated_; }
  void set_scheduler(scheduler& s) noexcept {
    scheduler_ = &s;
    simulated_ = s.simulated();
  }

  /// To the log, and what hand_on() does.
  void report(node_event&& event) noexcept;
  /// The trace, on_event; stderr if there is none, unless a log has taken the event.
  void hand_on(node_event&& event, bool taken) noexcept;
  bool has_listener() const noexcept { return static_cast<bool>(on_event_); }
  /// What the room above keeps for its log, and for what processes own there.
  made_once<detail::node_log>& log() noexcept { return log_; }
  made_once<detail::node_estates>& estates() noexcept { return estates_; }
  /// The modules; nothing until one is loaded.
  made_once<code_watch>& code() noexcept { return code_; }

  /// Processes that live, attached threads included. Exact when nothing is spawned or ends.
  std::int64_t alive() noexcept;
  std::int64_t timer_count() noexcept;
  std::uint64_t dropped() noexcept;
  /// Called at each end while the node stops, and whoever waits for it is told.
  void process_ended() noexcept;
  /// Waits until `enough()`, which is asked again after each end, or the limit is over. Threads
  /// driver only.
  bool wait_for_ends(std::function<bool()> const& enough, std::int64_t limit_ns);
  std::atomic<bool> stopping{false};
  std::atomic<std::int64_t> abandoned{0};
  /// So many threads are lost that the node gives up. Set by the node before anything runs; called
  /// on the watchdog's thread, must not throw.
  std::function<void(std::size_t)> too_many_lost;

  /// Simulation: asked at each safe point; see otter/simulation.hpp. Set before anything is
  /// spawned.
  std::function<fault(pid)> at_safe_point;

  /// What the room of ports keeps per node; that room's, made and destroyed through it.
  std::shared_ptr<void> ports;
  std::mutex ports_mutex;

  // --- for who looks at everything (code/reachability.cpp): what no worker does ---
  pool_gate pool;
  offloads jobs;
  attached_threads attached;

  /// Foreign threads spawn through these, one at a time.
  std::mutex foreign_mutex;
  local_state* foreign_local = nullptr;  // guarded by foreign_mutex
  slab* foreign_slab = nullptr;          // guarded by foreign_mutex

 private:
  std::uint32_t const node_index_;
  process_limits const limits_;
  std::function<void(node_event const&)> const on_event_;
  scheduler* scheduler_ = nullptr;
  bool simulated_ = false;
  slab_set slabs_;
  stable_table<process> table_;
  stable_table<timer_block> timer_table_;
  name_table names_;
  system_watch watch_;

  std::mutex locals_mutex_;
  std::vector<std::unique_ptr<local_state>> locals_;  // guarded by locals_mutex_
  std::vector<local_state*> idle_locals_;             // guarded by locals_mutex_

  std::mutex ends_mutex_;
  std::condition_variable ends_;

  made_once<detail::node_log> log_;
  made_once<detail::node_estates> estates_;
  made_once<code_watch> code_;
};

/// The last resort: a line on stderr.
void print_event(node_event const& event) noexcept;

[[noreturn]] void throw_abandoned();
/// For public functions that may throw. Throws: error(abandoned) if the runtime refused the entry.
inline void refuse_abandoned(runtime_entry const& entry) {
  if (entry.refused()) [[unlikely]]
    throw_abandoned();
}

/// What a thread that is no worker works with: an attached thread, or one of the blocking pool.
struct foreign_context {
  process* self = nullptr;
  slab* memory = nullptr;
  local_state* local = nullptr;
  process_system* system = nullptr;
  std::uint64_t job_of = 0;  ///< bits of the process that waits for this thread's job

  static foreign_context* current() noexcept;
  static void set_current(foreign_context* c) noexcept;
};

/// While it lives, the calling thread can make signals of `system`.
class pool_memory {
 public:
  explicit pool_memory(process_system& system);
  ~pool_memory();
  pool_memory(pool_memory const&) = delete;
  pool_memory& operator=(pool_memory const&) = delete;

 private:
  /// Nothing, if the thread has entered already.
  struct entry {
    pool_gate* gate;
    entry(process_system& system, foreign_context const* before) noexcept;
    entry(entry const&) = delete;
    entry& operator=(entry const&) = delete;
    ~entry() {
      if (gate != nullptr) gate->leave();
    }
  };

  foreign_context* before_;
  entry const inside_;
  foreign_context context_;
};

/// While it lives, a thread that works for no node (a job of the pool, the watchdog) works for this
/// one, and for the process whose job it does: it may log. On any other thread it does nothing.
class on_behalf_of {
 public:
  explicit on_behalf_of(process_system& system, std::uint64_t process = 0) noexcept;
  ~on_behalf_of();
  on_behalf_of(on_behalf_of const&) = delete;
  on_behalf_of& operator=(on_behalf_of const&) = delete;

 private:
  foreign_context context_;
  bool const active_;
};

/// Who is executing this, and with what. Cheap to make, old after every suspension.
struct here {
  process* self = nullptr;  ///< null: no process
  worker* on = nullptr;     ///< null: an attached thread
  slab* memory = nullptr;   ///< null: neither worker nor attached thread
  local_state* local = nullptr;
  process_system* system = nullptr;

  static here now() noexcept { return on_worker_or_not(current_worker()); }
  /// Where the border has asked already who runs here, nothing need be asked again.
  static here now(runtime_entry const& entry) noexcept { return on_worker_or_not(entry.here()); }
  /// Throws: error(not_in_process) outside a process or attached thread.
  static here in_process() { return a_process(now()); }
  static here in_process(runtime_entry const& entry) { return a_process(now(entry)); }

 private:
  /// A worker is never a foreign thread as well: those that attach are refused there.
  static here on_worker_or_not(worker* w) noexcept {
    if (w == nullptr || w->upper == nullptr) [[unlikely]]
      return elsewhere(w);
    auto* const local = static_cast<local_state*>(w->upper);
    return {static_cast<process*>(w->current()), w, &w->memory(), local, &local->system};
  }
  static here elsewhere(worker* w) noexcept;
  static here a_process(here const& h) {
    if (h.self == nullptr) [[unlikely]]
      throw_not_in_process();
    return h;
  }
  [[noreturn]] static void throw_not_in_process();
};

}  // namespace otter::rts
