// Unmapping a version, and what keeps it.

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <otter/attached_thread.hpp>
#include <otter/blocking.hpp>
#include <otter/code.hpp>
#include <otter/exit.hpp>
#include <otter/monitor.hpp>
#include <otter/node.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/timer.hpp>
#include <string>
#include <thread>

#include "unloading.hpp"

using namespace unloading;

TEST_CASE("a purged version to which nothing refers is unmapped, and its memory is gone",
          "[code][CL-11]") {
  on_every_driver([](driver_report& report) {
    report.check("nothing was loaded", code::unload("keeper").empty());
    load_keeper();
    hidden_address const address;
    report.check("a current version is not unmapped", code::unload("keeper").empty());
    code::delete_module("keeper");
    report.check("nor an old one", code::unload("keeper").empty());
    report.check("they are mapped", is_mapped(address));
    code::purge("keeper");
    auto const purged = code::purged("keeper");
    report.equal("purged, and still mapped", purged.size(), 1u);
    report.check("what it costs", purged.size() == 1 && purged[0].version.bytes >= 4096);
    report.equal("the result", unload_soon("keeper"), std::string("unmapped"));
    report.check("the memory is gone", !is_mapped(address));
    report.check("nothing is left to unload", code::unload("keeper").empty());
    report.check("and nothing is listed", code::purged("").empty());
    report.equal("it is an event", report.count_events("module keeper 1 is unmapped"), 1u);
    load_keeper();
    report.check("the file can be loaded again", is_mapped(hidden_address()));
  });
}

TEST_CASE("a version stays mapped while a process waits in a function of it", "[code][CL-11]") {
  on_every_driver([](driver_report& report) {
    load_keeper();
    otter::pid const p = otter::spawn([test = otter::self()] {
      auto const wait = call<std::function<void()>()>("keeper", "waits")();
      otter::send(test, go_on{});
      wait();
    });
    otter::receive([](go_on) {});
    is_held_by(report, "a waiting function", holder_kind::frames, p);
  });
}

TEST_CASE("a version stays mapped while a message of it waits", "[code][CL-11]") {
  on_every_driver([](driver_report& report) {
    load_keeper();
    otter::pid const sleeper = otter::spawn([] { otter::receive([](go_on) {}); });
    elsewhere([sleeper] { call<void(otter::pid)>("keeper", "send_parcel")(sleeper); });
    is_held_by(report, "a message", holder_kind::message, sleeper);
  });
}

TEST_CASE("a version stays mapped while a timer has a message of it", "[code][CL-11]") {
  on_every_driver([](driver_report& report) {
    // Before the module is there: a stack that a load has used may have addresses of it.
    otter::pid const sleeper = does([] {});
    let_do(sleeper);
    load_keeper();
    elsewhere([sleeper, test = otter::self()] {
      otter::send(test, call<otter::timer_ref(otter::pid)>("keeper", "send_later")(sleeper));
    });
    auto const timer = otter::receive([](otter::timer_ref t) { return t; });
    // What destroys the message leaves addresses on its stack.
    is_held(report, "a timer", holder_kind::timer, sleeper, [&] {
      elsewhere([&] { report.check("it was running", otter::cancel_timer(timer).has_value()); });
    });
  });
}

TEST_CASE("a version stays mapped while a dictionary has a value of it", "[code][CL-11]") {
  on_every_driver([](driver_report& report) {
    load_keeper();
    otter::pid const p = does([] { call<void()>("keeper", "remember")(); });
    let_do(p);
    is_held_by(report, "a value", holder_kind::dictionary, p);
  });
}

TEST_CASE("a version stays mapped while anybody keeps an exit reason with a payload of it",
          "[code][CL-11]") {
  on_every_driver([](driver_report& report) {
    load_keeper();
    auto kept = std::make_shared<otter::exit_reason>();  // where nobody looks
    elsewhere([kept] {
      otter::pid const p = call<otter::pid()>("keeper", "ends_with_a_parcel")();
      otter::monitor_ref const watch = otter::monitor(p);
      otter::send(p, go_on{});
      otter::receive(otter::when([&](otter::down const& d) { return d.ref == watch; },
                                 [&](otter::down d) { *kept = std::move(d.reason); }));
    });
    report.check("it has a payload", *kept == otter::exit_kind::user);
    is_held(report, "a reason", holder_kind::exit_reason, otter::pid{},
            [&] { elsewhere([kept] { *kept = otter::exit_reason::normal(); }); });
  });
}

TEST_CASE("a version stays mapped while a monitor has a tag of it", "[code][CL-11]") {
  on_every_driver([](driver_report& report) {
    otter::pid const whom = does([] {});  // before the module is there, as above
    let_do(whom);
    load_keeper();
    otter::pid const p =
        does([whom] { call<otter::monitor_ref(otter::pid)>("keeper", "watch")(whom); });
    let_do(p);
    is_held_by(report, "a tag", holder_kind::monitor, p);
  });
}

