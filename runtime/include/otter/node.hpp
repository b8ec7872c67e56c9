#pragma once

// otter/node.hpp - the node: what processes live in.
//
//   otter::node           workers, process table, names, timers; several may live in one program
//   otter::node_options   how many workers, which limits
//   otter::run()          a node for the time of one function: the usual main()
//   otter::node_event     what the node has to tell: crash reports, stalls
//
// Plain threads take part through otter/attached_thread.hpp.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <otter/duration.hpp>
#include <otter/exit_reason.hpp>
#include <otter/pid.hpp>
#include <otter/poller_kind.hpp>
#include <otter/spawn.hpp>
#include <string>
#include <vector>

namespace otter {

namespace rts {
class node_core;
}

/// Something that the node reports; written by the process that it is about, before others hear
/// of its end (LOG-7). Bounded in size.
struct node_event {
  enum class kind : unsigned char {
    crash,              ///< a process ended by an exception that nobody caught
    stall,              ///< user code has not reached a safe point for longer than stall_limit
    process_abandoned,  ///< a kill was not obeyed within kill_limit
    large_heap,         ///< a process holds more than its max_heap_size
    long_queue,         ///< a mailbox went above the threshold; or below it again
    report,             ///< a behaviour's report
    failure,            ///< something the operator should know
    progress,           ///< a supervisor has started a child
    code,               ///< a module was loaded, deleted or purged
  };
  kind what = kind::report;
  pid process = {};
  std::string text = {};
};

struct node_options {
  /// 0: as many as the affinity mask and the cgroup's quota allow.
  unsigned workers = 0;
  std::uint32_t max_processes = 1u << 22;
  duration stall_limit = std::chrono::milliseconds(10);
  duration kill_limit = std::chrono::seconds(5);
  /// How long a send to a bounded mailbox with overflow::block waits.
  duration block_limit = std::chrono::seconds(5);
  /// So many threads may be lost to processes that do not end. With one more the node reports a
  /// failure and stops, as stop() does; see node::has_given_up().
  unsigned max_abandoned = 8;
  unsigned blocking_threads = 16;
  /// What the workers wait for sockets by. Where the kernel refuses io_uring: epoll, and one event
  /// of kind failure says so.
  poller_kind poller = poller_kind::epoll;
  /// Room for so many accepted connections in tables of io_uring, with either poller: they are no
  /// descriptors, so RLIMIT_NOFILE does not bound their number (what root set as a cap is none
  /// then). Rounded up to whole tables of equal size. 0: an accepted connection takes a descriptor,
  /// as listeners and connections that the node makes always do. Needs Linux 6.13; elsewhere one
  /// event of kind failure says so, and it is as with 0.
  std::uint32_t direct_connections = 0;
  /// Two thresholds of the long-queue alarm, messages; 0: off.
  std::uint32_t long_queue_on = 0;
  std::uint32_t long_queue_off = 0;
  /// Bytes queued in all sockets together; 0: no mark. From the first mark on, until fewer than the
  /// second are queued, a sender to a socket that has anything queued waits, as it does at the
  /// socket's own mark. A socket whose peer takes everything holds nobody up.
  std::size_t output_high_watermark = 0;
  std::size_t output_low_watermark = 0;
  /// Bytes of memory of this OS process; 0: no mark. From the first mark on, all accepting pauses:
  /// connections wait in the system's queues; until there is a sixteenth less. From the second on,
  /// sockets that have tcp_options::shed_when_idle are closed, those that have been idle for long
  /// first. Memory is looked at when sockets are used, at most ten times a second. In simulation it
  /// is what the node knows of: signals and queued output.
  std::size_t memory_stop_accepting = 0;
  std::size_t memory_shed_idle = 0;
  /// For processes whose spawn_options say nothing else.
  otter::max_heap_size max_heap_size = {};
  /// Prints process, name, stack size and backtrace when a stack overflows; chains to the handler
  /// that it found. Off in a library, since signal handlers are the program's.
  bool crash_report = false;
  /// Takes a backtrace of stalled threads by a real-time signal.
  bool stall_backtraces = false;
  /// Where an exception was thrown that ends a process, or that a behaviour catches, is noted for
  /// the report, see stacktrace_of(). Each such exception pays for a walk over at most 32 frames,
  /// others for nothing.
  bool throw_backtraces = true;
  /// Gets the node's events, on whatever thread they happen; must not block for long. Without it
  /// they go to stderr, all but stall, progress and code.
  std::function<void(node_event const&)> on_event = {};
};

/// How many things a node holds. Exact when nothing runs.
struct node_statistics {
  std::size_t processes = 0;
  std::size_t signals = 0;  ///< envelopes that are somewhere
  std::size_t timers = 0;
  std::size_t stacks_in_use = 0;  ///< held by waiting processes
  std::size_t names = 0;
  std::size_t ports = 0;
  std::size_t queued_output = 0;     ///< bytes, in all sockets
  std::uint64_t shed_sockets = 0;    ///< closed since memory_shed_idle was passed
  std::size_t dropped_messages = 0;  ///< by mailbox limits
  std::size_t abandoned = 0;
  std::uint64_t wakeups = 0;  ///< times that a worker came back from sleeping
};

class node {
 public:
  /// Starts the workers. Throws: error(badarg) for options that cannot be obeyed;
  /// std::system_error if threads cannot be had.
  explicit node(node_options options = {});
  /// stop(), if it was not called.
  ~node();
  node(node const&) = delete;
  node& operator=(node const&) = delete;

