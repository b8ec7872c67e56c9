// Senders that are faster than a bounded receiver: memory stays as it was, for however long.

#include <atomic>
#include <otter/exit.hpp>
#include <otter/message.hpp>
#include <otter/monitor.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <string>

#include "stress.hpp"

namespace {

constexpr std::uint32_t limit = 1000;
constexpr int senders = 4;

struct payload {
  int n;
  std::string bytes = std::string(1000, 'x');
};
struct finish {};

/// `count` messages of a kilobyte to a receiver with a bounded mailbox; gives how many it got.
int flood(otter::overflow policy, int count) {
  std::atomic<int> received{0};
  otter::spawned const slow = otter::spawn(
      otter::spawn_options{.monitor = otter::alias_mode::none,
                           .max_mailbox = {.limit = limit, .policy = policy}},
      [&] {
        otter::trap_exit(true);
        bool more = true;
        while (otter::receive(
            [&](payload const&) {
              for (int i = 0; i < 20; ++i) otter::checkpoint();
              ++received;
              return true;
            },
            [&](otter::exited const&) {
              more = false;
              return true;
            },
            otter::after(more ? otter::infinity : std::chrono::seconds(0), [] { return false; })))
          ;
      });
  std::vector<otter::spawned> all;
  for (int s = 0; s < senders; ++s)
    all.push_back(otter::spawn_monitor([to = slow.process, count] {
      for (int i = 0; i < count / senders; ++i) otter::send(to, payload{i});
    }));
  all.push_back(slow);
  for (otter::spawned const& p : all) {
    if (p.ref == slow.ref) otter::exit(slow, otter::exit_reason::of("no more comes"));
    otter::receive(otter::when([&](otter::down const& d) { return d.ref == p.ref; },
                               [](otter::down const&) {}));
  }
  return received;
}

}  // namespace

TEST_CASE("a flood of a bounded mailbox takes no more memory the longer it lasts",
          "[stress][flood][PI-14]") {
  otter::overflow const policy =
      GENERATE(otter::overflow::block, otter::overflow::drop_newest, otter::overflow::drop_oldest);
  int const count = stress::sized(20'000, 1'000'000);
  otter::node node({.workers = 4, .on_event = [](otter::node_event const&) {}});
  int received = 0;
  CHECK(to_string(node.run([&] { flood(policy, count / 10); })) == "normal");
  bool const from_here = stress::forget_peak();
  std::size_t const before = stress::resident_kib();
  CHECK(to_string(node.run([&] { received = flood(policy, count); })) == "normal");
  std::size_t const most = from_here ? stress::peak_kib() : stress::resident_kib();
  if (policy == otter::overflow::block)
    CHECK(received == count);
  else
    CHECK(received > 0);
  // Twice the limit's kilobytes, and what the workers keep in stock; unbounded it would be the
  // size of the flood: 20 MB, or a gigabyte. Sanitizers keep freed memory away from use.
  if (!otter::rts::built_with_asan && !otter::rts::built_with_tsan) {
    INFO(before << " KiB before, " << most << " KiB at most");
    CHECK(most <= before + 8 * 1024);
  }
}
