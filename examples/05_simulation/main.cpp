// 05: the whole program in simulation - the same code, virtual time, every choice from a seed.
//
// Two processes race for a name. On threads one of them wins, you never know which; in a simulation
// the seed decides, and the same seed decides the same way for ever. A test that fails prints its
// seed, and that seed fails again under the debugger.
//
// Try: add `otter::sleep_for(std::chrono::hours(1))` to racer(): it takes no time.

#include <fmt/format.h>

#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/name.hpp>
#include <otter/receive.hpp>
#include <otter/simulation.hpp>
#include <otter/spawn.hpp>
#include <string>

void racer(otter::pid judge, std::string me) {
  try {
    otter::register_name("winner", otter::self());
    otter::send(judge, me);
  } catch (otter::error const&) {
    // badarg: somebody has the name already
  }
  otter::sleep_for(otter::infinity);
}

std::string race(std::uint64_t seed) {
  std::string winner;
  otter::simulation simulation(seed);
  simulation.run([&] {
    otter::spawn_link(racer, otter::self(), "red");
    otter::spawn_link(racer, otter::self(), "blue");
    winner = otter::receive([](std::string name) { return name; });
    otter::exit(otter::exit_reason::shutdown());  // takes both along
  });
  return winner;
}

int main() {
  int red = 0, same = 0;
  constexpr int races = 100;
  for (std::uint64_t seed = 1; seed <= races; ++seed) {
    std::string const winner = race(seed);
    red += winner == "red";
    same += race(seed) == winner;
  }
  fmt::print("red wins some races: {}, blue wins some: {}\n", red > 0, red < races);
  fmt::print("of {} races run again from their seeds, {} ended the same way\n", races, same);
}
