// Exit signals at the process that they reach, safe points, and unwinding.

#include <atomic>
#include <memory>
#include <otter/link.hpp>
#include <otter/node.hpp>
#include <otter/process_info.hpp>
#include <otter/timer.hpp>
#include <stdexcept>

#include "process_support.hpp"

using namespace process_test;

namespace {

struct note {
  std::string text;
};

std::string next_note() {
  return otter::receive([](note n) { return n.text; },
                        otter::after(0s, [] { return std::string("none"); }));
}

}  // namespace

TEST_CASE("a linked process that ends normally takes nobody along", "[exit][X-1f]") {
  on_every_driver([](driver_report& report) {
    otter::spawned p = otter::spawn_monitor([me = otter::self()] {
      otter::spawned child = otter::spawn(
          otter::spawn_options{.link = true, .monitor = otter::alias_mode::none}, [] {});
      end_of(child.ref);
      otter::trap_exit(true);
      otter::spawned second = otter::spawn(
          otter::spawn_options{.link = true, .monitor = otter::alias_mode::none}, [] {});
      end_of(second.ref);
      otter::send(me, note{next_exited()});
      otter::send(me, note{next_exited()});
    });
    report.equal("it lives on", end_of(p.ref), to_string(exit_reason::normal()));
    report.equal("trapping, it is told", next_note(), to_string(exit_reason::normal()));
    report.equal("only then", next_note(), std::string("none"));
  });
}

TEST_CASE("the trap flag counts when a signal is received", "[exit][X-5]") {
  on_every_driver([](driver_report& report) {
    otter::spawned p = otter::spawn_monitor([me = otter::self()] {
      otter::send(me, note{otter::trap_exit(true) ? "true" : "false"});
      otter::send(me, note{otter::trap_exit(true) ? "true" : "false"});
      otter::receive([](go) {});
      otter::send(me, note{next_exited()});
      otter::send(me, note{otter::trap_exit(false) ? "true" : "false"});
      otter::send(me, note{"not trapping"});
      otter::receive([](go) {});
    });
    auto const await = [] { return otter::receive([](note n) { return n.text; }); };
    report.equal("was", await(), std::string("false"));
    report.equal("then was", await(), std::string("true"));
    otter::exit(p, exit_reason::of("first"));
    otter::send(p, go{});
    report.equal("trapped", await(), to_string(exit_reason::of("first")));
    report.equal("still was", await(), std::string("true"));
    report.equal("switched off", await(), std::string("not trapping"));
    otter::exit(p, exit_reason::of("second"));
    report.equal("and then it ends", end_of(p.ref), to_string(exit_reason::of("second")));
  });
}

TEST_CASE("switching the trap on does not take back a signal that has been received",
          "[exit][X-5]") {
  on_every_driver([](driver_report& report) {
    otter::spawned p = otter::spawn_monitor([] {
      {
        otter::defer_exit guard;
        otter::exit(otter::self(), exit_reason::of("received"));
        otter::checkpoint();  // received here, and kept
        otter::trap_exit(true);
      }
      otter::receive([](go) {});
    });
    report.equal("reason", end_of(p.ref), to_string(exit_reason::of("received")));
  });
}

TEST_CASE("of several exit signals the first that ends the process gives the reason",
          "[exit][X-6]") {
  on_every_driver([](driver_report& report) {
    for (int i = 0; i < 30; ++i) {
      otter::spawned p = waiter();
      if (i % 2 == 0) otter::is_alive(p);
      otter::exit(p, exit_reason::normal());  // ends nobody
      otter::exit(p, exit_reason::of("first"));
      otter::exit(p, exit_reason::of("second"));
      otter::exit(p, exit_reason::kill());
      report.equal("reason", end_of(p.ref), to_string(exit_reason::of("first")));
    }
  });
}

TEST_CASE("an exited message says whose signal it was", "[exit][X-7]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    otter::spawned linked =
        otter::spawn(otter::spawn_options{.link = true, .monitor = otter::alias_mode::none}, [] {});
    end_of(linked.ref);
    otter::spawned stranger =
        otter::spawn_monitor([me = otter::self()] { otter::exit(me, exit_reason::of("signal")); });
    end_of(stranger.ref);
    otter::exit(otter::self(), exit_reason::of("own"));
    auto const sender_of = [](std::string const& reason) {
      return otter::receive(
          otter::when([&](otter::exited const& e) { return to_string(e.reason) == reason; },
                      [](otter::exited e) { return e.process; }));
    };
    report.check("of the linked", sender_of("normal") == linked.process);
    report.check("of the stranger",
                 sender_of(to_string(exit_reason::of("signal"))) == stranger.process);
    report.check("of oneself", sender_of(to_string(exit_reason::of("own"))) == otter::self());
  });
}

TEST_CASE("a signal to a running process acts at its next safe point, not before", "[exit][C0-2]") {
  on_every_driver([](driver_report& report) {
    otter::spawned p = otter::spawn_monitor([me = otter::self()] {
      sends_at_end last(me, note{"unwound"});
      otter::exit(otter::self(), exit_reason::kill());
      otter::trap_exit(false);
      otter::set_label("still here");
      sends_at_end reached(me, note{"before the safe point"});
      otter::checkpoint();
      sends_at_end never(me, note{"after it"});
    });
    report.equal("reason", end_of(p.ref), to_string(exit_reason::killed()));
    report.equal("the code before the safe point ran", next_note(),
                 std::string("before the safe point"));
    report.equal("the code behind it did not", next_note(), std::string("unwound"));
    report.equal("nothing else", next_note(), std::string("none"));
  });
}

