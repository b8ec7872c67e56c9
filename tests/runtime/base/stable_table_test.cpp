// Blocks that never move and never go, found by index.

#include "base/stable_table.hpp"

#include <catch2/catch.hpp>
#include <deque>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "base/random.hpp"

using otter::rts::random_generator;
using otter::rts::stable_table;

namespace {

struct block {
  explicit block(std::uint32_t i) noexcept : index{i} { ++constructed; }
  ~block() { ++destroyed; }

  std::uint32_t index;
  std::uint32_t table_next = 0;
  std::uint64_t user = 0;

  static inline std::size_t constructed = 0;
  static inline std::size_t destroyed = 0;
};
using table = stable_table<block>;

}  // namespace

TEST_CASE("a slot is found under its index for as long as the table lives", "[stable_table]") {
  table blocks{1000};
  table::cache mine{blocks};
  CHECK(blocks.at(0) == nullptr);
  block* const first = mine.acquire();
  REQUIRE(first != nullptr);
  CHECK(first->index == 0);
  CHECK(blocks.at(0) == first);
  mine.release(first->index);
  CHECK(blocks.at(0) == first);
  CHECK(blocks.at(std::size_t{1} << 27) == nullptr);
  CHECK(blocks.at(~std::size_t{0}) == nullptr);
}

TEST_CASE("a small table stays small", "[stable_table]") {
  table blocks{1000000};
  table::cache mine{blocks};
  CHECK(blocks.constructed() == 0);
  for (int i = 0; i < 10; ++i) CHECK(mine.acquire()->index == static_cast<std::uint32_t>(i));
  CHECK(blocks.constructed() == table::batch);
}

TEST_CASE("every block is constructed once, and destroyed with the table", "[stable_table]") {
  block::constructed = block::destroyed = 0;
  {
    table blocks{5000};
    table::cache mine{blocks};
    for (int round = 0; round < 3; ++round) {
      std::vector<std::uint32_t> held;
      for (int i = 0; i < 5000; ++i) held.push_back(mine.acquire()->index);
      for (auto index : held) mine.release(index);
    }
    CHECK(block::constructed == blocks.constructed());
    CHECK(block::constructed < 3 * 5000);
    std::size_t seen = 0;
    blocks.for_each([&](block const& b) { CHECK(b.index == seen++); });
    CHECK(seen == blocks.constructed());
    CHECK(block::destroyed == 0);
  }
  CHECK(block::destroyed == block::constructed);
}

TEST_CASE("a limit is met exactly by two owners of a table of modest size", "[stable_table]") {
  auto const limit = GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{100}, std::size_t{6000});
  table blocks{limit};
  table::cache one{blocks};
  table::cache two{blocks};
  for (int round = 0; round < 3; ++round) {
    std::vector<std::uint32_t> held;
    for (std::size_t i = 0; i < limit; ++i) {
      block* const got = (i % 3 == 0 ? one : two).acquire();
      REQUIRE(got != nullptr);
      held.push_back(got->index);
    }
    CHECK(one.acquire() == nullptr);
    CHECK(two.acquire() == nullptr);
    for (auto index : held) (round == 1 ? one : two).release(index);
  }
  CHECK(blocks.limit() == limit);
}

TEST_CASE("a large limit is reached, and passed by no more than its slack", "[stable_table]") {
  constexpr std::size_t limit = 70000;
  table blocks{limit};
  table::cache one{blocks};
  table::cache two{blocks};
  std::size_t held = 0;
  for (bool more = true; more;) {
    more = false;
    for (auto* cache : {&one, &two}) {
      if (cache->acquire() != nullptr) {
        ++held;
        more = true;
      }
    }
  }
  CHECK(held >= limit);
  CHECK(held <= limit + 2 * table::batch);
}

TEST_CASE("only so many caches exist at once", "[stable_table]") {
  table blocks{10, 2};
  table::cache one{blocks};
  {
    table::cache two{blocks};
    CHECK_THROWS_AS(table::cache{blocks}, std::bad_alloc);
  }
  CHECK_NOTHROW(table::cache{blocks});
}

TEST_CASE("a cache that ends leaves its slots and rights to the others", "[stable_table]") {
  table blocks{200};
  table::cache one{blocks};
  {
    table::cache two{blocks};
    std::vector<std::uint32_t> held;
    for (int i = 0; i < 200; ++i) held.push_back(two.acquire()->index);
    CHECK(one.acquire() == nullptr);
    for (auto index : held) two.release(index);
  }
  for (int i = 0; i < 200; ++i) CHECK(one.acquire() != nullptr);
  CHECK(one.acquire() == nullptr);
  CHECK(blocks.constructed() == 256);
}