  /// Starts a process from outside. Called from: any thread. See otter::spawn().
  template <class Function, class... Args>
  requires std::is_invocable_v<std::decay_t<Function>, std::decay_t<Args>...> pid
  spawn(Function&& f, Args&&... args) {
    return spawn_body(
        {}, detail::make_function_body(std::forward<Function>(f), std::forward<Args>(args)...));
  }
  template <class Function, class... Args>
  pid spawn(spawn_options const& options, Function&& f, Args&&... args) {
    return spawn_body(options, detail::make_function_body(std::forward<Function>(f),
                                                          std::forward<Args>(args)...));
  }
  pid spawn_body(spawn_options const& options, reactive_ptr body);

  /// Spawns `f` and waits, on this thread, until that process has ended; returns why.
  template <class Function>
  exit_reason run(Function&& f) {
    return run_body(detail::make_function_body(std::forward<Function>(f)));
  }
  exit_reason run_body(reactive_ptr body);

  /// Ends all processes and then the workers: first asks (exit signal shutdown) those that were
  /// started from outside; when they have ended, or after `limit`, kills what is left. Always ends:
  /// kill_limit and two seconds after the last process that ended.
  /// Returns a line for each process that had to be left behind, with what it was waiting in.
  /// A second call waits for the first and returns the same.
  /// Called from: a thread that is no process of this node. Blocks.
  std::vector<std::string> stop(duration limit = std::chrono::seconds(5));
  /// True once more than max_abandoned threads were lost: the node stops, or has stopped, by
  /// itself. Called from: any thread. Does not block.
  bool has_given_up() const noexcept;

  node_statistics statistics() const;
  unsigned workers() const noexcept;
  /// What is in use: node_options::poller, or epoll if the kernel refused it.
  poller_kind poller() const noexcept;

  rts::node_core& core() noexcept { return *core_; }

 private:
  std::unique_ptr<rts::node_core> core_;
};

/// Reports an event of the calling process's node: goes to on_event or stderr.
/// Called from: a process or an attached thread. Exits: never.
void report(node_event event) noexcept;

/// What run() returns when the node has given up. EX_SOFTWARE of sysexits.h.
inline constexpr int exit_given_up = 70;

/// A node for the time of one function: the usual main().
///
///     int main() { return otter::run([] { ... }); }
///
/// Returns 0 if the process ended normally, else 1 after printing the reason; exit_given_up if the
/// node has given up (node::has_given_up()).
template <class Function>
int run(Function&& f);
int run_main(node_options options, reactive_ptr body);

template <class Function>
int run(Function&& f) {
  return run_main({}, detail::make_function_body(std::forward<Function>(f)));
}
template <class Function>
int run(node_options options, Function&& f) {
  return run_main(std::move(options), detail::make_function_body(std::forward<Function>(f)));
}

}  // namespace otter
