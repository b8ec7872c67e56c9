// A receiver that is slower than its senders: memory stays flat, and nothing is lost that was
// admitted.

#include <algorithm>
#include <atomic>
#include <memory>

#include "process_support.hpp"

using namespace process_test;
using otter::overflow;

namespace {

constexpr std::uint32_t limit = 100;
constexpr int senders = 4;
constexpr int each = 3000;

struct payload {
  int n;
  std::string bytes = std::string(200, 'x');
};
struct finished {};

struct flooded {
  int received = 0;
  std::size_t most_signals = 0;  ///< envelopes in the node at the worst moment
};

/// Floods a receiver that does ten times as much work for a message as a sender does.
flooded flood(driver_report& report, overflow policy) {
  auto received = std::make_shared<std::atomic<int>>(0);
  std::size_t const before = report.statistics().signals;
  otter::spawned const slow =
      otter::spawn(otter::spawn_options{.monitor = otter::alias_mode::none,
                                        .max_mailbox = {.limit = limit, .policy = policy}},
                   [received, me = otter::self()] {
                     otter::trap_exit(true);
                     otter::send(me, go{});
                     bool more = true;
                     while (otter::receive(
                         [&](payload const&) {
                           for (int i = 0; i < 40; ++i) otter::checkpoint();
                           ++*received;
                           return true;
                         },
                         otter::after(more ? otter::infinity : 0s, [] { return false; }),
                         [&](otter::exited const&) {
                           more = false;
                           return true;
                         }))
                       ;
                   });
  otter::receive([](go) {});
  flooded result;
  for (int s = 0; s < senders; ++s)
    otter::spawn([to = slow.process, me = otter::self()] {
      for (int i = 0; i < each; ++i) {
        otter::send(to, payload{i});
        if (i % 500 == 499) otter::send(me, number{i});
      }
      otter::send(me, finished{});
    });
  for (int done = 0; done < senders;)
    otter::receive(
        [&](number) {
          result.most_signals = std::max(result.most_signals, report.statistics().signals - before);
        },
        [&](finished) { ++done; });
  otter::exit(slow, exit_reason::of("no more comes"));
  end_of(slow.ref);
  result.received = *received;
  return result;
}

// What is on its way besides: reports to the test, waits for room, blocks of the slabs' stocks.
constexpr std::size_t besides = 400;

}  // namespace

TEST_CASE("senders that block keep a slow receiver's mailbox at its limit, and lose nothing",
          "[limits][flood][PI-14]") {
  on_every_driver([](driver_report& report) {
    flooded const f = flood(report, overflow::block);
    report.equal("all arrived", f.received, senders * each);
    report.check(fmt::format("{} signals at most", f.most_signals),
                 f.most_signals <= limit + besides);
  });
}

TEST_CASE("a mailbox that drops stays at its limit, whoever is faster", "[limits][flood][PI-14]") {
  for (overflow policy : {overflow::drop_newest, overflow::drop_oldest}) {
    on_every_driver([policy](driver_report& report) {
      flooded const f = flood(report, policy);
      report.check(fmt::format("{} received", f.received),
                   f.received > 0 && f.received <= senders * each);
      report.equal("what did not arrive was counted",
                   static_cast<std::size_t>(senders * each - f.received),
                   report.statistics().dropped_messages);
      report.check(fmt::format("{} signals at most", f.most_signals),
                   f.most_signals <= 2 * limit + besides);
    });
  }
}
