// Senders that wait for room in a mailbox with overflow::block: nobody overtakes them, what they do
// not use comes back, and the bound holds.

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <otter/attached_thread.hpp>
#include <otter/node.hpp>
#include <otter/process_info.hpp>
#include <stdexcept>
#include <thread>
#include <vector>

#include "process_support.hpp"

using namespace process_test;
using otter::info_item;
using otter::overflow;

namespace {

struct take {
  int n;
  bool operator==(take const&) const = default;
};
struct numbers {
  std::vector<int> all;
};

otter::spawn_options with_limit(std::uint32_t limit) {
  return {.monitor = otter::alias_mode::none,
          .max_mailbox = {.limit = limit, .policy = overflow::block}};
}

/// Told to take so many numbers by an exit signal, which no limit refuses; tells them. In between
/// it looks for the next such signal, again and again, but never waits.
otter::spawned restless(std::uint32_t limit) {
  otter::spawned const p = otter::spawn(with_limit(limit), [me = otter::self()] {
    otter::trap_exit(true);
    otter::send(me, go{});
    for (;;) {
      int const n = otter::receive([](otter::exited const& e) { return e.reason.get<take>()->n; },
                                   otter::after(0s, [] { return 0; }));
      // A turn is so many reductions, and a look at a full mailbox is one: turns of few looks.
      for (int i = 0; n == 0 && i < 64; ++i) otter::checkpoint();
      if (n == 0) continue;
      numbers got;
      for (int i = 0; i < n; ++i) got.all.push_back(otter::receive([](number x) { return x.n; }));
      otter::send(me, got);
    }
  });
  otter::receive([](go) {});
  return p;
}

std::vector<int> taken_from(otter::pid p, int n) {
  otter::exit(p, exit_reason::of(take{n}));
  return otter::receive([](numbers got) { return got.all; });
}

std::string text(std::vector<int> const& numbers) {
  return fmt::format("{}", fmt::join(numbers, " "));
}

/// Until `p` waits in the middle of something, or has ended: then what follows finds that wrong.
void await_waiting(otter::pid p) {
  std::optional<otter::process_status> now;
  do {
    now = otter::process_info<otter::process_status>(p, info_item::status);
  } while (now && *now != otter::process_status::waiting);
}

std::uint64_t queue_of(otter::pid p) {
  return otter::process_info<std::uint64_t>(p, info_item::message_queue_len).value_or(0);
}

otter::spawned sender_of(otter::pid to, int n) {
  return otter::spawn_monitor([to, n] { otter::send(to, number{n}); });
}

void stop(std::vector<otter::spawned> const& all) {
  for (auto const& f : all) otter::exit(f, exit_reason::kill());
  for (auto const& f : all) end_of(f.ref);
}

}  // namespace

TEST_CASE("who comes while others wait for room waits behind them, though there is room",
          "[limits][room][PI-14]") {
  on_every_driver([](driver_report& report) {
    otter::spawned const p = restless(8);
    for (int i = 0; i < 8; ++i) otter::send(p, number{i});
    otter::spawned const first = sender_of(p, 8);
    await_waiting(first);
    report.equal("there is room for one", text(taken_from(p, 1)), "0");
    otter::spawned const second = sender_of(p, 9);
    await_waiting(second);
    std::uint64_t const in_mailbox = queue_of(p);
    report.equal("both wait", in_mailbox, 7u);
    // Else what the first is to get is taken, and with this receiver it would wait for ever.
    if (in_mailbox != 7) return stop({p, first, second});
    report.equal("half of it is free", text(taken_from(p, 3)), "1 2 3");
    end_of(first.ref);
    end_of(second.ref);
    report.equal("what was there", text(taken_from(p, 4)), "4 5 6 7");
    std::vector<int> both = taken_from(p, 2);  // as their workers come to run them
    std::sort(both.begin(), both.end());
    report.equal("and both of them", text(both), "8 9");
    otter::exit(p, exit_reason::kill());
    end_of(p.ref);
  });
}

TEST_CASE("a receiver that waits gives what room there is: it may wait for just what has none",
          "[limits][room][PI-14]") {
  on_every_driver([](driver_report& report) {
    otter::spawned const p = otter::spawn(with_limit(8), [me = otter::self()] {
      otter::trap_exit(true);
      otter::send(me, go{});
      otter::receive([](otter::exited const&) {});
      otter::receive([](go) {});
      otter::send(me, otter::receive([](take t) { return number{t.n}; }));
    });
    otter::receive([](go) {});
    otter::send(p, go{});
    for (int i = 0; i < 7; ++i) otter::send(p, number{i});
    otter::spawned const wanted =
        otter::spawn_monitor([p = p.process] { otter::send(p, take{5}); });
    await_waiting(wanted);
    otter::exit(p, exit_reason::of("go on"));
    report.equal("it came", otter::receive([](number x) { return x.n; }), 5);
    end_of(wanted.ref);
    end_of(p.ref);
  });
}

