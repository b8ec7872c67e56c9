#pragma once

// seeds.hpp - from which seeds a test runs its simulations, and how one that fails is had again.
//
//   seeds(n)         1 to n; or the one in the environment variable OTTER_SEED alone
//   again(seed)      the command that has that run of the present test again
//   run_of(seed)     while it lives, the first assertion that fails prints that command
//
// The command stands in a line of its own, as it can be pasted: what INFO() is given Catch2 breaks
// at 80 columns.

#include <cstdint>
#include <string>

namespace otter_test {

struct seed_range {
  std::uint64_t first, last;
  bool one_alone;  ///< by OTTER_SEED: nothing but this simulation is wanted
};

seed_range seeds(std::uint64_t n);

std::string again(std::uint64_t seed);

/// Threads: the one that asserts. One at a time.
class run_of {
 public:
  explicit run_of(std::uint64_t seed);
  ~run_of();
  run_of(run_of const&) = delete;
  run_of& operator=(run_of const&) = delete;
};

}  // namespace otter_test
