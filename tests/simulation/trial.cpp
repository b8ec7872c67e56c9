// trial.cpp - running a simulation and looking at what is left of it.

#include "trial.hpp"

#include <cstdlib>

#include "node/node_core.hpp"

namespace simulate {
namespace {

constexpr std::size_t most_complaints = 20;

}  // namespace

trial::trial(std::uint64_t seed, std::string trace_file) noexcept
    : seed_(seed), trace_file_(std::move(trace_file)) {}

random trial::numbers(std::uint64_t which) const noexcept {
  return random((seed_ * 0x9e3779b97f4a7c15) ^ (which * 0xff51afd7ed558ccd) ^ runs_);
}

void trial::add(std::string text) {
  if (complaints_.size() < most_complaints) {
    complaints_.push_back(std::move(text));
  } else if (unsaid_++ == 0) {
    complaints_.push_back("... and more");
  }
}

void trial::run(std::function<void()> main, otter::simulation_options options) {
  ++runs_;
  options.trace_file = trace_file_;
  options.workers = 1 + static_cast<unsigned>(seed_ % 4);
  options.max_turns = 2'000'000;
  options.node.on_event = [this](otter::node_event const& e) {
    if (e.what == otter::node_event::kind::failure) complain("failure of the node: {}", e.text);
  };
  otter::simulation sim(seed_ + (runs_ - 1) * 1'000'003, options);
  if (prepare) prepare(sim);
  otter::simulation::result const end = sim.run(std::move(main));
  digest_ = (digest_ ^ end.digest) * 0x100000001b3;
  if (!end.finished || end.main != otter::exit_reason::normal())
    complain("the run {}", end.to_string());
  // A socket that was closed with bytes in its queue is a port until they are sent or refused.
  sim.core().sched().run_simulation([&] { return sim.statistics().ports == 0; });
  otter::node_statistics const left = sim.statistics();
  auto const none = [this](std::size_t count, char const* what) {
    if (count != 0) complain("{} {} left after the end", count, what);
  };
  none(left.processes, "processes");
  none(left.signals, "signals");
  none(left.timers, "timers");
  none(left.stacks_in_use, "stacks in use");
  none(left.names, "names");
  none(left.ports, "ports");
}

void fails(trial& t) {
  t.expect(t.seed() % 3 != 0, "this seed is one of those that fail on purpose");
}

void aborts(trial& t) {
  if (t.seed() % 3 == 0) std::abort();
}

std::vector<scenario> const& scenarios() {
  static std::vector<scenario> const all = {
      {"bonds", "links, monitors, exits, kills, names and messages against a model", &bonds},
      {"timers", "timers started, cancelled, read and fired from all sides", &timers},
      {"calls", "calls answered, forwarded, dropped, answered twice, timed out", &calls},
      {"kills", "a process that does everything is killed at its k-th safe point",
       &kill_at_each_safe_point},
      {"raises", "an exception comes out of the k-th safe point of any process",
       &throw_at_each_safe_point},
      {"throws", "a process that does everything throws before its k-th call", &throw_at_each_call},
      {"connections", "sockets on a network that cuts, delays and resets", &connections},
#ifdef OTTER_SIMULATE_ACTORS
      {"supervision", "a tree whose servers are killed while clients call them", &supervision},
#endif
      {"fails", "complains from every third seed, on purpose", &fails, true},
      {"aborts", "ends the program from every third seed, on purpose", &aborts, true},
  };
  return all;
}

}  // namespace simulate
