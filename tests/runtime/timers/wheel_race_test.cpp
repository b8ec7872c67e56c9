// Cancelling from elsewhere while the home fires: each start ends in exactly one way.

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "base/random.hpp"
#include "timers/timer_table.hpp"

using otter::rts::random_generator;
using otter::rts::timer_id;
using otter::rts::timer_node;
using otter::rts::timer_table;
using otter::rts::timer_wheel;

namespace {

struct payload {
  std::uint64_t serial = 0;  // which start this is; 0: none
};
using table = timer_table<payload>;

constexpr std::size_t ring_size = 64;

}  // namespace

TEST_CASE("of firing at home and cancelling elsewhere exactly one happens", "[wheel][stress]") {
  // Two cores start timers and publish their ids; each cancels its own and the other's, and fires
  // its own. A start may end fired, cancelled at home or cancelled elsewhere. Never: two of these,
  // none of these, or a block handed out twice.
  table timers{4096, 2};
  constexpr std::uint64_t starts = 40000;
  std::array<std::array<std::atomic<std::uint64_t>, ring_size>, 2> published{};
  std::atomic<std::uint64_t> cancelled{0};
  std::atomic<std::uint64_t> fired{0};
  std::atomic<std::uint64_t> returned{0};
  std::atomic<int> wrong{0};
  std::atomic<int> done{0};

  auto const core = [&](std::size_t self) {
    table::cache cache{timers.entries()};
    timer_wheel wheel{0};
    random_generator random{self + 17};
    std::int64_t now = 0;
    auto const dispose = [&](table::entry& entry) {
      if (entry.payload.serial == 0) wrong.fetch_add(1);
      entry.payload.serial = 0;
      returned.fetch_add(1, std::memory_order_relaxed);
      cache.release(entry.index);
    };
    struct handler_type {
      decltype(dispose)& give_back;
      std::atomic<std::uint64_t>& fired;
      void fire(timer_node& node) {
        fired.fetch_add(1, std::memory_order_relaxed);
        give_back(table::entry_of(node));
      }
      void release(timer_node& node) { give_back(table::entry_of(node)); }
    } handler{dispose, fired};

    for (std::uint64_t serial = 1; serial <= starts;) {
      now += static_cast<std::int64_t>(random.below(200));
      if (table::entry* const entry = cache.acquire()) {
        if (entry->payload.serial != 0) wrong.fetch_add(1);
        entry->payload.serial = serial++;
        timer_id const id =
            table::start(wheel, *entry, now + static_cast<std::int64_t>(random.below(3000)));
        published[self][random.below(ring_size)].store(id.value, std::memory_order_release);
      }
      for (std::size_t owner : {self, 1 - self}) {
        auto& cell = published[owner][random.below(ring_size)];
        timer_id const id{cell.load(std::memory_order_acquire)};
        if (id.value == 0) continue;
        if (random.below(4) == 0) static_cast<void>(timers.due(id));
        if (auto const result = timers.cancel(id, &wheel)) {
          cancelled.fetch_add(1, std::memory_order_relaxed);
          if ((result->mine != nullptr) != (owner == self)) wrong.fetch_add(1);
          if (result->mine != nullptr) dispose(*result->mine);
          if (timers.cancel(id, &wheel)) wrong.fetch_add(1);
        }
      }
      wheel.collect(now, 16, handler);
    }
    // A wheel outlives those who may cancel in it.
    done.fetch_add(1);
    while (done.load() < 2) std::this_thread::yield();
    while (wheel.size() != 0) wheel.collect(now += 5000, 1000, handler);
  };
  std::thread one{core, 0};
  std::thread two{core, 1};
  one.join();
  two.join();
  CHECK(wrong.load() == 0);
  CHECK(returned.load() == 2 * starts);
  CHECK(fired.load() + cancelled.load() == 2 * starts);
  CHECK(fired.load() > 0);
  CHECK(cancelled.load() > 0);
}
