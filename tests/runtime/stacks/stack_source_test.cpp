// Mapping stacks and giving them back.

#include "stacks/stack_source.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <new>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/sanitizers.hpp"
#include "coroutine.hpp"
#include "forked.hpp"
#include "stacks/guard.hpp"
#include "stacks/stack_error.hpp"

using namespace otter::rts;
using otter::rts::testing::forked;
using otter::rts::testing::say;

namespace {

std::size_t pages(int column) {  // of /proc/self/statm: 0 address space, 1 resident
  std::ifstream statm("/proc/self/statm");
  std::size_t value = 0;
  for (int i = 0; i <= column; ++i) statm >> value;
  return value;
}
std::size_t resident_bytes() { return pages(1) * guard_size(); }

void touch_all(stack& s) {
  for (std::byte* at = s.low(); at < s.high(); at += guard_size()) {
    *const_cast<std::byte volatile*>(at) = std::byte{1};
  }
}

}  // namespace

TEST_CASE("a stack has the size of its class, guard included", "[stacks]") {
  stack_source source;
  auto const kind = GENERATE(stack_class::small, stack_class::medium, stack_class::large);
  stack* const s = source.take(kind);
  CHECK(s->kind() == kind);
  CHECK(s->size() + guard_size() == stack_size(kind));
  CHECK(reinterpret_cast<std::uintptr_t>(s->high()) % 4096 == 0);
  touch_all(*s);
  source.give_back(s);
}

TEST_CASE("the sizes of the classes are what the documentation says", "[stacks]") {
  std::size_t const kib = 1024 * stack_size_factor();
  CHECK(stack_size(stack_class::small) == 64 * kib);
  CHECK(stack_size(stack_class::medium) == 256 * kib);
  CHECK(stack_size(stack_class::large) == 1024 * kib);
}

