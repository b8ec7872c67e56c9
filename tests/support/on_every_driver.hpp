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

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <otter/node.hpp>
#include <otter/simulation.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seeds.hpp"

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
  std::vector<otter::node_event> events() const {
    std::lock_guard lock(mutex_);
    return events_;
  }
  std::size_t count_events(otter::node_event::kind what) const {
    std::lock_guard lock(mutex_);
    std::size_t n = 0;
    for (auto const& e : events_) n += e.what == what ? 1 : 0;
    return n;
  }
  /// What supervisors have started so far, each in the first line of its report.
  std::vector<std::string> progress() const {
    std::lock_guard lock(mutex_);
    return progress_;
  }
  /// How many events have `part` in their text.
  std::size_t count_events(std::string_view part) const {
    std::lock_guard lock(mutex_);
    std::size_t n = 0;
    for (auto const& e : events_) n += e.text.find(part) != std::string::npos ? 1 : 0;
    return n;
  }

  // --- for on_every_driver() ---
  void ask_statistics(std::function<otter::node_statistics()> ask) { statistics_ = std::move(ask); }
  struct fact {
    std::string text;
    bool holds;
  };
  std::vector<fact> facts() const {
    std::lock_guard lock(mutex_);
    return facts_;
  }
  void add_event(otter::node_event const& event) {
    // A stall is a matter of the wall clock: a machine with too much to do makes one of any process
    // that it does not let run, so no test may count them. Tests of stalls have a node of their
    // own.
    if (event.what == otter::node_event::kind::stall) return;
    std::lock_guard lock(mutex_);
    if (event.what == otter::node_event::kind::progress)
      progress_.push_back(event.text.substr(0, event.text.find('\n')));
    else
      events_.push_back(event);
  }

 private:
  void add(std::string text, bool holds) {
    std::lock_guard lock(mutex_);
    facts_.push_back({std::move(text), holds});
  }

  std::function<otter::node_statistics()> statistics_;  // constant while the scenario runs
  mutable std::mutex mutex_;
  std::vector<fact> facts_;
  std::vector<otter::node_event> events_;
  std::vector<std::string> progress_;
};

inline void assert_facts(driver_report const& report, std::string const& driver) {
  INFO(driver);
  auto const facts = report.facts();
  for (auto const& e : report.events()) UNSCOPED_INFO("event: " << e.text);
  CHECK(!facts.empty());
  for (auto const& fact : facts) {
    INFO(fact.text);
    CHECK(fact.holds);
  }
}

inline constexpr std::uint64_t seeds_of_a_test = 5;
inline constexpr std::uint64_t most_turns_of_a_test = 1'000'000;  // more: it goes round in circles

/// Runs `scenario(driver_report&)` in the simulation, with several seeds. It must end normally and
/// report something. Of `base` everything but workers and on_event counts. False if it did not
/// always end.
template <class Scenario>
bool in_simulation(Scenario scenario, otter::node_options const& base = {}) {
  seed_range const range = seeds(seeds_of_a_test);
  bool always_ends = true;
  for (std::uint64_t seed = range.first; seed <= range.last; ++seed) {
    const std::string driver = again(seed);
    INFO(driver);  // before it runs: a crash says it too
    driver_report report;
    otter::simulation_options options;
    options.max_turns = most_turns_of_a_test;
    options.node = base;
    options.node.on_event = [&](otter::node_event const& e) { report.add_event(e); };
    otter::simulation simulation(seed, options);
    report.ask_statistics([&] { return simulation.statistics(); });
    const auto result = simulation.run([&] { scenario(report); });
    INFO(result.to_string());
    assert_facts(report, driver);
    CHECK(result.finished);
    CHECK(to_string(result.main) == to_string(otter::exit_reason::normal()));
    always_ends = always_ends && result.finished;
  }
  return always_ends;
}

/// Runs `scenario(driver_report&)` on every driver, as in_simulation() does.
///
/// The simulation comes first: it knows at once when the scenario waits for something that will
/// never come, which on threads would be a test that hangs. So such a scenario is not run there.
template <class Scenario>
void on_every_driver(Scenario scenario, otter::node_options const& base = {}) {
  bool const always_ends = in_simulation(scenario, base);
  if (!always_ends || seeds(seeds_of_a_test).one_alone) return;
  for (unsigned workers : {1u, 4u}) {
    const std::string driver = fmt::format("threads driver, {} workers", workers);
    INFO(driver);
    driver_report report;
    otter::exit_reason end;
    {
      otter::node_options options = base;
      options.workers = workers;
      options.on_event = [&](otter::node_event const& e) { report.add_event(e); };
      otter::node node(options);
      report.ask_statistics([&] { return node.statistics(); });
      end = node.run([&] { scenario(report); });
    }
    assert_facts(report, driver);
    CHECK(to_string(end) == to_string(otter::exit_reason::normal()));
  }
}

}  // namespace otter_test

using otter_test::driver_report;
using otter_test::in_simulation;
using otter_test::on_every_driver;
