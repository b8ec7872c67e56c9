// Random numbers for processes.

#include <otter/attached_thread.hpp>
#include <otter/node.hpp>
#include <otter/random.hpp>
#include <otter/simulation.hpp>
#include <set>
#include <vector>

#include "process_support.hpp"

using namespace process_test;

namespace {

std::vector<std::uint64_t> drawn_with(std::uint64_t seed) {
  std::vector<std::uint64_t> drawn;
  otter::simulation(seed).run([&] {
    for (int i = 0; i != 8; ++i) drawn.push_back(otter::random_number());
  });
  return drawn;
}

}  // namespace

TEST_CASE("random numbers differ from each other", "[random]") {
  on_every_driver([](driver_report& report) {
    std::set<std::uint64_t> different;
    for (int i = 0; i != 100; ++i) different.insert(otter::random_number());
    report.equal("numbers", different.size(), 100u);
  });
}

TEST_CASE("in simulation random numbers are those of the seed", "[random][simulation]") {
  CHECK(drawn_with(3) == drawn_with(3));
  CHECK(drawn_with(3) != drawn_with(4));
}

TEST_CASE("a thread that is no process has no random numbers", "[random]") {
  CHECK(errc_of([] { otter::random_number(); }) == to_string(otter::errc::not_in_process));
  otter::node node({.workers = 1});
  otter::attached_thread me(node);
  CHECK(errc_of([] { otter::random_number(); }) == to_string(otter::errc::not_in_process));
}
