// The index below the tables.

#include "table_index.hpp"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace otter::detail;

namespace {

struct thing final : table_row {
  thing(std::uint64_t its_hash, std::string its_text)
      : table_row(sizeof(thing)), kept(std::move(its_text)) {
    hash = its_hash;
    text = kept;
    ++there;
  }
  ~thing() override {
    hash = ~std::uint64_t{0};
    --there;
  }
  std::string const kept;
  static inline std::atomic<int> there{0};
};

using model = std::map<std::pair<std::uint64_t, std::string>, thing*>;

/// A key out of few, so that they meet each other: beginnings of each other, equal hashes.
std::pair<std::uint64_t, std::string> some_key(unsigned number, bool ordered) {
  std::string text;
  for (unsigned n = number; n != 0; n /= 3) text += "\0ab"[n % 3];
  std::uint64_t const hash = number % 7 == 0 ? 5 : number * 0x9e3779b97f4a7c15u;
  return {ordered ? 0 : hash, text};
}

void check_order(table_index const& index, model const& expected) {
  std::vector<table_row*> up, down;
  for (table_row* r = index.end(table_end::first); r != nullptr;
       r = index.beside({r->hash, r->text}, table_end::last))
    up.push_back(r);
  for (table_row* r = index.end(table_end::last); r != nullptr;
       r = index.beside({r->hash, r->text}, table_end::first))
    down.push_back(r);
  std::vector<table_row*> sorted;
  for (auto const& [key, t] : expected) sorted.push_back(t);
  CHECK(up == sorted);
  std::reverse(down.begin(), down.end());
  CHECK(down == sorted);
}

void check_neighbours(table_index const& index, model const& expected, bool ordered) {
  int wrong = 0;
  for (unsigned number = 0; number != 400; ++number) {
    auto const key = some_key(number, ordered);
    auto const at = expected.find(key);
    wrong += index.find({key.first, key.second}) != (at == expected.end() ? nullptr : at->second);
    auto const next = expected.upper_bound(key);
    wrong += index.beside({key.first, key.second}, table_end::last) !=
             (next == expected.end() ? nullptr : next->second);
    auto const before = expected.lower_bound(key);
    wrong += index.beside({key.first, key.second}, table_end::first) !=
             (before == expected.begin() ? nullptr : std::prev(before)->second);
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("an index has its rows in the order of their keys, whatever comes and goes", "[table]") {
  for (bool const ordered : {false, true}) {
    retired gone;
    model expected;
    {
      table_index index;
      unsigned state = 1;
      for (int step = 0; step != 6'000; ++step) {
        state = state * 1664525u + 1013904223u;
        auto const key = some_key((state >> 16) % (step < 3'000 ? 400 : 30), ordered);
        auto const at = expected.find(key);
        if (at == expected.end()) {
          auto* const fresh = new thing(key.first, key.second);
          index.insert(*fresh);
          expected.emplace(key, fresh);
        } else if (state >> 31 == 0) {
          auto* const fresh = new thing(key.first, key.second);
          index.replace(*at->second, *fresh, gone);
          at->second = fresh;
        } else {
          index.erase(*at->second, gone);
          expected.erase(at);
        }
        gone.free_unread();
        if (step % 500 != 0) continue;
        check_order(index, expected);
        check_neighbours(index, expected, ordered);
      }
      CHECK(thing::there == static_cast<int>(expected.size()));
      table_index::dispose(index.take_all());
      CHECK(index.end(table_end::first) == nullptr);
      CHECK(index.bytes() == 0);
      CHECK(thing::there == 0);
      index.insert(*new thing(1, "left"));
    }
    CHECK(thing::there == 0);  // what is left goes with it
  }
}

TEST_CASE("an index whose keys begin with each other is taken apart without a deep stack",
          "[table]") {
  {
    table_index index;
    std::string text;
    for (int i = 0; i != 3'000; ++i) index.insert(*new thing(0, text += 'a'));
    CHECK(thing::there == 3'000);
  }
  CHECK(thing::there == 0);
}

// Three threads read while one writes. What stays is found always, and met once by each walk; what
// is met is in order, and was not destroyed.
TEST_CASE("readers of an index meet what stays, in order, whatever a writer does", "[table]") {
  retired gone;
  table_index index;
  constexpr unsigned keys = 400;
  std::vector<thing*> all(keys, nullptr);
  auto const make = [](unsigned n) {
    auto const key = some_key(n, true);
    return new thing(key.first, key.second);
  };
  constexpr unsigned step_of_stayers = 10;
  for (unsigned n = 0; n < keys; n += step_of_stayers) index.insert(*(all[n] = make(n)));
  constexpr std::size_t stayers = keys / step_of_stayers;
  std::vector<std::string> staying;
  for (unsigned n = 0; n < keys; n += step_of_stayers) staying.push_back(all[n]->kept);
  std::sort(staying.begin(), staying.end());

  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::atomic<int> rounds{0};
  std::vector<std::thread> readers;
  for (int r = 0; r != 3; ++r)
    readers.emplace_back([&] {
      while (!stop.load()) {
        std::size_t met = 0;
        std::string last;
        bool begun = false;
        for (;;) {  // a section for each step, as walks of users have
          reading here;
          table_row const* const row =
              begun ? index.beside({0, last}, table_end::last) : index.end(table_end::first);
          if (row == nullptr) break;
          std::string const now(row->text);
          if (row->hash != 0 || (begun && now <= last)) ++wrong;
          met += std::binary_search(staying.begin(), staying.end(), now) ? 1 : 0;
          last = now;
          begun = true;
        }
        if (met != stayers) ++wrong;
        for (std::string const& text : staying) {
          reading here;
          if (index.find({0, text}) == nullptr) ++wrong;
        }
        ++rounds;
      }
    });
  unsigned state = 7;
  for (int step = 0; step < 20'000 || rounds.load() < 30; ++step) {
    state = state * 1664525u + 1013904223u;
    unsigned const n = (state >> 16) % keys;
    thing*& there = all[n];
    if (there == nullptr) {
      index.insert(*(there = make(n)));
    } else if (n % step_of_stayers == 0 || state >> 31 == 0) {
      thing* const fresh = make(n);
      index.replace(*std::exchange(there, fresh), *fresh, gone);
    } else {
      index.erase(*std::exchange(there, nullptr), gone);
    }
    gone.free_unread();
  }
  stop = true;
  for (auto& r : readers) r.join();
  CHECK(wrong == 0);
  CHECK(rounds >= 30);
}
