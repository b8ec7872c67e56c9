// What a node holds once its processes have ended: nothing.

#include <catch2/catch.hpp>
#include <otter/alias.hpp>
#include <otter/detail/call.hpp>
#include <otter/exit.hpp>
#include <otter/link.hpp>
#include <otter/monitor.hpp>
#include <otter/name.hpp>
#include <otter/node.hpp>
#include <otter/process_info.hpp>
#include <otter/receive.hpp>
#include <otter/simulation.hpp>
#include <otter/spawn.hpp>
#include <otter/timer.hpp>

#include "seeds.hpp"

using namespace std::chrono_literals;

namespace {

struct go {
  std::string text;
};

/// A bit of everything, some of it cut off by a kill.
void storm() {
  otter::trap_exit(true);
  for (int i = 0; i < 200; ++i) {
    otter::spawned p = otter::spawn({.link = true, .monitor = otter::alias_mode::none}, [] {
      otter::send_after(1h, otter::self(), go{"late"});
      otter::alias();
      otter::monitor(otter::parent());
      otter::receive([](go const& g) {
        if (g.text.empty()) throw std::runtime_error("empty");
      });
    });
    for (int k = 0; k < 5; ++k) otter::send(p, go{i % 3 == 0 ? "" : std::string(100, 'x')});
    if (i % 4 == 0) otter::exit(p, otter::exit_reason::kill());
    if (i % 5 == 0) otter::unlink(p);
    if (i % 7 == 0) otter::demonitor(p.ref);
    // Nobody answers these: the target dies with the request in its mailbox.
    auto request = otter::detail::pack<go>(otter::detail::signal_kind::request, go{"ask"});
    otter::detail::call(p, std::move(request), 50us);
  }
}

void check_nothing_left(otter::node_statistics const& s) {
  CHECK(s.processes == 0);
  CHECK(s.signals == 0);
  CHECK(s.timers == 0);
  CHECK(s.stacks_in_use == 0);
  CHECK(s.names == 0);
}

}  // namespace

TEST_CASE("a node that has stopped holds no signal, timer, name or stack", "[node][TM-4]") {
  for (unsigned workers : {1u, 4u}) {
    otter::node node({.workers = workers, .on_event = [](otter::node_event const&) {}});
    for (int round = 0; round < 3; ++round) node.run(storm);
    node.stop();
    INFO(workers << " workers");
    check_nothing_left(node.statistics());
  }
}

TEST_CASE("a simulation that has ended holds no signal, timer, name or stack", "[simulation]") {
  otter_test::seed_range const range = otter_test::seeds(20);
  for (std::uint64_t seed = range.first; seed <= range.last; ++seed) {
    otter::simulation_options options;
    options.node.on_event = [](otter::node_event const&) {};
    otter::simulation sim(seed, options);
    auto const result = sim.run(storm);
    otter_test::run_of const line(seed);
    INFO("seed " << seed << ": " << result.to_string());
    CHECK(result.finished);
    check_nothing_left(sim.statistics());
  }
}

TEST_CASE("the statistics of a node count a message that waits", "[node]") {
  otter::simulation sim(1);
  std::size_t waiting = 0;
  sim.run([&] {
    otter::send(otter::self(), go{"kept"});
    waiting = sim.statistics().signals;
  });
  CHECK(waiting > 0);
}
