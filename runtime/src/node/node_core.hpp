#pragma once

// node/node_core.hpp - the insides of a node, the same for threads and for simulation.

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <otter/node.hpp>
#include <string>
#include <thread>
#include <vector>

#include "process/process_system.hpp"
#include "scheduler/scheduler.hpp"

namespace otter::rts {

/// Ownership: of the process_system and the scheduler. Threads: construction and
/// destruction: one. The rest: any.
class node_core {
 public:
  struct simulated {
    std::uint64_t seed;
    std::uint64_t max_turns;
  };
  explicit node_core(node_options const& options, simulated const* simulation = nullptr);
  ~node_core();

  process_system& system() noexcept { return *system_; }
  scheduler& sched() noexcept { return *scheduler_; }
  node_options const& options() const noexcept { return options_; }

  /// From outside; remembers it as one to be asked to end at the stop.
  pid spawn(spawn_options const& options, reactive_ptr body);
  /// Any thread from outside; whoever comes second waits for the first and gets the same list.
  std::vector<std::string> stop(duration limit);
  bool has_given_up() const noexcept { return given_up_.load(std::memory_order_acquire); }
  node_statistics statistics();

  /// Sends an exit signal from outside.
  void exit_from_outside(pid to, exit_reason const& reason);
  std::vector<pid> living();

 private:
  std::vector<std::string> names_of_the_living();
  void kill_all();
  std::vector<std::string> stop_once(duration limit);
  void give_up(std::size_t threads) noexcept;

  node_options const options_;
  std::uint32_t const id_;
  std::unique_ptr<process_system> system_;
  std::unique_ptr<scheduler> scheduler_;
  std::mutex mutex_;
  std::vector<pid> roots_;  // guarded by mutex_

  std::mutex stop_mutex_;
  bool stopped_ = false;           // guarded by stop_mutex_
  std::vector<std::string> left_;  // guarded by stop_mutex_
  std::atomic<bool> given_up_{false};
  std::thread stopper_;  // the watchdog's, and after its end the destructor's
};

}  // namespace otter::rts
