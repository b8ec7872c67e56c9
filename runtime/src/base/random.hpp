#pragma once

// base/random.hpp - the runtime's random numbers: the same sequence from the same seed, everywhere.
//
// xoshiro256** 1.0 (Blackman, Vigna), seeded by splitmix64. Not for secrets. The standard's
// distributions are avoided: their results differ between libraries, and a simulation's seed must
// mean the same run on every machine.

#include <array>
#include <bit>
#include <cstdint>

namespace otter::rts {

/// Belongs to one thread, or to one simulation.
class random_generator {
 public:
  explicit constexpr random_generator(std::uint64_t seed) noexcept {
    for (std::uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
      z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
      word = z ^ (z >> 31);
    }
  }

  constexpr std::uint64_t next() noexcept {
    std::uint64_t const result = std::rotl(state_[1] * 5, 7) * 9;
    std::uint64_t const shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  /// 0 .. n - 1, each equally likely; 0 if n is 0.
  constexpr std::uint64_t below(std::uint64_t n) noexcept {
    if (n == 0) return 0;
    // Lemire's multiply and reject would need 128-bit integers. A mask wants two tries at most on
    // average, and is as unbiased.
    std::uint64_t const mask = ~std::uint64_t{0} >> std::countl_zero(n | 1);
    for (;;) {
      std::uint64_t const candidate = next() & mask;
      if (candidate < n) return candidate;
    }
  }

 private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace otter::rts
