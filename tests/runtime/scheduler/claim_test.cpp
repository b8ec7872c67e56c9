// The word that says whether a thread holds its core: all interleavings of one thread's steps with
// the watchdog's, as a walk through the states of the real class.
//
// What an observer may see: a core is used by its thread in the runtime, or was taken by the
// watchdog, never both. A thread whose core was taken learns of it at its next step into the
// runtime.

#include "scheduler/claim.hpp"

#include <catch2/catch.hpp>
#include <cstdint>
#include <string>
#include <vector>

using otter::rts::claim;

namespace {

/// One world: the claim, and what really happened with the core.
struct world {
  claim word;
  bool taken = false;       // by the watchdog, and not given back
  bool in_runtime = true;   // the thread believes so
  bool waits = false;       // the thread was refused and waits for a core
  claim::stretch seen = 0;  // what the watchdog looked at before it decides
  bool has_seen = false;
  int stretches = 0;  // of user code begun by the thread
  int seen_in = 0;    // the stretch that the watchdog saw
};

enum class step { leave, enter, give_back, look, take };
constexpr step all_steps[] = {step::leave, step::enter, step::give_back, step::look, step::take};

/// Builds the world anew by running `path`: the class cannot be copied. False if a step of the path
/// is not possible where it stands.
bool replay(std::vector<step> const& path, std::string& violation) {
  world w;
  w.word.hold();
  for (step s : path) {
    switch (s) {
      case step::leave:
        if (!w.in_runtime || w.waits) return false;
        w.word.leave();
        w.in_runtime = false;
        ++w.stretches;
        break;
      case step::enter: {
        if (w.in_runtime || w.waits) return false;
        bool const held = w.word.enter();
        if (held && w.taken) violation = "entered the runtime with a core that was taken";
        if (!held && !w.taken) violation = "refused although nobody took the core";
        w.in_runtime = held;
        w.waits = !held;
        break;
      }
      case step::give_back:  // under the driver's mutex, to a thread that waits
        if (!w.waits) return false;
        w.word.hold();
        w.taken = false;
        w.waits = false;
        w.in_runtime = true;
        break;
      case step::look:
        w.seen = w.word.look();
        w.seen_in = w.stretches;
        w.has_seen = true;
        break;
      case step::take: {
        if (!w.has_seen) return false;
        bool const was_taken = w.taken;
        bool const took = w.word.take(w.seen);
        if (took && w.in_runtime) violation = "took the core of a thread in the runtime";
        if (took && was_taken) violation = "took the same core twice";
        if (took && w.seen_in != w.stretches) violation = "took it for another stretch";
        bool const should = claim::state_of(w.seen) == claim::state::in_user && !w.in_runtime &&
                            !w.waits && !was_taken && w.seen_in == w.stretches;
        if (should && !took) violation = "could not take a core that was left in user code";
        w.taken = w.taken || took;
        break;
      }
    }
    if (!violation.empty()) return true;
  }
  return true;
}

std::size_t walk(std::vector<step>& path, std::size_t depth, std::string& violation) {
  std::size_t visited = 0;
  for (step s : all_steps) {
    path.push_back(s);
    if (replay(path, violation)) {
      ++visited;
      if (!violation.empty()) return visited;
      if (depth > 1) visited += walk(path, depth - 1, violation);
      if (!violation.empty()) return visited;
    }
    path.pop_back();
  }
  return visited;
}

}  // namespace

TEST_CASE("no interleaving lets a thread and the watchdog both have a core", "[scheduler][claim]") {
  std::vector<step> path;
  std::string violation;
  std::size_t const visited = walk(path, 9, violation);
  std::string steps;
  for (step s : path) steps += std::to_string(static_cast<int>(s)) + ' ';
  INFO("steps (leave enter give_back look take): " << steps);
  CHECK(violation.empty());
  CHECK(visited > 10'000);
}

TEST_CASE("a stretch that has ended cannot be taken, nor the next one by mistake",
          "[scheduler][claim]") {
  claim c;
  c.hold();
  c.leave();
  claim::stretch const first = c.look();
  CHECK(c.enter());
  CHECK_FALSE(c.take(first));
  c.leave();
  CHECK_FALSE(c.take(first));
  CHECK(c.take(c.look()));
  CHECK_FALSE(c.enter());
}

TEST_CASE("a thread that was refused stays refused until it holds a core again",
          "[scheduler][claim]") {
  claim c;
  c.hold();
  c.leave();
  REQUIRE(c.take(c.look()));
  CHECK_FALSE(c.enter());
  c.leave();
  CHECK_FALSE(c.enter());
  CHECK_FALSE(c.take(c.look()));
  c.hold();
  c.leave();
  CHECK(c.enter());
}