TEST_CASE("places that a sender was given and has not used come back", "[limits][room][PI-14]") {
  on_every_driver([](driver_report& report) {
    constexpr int limit = 64;
    constexpr int many = 48;
    otter::spawned const p = restless(limit);
    for (int i = 0; i < limit; ++i) otter::send(p, number{i});
    std::vector<otter::spawned> waiting;
    for (int i = 0; i < many; ++i) {
      waiting.push_back(otter::spawn_monitor([to = p.process, i, me = otter::self()] {
        otter::send(to, number{limit + i});
        if (i % 3 == 0) return;
        if (i % 3 == 1) throw std::runtime_error("ends badly");
        otter::receive([](go) {});
      }));
      await_waiting(waiting.back());
    }
    std::vector<int> all = taken_from(p, limit + many);
    std::vector<int> sent(limit + many);
    for (int i = 0; i < limit + many; ++i) sent[static_cast<std::size_t>(i)] = i;
    std::sort(all.begin() + limit, all.end());  // those of several workers
    report.equal("all have got room", text(all), text(sent));
    for (auto const& w : waiting) otter::send(w, go{});
    for (auto const& w : waiting) end_of(w.ref);
    // Now everything is back: it holds as many as in the beginning, and no more.
    for (int i = 0; i < limit; ++i) otter::send(p, number{i});
    otter::spawned const late = sender_of(p, limit);
    await_waiting(late);
    report.equal("full", queue_of(p), std::uint64_t{limit});
    otter::exit(p, exit_reason::kill());
    end_of(p.ref);
    report.equal("let go", end_of(late.ref), to_string(exit_reason::normal()));
  });
}

TEST_CASE("a killed sender's places go to those who wait behind it", "[limits][room][PI-14]") {
  on_every_driver([](driver_report& report) {
    otter::spawned const p = restless(1);
    otter::send(p, number{0});
    otter::spawned const killed = sender_of(p, 1);
    await_waiting(killed);
    otter::spawned const next = sender_of(p, 2);
    await_waiting(next);
    otter::exit(killed, exit_reason::kill());
    end_of(killed.ref);
    report.equal("the first", text(taken_from(p, 1)), "0");
    report.equal("the next", text(taken_from(p, 1)), "2");
    end_of(next.ref);
    otter::exit(p, exit_reason::kill());
    end_of(p.ref);
  });
}

TEST_CASE("no more than its limit ever wait in a mailbox, however many senders push",
          "[limits][room][PI-14]") {
  on_every_driver([](driver_report& report) {
    constexpr std::uint32_t limit = 40;
    constexpr int senders = 6;
    constexpr int each = 500;
    auto most = std::make_shared<std::atomic<std::uint64_t>>(0);
    otter::spawned const p = otter::spawn(with_limit(limit), [most] {
      for (int i = 0; i < senders * each; ++i) {
        otter::checkpoint();  // takes in what has come
        *most = std::max(most->load(), queue_of(otter::self()));
        otter::receive([](number) {});
      }
    });
    std::vector<otter::spawned> all;
    for (int s = 0; s < senders; ++s) {
      all.push_back(otter::spawn_monitor([to = p.process] {
        for (int i = 0; i < each; ++i) otter::send(to, number{i});
      }));
    }
    for (auto const& s : all) end_of(s.ref);
    report.equal("all arrived", end_of(p.ref), to_string(exit_reason::normal()));
    report.check(fmt::format("{} waited at most", most->load()), *most <= limit);
  });
}

namespace {

constexpr std::uint32_t floods = 3;
constexpr std::uint32_t flooded_limit = 64;
constexpr int one_by_one = 40;

/// Receives what it is sent until `one_by_one` messages of the patient sender are among it; tells
/// how many others there were.
otter::spawned flooded_receiver() {
  return otter::spawn(with_limit(flooded_limit), [me = otter::self()] {
    int others = 0;
    for (int patient = 0; patient < one_by_one;)
      otter::receive([&](number) { ++patient; }, [&](take) { ++others; });
    otter::send(me, number{others});
  });
}

/// Never stops by itself.
std::vector<otter::spawned> start_floods(otter::pid to) {
  std::vector<otter::spawned> all;
  for (std::uint32_t i = 0; i < floods; ++i) {
    all.push_back(otter::spawn_monitor([to] {
      for (int n = 0;; ++n) otter::send(to, take{n});
    }));
  }
  return all;
}

}  // namespace

