#pragma once

// node/node_core.hpp - the insides of a node, the same for threads and for simulation.

#include <cstdint>
#include <memory>
#include <mutex>
#include <otter/node.hpp>
#include <string>
#include <vector>

#include "process/process_system.hpp"
#include "scheduler/scheduler.hpp"

namespace otter::rts {

/// Ownership: of the process_system and the scheduler. Threads: start, stop: one thread from
/// outside. The rest: any.
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
  std::vector<std::string> stop(duration limit);
  node_statistics statistics();

  /// Sends an exit signal from outside.
  void exit_from_outside(pid to, exit_reason const& reason);
  std::vector<pid> living();

 private:
  std::vector<std::string> names_of_the_living();
  void kill_all();

  node_options const options_;
  std::uint32_t const id_;
  std::unique_ptr<process_system> system_;
  std::unique_ptr<scheduler> scheduler_;
  std::mutex mutex_;
  std::vector<pid> roots_;  // guarded by mutex_
  bool stopped_ = false;
};

}  // namespace otter::rts
