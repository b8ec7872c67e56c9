// An allocation that fails is an exception for the caller, and nothing else has happened.
//
// The n-th block that the caller's worker asks for is refused, for every n until the call succeeds.
// In simulation the node's counters are exact, so a block that is lost is seen.

#include <memory>
#include <new>
#include <optional>
#include <otter/alias.hpp>
#include <otter/blocking.hpp>
#include <otter/detail/call.hpp>
#include <otter/exit.hpp>
#include <otter/link.hpp>
#include <otter/monitor.hpp>
#include <otter/name.hpp>
#include <otter/process_info.hpp>
#include <otter/reactive.hpp>
#include <otter/receive.hpp>
#include <otter/simulation.hpp>
#include <otter/spawn.hpp>
#include <otter/spawn_request.hpp>
#include <otter/timer.hpp>
#include <vector>

#include "on_every_driver.hpp"
#include "process/process_system.hpp"

using namespace std::chrono_literals;
using otter::info_item;
using otter::process_info;

namespace {

struct go {};
struct text {
  std::string what;
};

/// The n-th allocation of this worker's memory fails; none for 0. Taken back there, on whatever
/// worker its owner is then.
class shortage {
 public:
  explicit shortage(int n) : memory_(otter::rts::current_worker()->memory()) {
    otter::rts::current_worker()->reductions = 1000;  // who makes it keeps the processor
    memory_.fail_after(static_cast<std::uint64_t>(n));
  }
  ~shortage() { memory_.fail_after(0); }
  shortage(shortage const&) = delete;
  shortage& operator=(shortage const&) = delete;

 private:
  otter::rts::slab& memory_;
};

/// Calls `action` with one allocation after the other failing; after each failure, `unchanged()`.
/// Gives how many allocations it has.
template <class Action, class Unchanged>
int fail_each(Action action, Unchanged unchanged) {
  for (int n = 1;; ++n) {
    bool failed = false;
    try {
      shortage const here(n);
      action();
    } catch (std::bad_alloc const&) {
      failed = true;
    }
    if (!failed) return n - 1;
    unchanged();
  }
}

/// Facts of the caller that no failed call may change.
struct facts {
  std::size_t processes, links, monitors, signals, timers, names;
  friend bool operator==(facts const&, facts const&) = default;
};
facts facts_now(otter::simulation& sim) {
  otter::node_statistics const s = sim.statistics();
  using pids = std::vector<otter::pid>;
  using watched = std::vector<otter::monitored>;
  return {otter::processes().size(),
          process_info<pids>(otter::self(), info_item::links)->size(),
          process_info<watched>(otter::self(), info_item::monitors)->size(),
          s.signals,
          s.timers,
          s.names};
}

struct outcome {
  int allocations = -1;
  bool consistent = true;
};

/// Runs fail_each() in a simulation; `action(peer)` gets a process that lives, and has the name
/// "peer".
template <class Action>
outcome survive(Action action) {
  outcome result;
  otter::simulation sim(1);
  auto const end = sim.run([&] {
    otter::trap_exit(true);
    otter::pid peer = otter::spawn([] { otter::receive([](go) {}); });
    otter::register_name("peer", peer);
    otter::is_alive(peer);  // it waits; the answer's memory is back
    facts const before = facts_now(sim);
    result.allocations =
        fail_each([&] { action(peer); },
                  [&] { result.consistent = result.consistent && facts_now(sim) == before; });
  });
  result.consistent = result.consistent && end.finished;
  return result;
}

void check(outcome const& o) {
  CHECK(o.allocations >= 1);
  CHECK(o.consistent);
}

}  // namespace