TEST_CASE("a long loop ends at a kill by its checkpoints", "[exit][C0-2]") {
  on_every_driver([](driver_report& report) {
    otter::spawned p = started([] {
      for (;;) otter::checkpoint();
    });
    otter::exit(p, exit_reason::kill());
    report.equal("reason", end_of(p.ref), to_string(exit_reason::killed()));
  });
}

TEST_CASE("a loop under defer_exit or in a destructor lets others run", "[exit][C0-2][PI-7]") {
  on_every_driver([](driver_report& report) {
    // On one worker the other can only run if this one yields.
    auto const until_another_ran = [] {
      auto done = std::make_shared<std::atomic<bool>>(false);
      otter::spawn([done] { *done = true; });
      for (int i = 0; i < 100'000'000 && !*done; ++i) otter::checkpoint();
      return done->load();
    };
    {
      otter::defer_exit guard;
      report.check("under the guard", until_another_ran());
    }
    auto ran = std::make_shared<std::atomic<int>>(0);
    otter::spawned const p = otter::spawn_monitor([=] {
      struct at_end {
        std::shared_ptr<std::atomic<int>> ran;
        decltype(until_another_ran) loop;
        ~at_end() {
          otter::defer_exit guard;
          if (loop()) ++*ran;
        }
      } last{ran, until_another_ran};
      {
        otter::defer_exit guard;
        otter::exit(otter::self(), exit_reason::of("asked"));
        otter::checkpoint();
        if (until_another_ran()) ++*ran;
      }
      otter::checkpoint();
    });
    report.equal("the exit is put off, not lost", end_of(p.ref),
                 to_string(exit_reason::of("asked")));
    report.equal("with an exit waiting, and while it unwinds", ran->load(), 2);
  });
}

TEST_CASE("under no_suspend a process keeps its turn", "[exit][C0-2]") {
  otter::node node({.workers = 1, .stall_limit = 60s});  // nobody takes the core from it
  std::atomic<bool> ran{false};
  bool ran_under_guard = true, ran_after = false;
  node.run([&] {
    otter::spawn([&] { ran = true; });
    {
      otter::no_suspend guard;
      for (int i = 0; i < 100'000; ++i) otter::checkpoint();
      ran_under_guard = ran;
    }
    for (int i = 0; i < 100'000 && !ran; ++i) otter::checkpoint();
    ran_after = ran;
  });
  CHECK_FALSE(ran_under_guard);
  CHECK(ran_after);
}

TEST_CASE("the token that unwinds a process is no std::exception and cannot be swallowed",
          "[exit][C0-3]") {
  on_every_driver([](driver_report& report) {
    otter::spawned p = started([me = otter::self()] {
      int swallowed = 0;
      for (int i = 0; i < 5; ++i) {
        try {
          otter::receive([](go) {});
        } catch (std::exception const&) {
          otter::send(me, note{"taken for an error"});
        } catch (otter::process_exit const&) {
          otter::send(me, note{"taken for exit()"});
        } catch (...) {
          ++swallowed;
        }
      }
      otter::send(me, note{"swallowed " + std::to_string(swallowed)});
      otter::checkpoint();
      otter::send(me, note{"went on"});
    });
    otter::exit(p, exit_reason::of("end"));
    report.equal("reason", end_of(p.ref), to_string(exit_reason::of("end")));
    report.equal("thrown again each time", next_note(), std::string("swallowed 5"));
    report.equal("and in the end it is obeyed", next_note(), std::string("none"));
  });
}

TEST_CASE("a function that swallows the token and returns has ended by the signal all the same",
          "[exit][C0-3][X-4]") {
  on_every_driver([](driver_report& report) {
    for (bool throws : {false, true}) {
      otter::spawned p = started([throws] {
        try {
          otter::receive([](go) {});
        } catch (...) {
        }
        if (throws) throw std::runtime_error("in place of the token");
      });
      otter::exit(p, exit_reason::of("end"));
      report.equal("reason", end_of(p.ref), to_string(exit_reason::of("end")));
    }
    report.equal("no crash is reported", report.count_events(otter::node_event::kind::crash), 0u);
  });
}

TEST_CASE("destructors of an ending process may send, but not wait", "[exit][C0-3]") {
  on_every_driver([](driver_report& report) {
    struct farewell {
      otter::pid to;
      ~farewell() {
        otter::send(to, note{errc_of([] { otter::receive([](go) {}, otter::after(1h)); })});
        otter::send(to, note{errc_of([] { otter::sleep_for(1h); })});
        otter::send(to, note{errc_of([this] { otter::is_alive(to); })});
        otter::send(to, note{otter::receive([](number x) { return std::to_string(x.n); },
                                            otter::after(0s, [] { return std::string("-"); }))});
      }
    };
    otter::spawned p = started([me = otter::self()] {
      otter::send(otter::self(), number{5});
      farewell last{me};
      otter::receive([](go) {});
    });
    otter::exit(p, exit_reason::of("end"));
    report.equal("reason", end_of(p.ref), to_string(exit_reason::of("end")));
    report.equal("receive", next_note(), std::string("exiting"));
    report.equal("sleep", next_note(), std::string("exiting"));
    report.equal("a call", next_note(), std::string("exiting"));
    report.equal("a look that needs no wait is allowed", next_note(), std::string("5"));
  });
}

TEST_CASE("what a function has captured is destroyed in the process, which may still send",
          "[exit][C0-3]") {
  on_every_driver([](driver_report& report) {
    for (bool killed : {true, false}) {
      auto last = std::make_unique<sends_at_end<note>>(otter::self(), note{"captured"});
      otter::spawned p =
          otter::spawn_monitor([last = std::move(last)] { otter::receive([](go) {}); });
      if (killed)
        otter::exit(p, exit_reason::kill());
      else
        otter::send(p, go{});
      end_of(p.ref);
      report.equal("before the end is heard of", next_note(), std::string("captured"));
    }
  });
}
