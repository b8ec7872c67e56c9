#pragma once

// otter/simulation.hpp - a whole node, deterministic from a seed.
//
//   otter::simulation   runs processes on one thread with virtual time; every choice that threads
//                       would make by chance is made by a seeded generator
//
// The same code runs here and on a node: processes cannot tell the difference. Two runs of one
// seed give the same trace, in any OS process.

#include <cstdint>
#include <functional>
#include <memory>
#include <otter/duration.hpp>
#include <otter/fault.hpp>
#include <otter/node.hpp>
#include <string>

namespace otter {

struct simulation_options {
  unsigned workers = 2;  ///< virtual workers
  /// Ends the run with `livelocked` after so many turns; 0: never.
  std::uint64_t max_turns = 50'000'000;
  std::string trace_file = {};  ///< keeps the text of the trace, for comparing two runs
  node_options node = {};       ///< limits; workers and on_event count, threads do not exist
  /// Asked at each safe point of each process, which it names: for ending a process in every place
  /// where it can end. Must not call the runtime.
  std::function<fault(pid)> at_safe_point = {};
};

class simulation {
 public:
  explicit simulation(std::uint64_t seed, simulation_options options = {});
  ~simulation();
  simulation(simulation const&) = delete;
  simulation& operator=(simulation const&) = delete;

  /// How a run ended.
  struct result {
    exit_reason main;         ///< why the first process ended, if it did
    bool finished = false;    ///< it did end
    bool deadlocked = false;  ///< it waits for ever: nothing can run, no timer is pending
    bool livelocked = false;  ///< max_turns were used up
    duration virtual_time{};
    std::uint64_t digest = 0;  ///< of the full trace
    std::string to_string() const;
  };

  /// Runs `f` as the first process until it has ended, or nothing can go on. What still lives then,
  /// a socket that has bytes to deliver too, is ended as by node::stop(): an `f` that cares for it
  /// waits for it.
  template <class Function>
  result run(Function&& f) {
    return run_body(detail::make_function_body(std::forward<Function>(f)));
  }
  result run_body(reactive_ptr body);

  std::uint64_t seed() const noexcept;
  /// What is left after the run: all zero when nothing leaked.
  node_statistics statistics() const;
  rts::node_core& core() noexcept { return *core_; }

 private:
  std::unique_ptr<rts::node_core> core_;
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace otter