TEST_CASE("a spawn without memory throws, and nothing was started", "[memory][spawn][SP-4]") {
  auto witness = std::make_shared<int>(0);
  bool destroyed = true;
  outcome const o = survive([&](otter::pid) {
    destroyed = destroyed && witness.use_count() == 1;
    otter::spawn(
        {.link = true, .monitor = otter::alias_mode::none, .name = "child", .label = "first"},
        [witness] { otter::receive([](go) {}); });
  });
  check(o);
  CHECK(o.allocations >= 3);  // body, two of the monitor; a link is a number in a set
  CHECK(destroyed);
}

TEST_CASE("a spawn request without memory throws or is refused", "[memory][spawn][SP-7]") {
  int refused = 0;
  bool right = true;
  otter::simulation sim(1);
  auto const end = sim.run([&] {
    for (int n = 1; n <= 10; ++n) {
      bool made = false;
      try {
        shortage const here(n);
        otter::spawn_request({.link = true, .monitor = otter::alias_mode::none}, [] {});
        made = true;
      } catch (std::bad_alloc const&) {
      }
      otter::trap_exit(true);
      if (!made) continue;
      otter::receive([&](otter::spawn_reply r) {
        if (!r.error) return;
        ++refused;
        right = right && r.error == otter::errc::system_limit;
      });
    }
  });
  CHECK(end.finished);
  CHECK(refused >= 2);  // the two blocks of the monitor; a link needs none
  CHECK(right);
}

TEST_CASE("a send without memory throws, and nothing was sent", "[memory][process]") {
  check(
      survive([](otter::pid peer) { otter::send(peer, text{"long enough to be no small one"}); }));
  std::uint64_t arrived = 99;
  otter::simulation sim(1);
  sim.run([&] {
    fail_each([] { otter::send(otter::self(), text{"x"}); }, [] {});
    otter::receive([](go) {}, otter::after(0s));
    arrived = *process_info<std::uint64_t>(otter::self(), info_item::message_queue_len);
  });
  CHECK(arrived == 1);
}

TEST_CASE("whatever is sent without memory throws, and nothing was sent", "[memory][process]") {
  check(survive([](otter::pid) { otter::send("peer", text{"by name"}); }));
  check(survive([](otter::pid) {
    // The alias that is there first needs memory, too: it goes with the call that fails.
    otter::alias_ref const mine = otter::alias();
    struct gone {
      otter::alias_ref name;
      ~gone() { otter::unalias(name); }
    } const at_end{mine};
    otter::send(mine, text{"by alias"});
  }));
  check(survive([](otter::pid peer) {
    otter::detail::cast(
        peer, otter::detail::pack<text>(otter::detail::signal_kind::cast, text{"a cast"}));
  }));
  check(survive([](otter::pid) {
    otter::detail::cast("peer", otter::detail::pack<text>(otter::detail::signal_kind::cast,
                                                          text{"a cast by name"}));
  }));
  check(survive([](otter::pid peer) {
    otter::detail::send_request(
        peer, otter::detail::pack<text>(otter::detail::signal_kind::request, text{"a request"}));
  }));
}

TEST_CASE("a call without memory throws, and the server has not heard of it", "[memory][process]") {
  struct counts final : otter::reactive {
    void start() override {}
    void handle(otter::event& e) override {
      ++heard;
      if (e.what() == otter::event::kind::request)
        otter::detail::reply(e.caller(),
                             otter::detail::pack<int>(otter::detail::signal_kind::reply, heard));
    }
    int heard = 0;
  };
  int failed = 0;
  int answer = 0;
  otter::simulation sim(1);
  auto const end = sim.run([&] {
    otter::pid const server = otter::spawn_reactive({}, otter::make_reactive<counts>());
    otter::is_alive(server);
    facts const before = facts_now(sim);
    bool same = true;
    // The first block is the caller's; behind it the server runs, which has its own.
    for (bool done = false; !done;) {
      try {
        shortage const here(failed == 0 ? 1 : 0);
        otter::detail::response r = otter::detail::call(
            server, otter::detail::pack<text>(otter::detail::signal_kind::request, text{"x"}),
            otter::infinity);
        answer = *static_cast<int*>(r.reply->payload());
        done = true;
      } catch (std::bad_alloc const&) {
        ++failed;
      }
      if (!done) same = same && facts_now(sim) == before;
    }
    if (!same) answer = -1;
  });
  CHECK(end.finished);
  CHECK(failed == 1);
  CHECK(answer == 1);
}

