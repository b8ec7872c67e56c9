#include "on_every_driver.hpp"

#include <catch2/catch.hpp>
#include <cstdint>
#include <otter/simulation.hpp>

#include "seeds.hpp"

namespace otter_test {
namespace {

constexpr std::uint64_t seeds_of_a_test = 5;
constexpr std::uint64_t most_turns_of_a_test = 1'000'000;  // more: it goes round in circles

void assert_facts(driver_report const& report, std::string const& driver) {
  INFO(driver);
  auto const facts = report.facts();
  for (auto const& e : report.events()) UNSCOPED_INFO("event: " << e.text);
  CHECK(!facts.empty());
  for (auto const& fact : facts) {
    INFO(fact.text);
    CHECK(fact.holds);
  }
}

}  // namespace

std::vector<otter::node_event> driver_report::events() const {
  std::lock_guard lock(mutex_);
  return events_;
}

std::size_t driver_report::count_events(otter::node_event::kind what) const {
  std::lock_guard lock(mutex_);
  std::size_t n = 0;
  for (auto const& e : events_) n += e.what == what ? 1 : 0;
  return n;
}

std::size_t driver_report::count_events(std::string_view part) const {
  std::lock_guard lock(mutex_);
  std::size_t n = 0;
  for (auto const& e : events_) n += e.text.find(part) != std::string::npos ? 1 : 0;
  return n;
}

std::vector<std::string> driver_report::progress() const {
  std::lock_guard lock(mutex_);
  return progress_;
}

std::vector<driver_report::fact> driver_report::facts() const {
  std::lock_guard lock(mutex_);
  return facts_;
}

void driver_report::add_event(otter::node_event const& event) {
  // A stall is a matter of the wall clock: a machine with too much to do makes one of any process
  // that it does not let run, so no test may count them. Tests of stalls have a node of their own.
  if (event.what == otter::node_event::kind::stall) return;
  std::lock_guard lock(mutex_);
  if (event.what == otter::node_event::kind::progress)
    progress_.push_back(event.text.substr(0, event.text.find('\n')));
  else
    events_.push_back(event);
}

void driver_report::add(std::string text, bool holds) {
  std::lock_guard lock(mutex_);
  facts_.push_back({std::move(text), holds});
}

bool in_simulation(scenario const& run, otter::node_options const& base) {
  seed_range const range = seeds(seeds_of_a_test);
  bool always_ends = true;
  for (std::uint64_t seed = range.first; seed <= range.last; ++seed) {
    run_of const line(seed);  // before it runs: a crash says it too
    const std::string driver = fmt::format("simulation, seed {}", seed);
    INFO(driver);
    driver_report report;
    otter::simulation_options options;
    options.max_turns = most_turns_of_a_test;
    options.node = base;
    options.node.on_event = [&](otter::node_event const& e) { report.add_event(e); };
    otter::simulation simulation(seed, options);
    report.ask_statistics([&] { return simulation.statistics(); });
    const auto result = simulation.run([&] { run(report); });
    INFO(result.to_string());
    assert_facts(report, driver);
    CHECK(result.finished);
    CHECK(to_string(result.main) == to_string(otter::exit_reason::normal()));
    always_ends = always_ends && result.finished;
  }
  return always_ends;
}

void on_every_driver(scenario const& run, otter::node_options const& base) {
  bool const always_ends = in_simulation(run, base);
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
      end = node.run([&] { run(report); });
    }
    assert_facts(report, driver);
    CHECK(to_string(end) == to_string(otter::exit_reason::normal()));
  }
}

}  // namespace otter_test