TEST_CASE("a version stays mapped while a variable of another module is code of it",
          "[code][CL-11]") {
  on_every_driver([](driver_report& report) {
    load_keeper();
    code::load(modules::file("products-1")).value();
    elsewhere([] {
      call<void(std::function<int(int)>)>(
          "products", "keep")(call<std::function<int(int)>(int)>("keeper", "closure")(2));
    });
    is_held(report, "a variable", holder_kind::module, otter::pid{},
            [&] { elsewhere([] { call<void()>("products", "keep_nothing")(); }); });
  });
}

TEST_CASE("a closure that a process keeps keeps its version", "[code][CL-9][CL-11]") {
  on_every_driver([](driver_report& report) {
    load_keeper();
    otter::pid const p = otter::spawn([test = otter::self()] {
      auto const closure = call<std::function<int(int)>(int)>("keeper", "closure")(2);
      otter::send(test, go_on{});
      otter::receive([](go_on) {});
      otter::send(test, closure(5));
    });
    otter::receive([](go_on) {});
    is_held(report, "a closure", holder_kind::frames, p, [&] {
      otter::send(p, go_on{});
      report.equal("it can be called", otter::receive([](int n) { return n; }), 30);
    });
  });
}

TEST_CASE("where it is wanted each purge unmaps", "[code][CL-11]") {
  on_every_driver([](driver_report& report) {
    load_keeper();
    hidden_address const first;
    code::unload_when_purged(true);
    load_keeper();
    report.check("the old one is mapped", is_mapped(first));
    hidden_address const second;
    load_keeper();
    report.check("a load purges and unmaps it", !is_mapped(first));
    report.check("soft_purge", code::soft_purge("keeper"));
    report.check("does so too", !is_mapped(second));
    code::unload_when_purged(false);
    hidden_address const third;
    replace("keeper");
    report.check("not when it is off", is_mapped(third));
  });
}

namespace {

/// In a node of its own, on threads: `unload()` finds no rest while `busy` is there, says so in a
/// text with `part`, and unmaps when `end()` has been called.
struct no_rest {
  std::string refused;
  std::string after;
  bool text = false;
  bool pid_is_said = false;

  void look(std::string const& part, otter::pid who) {
    elsewhere([] { load_keeper(); });
    replace("keeper");
    auto const held = code::unload("keeper", std::chrono::milliseconds(100));
    refused = outcome(held) + ": " + texts(held);
    text = held.size() == 1 && held[0].held_by.size() == 1 &&
           held[0].held_by[0].what == holder_kind::busy && refused.find(part) != std::string::npos;
    pid_is_said = refused.find(to_string(who)) != std::string::npos;
  }
};

}  // namespace

TEST_CASE("while a process does not come to a safe point nothing is unmapped, and it is named",
          "[code][CL-11]") {
  std::atomic<bool> begun{false};
  std::atomic<bool> enough{false};
  no_rest result;
  otter::node node(quiet());
  // Before the other process is there, which else might have its frames on the same thread.
  otter::pid const busy = node.spawn([&] {
    begun.store(true);
    while (!enough.load()) std::this_thread::yield();
  });
  while (!begun.load()) std::this_thread::yield();
  node.run([&] {
    result.look("is in user code for", busy);
    enough.store(true);
    result.after = unload_soon("keeper");
  });
  enough.store(true);
  INFO(result.refused);
  CHECK(result.text);
  CHECK(result.pid_is_said);
  CHECK(result.after == "unmapped");
}

TEST_CASE("while a job of offload runs nothing is unmapped", "[code][CL-11]") {
  std::atomic<bool> enough{false};
  no_rest result;
  otter::node node(quiet());
  node.run([&] {
    otter::offload([&enough] {
      while (!enough.load()) std::this_thread::yield();
      return 1;
    });
    result.look("a job of offload() is running", otter::self());
    enough.store(true);
    result.after = unload_soon("keeper");
  });
  enough.store(true);
  INFO(result.refused);
  CHECK(result.text);
  CHECK(result.after == "unmapped");
}

TEST_CASE(
    "an attached thread that runs code of its own lets nothing be unmapped, one that waits does",
    "[code][CL-11]") {
  no_rest result;
  otter::node node(quiet());
  otter::attached_thread const me(node);
  // run() waits outside of the attached process.
  node.run([&, whom = me.self()] { result.look("the attached thread", whom); });
  INFO(result.refused);
  CHECK(result.text);
  CHECK(result.pid_is_said);
  CHECK(outcome(code::unload("keeper")) == "unmapped");
}
