// The counter of a bounded mailbox's places, by itself and from several threads.

#include "process/places.hpp"

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

using otter::overflow;
using otter::rts::mailbox_bound;
using otter::rts::place_count;

TEST_CASE("places are admitted up to the bound, and again when some have left", "[limits]") {
  place_count places;
  for (int i = 0; i < 3; ++i) CHECK(places.admit(3));
  CHECK_FALSE(places.admit(3));
  places.leave();
  CHECK(places.taken() == 2);
  CHECK(places.admit(3));
  CHECK_FALSE(places.admit(3));
  places.admit_anyway();
  CHECK(places.taken() == 4);
  places.leave();
  CHECK_FALSE(places.admit(3));
  places.give_back(2);
  CHECK(places.admit(3));
  CHECK(places.take(2, 5) == 2);
  CHECK(places.taken() == 4);
  CHECK(places.take(2, 5) == 1);
  CHECK(places.take(2, 5) == 0);
  CHECK(places.take(2, 3) == 0);  // more are taken than the bound allows
  CHECK(places.taken() == 5);
}

TEST_CASE("the word of a limit keeps limit, policy and the mark of the line apart", "[limits]") {
  std::uint64_t const word = std::uint64_t{0xffffffff} << 8 | 4;
  for (bool marked : {false, true}) {
    mailbox_bound const bound(marked ? word | mailbox_bound::line_mark : word);
    CHECK(bound.policy == overflow::block);
    CHECK(bound.limit == 0xffffffff);
    CHECK(bound.in_line == marked);
    CHECK(bound.bound() == 0xffffffff);
  }
}

TEST_CASE("with drop_oldest senders may take twice the limit, as far as one can count",
          "[limits]") {
  auto const bound_of = [](std::uint64_t limit) {
    return mailbox_bound(limit << 8 | static_cast<std::uint64_t>(overflow::drop_oldest)).bound();
  };
  CHECK(bound_of(3) == 6);
  CHECK(bound_of(0x7ffffffe) == 0xfffffffc);
  CHECK(bound_of(0x80000000) == 0xffffffff);
  CHECK(bound_of(0xffffffff) == 0xffffffff);
}

TEST_CASE("several threads that take places never have more than the bound", "[limits]") {
  constexpr std::uint32_t bound = 3;
  constexpr int each = 20'000;
  constexpr int takers = 3;
  place_count places;
  std::atomic<int> inside{0};  // never more than what is taken
  std::atomic<int> most{0};
  std::array<std::thread, takers> threads;
  for (auto& t : threads) {
    t = std::thread([&] {
      for (int i = 0; i < each;) {
        if (!places.admit(bound)) {
          std::this_thread::yield();
          continue;
        }
        int const now = inside.fetch_add(1) + 1;
        int seen = most.load();
        while (seen < now && !most.compare_exchange_weak(seen, now)) {
        }
        ++i;
      }
    });
  }
  for (int left = takers * each; left > 0;) {
    if (inside.load() == 0) {
      std::this_thread::yield();
      continue;
    }
    inside.fetch_sub(1);
    places.leave();
    --left;
  }
  for (auto& t : threads) t.join();
  CHECK(most.load() <= static_cast<int>(bound));
  CHECK(places.taken() == 0);
}