TEST_CASE("a released slot waits for many others before it is used again", "[stable_table]") {
  auto const seed = Catch::rngSeed();
  INFO("--rng-seed " << seed);
  random_generator random{seed};
  table blocks{20000, 3};
  std::vector<std::unique_ptr<table::cache>> caches;
  for (int i = 0; i < 3; ++i) caches.push_back(std::make_unique<table::cache>(blocks));
  struct release_record {
    std::size_t cache;
    std::size_t at;
  };
  std::map<std::uint32_t, release_record> released;
  std::size_t releases[3] = {};
  std::vector<std::uint32_t> held;
  std::size_t reused = 0;
  for (int step = 0; step < 200000; ++step) {
    std::size_t const who = random.below(3);
    // Phases: now one cache mostly acquires and another mostly releases, then the other way round.
    std::size_t const bias = (static_cast<std::size_t>(step) / 10000 + who) % 3;
    bool const acquire = held.empty() || random.below(10) < (bias == 0 ? 9u : bias == 1 ? 1u : 5u);
    if (acquire) {
      block* const got = caches[who]->acquire();
      if (got == nullptr) continue;
      if (auto const found = released.find(got->index); found != released.end()) {
        ++reused;
        REQUIRE(releases[found->second.cache] - found->second.at >= table::reuse_gap);
        released.erase(found);
      }
      REQUIRE(got->user == 0);
      got->user = 1;
      held.push_back(got->index);
    } else {
      std::swap(held[random.below(held.size())], held.back());
      blocks.at(held.back())->user = 0;
      caches[who]->release(held.back());
      released[held.back()] = {who, ++releases[who]};
      held.pop_back();
    }
    REQUIRE(caches[who]->waiting() <= table::reuse_gap + 3 * table::batch);
  }
  CHECK(reused > 10000);
}

TEST_CASE("one worker that only releases feeds one that only acquires", "[stable_table]") {
  table blocks{100000};
  table::cache spawner{blocks};
  table::cache reaper{blocks};
  for (int i = 0; i < 100000; ++i) {
    block* const got = spawner.acquire();
    REQUIRE(got != nullptr);
    reaper.release(got->index);
  }
  CHECK(blocks.constructed() < table::reuse_gap + 10 * table::batch);
}

TEST_CASE("indices depend on the order of the calls and on nothing else", "[stable_table]") {
  auto const run = [] {
    table blocks{5000};
    table::cache one{blocks};
    table::cache two{blocks};
    random_generator random{7};
    std::deque<std::uint32_t> held;
    std::vector<std::uint32_t> trace;
    for (int i = 0; i < 30000; ++i) {
      table::cache& cache = random.below(2) == 0 ? one : two;
      if (random.below(2) == 0 || held.empty()) {
        block* const got = cache.acquire();
        trace.push_back(got != nullptr ? got->index : ~0u);
        if (got != nullptr) held.push_back(got->index);
      } else {
        cache.release(held.front());
        held.pop_front();
      }
    }
    return trace;
  };
  CHECK(run() == run());
}

TEST_CASE("threads that exchange slots never hold the same one", "[stable_table][stress]") {
  table blocks{3000, 3};
  std::atomic<int> wrong{0};
  struct cell {
    std::atomic<std::uint32_t> index{0};  // index + 1, 0: empty
  };
  std::vector<cell> exchange(64);
  auto const work = [&](std::uint64_t self) {
    table::cache mine{blocks};
    random_generator random{self};
    std::vector<std::uint32_t> held;
    for (int i = 0; i < 60000; ++i) {
      if (random.below(2) == 0) {
        if (block* const got = mine.acquire()) {
          if (got->user != 0) wrong.fetch_add(1);
          got->user = self;
          // Hand it to whoever comes by, and take what lies there.
          auto const found = exchange[random.below(exchange.size())].index.exchange(got->index + 1);
          if (found != 0) held.push_back(found - 1);
        }
      } else if (!held.empty()) {
        block* const mine_now = blocks.at(held.back());
        if (mine_now == nullptr || mine_now->index != held.back()) {
          wrong.fetch_add(1);
          continue;
        }
        mine_now->user = 0;
        mine.release(held.back());
        held.pop_back();
      }
    }
    for (auto index : held) {
      blocks.at(index)->user = 0;
      mine.release(index);
    }
  };
  std::vector<std::thread> threads;
  for (std::uint64_t self = 1; self <= 3; ++self) threads.emplace_back(work, self);
  for (auto& thread : threads) thread.join();
  CHECK(wrong.load() == 0);
}
