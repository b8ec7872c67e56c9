// Blocks that one thread allocates and any thread frees.

#include "base/slab.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <cstring>
#include <map>
#include <new>
#include <set>
#include <thread>
#include <vector>

#include "base/random.hpp"

using otter::rts::random_generator;
using otter::rts::slab;
using otter::rts::slab_set;

namespace {

std::uintptr_t address(void* block) { return reinterpret_cast<std::uintptr_t>(block); }

}  // namespace

TEST_CASE("a small block starts on a cache line or its half, a large one in between", "[slab]") {
  slab_set set;
  slab& mine = set.lend();
  std::vector<void*> blocks;
  for (std::size_t bytes : {0u, 1u, 31u, 32u}) {
    blocks.push_back(mine.allocate(bytes));
    CAPTURE(bytes);
    CHECK(address(blocks.back()) % slab::smallest == 0);
    std::memset(blocks.back(), 0xab, bytes);
  }
  for (std::size_t bytes : {33u, 63u, 64u, 65u, 512u, 513u, 768u, 769u, 1024u}) {
    blocks.push_back(mine.allocate(bytes));
    CAPTURE(bytes);
    CHECK(address(blocks.back()) % slab::small_alignment == 0);
    std::memset(blocks.back(), 0xab, bytes);
  }
  for (std::size_t bytes : {1025u, 4096u, 1000000u}) {
    blocks.push_back(mine.allocate(bytes));
    CAPTURE(bytes);
    CHECK(address(blocks.back()) % (2 * slab::large_alignment) == slab::large_alignment);
    std::memset(blocks.back(), 0xab, bytes);
  }
  CHECK(set.blocks_in_use() == blocks.size());
  for (void* block : blocks) slab::free(block, &mine);
  CHECK(set.blocks_in_use() == 0);
}

TEST_CASE("a freed block is the next one of its size to be handed out", "[slab]") {
  slab_set set;
  slab& mine = set.lend();
  void* const first = mine.allocate(64);
  void* const other = mine.allocate(128);
  slab::free(first, &mine);
  CHECK(mine.allocate(100) != first);
  CHECK(mine.allocate(10) != first);
  CHECK(mine.allocate(33) == first);
  slab::free(other, &mine);
  CHECK(mine.allocate(128) == other);
}

TEST_CASE("two blocks of up to half a line share a line", "[slab]") {
  slab_set set;
  slab& mine = set.lend();
  void* const first = mine.allocate(32);
  void* const second = mine.allocate(1);
  CHECK(address(second) == address(first) + 32);
  slab::free(second, &mine);
  CHECK(set.blocks_in_use() == 1);
  CHECK(mine.allocate(32) == second);
}

TEST_CASE("a block freed by a stranger comes back once the owner's list is dry", "[slab]") {
  slab_set set;
  slab& mine = set.lend();
  slab& other = set.lend();
  void* const block = mine.allocate(64);
  slab* const stranger = GENERATE(false, true) ? &other : nullptr;  // or a thread without a slab
  slab::free(block, stranger);
  CHECK(mine.blocks_in_use() == 0);
  CHECK(other.blocks_in_use() == 0);
  CHECK(mine.allocate(64) == block);
  CHECK(mine.blocks_in_use() == 1);
}

TEST_CASE("blocks in use never overlap", "[slab]") {
  auto const seed = Catch::rngSeed();
  INFO("--rng-seed " << seed);
  random_generator random{seed};
  slab_set set;
  slab& mine = set.lend();
  slab& other = set.lend();
  std::map<std::uintptr_t, std::size_t> in_use;
  for (int step = 0; step < 40000; ++step) {
    if (random.below(100) < 52) {
      std::size_t const bytes = 1 + random.below(random.below(10) == 0 ? 3000 : 1024);
      auto const at = address(mine.allocate(bytes));
      auto const above = in_use.lower_bound(at);
      if (above != in_use.end()) REQUIRE(at + bytes <= above->first);
      if (above != in_use.begin()) {
        auto const below = std::prev(above);
        REQUIRE(below->first + below->second <= at);
      }
      in_use[at] = bytes;
    } else if (!in_use.empty()) {
      auto victim = in_use.lower_bound(in_use.begin()->first + random.below(1 << 22));
      if (victim == in_use.end()) victim = in_use.begin();
      slab::free(reinterpret_cast<void*>(victim->first), random.below(2) == 0 ? &mine : &other);
      in_use.erase(victim);
    }
    if (random.below(5000) == 0) mine.trim();
    if (random.below(50) == 0) mine.begin_tidying();
    if (random.below(3) == 0) mine.tidy(1 + random.below(200));
  }
  CHECK(mine.blocks_in_use() == in_use.size());
  for (auto const& [at, bytes] : in_use) slab::free(reinterpret_cast<void*>(at), &mine);
  CHECK(set.blocks_in_use() == 0);
}

