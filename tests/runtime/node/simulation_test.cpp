// What a simulation says of its end.

#include <catch2/catch.hpp>
#include <otter/receive.hpp>
#include <otter/simulation.hpp>
#include <otter/spawn.hpp>
#include <string>

namespace {

struct never {};

std::string end_of(otter::simulation::result const& r) {
  std::string const text = r.to_string();
  return text.substr(0, text.find(' '));
}

}  // namespace

TEST_CASE("a simulation whose first process ended says so, and why", "[simulation]") {
  otter::simulation sim(1);
  auto const r = sim.run([] { otter::exit(otter::exit_reason::of("enough")); });
  CHECK(r.finished);
  CHECK(end_of(r) == "finished");
  CHECK(r.to_string().find("enough") != std::string::npos);
}

TEST_CASE("a simulation that cannot go on says so, and gives no reason for an end that was not",
          "[simulation]") {
  otter::simulation sim(1);
  auto const r = sim.run([] { otter::receive([](never) {}); });
  CHECK(r.deadlocked);
  CHECK(end_of(r) == "deadlocked");
  CHECK(r.to_string().find("reason") == std::string::npos);
}

TEST_CASE("a simulation that goes on for ever is stopped, and says so", "[simulation]") {
  otter::simulation sim(1, {.max_turns = 1000});
  auto const r = sim.run([] {
    for (;;) otter::sleep_for(std::chrono::microseconds(1));
  });
  CHECK(r.livelocked);
  CHECK(end_of(r) == "livelocked");
}
