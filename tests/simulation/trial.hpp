#pragma once

// trial.hpp - one seed of one scenario: what runs it, and what it has to complain about.
//
//   trial        given to a scenario: the seed, the simulation, the list of complaints
//   scenario     a name and a function
//   scenarios()  all of them
//
// A simulation is one thread, so the processes of a scenario may write to a *ledger* on the
// scenario's stack: what each of them did and saw, known at once. That is how a model knows what
// the runtime is to answer. A process never throws at what it finds wrong: it complains and goes
// on.

#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <otter/simulation.hpp>
#include <string>
#include <vector>

#include "base/random.hpp"

namespace simulate {

using random = otter::rts::random_generator;

/// Threads: the simulation's one.
class trial {
 public:
  /// `trace_file`: empty, or where the text of the trace is appended.
  trial(std::uint64_t seed, std::string trace_file) noexcept;

  std::uint64_t seed() const noexcept { return seed_; }
  /// Random numbers of the scenario: `which` names the stream, such as the number of a process.
  random numbers(std::uint64_t which) const noexcept;

  template <class... Args>
  void complain(fmt::format_string<Args...> text, Args&&... args) {
    add(fmt::format(text, std::forward<Args>(args)...));
  }
  /// Complains if `holds` is false.
  template <class... Args>
  bool expect(bool holds, fmt::format_string<Args...> text, Args&&... args) {
    if (!holds) add(fmt::format(text, std::forward<Args>(args)...));
    return holds;
  }

  /// Runs `main` as the first process of a simulation to its end. Complains if it does not end
  /// normally, and of whatever the node holds afterwards. Several runs in one trial get seeds of
  /// their own.
  void run(std::function<void()> main, otter::simulation_options options = {});
  /// Called with each simulation before it runs.
  std::function<void(otter::simulation&)> prepare = {};

  std::vector<std::string> const& complaints() const noexcept { return complaints_; }
  std::uint64_t digest() const noexcept { return digest_; }

 private:
  void add(std::string text);

  std::uint64_t seed_;
  std::uint64_t runs_ = 0;
  std::string trace_file_;
  std::vector<std::string> complaints_;
  std::size_t unsaid_ = 0;
  std::uint64_t digest_ = 0;
};

struct scenario {
  char const* name;
  char const* what;
  void (*run)(trial&);
  bool only_by_name = false;  ///< no part of the set: for the test of what is said of failures
};

std::vector<scenario> const& scenarios();

// --- the scenarios, one file each ---
void bonds(trial& t);
void timers(trial& t);
void calls(trial& t);
void kill_at_each_safe_point(trial& t);
void throw_at_each_safe_point(trial& t);
void throw_at_each_call(trial& t);
void connections(trial& t);
void supervision(trial& t);
void fails(trial& t);
void aborts(trial& t);

}  // namespace simulate