TEST_CASE("trim returns what is empty, beyond the reserve, to the system", "[slab]") {
  slab_set set{2};
  slab& mine = set.lend();
  std::vector<void*> blocks;
  for (int i = 0; i < 20000; ++i) blocks.push_back(mine.allocate(64));
  void* const kept = blocks.front();
  std::size_t const held = mine.bytes_mapped();
  CHECK(held >= 20000 * 64);

  SECTION("nothing while every chunk has a block in use") {
    std::set<std::uintptr_t> chunks;
    for (void* block : blocks) {
      bool const first_of_chunk = chunks.insert(address(block) >> 16).second;
      if (!first_of_chunk) slab::free(block, &mine);
    }
    mine.trim();
    CHECK(mine.bytes_mapped() == held);
    CHECK(set.bytes_returned() == 0);
    CHECK(mine.blocks_in_use() == chunks.size());
  }
  SECTION("all but one chunk when one block is left, whoever freed the others") {
    for (std::size_t i = 1; i < blocks.size(); ++i)
      slab::free(blocks[i], i % 2 == 0 ? &mine : nullptr);
    mine.trim();
    CHECK(mine.bytes_mapped() == 65536);
    CHECK(set.bytes_returned() == held - 65536 - 2 * 65536);
    CHECK(mine.blocks_in_use() == 1);
    // What was returned serves again.
    std::set<void*> again{kept};
    for (int i = 0; i < 20000; ++i) {
      void* const block = mine.allocate(64);
      std::memset(block, 0x11, 64);
      CHECK(again.insert(block).second);
    }
    CHECK(set.bytes_returned() == 0);
    CHECK(mine.blocks_in_use() == 20001);
  }
}

namespace {

// All the blocks of 64 bytes in one region, so that the next chunk would have to be mapped.
constexpr std::size_t blocks_of_region = 16 * 1023;

std::vector<void*> take(slab& from, std::size_t n) {
  std::vector<void*> blocks;
  for (std::size_t i = 0; i < n; ++i) {
    blocks.push_back(from.allocate(64));
    std::memset(blocks.back(), 0x11, 64);
  }
  return blocks;
}

}  // namespace

TEST_CASE("memory that one slab can do without serves another", "[slab]") {
  slab_set set;
  slab& mine = set.lend();
  slab& other = set.lend();
  auto const blocks = take(mine, blocks_of_region);
  std::size_t const mapped = set.bytes_mapped();
  for (std::size_t i = 0; i < blocks.size(); ++i)
    slab::free(blocks[i], i % 3 == 0 ? &mine : i % 3 == 1 ? &other : nullptr);
  mine.begin_tidying();
  std::size_t steps = 1;
  while (mine.tidy(100)) ++steps;
  CHECK(steps == blocks_of_region / 100 + 1);
  CHECK_FALSE(mine.tidying());
  CHECK(mine.bytes_mapped() == 0);
  take(other, blocks_of_region);
  CHECK(set.bytes_mapped() == mapped);
}

TEST_CASE("who wants memory finds what the slab of a sleeper can do without", "[slab]") {
  slab_set set;
  slab& sleepers = set.lend();
  slab& mine = set.lend();
  auto const blocks = take(sleepers, blocks_of_region);
  std::size_t const mapped = set.bytes_mapped();
  sleepers.rest();
  for (void* block : blocks) slab::free(block, &mine);
  bool const awake = GENERATE(false, true);
  if (awake) sleepers.resume();
  take(mine, blocks_of_region / 2);
  CHECK((set.bytes_mapped() > mapped) == awake);  // nobody touches a slab that its owner uses
  if (!awake) sleepers.resume();
  CHECK(sleepers.blocks_in_use() == 0);
  CHECK(mine.blocks_in_use() == blocks_of_region / 2);
}

