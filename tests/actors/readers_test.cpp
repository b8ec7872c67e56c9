// Reading without a lock what somebody else changes.

#include "readers.hpp"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "read_index.hpp"

using otter::detail::read_index;
using otter::detail::reading;
using otter::detail::retirable;
using otter::detail::retired;

namespace {

/// Counts those that are there, and makes itself unusable at its end.
struct thing final : retirable {
  thing(int its_number, std::size_t its_hash) : number(its_number), hash(its_hash) { ++there; }
  ~thing() override {
    number = -1;
    --there;
  }
  int number;
  std::size_t hash;
  static inline std::atomic<int> there{0};
};

bool finds(read_index<thing> const& index, int number, std::size_t hash) {
  return index.find(hash, [&](thing const& t) { return t.number == number; }) != nullptr;
}

}  // namespace

TEST_CASE("what a reader may hold is freed when the reader has left, and not before", "[readers]") {
  retired gone;
  {
    reading here;
    gone.add(std::make_unique<thing>(1, 1));
    gone.free_unread();
    CHECK(thing::there == 1);
    gone.add(std::make_unique<thing>(2, 2));
    gone.free_unread();
    CHECK(thing::there == 2);
  }
  gone.free_unread();
  CHECK(thing::there == 0);
}

TEST_CASE("a reader that began later does not keep what was retired before", "[readers]") {
  retired gone;
  auto first = std::make_unique<reading>();
  gone.add(std::make_unique<thing>(1, 1));
  gone.free_unread();
  CHECK(thing::there == 1);
  first.reset();
  gone.free_unread();  // the counter is seen at zero
  auto second = std::make_unique<reading>();
  CHECK(thing::there == 0);
  gone.add(std::make_unique<thing>(2, 2));
  gone.free_unread();
  CHECK(thing::there == 1);
  second.reset();
}

TEST_CASE("what is retired at the end of its owner is freed with it", "[readers]") {
  {
    retired gone;
    gone.add(std::make_unique<thing>(1, 1));
  }
  CHECK(thing::there == 0);
}

TEST_CASE("an index finds what was inserted and not what was erased", "[readers]") {
  // Few hashes, so that entries stand in each other's way; growing, shrinking, used slots again.
  retired gone;
  read_index<thing> index;
  std::map<int, std::unique_ptr<thing>> model;
  unsigned state = 1;
  for (int step = 0; step != 20'000; ++step) {
    state = state * 1664525u + 1013904223u;
    int const number = static_cast<int>(state >> 16) % (step < 10'000 ? 400 : 20);
    std::size_t const hash = static_cast<std::size_t>(number) % 37;  // 0 among them
    auto const at = model.find(number);
    if (at == model.end()) {
      auto fresh = std::make_unique<thing>(number, hash);
      index.insert(*fresh, gone);
      model.emplace(number, std::move(fresh));
    } else {
      index.erase(*at->second);
      gone.add(std::move(at->second));
      model.erase(at);
    }
    gone.free_unread();
    if (step % 500 != 0) continue;
    int wrong = 0;
    for (int n = 0; n != 400; ++n)
      wrong += finds(index, n, static_cast<std::size_t>(n) % 37) != model.contains(n) ? 1 : 0;
    CHECK(wrong == 0);
    std::size_t seen = 0;
    index.for_each([&](thing const& t) { seen += model.contains(t.number) ? 1 : 1000; });
    CHECK(seen == model.size());
    CHECK(index.size() == model.size());
  }
  model.clear();
  CHECK(thing::there == 0);
}

// Three threads read while one inserts and erases. A reader may see an entry or not; never one that
// was destroyed, and always the one that stays.
TEST_CASE("readers never meet what was freed, whatever a writer does meanwhile", "[readers]") {
  retired gone;
  read_index<thing> index;
  thing stays(1000, 5);
  index.insert(stays, gone);
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::atomic<int> rounds{0};
  std::vector<std::thread> readers;
  for (int r = 0; r != 3; ++r)
    readers.emplace_back([&] {
      while (!stop.load()) {
        for (int n = 0; n != 8; ++n) {
          reading here;
          thing const* const t = index.find(static_cast<std::size_t>(n),
                                            [&](thing const& x) { return x.number == n; });
          if (t != nullptr && t->number != n) ++wrong;
        }
        {
          reading here;
          if (!finds(index, 1000, 5)) ++wrong;
          index.for_each([&](thing const& t) { wrong += t.number < 0 ? 1 : 0; });
        }
        ++rounds;
      }
    });
  std::vector<std::unique_ptr<thing>> all(200);
  // So long that each has read for a while, however busy the machine is.
  for (int step = 0; step < 30'000 || rounds.load() < 30; ++step) {
    int const n = step % 7 == 0 ? step % 200 : step % 8;
    auto& t = all[static_cast<std::size_t>(n)];
    if (t == nullptr) {
      t = std::make_unique<thing>(n, static_cast<std::size_t>(n));
      index.insert(*t, gone);
    } else {
      index.erase(*t);
      gone.add(std::move(t));
    }
    gone.free_unread();
  }
  stop = true;
  for (auto& r : readers) r.join();
  CHECK(wrong == 0);
  CHECK(rounds >= 30);
  gone.free_unread();
  all.clear();
  CHECK(thing::there == 1);  // the one that stays
}
