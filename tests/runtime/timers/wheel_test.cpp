// A core's timers, on a clock moved by hand.

#include "timers/wheel.hpp"

#include <catch2/catch.hpp>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <vector>

#include "base/random.hpp"

using otter::rts::random_generator;
using otter::rts::timer_node;
using otter::rts::timer_state;
using otter::rts::timer_wheel;

namespace {

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t plenty = 1'000'000;

struct recorder {
  std::vector<timer_node*> fired;
  std::vector<timer_node*> released;
  void fire(timer_node& node) { fired.push_back(&node); }
  void release(timer_node& node) { released.push_back(&node); }
};

}  // namespace

TEST_CASE("a timer fires once, when it is due and not a nanosecond before", "[wheel]") {
  std::int64_t const begin =
      GENERATE(as<std::int64_t>{}, 0, 63, 64, 1'000'000'007, 4'611'686'018'427'387'904);
  std::int64_t const delay = GENERATE(as<std::int64_t>{}, 1, 2, 63, 64, 65, 4096, 1'000'000,
                                      5'000'000'000, 86'400'000'000'000, 4'000'000'000'000'000'000);
  CAPTURE(begin, delay);
  timer_wheel wheel{begin};
  timer_node node;
  recorder seen;
  wheel.start(node, begin + delay);
  CHECK(wheel.next_due() == begin + delay);
  CHECK(wheel.collect(begin, plenty, seen) == 0);
  CHECK(wheel.collect(begin + delay - 1, plenty, seen) == 0);
  CHECK(node.state() == timer_state::armed);
  CHECK(wheel.next_due() == begin + delay);
  CHECK(wheel.collect(begin + delay, plenty, seen) == 1);
  CHECK(seen.fired == std::vector{&node});
  CHECK(node.state() == timer_state::fired);
  CHECK(wheel.next_due() == never);
  CHECK(wheel.size() == 0);
}

TEST_CASE("a due time in the past is due at once, the end of time never", "[wheel]") {
  timer_wheel wheel{1000};
  recorder seen;
  timer_node past, negative, end;
  wheel.start(past, 10);
  wheel.start(negative, std::numeric_limits<std::int64_t>::min());
  wheel.start(end, never);
  CHECK(wheel.next_due() <= 1000);
  CHECK(wheel.collect(1000, plenty, seen) == 2);
  CHECK(seen.fired == std::vector{&past, &negative});
  CHECK(wheel.collect(never - 1, plenty, seen) == 0);
  CHECK(wheel.collect(never, plenty, seen) == 1);
}

TEST_CASE("timers with one due time fire in the order of their starts", "[wheel]") {
  timer_wheel wheel{0};
  recorder seen;
  std::vector<std::unique_ptr<timer_node>> nodes;
  std::vector<timer_node*> expected;
  constexpr std::int64_t due = 10'000'000'000;
  for (std::int64_t now = 0; now < due; now += 97'000'000) {
    wheel.collect(now, plenty, seen);
    nodes.push_back(std::make_unique<timer_node>());
    expected.push_back(nodes.back().get());
    wheel.start(*nodes.back(), due);
  }
  wheel.collect(due, plenty, seen);
  CHECK(seen.fired == expected);
}

TEST_CASE("a cancelled timer is gone at once and never fires", "[wheel]") {
  timer_wheel wheel{0};
  recorder seen;
  timer_node node;
  std::uint64_t const generation = wheel.start(node, 500);
  std::int64_t due = 0;
  CHECK(timer_wheel::cancel(node, generation, &wheel, &due));
  CHECK(due == 500);
  CHECK(node.state() == timer_state::idle);
  CHECK(wheel.size() == 0);
  CHECK(wheel.next_due() == never);
  CHECK_FALSE(timer_wheel::cancel(node, generation, &wheel));
  CHECK(wheel.collect(1000, plenty, seen) == 0);
}

TEST_CASE("an old generation cancels nothing", "[wheel]") {
  timer_wheel wheel{0};
  recorder seen;
  timer_node node;
  std::uint64_t const first = wheel.start(node, 10);
  wheel.collect(10, plenty, seen);
  CHECK_FALSE(timer_wheel::cancel(node, first, &wheel));
  std::uint64_t const second = wheel.start(node, 20);
  CHECK(second != first);
  CHECK_FALSE(timer_wheel::cancel(node, first, &wheel));
  CHECK_FALSE(timer_wheel::cancel(node, first, nullptr));
  CHECK(timer_wheel::cancel(node, second, nullptr));
}

TEST_CASE("a timer cancelled elsewhere is released by its home, due or not", "[wheel]") {
  timer_wheel wheel{0};
  timer_wheel other{0};
  recorder seen;
  timer_node node;
  auto const generation = wheel.start(node, 100);
  timer_wheel* const mine = GENERATE(false, true) ? &other : nullptr;
  CHECK(timer_wheel::cancel(node, generation, mine));
  CHECK(node.state() == timer_state::cancelled);
  CHECK_FALSE(timer_wheel::cancel(node, generation, &wheel));
  CHECK(wheel.next_due() <= 0);  // there is something to do now
  std::int64_t const now = GENERATE(0, 99, 100, 101);
  CHECK(wheel.collect(now, plenty, seen) == 0);
  CHECK(seen.released == std::vector{&node});
  CHECK(node.state() == timer_state::idle);
  CHECK(wheel.size() == 0);
  CHECK(wheel.next_due() == never);
  wheel.start(node, 200);
  CHECK(wheel.collect(200, plenty, seen) == 1);
}

TEST_CASE("a handler may restart the timer that fired and cancel others", "[wheel]") {
  timer_wheel wheel{0};
  timer_node periodic, victim;
  struct {
    timer_wheel& wheel;
    timer_node& periodic;
    timer_node& victim;
    std::uint64_t victim_generation;
    int ticks = 0;
    bool victim_fired = false;
    bool victim_cancelled = false;
    void fire(timer_node& node) {
      if (&node == &victim) {
        victim_fired = true;
        return;
      }
      wheel.start(periodic, periodic.due_ns + 10);
      if (++ticks == 5) victim_cancelled = timer_wheel::cancel(victim, victim_generation, &wheel);
    }
    void release(timer_node&) {}
  } handler{wheel, periodic, victim, 0};
  wheel.start(periodic, 10);

  SECTION("one that is due together with the restarted timer, but started before it") {
    handler.victim_generation = wheel.start(victim, 50);
    CHECK(wheel.collect(100, plenty, handler) == 11);
    CHECK(handler.victim_fired);
    CHECK_FALSE(handler.victim_cancelled);
  }
  SECTION("one that is due later in the same call") {
    handler.victim_generation = wheel.start(victim, 51);
    CHECK(wheel.collect(100, plenty, handler) == 10);
    CHECK_FALSE(handler.victim_fired);
    CHECK(handler.victim_cancelled);
  }
  CHECK(handler.ticks == 10);
  CHECK(wheel.size() == 1);
}

TEST_CASE("no call does more than it is told, and what is left is said to be due", "[wheel]") {
  timer_wheel wheel{0};
  recorder seen;
  std::vector<timer_node> nodes(2000);
  std::int64_t due = 1'000'000'000;
  for (timer_node& node : nodes) wheel.start(node, due += 7);
  std::size_t calls = 0;
  while (seen.fired.size() < nodes.size()) {
    REQUIRE(++calls < 2000);
    std::size_t const before = seen.fired.size();
    wheel.collect(due, 100, seen);
    REQUIRE(seen.fired.size() - before <= 100);
    if (seen.fired.size() < nodes.size()) REQUIRE(wheel.next_due() <= due);
  }
  for (std::size_t i = 0; i < nodes.size(); ++i) REQUIRE(seen.fired[i] == &nodes[i]);
  CHECK(wheel.next_due() == never);
}

TEST_CASE("a crowd of timers never lets the home sleep past the earliest", "[wheel]") {
  timer_wheel wheel{0};
  recorder seen;
  std::vector<timer_node> nodes(500);
  std::int64_t due = 1'000'900'000;
  for (timer_node& node : nodes) wheel.start(node, due -= 7);  // the earliest is the last started
  std::int64_t now = 0;
  for (int wakes = 0; seen.fired.empty(); ++wakes) {
    REQUIRE(wakes < 12);
    now = wheel.next_due();
    REQUIRE(now <= due);
    wheel.collect(now, plenty, seen);
  }
  CHECK(now == due);
  CHECK(seen.fired == std::vector{&nodes.back()});
}

TEST_CASE("cancelled elsewhere by the thousand, a sleeping home is told", "[wheel]") {
  int told = 0;
  timer_wheel wheel{0, [](void* n) noexcept { ++*static_cast<int*>(n); }, &told};
  recorder seen;
  std::vector<timer_node> nodes(3 * timer_wheel::backlog_limit);
  for (timer_node& node : nodes)
    REQUIRE(timer_wheel::cancel(node, wheel.start(node, 1'000'000'000), nullptr));
  CHECK(told == 1);
  wheel.collect(1, plenty, seen);
  CHECK(seen.released.size() == nodes.size());
  for (timer_node& node : nodes)
    REQUIRE(timer_wheel::cancel(node, wheel.start(node, 1'000'000'000), nullptr));
  CHECK(told == 2);
}

TEST_CASE("a wheel agrees with a sorted list whatever is done to it", "[wheel]") {
  auto const seed = Catch::rngSeed();
  INFO("--rng-seed " << seed);
  random_generator random{seed};

  struct model_timer : timer_node {
    std::uint64_t armed_generation = 0;
    std::multimap<std::int64_t, model_timer*>::iterator at;
    enum { resting, armed, awaiting_release } is = resting;
  };
  for (int run = 0; run < 30; ++run) {
    auto now = static_cast<std::int64_t>(random.below(std::uint64_t{1} << random.below(62)));
    timer_wheel wheel{now};
    std::vector<std::unique_ptr<model_timer>> timers;
    std::size_t const population = 1 + random.below(300);
    for (std::size_t i = 0; i < population; ++i) timers.push_back(std::make_unique<model_timer>());
    std::multimap<std::int64_t, model_timer*> model;
    std::size_t awaiting = 0;
    unsigned const widest = 2 + static_cast<unsigned>(random.below(60));

    auto const start = [&](model_timer& timer) {
      std::int64_t due = now;
      auto const distance =
          static_cast<std::int64_t>(random.below(std::uint64_t{1} << random.below(widest)));
      if (random.below(20) == 0)
        due = now - std::min(now, distance);
      else
        due = distance > never - now ? never : now + distance;
      timer.armed_generation = wheel.start(timer, due);
      timer.at = model.emplace(due, &timer);
      timer.is = model_timer::armed;
    };
    auto const cancel = [&](model_timer& timer, bool at_home) {
      auto* const cancel_it =
          random.below(2) == 0 ? &timer_wheel::cancel : &timer_wheel::cancel_own;
      std::int64_t due = 0;
      bool const cancelled =
          cancel_it(timer, timer.armed_generation, at_home ? &wheel : nullptr, &due);
      REQUIRE(cancelled == (timer.is == model_timer::armed));
      if (!cancelled) return;
      REQUIRE(due == timer.at->first);
      model.erase(timer.at);
      timer.is = at_home ? model_timer::resting : model_timer::awaiting_release;
      if (!at_home) ++awaiting;
    };
    struct handler {
      std::function<void(model_timer&)> on_fire;
      std::function<void(model_timer&)> on_release;
      void fire(timer_node& node) { on_fire(static_cast<model_timer&>(node)); }
      void release(timer_node& node) { on_release(static_cast<model_timer&>(node)); }
    };
    std::int64_t last_fired = 0;
    bool started_within = false;
    handler calls{[&](model_timer& timer) {
                    REQUIRE(timer.is == model_timer::armed);
                    std::int64_t const due = timer.at->first;
                    REQUIRE(due <= now);
                    // Due times never go down, save for those that were past already when
                    // they started.
                    if (!started_within) REQUIRE(due >= std::min(last_fired, model.begin()->first));
                    last_fired = due;
                    model.erase(timer.at);
                    timer.is = model_timer::resting;
                    std::uint64_t const whim = random.below(12);
                    model_timer& any = *timers[random.below(population)];
                    if (whim < 2) {
                      cancel(any, whim == 0);
                    } else if (whim == 2 && any.is == model_timer::resting) {
                      started_within = true;
                      start(any);
                    }
                  },
                  [&](model_timer& timer) {
                    REQUIRE(timer.is == model_timer::awaiting_release);
                    timer.is = model_timer::resting;
                    --awaiting;
                  }};

    for (int step = 0; step < 3000; ++step) {
      model_timer& timer = *timers[random.below(population)];
      switch (random.below(6)) {
        case 0:
        case 1:
          if (timer.is == model_timer::resting) start(timer);
          break;
        case 2:
          cancel(timer, random.below(2) == 0);
          break;
        default: {
          std::int64_t const earliest = model.empty() ? never : model.begin()->first;
          std::int64_t const promised = wheel.next_due();
          REQUIRE(promised <= std::max(earliest, now));
          if (awaiting == 0 && model.empty()) REQUIRE(promised == never);
          // Sleep till then, or for a random while.
          auto const distance =
              static_cast<std::int64_t>(random.below(std::uint64_t{1} << random.below(widest)));
          if (random.below(2) == 0)
            now = promised == never ? now : std::max(now, promised);
          else if (distance < never - now)
            now += distance;
          bool const bounded = random.below(3) == 0;
          last_fired = std::numeric_limits<std::int64_t>::min();
          started_within = false;
          wheel.collect(now, bounded ? 1 + random.below(20) : plenty, calls);
          if (!bounded) {
            REQUIRE((model.empty() || model.begin()->first > now));
            if (awaiting == 0) REQUIRE(wheel.next_due() > now);
          }
        }
      }
      REQUIRE(wheel.size() == model.size() + awaiting);
    }
    // Nothing is lost: at the end of time all that is armed fires.
    now = never;
    while (!model.empty() || awaiting != 0) wheel.collect(now, 50, calls);
    CHECK(wheel.size() == 0);
  }
}
