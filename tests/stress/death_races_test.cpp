// What is done to a process that ends at this very moment: each act is answered as its rule says.

#include <atomic>
#include <otter/detail/call.hpp>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/link.hpp>
#include <otter/message.hpp>
#include <otter/monitor.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <vector>

#include "stress.hpp"

namespace {

constexpr int couples = 4;
constexpr int ahead = 16;  // targets that a maker is in front of its racer

struct target {
  otter::pid process;
};
struct one_more {};
struct note {
  int number;
};

/// Makes processes, tells the racer, and ends them while it does something to them. A few of them
/// are there at a time, the dying included: else the load would be as large as the machine is busy,
/// and no round like another.
void make_targets(otter::pid racer, int count) {
  for (int i = 0; i < count; ++i) {
    if (i >= ahead) {
      otter::receive([](one_more) {});
      otter::receive([](otter::down const&) {});
    }
    otter::pid const p = otter::spawn([] {
      for (;;) otter::receive([](otter::any_message&) {});
    });
    otter::monitor(p);
    otter::send(racer, target{p});
    for (int k = 0; k < i % 7; ++k) otter::checkpoint();
    otter::exit(p, i % 2 == 0 ? otter::exit_reason::kill() : otter::exit_reason::of("end"));
  }
}

/// Runs `act(pid)` once for each target of each couple.
template <class Act>
void race(int targets, Act act) {
  std::vector<otter::spawned> racers;
  for (int c = 0; c < couples; ++c) {
    racers.push_back(otter::spawn_monitor([&act, targets] {
      otter::trap_exit(true);
      otter::pid const maker = otter::spawn(&make_targets, otter::self(), targets / couples);
      for (int i = 0; i < targets / couples; ++i) {
        otter::pid const p = otter::receive([](target t) { return t.process; });
        act(p);
        otter::send(maker, one_more{});
      }
    }));
  }
  for (otter::spawned const& r : racers)
    otter::receive(otter::when([&](otter::down const& d) { return d.ref == r.ref; },
                               [](otter::down const&) {}));
}

bool fits(otter::exit_reason const& why) {
  return why == otter::exit_kind::noproc || why == otter::exit_kind::killed ||
         why == otter::exit_reason::of("end");
}

}  // namespace

TEST_CASE("a link that is dissolved while its peer ends lets no exit through",
          "[stress][L-6][L-9]") {
  unsigned const workers = GENERATE(from_range(stress::worker_counts()));
  std::atomic<int> late{0}, rounds{0};
  stress::rounds("link/unlink races", {.workers = workers, .rounds = stress::sized(2, 8)}, [&] {
    race(stress::sized(4'000, 100'000), [&](otter::pid p) {
      otter::link(p);
      otter::unlink(p);
      // What came before the unlink may be there; nothing may come after it.
      otter::receive([](otter::exited const&) {}, otter::after(std::chrono::seconds(0), [] {}));
      otter::checkpoint();
      otter::receive([&](otter::exited const&) { ++late; },
                     otter::after(std::chrono::seconds(0), [] {}));
      ++rounds;
    });
  });
  CHECK(late == 0);
  CHECK(rounds == stress::sized(2, 8) * stress::sized(4'000, 100'000));
}

TEST_CASE("sends, links, monitors and calls that race with a death are each answered",
          "[stress][L-4][MO-1][GC-7]") {
  unsigned const workers = GENERATE(from_range(stress::worker_counts()));
  std::atomic<int> downs{0}, exits{0}, failed{0}, wrong{0};
  int const targets = stress::sized(4'000, 250'000);
  stress::rounds("a million acts on the dying", {.workers = workers}, [&] {
    race(targets, [&](otter::pid p) {
      otter::send(p, note{1});
      otter::monitor_ref const ref = otter::monitor(p);
      otter::link(p);
      otter::detail::response got = otter::detail::call(
          p, otter::detail::pack<note>(otter::detail::signal_kind::request, note{2}),
          otter::infinity);
      // Nobody answers it: it fails when the target ends.
      if (!got.reply && fits(got.why)) ++failed;
      otter::receive(otter::when([&](otter::down const& d) { return d.ref == ref; },
                                 [&](otter::down const& d) {
                                   ++downs;
                                   if (!fits(d.reason)) ++wrong;
                                 }));
      otter::receive(otter::when([&](otter::exited const& e) { return e.process == p; },
                                 [&](otter::exited const& e) {
                                   ++exits;
                                   if (!fits(e.reason)) ++wrong;
                                 }));
      otter::receive([&](otter::down const&) { ++wrong; }, [&](otter::exited const&) { ++wrong; },
                     otter::after(std::chrono::seconds(0), [] {}));
    });
  });
  CHECK(downs == 2 * targets);
  CHECK(exits == 2 * targets);
  CHECK(failed == 2 * targets);
  CHECK(wrong == 0);
}
