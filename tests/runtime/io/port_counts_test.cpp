// What a port holds elsewhere: counters that have grown, settings that are not the usual ones.

#include <array>
#include <catch2/catch.hpp>
#include <cstdint>
#include <otter/tcp_options.hpp>

#include "base/random.hpp"
#include "io/port_aside.hpp"

using namespace otter::rts;

TEST_CASE("a port's counters go on beyond what the port itself holds of them", "[tcp]") {
  auto const seed = Catch::rngSeed();
  INFO("--rng-seed " << seed);
  random_generator random{seed};
  constexpr std::array kinds{port_count::received_bytes, port_count::received_packets,
                             port_count::sent_bytes, port_count::sends};
  port_counts counts;
  aside_ptr aside;
  std::array<std::uint64_t, kinds.size()> expected{};
  for (int step = 0; step < 2000; ++step) {
    auto const i = static_cast<std::size_t>(random.below(kinds.size()));
    // The most that one system call carries, a byte, and what lies between.
    std::uint64_t const n = step % 3 == 0   ? 0x7ffff000
                            : step % 3 == 1 ? 1
                                            : random.below(std::uint64_t{1} << 31);
    counts.add(kinds[i], n, aside);
    expected[i] += n;
    for (std::size_t k = 0; k < kinds.size(); ++k)
      REQUIRE(counts.total(kinds[k], aside.get()) == expected[k]);
  }
  CHECK(expected[0] > std::uint64_t{1} << 36);
}

TEST_CASE("counters that are small need nothing beside the port", "[tcp]") {
  port_counts counts;
  aside_ptr aside;
  counts.add(port_count::sent_bytes, (std::uint64_t{1} << 31) - 1, aside);
  CHECK(aside == nullptr);
  counts.add(port_count::sent_bytes, 1, aside);
  CHECK(aside != nullptr);
  CHECK(counts.total(port_count::sent_bytes, aside.get()) == std::uint64_t{1} << 31);
  CHECK(aside->tuning == usual_tuning);
}

TEST_CASE("a port that was told nothing else is as tcp_options say by themselves", "[tcp]") {
  otter::tcp_options const options;
  CHECK(usual_tuning.high == options.high_watermark);
  CHECK(usual_tuning.low == options.low_watermark);
  CHECK(usual_tuning.limits.packet_size == options.packet_size);
  CHECK(usual_tuning.limits.buffer == options.buffer);
  CHECK(options.send_timeout == otter::infinity);
  CHECK(usual_tuning.send_timeout_ns == INT64_MAX);
}