TEST_CASE("who uses one place of its share at a time is not starved by those who use all",
          "[limits][room][PI-14]") {
  on_every_driver([](driver_report& report) {
    otter::spawned const p = flooded_receiver();
    auto const all = start_floods(p);
    otter::spawned const helper = otter::spawn_monitor([] {
      for (;;) otter::receive([](otter::pid who) { otter::send(who, go{}); });
    });
    otter::spawned const patient = otter::spawn_monitor([to = p.process, helper = helper.process] {
      for (int i = 0; i < one_by_one; ++i) {
        otter::send(to, number{i});
        otter::send(helper,
                    otter::self());  // gives up the processor, and with it what it was given
        otter::receive([](go) {});
      }
    });
    // Nobody stops the others: starved, it would throw mailbox_full.
    int const others = otter::receive([](number x) { return x.n; });
    report.check(fmt::format("{} of others came meanwhile", others), others > 0);
    report.equal("all were sent", end_of(patient.ref), to_string(exit_reason::normal()));
    stop(all);
    otter::exit(helper, exit_reason::kill());
    end_of(helper.ref);
  });
}

TEST_CASE("an attached thread, which gets one place at a time, is not starved by processes",
          "[limits][room][PI-14]") {
  otter::node node({.workers = 2});
  otter::attached_thread me(node);
  otter::spawned const p = flooded_receiver();
  auto const all = start_floods(p);
  for (int i = 0; i < one_by_one; ++i) otter::send(p, number{i});
  CHECK(otter::receive([](number x) { return x.n; }) >= 0);
  stop(all);
}

namespace {

/// Stays with its first message until it may go on. Between two messages it has no frames on any
/// thread.
class late_taker final : public otter::reactive {
 public:
  struct gates {
    std::atomic<bool> begun{false};
    std::atomic<bool> may_go_on{false};
  };
  explicit late_taker(gates& g) noexcept : gates_(g) {}
  void start() override {}
  void handle(otter::event&) override {
    gates_.begun = true;
    while (!gates_.may_go_on) std::this_thread::yield();
  }

 private:
  gates& gates_;
};

}  // namespace

TEST_CASE("places that are kept at one who has ended do not count for the next in its block",
          "[limits][room][PI-14]") {
  constexpr int many = 20'000;  // by then the block of one that has ended has had another occupant
  constexpr int limit = 64;
  late_taker::gates gates;
  std::atomic<bool> keeps{false};
  std::atomic<bool> over{false};
  // One, so that the block goes back to the thread that spawns the others: each has blocks of its
  // own.
  otter::node node({.workers = 1});
  otter::attached_thread me(node);
  otter::spawned const first =
      otter::spawn_reactive(with_limit(limit), otter::make_reactive<late_taker>(gates));
  otter::send(first, number{-1});
  while (!gates.begun) std::this_thread::yield();
  for (int i = 0; i < limit; ++i) otter::send(first, number{i});
  otter::spawned const sender = otter::spawn_monitor([to = first.process, &keeps, &over] {
    otter::send(to, number{limit});  // waits; then it may keep three places more
    keeps = true;
    while (!over) std::this_thread::yield();  // and does, since its turn goes on
  });
  await_waiting(sender);
  gates.may_go_on = true;
  while (!keeps) std::this_thread::yield();
  otter::exit(first, exit_reason::kill());
  CHECK(end_of(first.ref) == to_string(exit_reason::killed()));
  otter::spawned const others = otter::spawn_monitor([] {
    int refused = 0;
    for (int i = 0; i < many; ++i) {
      otter::spawned const next =
          otter::spawn(otter::spawn_options{.monitor = otter::alias_mode::none,
                                            .max_mailbox = {.limit = 1, .policy = overflow::kill}},
                       [] { otter::receive([](go) {}); });
      otter::send(next, go{});
      if (end_of(next.ref) != to_string(exit_reason::normal())) ++refused;
    }
    otter::exit(exit_reason::of(take{refused}));
  });
  int const refused =
      otter::receive(otter::when([&](otter::down const& d) { return d.ref == others.ref; },
                                 [](otter::down const& d) { return d.reason.get<take>()->n; }));
  over = true;
  CHECK(refused == 0);
  CHECK(end_of(sender.ref) == to_string(exit_reason::normal()));
}
