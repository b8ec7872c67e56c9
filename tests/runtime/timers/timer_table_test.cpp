// Timers that anybody can name.

#include "timers/timer_table.hpp"

#include <catch2/catch.hpp>

using otter::rts::timer_id;
using otter::rts::timer_node;
using otter::rts::timer_table;
using otter::rts::timer_wheel;

namespace {

using table = timer_table<int>;

struct counter {
  int fired = 0;
  int released = 0;
  void fire(timer_node&) { ++fired; }
  void release(timer_node&) { ++released; }
};

}  // namespace

TEST_CASE("an id that names no timer cancels nothing and is never due", "[timer_table]") {
  table timers{100};
  timer_wheel wheel{0};
  CHECK_FALSE(timers.cancel(timer_id{}, &wheel));
  CHECK_FALSE(timers.due(timer_id{}));
  CHECK_FALSE(timers.cancel(timer_id{~std::uint64_t{0}}, &wheel));
}

TEST_CASE("an id tells when its timer will fire, until it has", "[timer_table]") {
  table timers{100};
  table::cache cache{timers.entries()};
  timer_wheel wheel{0};
  counter seen;
  table::entry* const entry = cache.acquire();
  timer_id const id = table::start(wheel, *entry, 70);
  CHECK(id.value != 0);
  CHECK(timers.due(id) == 70);
  wheel.collect(70, 10, seen);
  CHECK(seen.fired == 1);
  CHECK_FALSE(timers.due(id));
  CHECK_FALSE(timers.cancel(id, &wheel));
}

TEST_CASE("who cancels at home disposes of the block, else its home does", "[timer_table]") {
  table timers{100};
  table::cache cache{timers.entries()};
  timer_wheel wheel{0};
  counter seen;
  table::entry* const entry = cache.acquire();
  timer_id const id = table::start(wheel, *entry, 70);

  SECTION("at home") {
    auto const result = timers.cancel(id, &wheel);
    REQUIRE(result);
    CHECK(result->due_ns == 70);
    CHECK(result->mine == entry);
    wheel.collect(100, 10, seen);
    CHECK(seen.released == 0);
  }
  SECTION("elsewhere") {
    auto const result = timers.cancel(id, nullptr);
    REQUIRE(result);
    CHECK(result->due_ns == 70);
    CHECK(result->mine == nullptr);
    wheel.collect(100, 10, seen);
    CHECK(seen.released == 1);
  }
  CHECK(seen.fired == 0);
  CHECK_FALSE(timers.cancel(id, &wheel));
}

TEST_CASE("an id outlives its timer without naming the next one in the block", "[timer_table]") {
  table timers{1};
  table::cache cache{timers.entries()};
  timer_wheel wheel{0};
  table::entry* const entry = cache.acquire();
  timer_id const first = table::start(wheel, *entry, 70);
  REQUIRE(timers.cancel(first, &wheel));
  timer_id const second = table::start(wheel, *entry, 80);
  CHECK_FALSE(first == second);
  CHECK(first.index() == second.index());
  CHECK_FALSE(timers.cancel(first, &wheel));
  CHECK_FALSE(timers.due(first));
  CHECK(timers.due(second) == 80);
}
