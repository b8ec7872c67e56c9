// Sending and receiving, names and timers, as a user sees them.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <otter/alias.hpp>
#include <otter/blocking.hpp>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/name.hpp>
#include <otter/node.hpp>
#include <otter/process_info.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/timer.hpp>

#include "process_support.hpp"

using namespace process_test;

namespace {

struct word {
  std::string text;
};

/// Bytes that know whether they lie where their type asks for.
template <std::size_t Alignment, std::size_t Bytes>
struct alignas(Alignment) placed {
  unsigned char bytes[Bytes] = {};

  bool well() const { return reinterpret_cast<std::uintptr_t>(this) % Alignment == 0; }
};

template <std::size_t Alignment, std::size_t Bytes>
bool arrives_well_placed() {
  using message = placed<Alignment, Bytes>;
  message sent;
  std::memset(sent.bytes, 0x5a, sizeof(sent.bytes));
  otter::send(otter::self(), sent);
  return otter::receive([](message const& p) {
    return p.well() && std::all_of(std::begin(p.bytes), std::end(p.bytes),
                                   [](unsigned char b) { return b == 0x5a; });
  });
}

}  // namespace

TEST_CASE("a message to a dead pid is dropped", "[process][P-7]") {
  on_every_driver([](driver_report& report) {
    otter::spawned gone = otter::spawn_monitor([] {});
    otter::receive([](otter::down const&) {});
    otter::send(gone, number{1});
    report.check("it is dead", !otter::is_alive(gone));
  });
}

TEST_CASE("sending to a name that nobody has is badarg", "[process][P-8]") {
  on_every_driver([](driver_report& report) {
    report.equal("error", errc_of([] { otter::send("nobody", number{1}); }), std::string("badarg"));
  });
}

TEST_CASE("a message lies where its type asks, be it small or large", "[process]") {
  on_every_driver([](driver_report& report) {
    report.check("half a line", arrives_well_placed<32, 32>());
    report.check("a line", arrives_well_placed<64, 64>());
    report.check("the largest of the small", arrives_well_placed<64, 960>());
    report.check("a large one", arrives_well_placed<16, 2000>());
    report.check("half a line, large", arrives_well_placed<32, 1024>());
    report.check("half a line, larger", arrives_well_placed<32, 5000>());
    report.equal("a line, large", errc_of([] { otter::send(otter::self(), placed<64, 1024>()); }),
                 std::string("badarg"));
  });
}

TEST_CASE("messages of one sender arrive in order, by pid, name and alias", "[process][P-3]") {
  on_every_driver([](driver_report& report) {
    otter::register_name("me", otter::self());
    otter::alias_ref a = otter::alias();
    otter::spawn([me = otter::self(), a] {
      for (int i = 0; i < 300; i += 3) {
        otter::send(me, number{i});
        otter::send("me", number{i + 1});
        otter::send(a, number{i + 2});
      }
    });
    bool ordered = true;
    for (int i = 0; i < 300; ++i)
      ordered = ordered && otter::receive([](number x) { return x.n; }) == i;
    report.check("in order", ordered);
  });
}

TEST_CASE("messages that no clause matches stay in order", "[mailbox][MB-1][MB-2][MB-4]") {
  on_every_driver([](driver_report& report) {
    otter::send(otter::self(), number{1});
    otter::send(otter::self(), number{2});
    otter::send(otter::self(), word{"x"});
    report.equal("word", otter::receive([](word w) { return w.text; }), std::string("x"));
    report.equal("first", next_number(), 1);
    report.equal("second", next_number(), 2);
    report.equal("none", next_number(), -1);
  });
}

TEST_CASE("a predicate chooses, and one that throws does not match", "[mailbox][MB-13]") {
  on_every_driver([](driver_report& report) {
    for (int i = 0; i < 3; ++i) otter::send(otter::self(), number{i});
    int const got = otter::receive(otter::when(
        [](number const& x) {
          if (x.n == 0) throw 1;
          return x.n == 2;
        },
        [](number x) { return x.n; }));
    report.equal("chosen", got, 2);
    report.equal("left", next_number(), 0);
  });
}