TEST_CASE("an exact stack has at least the bytes asked for", "[stacks]") {
  stack_source source;
  auto const bytes = GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{4096},
                              std::size_t{100'000}, std::size_t{5} << 20);
  stack* const s = source.take(stack_class::exact, bytes);
  CHECK(s->size() >= bytes);
  CHECK(s->size() >= guard_size());
  CHECK(s->size() < bytes * stack_size_factor() + 2 * guard_size());
  touch_all(*s);
  source.give_back(s);
}

TEST_CASE("an idle exact stack serves the same size again, and no other", "[stacks]") {
  stack_source source;
  stack* const s = source.take(stack_class::exact, 20'000);
  source.give_back(s);
  stack* const other = source.take(stack_class::exact, 40'000);
  CHECK(other->size() >= 40'000);
  CHECK(source.take(stack_class::exact, 20'000) == s);
  source.give_back(s);
  source.give_back(other);
}

TEST_CASE("no two stacks that are lent overlap", "[stacks]") {
  stack_source source;
  std::vector<stack*> stacks;
  std::set<std::byte*> ends;
  for (int i = 0; i < 100; ++i) stacks.push_back(source.take(stack_class::small));
  for (stack* const s : stacks) ends.insert(s->high());
  CHECK(ends.size() == stacks.size());
  std::byte* previous = nullptr;
  std::size_t overlaps = 0;
  for (std::byte* const end : ends) {
    if (previous != nullptr && end - stack_size(stack_class::small) < previous) ++overlaps;
    previous = end;
  }
  CHECK(overlaps == 0);
  for (stack* const s : stacks) source.give_back(s);
}

TEST_CASE("the counts tell what is mapped and what is lent", "[stacks]") {
  stack_source source;
  CHECK(source.counts().total_mapped() == 0);
  stack* const a = source.take(stack_class::small);
  stack* const b = source.take(stack_class::medium);
  auto counts = source.counts();
  CHECK(counts.in_use[static_cast<std::size_t>(stack_class::small)] == 1);
  CHECK(counts.in_use[static_cast<std::size_t>(stack_class::medium)] == 1);
  CHECK(counts.mapped[static_cast<std::size_t>(stack_class::small)] >= 1);
  CHECK(counts.slabs == 2);
  a->next = b;
  source.give_back(a);  // both
  counts = source.counts();
  CHECK(counts.total_in_use() == 0);
  CHECK(counts.total_mapped() > 0);
  CHECK(source.trim() == counts.total_mapped());
  counts = source.counts();
  CHECK(counts.total_mapped() == 0);
  CHECK(counts.slabs == 0);
}

TEST_CASE("a slab with one lent stack stays mapped", "[stacks]") {
  stack_source source;
  stack* const a = source.take(stack_class::small);
  stack* const b = source.take(stack_class::small);
  touch_all(*a);
  touch_all(*b);
  std::size_t const mapped = source.counts().total_mapped();
  source.give_back(b);
  CHECK(source.trim() == 0);
  CHECK(source.counts().total_mapped() == mapped);
  CHECK(*a->low() == std::byte{1});  // what is lent is untouched
  CHECK(*b->low() == std::byte{0});  // what is idle was given to the system
  source.give_back(a);
}

TEST_CASE("memory returns to where it was after the stacks came home", "[stacks]") {
  stack_source source;
  auto const use = [&source] {
    std::vector<stack*> stacks;
    for (int i = 0; i < 256; ++i) {
      stacks.push_back(source.take(stack_class::small));
      touch_all(*stacks.back());
    }
    std::size_t const high = resident_bytes();
    for (stack* const s : stacks) source.give_back(s);
    source.trim();
    return high;
  };
  use();  // what is kept for ever (headers, the directory) is made here
  std::size_t const space = pages(0);
  std::size_t const base = resident_bytes();
  std::size_t const high = use();
  CHECK(high > base + 12 * 1024 * 1024);
  CHECK(resident_bytes() < base + 2 * 1024 * 1024);
  CHECK(pages(0) <= space + 1024);
}

TEST_CASE("idle stacks above the warm limit hold no memory, without a trim", "[stacks]") {
  stack_source source({.warm_limit = 1});
  stack* const warm = source.take(stack_class::small);
  stack* const cold = source.take(stack_class::small);
  touch_all(*warm);
  touch_all(*cold);
  source.give_back(warm);
  source.give_back(cold);
  CHECK(source.take(stack_class::small) == warm);  // the warm one first
  CHECK(*warm->low() == std::byte{1});
  CHECK(source.take(stack_class::small) == cold);
  CHECK(*cold->low() == std::byte{0});
  source.give_back(warm);
  source.give_back(cold);
}

TEST_CASE("when no stack can be mapped, the error says how many there are", "[stacks]") {
  if (built_with_tsan) {
    WARN("skipped: without address space ThreadSanitizer itself ends");
    SUCCEED();
    return;
  }
  auto const end = forked([] {
    stack_source source;
    source.take(stack_class::small);
    // AddressSanitizer takes memory at the first throw of a thread, and ends where there is none.
    try {
      throw 1;
    } catch (int) {
    }
    rlimit limit{};
    limit.rlim_cur = limit.rlim_max = pages(0) * guard_size() + (std::size_t{32} << 20);
    ::setrlimit(RLIMIT_AS, &limit);
    try {
      for (;;) source.take(stack_class::large);
    } catch (std::bad_alloc const& e) {
      say(e.what());
      // What there is can still be used.
      say(source.take(stack_class::small) != nullptr ? "; small ones left" : "");
    }
  });
  INFO(end.output);
  CHECK(end.with_code(0));
  CHECK(end.said("cannot map a " + std::to_string(stack_size(stack_class::large) / 1024) +
                 " KiB stack: ENOMEM; "));
  CHECK(end.said(" stacks mapped in "));
  CHECK(end.said("vm.max_map_count is " + std::to_string(max_map_count())));
  CHECK(end.said("address space limit is "));
  CHECK(end.said("small ones left"));
}

TEST_CASE("a size beyond all bounds is refused, not wrapped", "[stacks]") {
  stack_source source;
  CHECK_THROWS_AS(source.take(stack_class::exact, ~std::size_t{0}), stack_mapping_error);
  CHECK(source.counts().total_in_use() == 0);
}

TEST_CASE("threads may take, give back and trim at the same time", "[stacks]") {
  stack_source source({.warm_limit = 16});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&source, t] {
      for (int round = 0; round < 50; ++round) {
        stack* chain = nullptr;
        for (int i = 0; i < 20; ++i) {
          stack* const s = source.take(i % 2 == 0 ? stack_class::small : stack_class::exact, 8192);
          *const_cast<std::byte volatile*>(s->low()) = std::byte{1};
          s->next = chain;
          chain = s;
        }
        source.give_back(chain);
        if (round % 10 == t) source.trim();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(source.counts().total_in_use() == 0);
  source.trim();
  CHECK(source.counts().total_mapped() == 0);
}
