// The set of numbers for owners that mostly hold none or one.

#include "base/number_set.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <vector>

#include "base/random.hpp"
#include "short_memory.hpp"

using otter::rts::random_generator;

namespace {

struct spread {
  static std::uint64_t hash(std::uint64_t number) noexcept {
    return number * 0x9e3779b97f4a7c15 >> 32;
  }
};
using number_set = otter::rts::number_set<spread>;

std::vector<std::uint64_t> sorted(number_set const& s) {
  std::vector<std::uint64_t> all;
  s.for_each([&](std::uint64_t n) { all.push_back(n); });
  std::sort(all.begin(), all.end());
  return all;
}

bool add(number_set& s, std::uint64_t n) {
  if (!s.reserve_one()) return false;
  s.insert(n);
  return true;
}

}  // namespace

#if MEMORY_CAN_BE_SHORT
TEST_CASE("a set of numbers is a word and a mark, and the first needs no memory", "[number_set]") {
  struct with_room_behind {
    [[no_unique_address]] number_set numbers;
    std::uint32_t other;
  };
  static_assert(sizeof(with_room_behind) == 16);
  memory_is_short = true;
  number_set s;
  bool const first = add(s, 7);
  bool const second = s.reserve_one();
  memory_is_short = false;
  CHECK(first);
  CHECK_FALSE(second);
  CHECK(s.contains(7));
  CHECK_FALSE(s.contains(8));
  CHECK_FALSE(s.contains(0));
  CHECK_FALSE(s.erase(8));
  CHECK_FALSE(s.erase(0));
  CHECK(s.erase(7));
  CHECK_FALSE(s.erase(7));
  CHECK(s.size() == 0);
  CHECK(s.any() == 0);
}

TEST_CASE("a set of numbers that can get no memory keeps what it has", "[number_set]") {
  number_set s;
  memory_is_short = true;
  std::uint64_t n = 0;
  for (int growths = 0; growths < 6; ++growths) {
    while (s.reserve_one()) s.insert(++n);
    CHECK(s.size() == n);
    for (std::uint64_t i = 1; i <= n; ++i) CHECK(s.contains(i));
    memory_is_short = false;
    CHECK(s.reserve_one());
    memory_is_short = true;
  }
  memory_is_short = false;
  CHECK(n > 50);
}
#endif

TEST_CASE("a set of numbers agrees with std::set whatever is done to it", "[number_set]") {
  auto const seed = Catch::rngSeed();
  INFO("--rng-seed " << seed);
  random_generator random{seed};
  bool const short_at_times = GENERATE(false, true);
  for (int run = 0; run < 20; ++run) {
    number_set s;
    std::set<std::uint64_t> model;
    std::uint64_t const range = 1 + random.below(run % 2 == 0 ? 20 : 3000);
    for (int step = 0; step < 4000; ++step) {
      std::uint64_t const n = 1 + random.below(range);
      memory_is_short = short_at_times && random.below(2) == 0;
      if (random.below(10) < ((step / 1000) % 2 == 0 ? 8u : 3u)) {
        if (!model.contains(n) && add(s, n)) model.insert(n);
      } else {
        switch (random.below(3)) {
          case 0:
            if (std::uint64_t const some = s.any(); some != 0) {
              REQUIRE(model.erase(some) == 1);
              REQUIRE(s.erase(some));
            } else {
              REQUIRE(model.empty());
            }
            break;
          case 1:
            if (random.below(50) == 0) s.shrink();
            break;
          default:
            REQUIRE(s.erase(n) == (model.erase(n) == 1));
        }
      }
      memory_is_short = false;
      REQUIRE(s.size() == model.size());
      std::uint64_t const probe = 1 + random.below(range);
      REQUIRE(s.contains(probe) == model.contains(probe));
    }
    REQUIRE(sorted(s) == std::vector<std::uint64_t>(model.begin(), model.end()));
  }
}

TEST_CASE("emptying a set of numbers takes steps in proportion to its size", "[number_set]") {
  // As spread, but counted: each step along the places asks for one.
  static std::uint64_t asked = 0;
  struct counted {
    static std::uint64_t hash(std::uint64_t number) noexcept {
      ++asked;
      return spread::hash(number);
    }
  };
  constexpr std::uint64_t most = 100'000;
  otter::rts::number_set<counted> s;
  for (std::uint64_t n = 1; n <= most; ++n) {
    REQUIRE(s.reserve_one());
    s.insert(n);
  }
  asked = 0;
  while (s.size() != 0) REQUIRE(s.erase(s.any()));
  CHECK(asked <= 10 * most);  // 714 for each if all sizes had the same order
}

TEST_CASE("a set of numbers that has become small gives its memory back", "[number_set]") {
  auto const most =
      GENERATE(std::uint64_t{10'000}, std::uint64_t{100'000}, std::uint64_t{1'000'000});
  number_set s;
  for (std::uint64_t n = 1; n <= most; ++n) REQUIRE(add(s, n));
  CHECK(s.bytes() >= most * sizeof(std::uint64_t));
  // A quarter is free, and it has grown by a quarter at most since that was so.
  CHECK(s.bytes() <= most * sizeof(std::uint64_t) * 5 / 3 + 64);
  while (s.size() > 1) s.erase(s.any());
  CHECK(s.bytes() <= 4200);
  s.shrink();
  CHECK(s.bytes() == 0);
  CHECK(s.any() != 0);
  CHECK(s.erase(s.any()));
  CHECK(s.any() == 0);
}