TEST_CASE("after 0 looks at the whole queue before it gives up", "[mailbox][MB-6]") {
  on_every_driver([](driver_report& report) {
    otter::send(otter::self(), word{"a"});
    otter::send(otter::self(), number{7});
    report.equal("found behind another", next_number(), 7);
  });
}

TEST_CASE("a time limit that is over runs its branch and leaves no residue",
          "[mailbox][MB-5][MB-8]") {
  on_every_driver([](driver_report& report) {
    auto const began = otter::node_clock::now();
    report.equal("late",
                 otter::receive([](number) { return 1; }, otter::after(2ms, [] { return 2; })), 2);
    report.check("not early", otter::node_clock::now() - began >= 2ms);
    report.equal("nothing", next_number(), -1);
  });
}

TEST_CASE("a limit below zero is timeout_value", "[mailbox][MB-7]") {
  on_every_driver([](driver_report& report) {
    report.equal("error", errc_of([] { otter::receive([](number) {}, otter::after(-1ms)); }),
                 std::string("timeout_value"));
  });
}

TEST_CASE("what is sent through an inactive alias is dropped", "[alias][AL-4][AL-5]") {
  on_every_driver([](driver_report& report) {
    otter::alias_ref a = otter::alias();
    report.check("was active", otter::unalias(a));
    report.check("only once", !otter::unalias(a));
    otter::send(a, number{1});
    report.equal("dropped", next_number(), -1);
  });
}

TEST_CASE("a reply alias ends with the first message", "[alias][AL-2]") {
  on_every_driver([](driver_report& report) {
    otter::alias_ref a = otter::alias(otter::alias_mode::reply);
    otter::send(a, number{1});
    otter::send(a, number{2});
    report.equal("first", next_number(), 1);
    report.equal("second is dropped", next_number(), -1);
  });
}

TEST_CASE("a name is unique, and a process has one at most", "[name][RN-1][RN-2][RN-4]") {
  on_every_driver([](driver_report& report) {
    otter::pid other = otter::spawn([] { otter::receive([](number) {}); });
    otter::register_name("a", otter::self());
    report.equal("taken", errc_of([&] { otter::register_name("a", other); }),
                 std::string("badarg"));
    report.equal("has one", errc_of([&] { otter::register_name("b", otter::self()); }),
                 std::string("badarg"));
    report.check("whereis", otter::whereis("a") == otter::self());
    otter::unregister_name("a");
    report.check("gone", !otter::whereis("a"));
    report.equal("unknown", errc_of([] { otter::unregister_name("a"); }), std::string("badarg"));
  });
}

TEST_CASE("a name that was refused is nobody's", "[name][RN-2]") {
  on_every_driver([](driver_report& report) {
    // Names come and go, so that the table is renewed while one is being refused.
    bool nobody = true;
    for (int i = 0; i < 200; ++i) {
      otter::register_name("mine" + std::to_string(i), otter::self());
      std::string const other = "other" + std::to_string(i);
      errc_of([&] { otter::register_name(other, otter::self()); });
      nobody = nobody && !otter::whereis(other);
      otter::unregister_name("mine" + std::to_string(i));
    }
    report.check("nobody has it", nobody);
  });
}

TEST_CASE("a dead process's name is free before its down arrives", "[name][RN-3][P-18]") {
  on_every_driver([](driver_report& report) {
    bool free = true;
    for (int i = 0; i < 50; ++i) {
      otter::spawn(otter::spawn_options{.monitor = otter::alias_mode::none, .name = "short"},
                   [] {});
      otter::receive([](otter::down const&) {});
      free = free && !otter::whereis("short");
    }
    report.check("free each time", free);
  });
}

TEST_CASE("a timer delivers, not early, and a cancelled one never", "[timer][TM-1][TM-2][TM-7]") {
  on_every_driver([](driver_report& report) {
    auto const began = otter::node_clock::now();
    otter::send_after(3ms, otter::self(), number{5});
    otter::timer_ref t = otter::send_after(1s, otter::self(), number{6});
    report.check("something was left", otter::cancel_timer(t).has_value());
    report.check("a second cancel finds nothing", !otter::cancel_timer(t));
    report.equal("delivered", otter::receive([](number x) { return x.n; }), 5);
    report.check("not early", otter::node_clock::now() - began >= 3ms);
    report.equal("nothing more", next_number(), -1);
  });
}

