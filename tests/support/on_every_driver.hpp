#pragma once

// on_every_driver.hpp - runs one scenario on every driver of the runtime: the simulation with
// several seeds, and threads with one and with four workers.
//
//   on_every_driver(scenario, options)   runs `scenario(report)` as the first process of a node,
//                                        each time; the options may be left out
//   in_simulation(scenario, options)     the same in the simulation alone, for what takes hours, or
//                                        is about exact times
//   driver_report                        where a process writes down what it saw
//
//     TEST_CASE("a message to a dead pid is dropped", "[process][P-7]") {
//       on_every_driver([](driver_report& report) {
//         otter::pid p = otter::spawn([] {});
//         ...
//         report.check("the sender goes on", true);
//       });
//     }
//
// Catch2's assertions are neither thread safe nor used to foreign stacks. So the process only
// reports, and the test's own thread asserts when the node has ended. A seed that fails is printed;
// OTTER_SEED=n runs that seed of the simulation and nothing else.

#include <fmt/core.h>

#include <functional>
#include <mutex>
#include <otter/node.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace otter_test {

/// What the processes of one run saw.
///
/// Threads: any. The lock is held only while a line is added, never while a process waits.
class driver_report {
 public:
  void check(std::string_view what, bool holds) { add(std::string(what), holds); }

  template <class A, class B>
  void equal(std::string_view what, A const& got, B const& expected) {
    add(fmt::format("{}: got {}, expected {}", what, got, expected), got == expected);
  }

  /// What the node holds now.
  otter::node_statistics statistics() const { return statistics_(); }

  /// The node's events so far: crash reports and others, but no stalls and no progress.
  std::vector<otter::node_event> events() const;
  std::size_t count_events(otter::node_event::kind what) const;
  /// How many events have `part` in their text.
  std::size_t count_events(std::string_view part) const;
  /// What supervisors have started so far, each in the first line of its report.
  std::vector<std::string> progress() const;

  // --- for on_every_driver() ---
  void ask_statistics(std::function<otter::node_statistics()> ask) { statistics_ = std::move(ask); }
  struct fact {
    std::string text;
    bool holds;
  };
  std::vector<fact> facts() const;
  void add_event(otter::node_event const& event);

 private:
  void add(std::string text, bool holds);

  std::function<otter::node_statistics()> statistics_;  // constant while the scenario runs
  mutable std::mutex mutex_;
  std::vector<fact> facts_;
  std::vector<otter::node_event> events_;
  std::vector<std::string> progress_;
};

/// A scenario runs as the first process of a node, once on each driver.
using scenario = std::function<void(driver_report&)>;

/// Runs `run` in the simulation, with several seeds. It must end normally and report something. Of
/// `base` everything but workers and on_event counts. False if it did not always end.
bool in_simulation(scenario const& run, otter::node_options const& base = {});

/// Runs `run` on every driver, as in_simulation() does.
///
/// The simulation comes first: it knows at once when the scenario waits for something that will
/// never come, which on threads would be a test that hangs. So such a scenario is not run there.
void on_every_driver(scenario const& run, otter::node_options const& base = {});

}  // namespace otter_test

using otter_test::driver_report;
using otter_test::in_simulation;
using otter_test::on_every_driver;
