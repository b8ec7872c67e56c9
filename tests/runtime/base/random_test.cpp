// The same numbers from the same seed.

#include "base/random.hpp"

#include <catch2/catch.hpp>
#include <vector>

using otter::rts::random_generator;

TEST_CASE("a seed always gives the same sequence", "[random]") {
  // The authors' reference code with splitmix64(0) as its state.
  random_generator random{0};
  CHECK(random.next() == 0x99ec5f36cb75f2b4);
  CHECK(random.next() == 0xbf6e1f784956452a);
  CHECK(random.next() == 0x1a5f849d4933e6e0);
  random_generator other{1};
  CHECK(other.next() != random_generator{0}.next());
}

TEST_CASE("below gives every number under its bound about equally often", "[random]") {
  random_generator random{5};
  for (std::uint64_t bound : {1u, 2u, 3u, 10u, 48u, 64u}) {
    std::vector<int> seen(bound);
    constexpr int draws = 2000;
    for (std::uint64_t i = 0; i < bound * draws; ++i) ++seen.at(random.below(bound));
    CAPTURE(bound);
    // Six standard deviations of sqrt(2000).
    for (int times : seen) CHECK(std::abs(times - draws) < 270);
  }
  CHECK(random.below(0) == 0);
  std::uint64_t const huge = (std::uint64_t{1} << 63) + 1;
  for (int i = 0; i < 100; ++i) CHECK(random.below(huge) < huge);
}