TEST_CASE("blocking runs elsewhere and gives value or exception", "[blocking]") {
  on_every_driver([](driver_report& report) {
    report.equal("value", otter::blocking([] { return 6 * 7; }), 42);
    std::string what;
    try {
      otter::blocking([]() -> int { throw std::runtime_error("no"); });
    } catch (std::runtime_error const& e) {
      what = e.what();
    }
    report.equal("exception", what, std::string("no"));
  });
}

TEST_CASE("a loop that only looks or checkpoints lets others run", "[process][PI-7]") {
  on_every_driver([](driver_report& report) {
    // On one worker the other can only run if this one yields.
    bool heard = false;
    otter::spawn([me = otter::self()] { otter::send(me, number{1}); });
    for (int i = 0; i < 100'000'000 && !heard; ++i) heard = next_number() == 1;
    report.check("while looking", heard);
    auto done = std::make_shared<std::atomic<bool>>(false);
    otter::spawn([done] { *done = true; });
    for (int i = 0; i < 100'000'000 && !*done; ++i) otter::checkpoint();
    report.check("while checkpointing", *done);
  });
}

TEST_CASE("a loop of sends in vain lets others run, and obeys a kill", "[process][PI-7]") {
  on_every_driver([](driver_report& report) {
    otter::spawned const dead = otter::spawn_monitor([] {});
    end_of(dead.ref);
    otter::spawned const full = otter::spawn(
        otter::spawn_options{.monitor = otter::alias_mode::none,
                             .max_mailbox = {.limit = 1, .policy = otter::overflow::drop_newest}},
        [] { otter::receive([](go) {}); });
    otter::send(full, number{0});
    for (otter::pid const to : {dead.process, full.process}) {
      auto const done = std::make_shared<std::atomic<bool>>(false);
      otter::spawn([done] { *done = true; });
      for (int i = 0; i < 100'000'000 && !*done; ++i) otter::send(to, number{i});
      report.check("others run", *done);
      otter::spawned const endless = started([to] {
        for (int i = 0;; ++i) otter::send(to, number{i});
      });
      otter::exit(endless, exit_reason::kill());
      report.equal("killed", end_of(endless.ref), to_string(exit_reason::killed()));
    }
    otter::exit(full, exit_reason::kill());
    end_of(full.ref);
  });
}

namespace {

/// Computes, and lets some time pass: a turn must end for it, and for nothing else.
void compute() {
  auto const until = std::chrono::steady_clock::now() + 20us;
  while (std::chrono::steady_clock::now() < until) {
  }
}

}  // namespace

TEST_CASE("a loop that computes between two checkpoints lets others run soon", "[process][PI-7]") {
  otter::node node({.workers = 1});
  node.run([] {
    auto done = std::make_shared<std::atomic<bool>>(false);
    otter::spawn([done] { *done = true; });
    int checkpoints = 0;
    // The budget alone would be 4,000 of them.
    for (; checkpoints < 1000 && !*done; ++checkpoints) {
      compute();
      otter::checkpoint();
    }
    CHECK(*done);
    CHECK(checkpoints < 100);
  });
}

TEST_CASE("messages whose handling takes long are handled in several turns", "[process][PI-7]") {
  otter::node node({.workers = 1});
  node.run([] {
    int handled = 0;
    int handled_when_other_ran = 0;
    for (int i = 0; i < 1000; ++i) otter::send(otter::self(), number{i});
    otter::spawn([&, me = otter::self()] {
      handled_when_other_ran = handled;
      otter::send(me, go{});
    });
    for (; handled < 1000; ++handled) {
      otter::receive([](number) { compute(); });
    }
    otter::receive([](go) {});
    CHECK(handled_when_other_ran < 200);
  });
}
