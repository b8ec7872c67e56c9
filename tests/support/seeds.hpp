#pragma once

// seeds.hpp - from which seeds a test runs its simulations, and how one that fails is had again.
//
//   seeds(n)     1 to n; or the one in the environment variable OTTER_SEED alone
//   again(seed)  the line that has that run again

#include <errno.h>
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace otter_test {

struct seed_range {
  std::uint64_t first, last;
  bool one_alone;  ///< by OTTER_SEED: nothing but this simulation is wanted
};

inline seed_range seeds(std::uint64_t n) {
  char const* const one = std::getenv("OTTER_SEED");
  if (one == nullptr) return {1, n, false};
  std::uint64_t const seed = std::strtoull(one, nullptr, 10);
  return {seed, seed, true};
}

inline std::string again(std::uint64_t seed) {
  return fmt::format("simulation, again: OTTER_SEED={} {} '{}'", seed, program_invocation_name,
                     Catch::getResultCapture().getCurrentTestName());
}

}  // namespace otter_test