TEST_CASE("what a sleeper still uses stays where it is", "[slab]") {
  slab_set set{0};
  slab& sleepers = set.lend();
  auto const blocks = take(sleepers, 3 * blocks_of_region);
  std::size_t used = 0;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (i % 1023 == 0 && i % 2 == 0)
      ++used;  // one in each second chunk
    else
      slab::free(blocks[i], nullptr);
  }
  std::size_t const held = sleepers.bytes_mapped();
  sleepers.rest();
  while (set.tidy_resting(1000)) {
  }
  CHECK(set.bytes_returned() == 0);  // nothing while somebody waits for the slab
  while (set.return_surplus()) {
  }
  auto const there = set.blocks_in_use_at_rest();
  CHECK(there.all);
  CHECK(there.blocks == used);
  sleepers.resume();
  CHECK_FALSE(set.blocks_in_use_at_rest().all);
  CHECK(sleepers.bytes_mapped() == held / 2);
  CHECK(set.bytes_returned() == held / 2);
  for (std::size_t i = 0; i < blocks.size(); i += 2 * 1023)
    CHECK(*static_cast<unsigned char*>(blocks[i]) == 0x11);
}

TEST_CASE("a slab that is being tidied hands out all that is free before it grows", "[slab]") {
  slab_set set;
  slab& mine = set.lend();
  auto const blocks = take(mine, blocks_of_region);
  for (std::size_t i = 0; i < blocks.size(); ++i)
    if (i % 1023 != 0) slab::free(blocks[i], i % 5 == 0 ? nullptr : &mine);
  std::size_t const held = mine.bytes_mapped();
  mine.begin_tidying();
  CHECK(mine.tidy(GENERATE(1u, 5000u, 15000u)));
  auto const again = take(mine, blocks_of_region - 16);
  CHECK(std::set<void*>(again.begin(), again.end()).size() == again.size());
  CHECK(mine.bytes_mapped() == held);
  CHECK(mine.blocks_in_use() == blocks_of_region);
}

TEST_CASE("a slab that is given back is lent again, its blocks intact", "[slab]") {
  slab_set set;
  slab& first = set.lend();
  auto* const block = static_cast<int*>(first.allocate(sizeof(int)));
  *block = 42;
  set.give_back(first);
  slab& second = set.lend();
  CHECK(&second == &first);
  CHECK(&set.lend() != &first);
  CHECK(*block == 42);
  slab::free(block, &second);
  CHECK(set.blocks_in_use() == 0);
}

TEST_CASE("fail_after makes exactly the n-th allocation fail", "[slab]") {
  slab_set set;
  slab& mine = set.lend();
  auto const bytes = GENERATE(std::size_t{64}, std::size_t{1000}, std::size_t{5000});
  slab::free(mine.allocate(bytes), &mine);
  mine.fail_after(3);
  std::vector<void*> blocks{mine.allocate(bytes), mine.allocate(bytes)};
  CHECK_THROWS_AS(mine.allocate(bytes), std::bad_alloc);
  CHECK(mine.blocks_in_use() == 2);
  blocks.push_back(mine.allocate(bytes));
  mine.fail_after(1);
  mine.fail_after(0);
  blocks.push_back(mine.allocate(bytes));
  for (void* block : blocks) slab::free(block, &mine);
}

TEST_CASE("blocks still in use go with the set", "[slab]") {
  // The leak checker is the judge of the large one.
  slab_set set;
  slab& mine = set.lend();
  CHECK(mine.allocate(64) != nullptr);
  CHECK(mine.allocate(100000) != nullptr);
  CHECK(set.blocks_in_use() == 2);
}

