// The intrusive hash set for owners that mostly hold none or one.

#include "base/keyed_set.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>
#include <memory>
#include <new>
#include <vector>

#include "base/random.hpp"
#include "short_memory.hpp"

bool memory_is_short = false;

#if MEMORY_CAN_BE_SHORT
// The sets ask for their arrays with nothrow new, and nobody else in this program does.
void* operator new(std::size_t bytes, std::nothrow_t const&) noexcept {
  if (memory_is_short) return nullptr;
  try {
    return ::operator new(bytes);
  } catch (...) {
    return nullptr;
  }
}
#endif

using otter::rts::keyed_set;
using otter::rts::random_generator;

namespace {

struct node {
  std::uint64_t key;
  node* hash_next = nullptr;
};

struct by_key {
  static std::uint64_t key(node const& n) { return n.key; }
  static std::uint64_t hash(std::uint64_t key) { return key * 0x9e3779b97f4a7c15 >> 32; }
};
using set = keyed_set<node, by_key>;

std::vector<std::uint64_t> keys_of(set const& s) {
  std::vector<std::uint64_t> keys;
  s.for_each([&](node& n) { keys.push_back(n.key); });
  return keys;
}

}  // namespace

#if MEMORY_CAN_BE_SHORT
TEST_CASE("an empty set is 8 bytes, and one element needs no memory", "[keyed_set]") {
  static_assert(sizeof(set) == 8);
  memory_is_short = true;
  set s;
  node one{7};
  s.insert(one);
  memory_is_short = false;
  CHECK(s.bucket_count() == 1);
  CHECK(s.find(7) == &one);
  CHECK(s.find(8) == nullptr);
  CHECK(s.remove(7) == &one);
  CHECK(s.remove(7) == nullptr);
  CHECK(s.empty());
}
#endif

TEST_CASE("a set agrees with std::map whatever is done to it", "[keyed_set]") {
  auto const seed = Catch::rngSeed();
  INFO("--rng-seed " << seed);
  random_generator random{seed};
  bool const short_at_times = GENERATE(false, true);
  for (int run = 0; run < 20; ++run) {
    set s;
    std::map<std::uint64_t, std::unique_ptr<node>> model;
    std::uint64_t const range = 1 + random.below(run % 2 == 0 ? 20 : 3000);
    for (int step = 0; step < 4000; ++step) {
      std::uint64_t const key = random.below(range);
      memory_is_short = short_at_times && random.below(2) == 0;
      // Phases of growing and of shrinking.
      if (random.below(10) < ((step / 1000) % 2 == 0 ? 8u : 3u)) {
        if (!model.contains(key)) {
          auto& added = model[key] = std::make_unique<node>(node{key});
          s.insert(*added);
        }
      } else {
        switch (random.below(4)) {
          case 0:
            if (node* const popped = s.pop_any()) {
              REQUIRE(model.contains(popped->key));
              model.erase(popped->key);
            } else {
              REQUIRE(model.empty());
            }
            break;
          case 1:
            if (auto const found = model.find(key); found != model.end()) {
              REQUIRE(s.remove(*found->second));
              REQUIRE_FALSE(s.remove(*found->second));
              model.erase(found);
            }
            break;
          case 2:
            if (random.below(50) == 0) s.shrink();
            break;
          default: {
            node* const removed = s.remove(key);
            REQUIRE((removed != nullptr) == model.contains(key));
            model.erase(key);
          }
        }
      }
      memory_is_short = false;
      REQUIRE(s.size() == model.size());
      std::uint64_t const probe = random.below(range);
      auto const found = model.find(probe);
      REQUIRE(s.find(probe) == (found == model.end() ? nullptr : found->second.get()));
    }
    auto keys = keys_of(s);
    std::sort(keys.begin(), keys.end());
    std::vector<std::uint64_t> expected;
    for (auto const& [key, owned] : model) expected.push_back(key);
    REQUIRE(keys == expected);
  }
}

#if MEMORY_CAN_BE_SHORT
TEST_CASE("without memory a set stays as it is and only gets slower", "[keyed_set]") {
  std::vector<node> nodes;
  for (std::uint64_t key = 0; key < 100; ++key) nodes.push_back({key});
  set s;
  memory_is_short = true;
  for (node& n : nodes) s.insert(n);
  memory_is_short = false;
  CHECK(s.bucket_count() == 1);
  CHECK(s.size() == 100);
  for (node& n : nodes) CHECK(s.find(n.key) == &n);
  node late{1000};
  s.insert(late);
  CHECK(s.bucket_count() > 1);
  for (node& n : nodes) CHECK(s.remove(n.key) == &n);
  CHECK(s.pop_any() == &late);
}
#endif

TEST_CASE("a set that has become small gives its buckets back", "[keyed_set]") {
  std::vector<node> nodes;
  auto const most = GENERATE(std::uint64_t{10000}, std::uint64_t{100000});
  for (std::uint64_t key = 0; key < most; ++key) nodes.push_back({key});
  set s;
  for (node& n : nodes) s.insert(n);
  CHECK(s.bucket_count() >= most);
  while (s.size() > 1) s.pop_any();
  CHECK(s.bucket_count() <= 16);
  s.shrink();
  CHECK(s.bucket_count() == 1);
  CHECK(s.pop_any() != nullptr);
  CHECK(s.pop_any() == nullptr);
}

TEST_CASE("what comes out in which order depends on keys and history, not on addresses",
          "[keyed_set]") {
  auto const run = [](bool descending) {
    std::vector<std::unique_ptr<node>> nodes;
    for (std::uint64_t key = 0; key < 500; ++key) nodes.push_back(nullptr);
    // The same keys at addresses in another order.
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      std::size_t const at = descending ? nodes.size() - 1 - i : i;
      nodes[at] = std::make_unique<node>(node{at * 17});
    }
    set s;
    for (auto& n : nodes) s.insert(*n);
    for (std::size_t i = 0; i < nodes.size(); i += 3) s.remove(*nodes[i]);
    auto order = keys_of(s);
    while (node* const popped = s.pop_any()) order.push_back(popped->key);
    return order;
  };
  CHECK(run(false) == run(true));
}

TEST_CASE("a set can be moved, with one element or many", "[keyed_set]") {
  auto const count = GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{50});
  std::vector<node> nodes;
  for (std::uint64_t key = 0; key < count; ++key) nodes.push_back({key});
  set from;
  for (node& n : nodes) from.insert(n);
  set to{std::move(from)};
  CHECK(to.size() == count);
  CHECK(from.empty());
  CHECK(from.find(0) == nullptr);
  for (node& n : nodes) CHECK(to.find(n.key) == &n);
  node extra{99};
  from.insert(extra);
  from.swap(to);
  CHECK(to.find(99) == &extra);
  CHECK(from.size() == count);
}