TEST_CASE("bonds without memory throw and are not there", "[memory][link][monitor]") {
  check(survive([](otter::pid peer) { otter::link(peer); }));
  check(survive([](otter::pid peer) { otter::monitor(peer); }));
  check(survive([](otter::pid) { otter::monitor("peer"); }));
  check(survive([](otter::pid peer) { otter::monitor_with_tag(peer, text{"tag"}); }));
  check(survive([](otter::pid peer) { otter::monitor(peer, otter::alias_mode::demonitor); }));
  check(survive([](otter::pid) { otter::alias(); }));
  check(survive([](otter::pid peer) { otter::exit(peer, otter::exit_reason::of("x")); }));
}

TEST_CASE("a death without memory for its exit signals tells all links later", "[memory][link]") {
  constexpr int peers = 20;
  int told = 0;
  int failures = 0;
  otter::simulation sim(GENERATE(range(1u, 21u)));
  auto const end = sim.run([&] {
    for (int n = 1; n <= peers + 5; ++n) {
      std::optional<shortage> here;
      std::vector<otter::pid> linked;
      otter::pid const dying = otter::spawn([&, n] {
        for (int i = 0; i < peers; ++i)
          linked.push_back(otter::spawn_link([&] {
            otter::trap_exit(true);
            otter::receive([&](otter::exited) { ++told; });
          }));
        otter::receive([](go) {});
        here.emplace(n);
      });
      while (linked.size() != peers) otter::sleep_for(1ms);
      for (otter::pid const peer : linked) otter::is_alive(peer);
      otter::send(dying, go{});
      while (otter::is_alive(dying)) otter::sleep_for(1ms);
      here.reset();
      otter::sleep_for(1ms);
      for (otter::pid const peer : linked) failures += otter::is_alive(peer) ? 1 : 0;
    }
  });
  CHECK(end.finished);
  CHECK(failures == 0);
  CHECK(told == peers * (peers + 5));
}

TEST_CASE("timers without memory throw and are not there", "[memory][timer]") {
  check(survive([](otter::pid peer) { otter::send_after(1h, peer, text{"late"}); }));
  check(survive([](otter::pid peer) { otter::start_timer(1h, peer, text{"late"}); }));
  check(survive([](otter::pid peer) { otter::kill_after(1h, peer); }));
  check(survive([](otter::pid peer) { otter::send_interval(1h, peer, text{"late"}); }));
  check(survive([](otter::pid) { otter::offload([] { return 1; }); }));
}

TEST_CASE("more processes than max_processes are refused, and room comes back", "[spawn][SP-4]") {
  otter::node node({.workers = 2, .max_processes = 64});
  std::size_t first = 0;
  std::size_t again = 0;
  bool right = true;
  node.run([&] {
    auto const fill = [&] {
      std::vector<otter::spawned> all;
      try {
        for (int i = 0; i < 1000; ++i)
          all.push_back(otter::spawn_monitor([] { otter::receive([](go) {}); }));
        right = false;
      } catch (otter::error const& e) {
        right = right && e.code() == otter::errc::system_limit;
      }
      right =
          right &&
          process_info<std::vector<otter::monitored>>(otter::self(), info_item::monitors)->size() ==
              all.size();
      for (otter::spawned const& p : all) otter::send(p, go{});
      for (otter::spawned const& p : all)
        otter::receive(
            otter::when([&](otter::down const& d) { return d.ref == p.ref; }, [](otter::down) {}));
      return all.size();
    };
    first = fill();
    again = fill();
  });
  CHECK(right);
  CHECK(first > 0);
  CHECK(first < 64);
  CHECK(again > 0);
}