TEST_CASE("a walk over a slab shows each block in use once and no free one", "[slab]") {
  slab_set set;
  slab& mine = set.lend();
  slab& other = set.lend();
  random_generator random(7);
  std::set<void*> used;
  for (int i = 0; i < 20'000; ++i) {
    std::size_t const bytes = random.below(1500);
    used.insert(mine.allocate(bytes));
    if (used.size() < 3 || random.below(3) == 0) continue;
    // Freed by its owner, by another, and sorted now and then.
    auto const at = used.lower_bound(*std::next(used.begin(), static_cast<long>(random.below(3))));
    slab::free(*at, random.below(2) == 0 ? &mine : &other);
    used.erase(at);
    if (random.below(500) == 0) mine.begin_tidying();
    mine.tidy(random.below(8));
  }
  std::set<void*> seen;
  std::size_t twice = 0;
  auto const look = [&](std::byte const* block, std::size_t) {
    twice += seen.insert(const_cast<std::byte*>(block)).second ? 0 : 1;
  };
  SECTION("of a slab that its owner has in hand, if the caller knows that he does nothing") {
    slab* const still[] = {&mine, &other};
    CHECK(set.each_block_in_use(still, look));
    CHECK(seen == used);
  }
  SECTION("of those that rest") {
    mine.rest();
    other.rest();
    CHECK(set.each_block_in_use({}, look));
    CHECK(seen == used);
    mine.resume();
    other.resume();
  }
  SECTION("others are left out, and that is said") {
    CHECK_FALSE(set.each_block_in_use({}, look));
    CHECK(seen.empty());
  }
  CHECK(twice == 0);
  for (void* const block : used) slab::free(block, &mine);
}

TEST_CASE("two threads that allocate for each other lose and share nothing", "[slab][stress]") {
  // Each thread allocates, writes a stamp, passes the block to the other through a ring, and frees
  // what it receives after checking the stamp. Now and then it tidies its slab, or sleeps; a third
  // thread tidies the slabs of sleepers. May be seen: any order of reuse. Never: a stamp that is
  // not the sender's, or a block left over at the end.
  slab_set set;
  constexpr int rounds = 60000;
  constexpr std::size_t ring_size = 256;
  struct ring {
    std::array<std::atomic<std::uint64_t*>, ring_size> cells{};
  };
  ring to[2];
  std::atomic<int> wrong{0};
  auto const work = [&](int self) {
    slab& mine = set.lend();
    random_generator random{static_cast<std::uint64_t>(self) + 1};
    std::size_t sent = 0;
    std::size_t received = 0;
    while (sent < rounds || received < rounds) {
      bool moved = false;
      if (sent < rounds) {
        auto& cell = to[1 - self].cells[sent % ring_size];
        if (cell.load(std::memory_order_acquire) == nullptr) {
          auto const words = 1 + random.below(40);
          auto* const block = static_cast<std::uint64_t*>(mine.allocate((words + 1) * 8));
          block[0] = words;
          for (std::uint64_t w = 1; w <= words; ++w)
            block[w] = sent * 2 + static_cast<unsigned>(self);
          cell.store(block, std::memory_order_release);
          ++sent;
          moved = true;
        }
      }
      if (received < rounds) {
        auto& cell = to[self].cells[received % ring_size];
        if (std::uint64_t* const block = cell.load(std::memory_order_acquire)) {
          for (std::uint64_t w = 1; w <= block[0]; ++w)
            if (block[w] != received * 2 + static_cast<unsigned>(1 - self)) wrong.fetch_add(1);
          cell.store(nullptr, std::memory_order_release);
          slab::free(block, &mine);
          ++received;
          moved = true;
        }
      }
      if (random.below(400) == 0) mine.begin_tidying();
      if (random.below(4) == 0) mine.tidy(random.below(50));
      if (!moved || random.below(100) == 0) {
        mine.rest();
        std::this_thread::yield();
        mine.resume();
      }
    }
    set.give_back(mine);
  };
  std::thread one{work, 0};
  std::thread two{work, 1};
  std::atomic<bool> over{false};
  std::thread three{[&] {
    while (!over.load(std::memory_order_relaxed)) set.tidy_resting(20);
  }};
  one.join();
  two.join();
  over.store(true, std::memory_order_relaxed);
  three.join();
  CHECK(wrong.load() == 0);
  CHECK(set.blocks_in_use() == 0);
}
