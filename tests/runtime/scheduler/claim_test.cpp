// The word that says whether a thread holds its core: all interleavings of one thread's steps with
// the watchdog's, as a walk through the states of the real class.
//
// The steps are those between which the other side can come; that each side sees what the other
// wrote, whatever a processor does with its stores, is base/asymmetric_barrier.hpp's, and the last
// test here asks it.
//
// What an observer may see: a core is used by its thread in the runtime, or was taken by the
// watchdog, never both. A thread whose core was taken learns of it at its next step into the
// runtime.

#include "scheduler/claim.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

using otter::rts::claim;

namespace {

/// One world: the claim, and what really happened with the core.
struct world {
  claim word;
  bool taken = false;  // by the watchdog, and not given back
  enum class place { runtime, user, entering, waits } thread = place::runtime;
  claim::stretch ended = 0;  // which one it leaves, while it enters
  claim::stretch seen = 0;   // what the watchdog looked at before it decides
  bool has_seen = false;
  bool wants = false;  // the watchdog has asked and not yet decided
  int stretches = 0;   // of user code begun by the thread
  int seen_in = 0;     // the stretch that the watchdog saw
};

enum class step { leave, announce, answer, give_back, look, want, decide };
constexpr step all_steps[] = {step::leave, step::announce, step::answer, step::give_back,
                              step::look,  step::want,     step::decide};

/// Builds the world anew by running `path`: the class cannot be copied. False if a step of the path
/// is not possible where it stands.
bool replay(std::vector<step> const& path, std::string& violation) {
  using place = world::place;
  world w;
  w.word.hold();
  for (step s : path) {
    switch (s) {
      case step::leave:
        if (w.thread != place::runtime) return false;
        w.word.leave();
        w.thread = place::user;
        ++w.stretches;
        break;
      case step::announce:
        if (w.thread != place::user) return false;
        w.ended = w.word.look();
        if (claim::state_of(w.ended) == claim::state::lost) w.ended |= 2;  // what it was
        if (!w.word.announce()) violation = "refused before it asked";
        w.thread = place::entering;
        break;
      case step::answer: {
        if (w.thread != place::entering) return false;
        claim::answer const answer = w.word.answered(w.ended);
        if (answer == claim::answer::not_yet) {
          if (!w.wants) violation = "waits for an answer that nobody owes it";
          return false;  // nothing has happened: it asks again
        }
        bool const held = answer == claim::answer::held;
        if (held && w.taken) violation = "entered the runtime with a core that was taken";
        if (!held && !w.taken) violation = "refused although nobody took the core";
        w.thread = held ? place::runtime : place::waits;
        break;
      }
      case step::give_back:  // under the driver's mutex, to a thread that waits
        if (w.thread != place::waits) return false;
        w.word.hold();
        w.taken = false;
        w.thread = place::runtime;
        break;
      case step::look:
        if (w.wants) return false;  // one watchdog, one thing at a time
        w.seen = w.word.look();
        w.seen_in = w.stretches;
        w.has_seen = true;
        break;
      case step::want:
        if (!w.has_seen || w.wants) return false;
        w.wants = w.word.want(w.seen);
        if (!w.wants && !w.taken && w.thread == place::user && w.seen_in == w.stretches &&
            claim::state_of(w.seen) == claim::state::in_user)
          violation = "may not even want what nobody has taken";
        break;
      case step::decide: {
        if (!w.wants) return false;
        w.wants = false;
        bool const took = w.word.decide(w.seen);
        if (took && w.thread == place::runtime)
          violation = "took the core of a thread in the runtime";
        if (took && w.taken) violation = "took the same core twice";
        if (took && w.seen_in != w.stretches) violation = "took it for another stretch";
        if (!took && w.thread == place::user && !w.taken && w.seen_in == w.stretches)
          violation = "could not take a core that was left in user code";
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
  std::size_t const visited = walk(path, 11, violation);
  std::string steps;
  for (step s : path) steps += std::to_string(static_cast<int>(s)) + ' ';
  INFO("steps (leave announce answer give_back look want decide): " << steps);
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

TEST_CASE("a thread that enters at the very moment when its core is taken agrees on who has it",
          "[scheduler][claim]") {
  otter::rts::asymmetric::prepare();
  claim c;
  c.hold();
  constexpr int rounds = 100'000;
  std::atomic<int> taken{0}, round{0};
  // The core, in a way: whoever has it adds to a plain number.
  long used = 0;
  std::atomic<bool> given_back{true};
  std::thread watchdog([&] {
    while (round.load() < rounds) {
      claim::stretch const s = c.look();
      if (!c.take(s)) continue;
      ++used;
      ++taken;
      given_back.store(true, std::memory_order_release);
      // Not once more before the thread has gone on.
      while (claim::state_of(c.look()) == claim::state::lost && round.load() < rounds)
        std::this_thread::yield();
    }
  });
  int refused = 0, mine = 0;
  for (int i = 0; i < rounds; ++i) {
    round.store(i);
    given_back.store(false, std::memory_order_relaxed);
    c.leave();
    if (i % 64 == 0) std::this_thread::yield();
    if (!c.enter()) {
      ++refused;
      while (!given_back.load(std::memory_order_acquire)) std::this_thread::yield();
      c.hold();
    }
    ++used;
    ++mine;
  }
  round.store(rounds);
  watchdog.join();
  CHECK(refused == taken);
  CHECK(used == mine + taken);
}
