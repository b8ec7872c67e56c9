// Unmapping a version, and what keeps it.

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <functional>
#include <otter/attached_thread.hpp>
#include <otter/blocking.hpp>
#include <otter/code.hpp>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/monitor.hpp>
#include <otter/node.hpp>
#include <otter/process_info.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/timer.hpp>
#include <string>
#include <thread>

#include "keeper.hpp"
#include "modules.hpp"
#include "on_every_driver.hpp"

namespace code = otter::code;
using code::holder_kind;
using keeper::call;
using keeper::go_on;

namespace {

/// Runs `work` in a process of its own, and waits for its end: what a call leaves on a stack would
/// hold the version.
template <class Work>
void elsewhere(Work work) {
  auto const p = otter::spawn_monitor(work);
  otter::receive(
      otter::when([&](otter::down const& d) { return d.ref == p.ref; }, [](otter::down const&) {}));
}

/// An address in the current version, so written that it does not hold it.
struct hidden_address {
  std::uintptr_t inverted = 0;
  hidden_address() {
    elsewhere([test = otter::self()] { otter::send(test, ~keeper::address()); });
    inverted = otter::receive([](std::uintptr_t a) { return a; });
  }
};

/// Whether a module is at that address. Something else may have come there.
bool is_mapped(hidden_address hidden) {
  std::uintptr_t const address = ~hidden.inverted;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t from = 0;
    std::uintptr_t to = 0;
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR, &from, &to) == 2 && from <= address &&
        address < to)
      return line.find("otter module") != std::string::npos;
  }
  return false;
}

/// Loads it in place of the present version, which is purged.
void replace(char const* module) {
  code::delete_module(module);
  code::purge(module);
}

/// "unmapped", or the kinds of those that hold it, of one version.
std::string outcome(std::vector<code::unload_result> const& results) {
  if (results.size() != 1) return std::to_string(results.size()) + " versions";
  if (results[0].unmapped) return "unmapped";
  std::string text;
  for (auto const& h : results[0].held_by)
    text += (text.empty() ? "" : " ") + std::string(code::to_string(h.what));
  return text;
}
std::string texts(std::vector<code::unload_result> const& results) {
  std::string all;
  for (auto const& r : results)
    for (auto const& h : r.held_by) all += h.text + "; ";
  return all;
}

/// A process that does `work` when it is told to, and then waits again.
template <class Work>
otter::pid does(Work work) {
  return otter::spawn([work, test = otter::self()]() mutable {
    for (;;) {
      otter::receive([&](go_on) { work(); });
      otter::send(test, go_on{});
    }
  });
}
void let_do(otter::pid who) {
  otter::send(who, go_on{});
  otter::receive([](go_on) {});
}

/// What has ended, or was cancelled, is gone soon: when its process or its worker has come to it.
std::string unload_soon(char const* module) {
  std::string last;
  for (int attempt = 0; attempt < 500; ++attempt) {
    auto const result = code::unload(module);
    last = outcome(result) + ": " + texts(result);
    if (last == "unmapped: ") return "unmapped";
    otter::sleep_for(std::chrono::milliseconds(attempt / 10));
  }
  return last;
}

/// The one version that is purged is held by `who` in the way `kind`, until `release()`.
template <class Release>
void is_held(driver_report& report, std::string const& what, holder_kind kind, otter::pid who,
             Release&& release) {
  hidden_address const address;
  replace("keeper");
  auto const held = code::unload("keeper");
  report.equal(what + ": how many are still there", held.size(), 1u);
  bool named = false;
  for (auto const& r : held)
    for (auto const& h : r.held_by) named = named || (h.what == kind && h.process == who);
  report.check(what + " holds it: " + outcome(held) + ": " + texts(held), named);
  report.check(what + ": it is still there", is_mapped(address));
  if (!named) return;  // what is left would run code that is not there
  auto const listed = code::purged("keeper");
  report.check(what + ": and is listed with the reason",
               listed.size() == 1 && !listed[0].held_by.empty());
  release();
  report.equal(what + ", afterwards", unload_soon("keeper"), std::string("unmapped"));
  report.check(what + ": it is gone", !is_mapped(address));
}
/// The same for what ends with a process.
void is_held_by(driver_report& report, std::string const& what, holder_kind kind, otter::pid who) {
  is_held(report, what, kind, who, [&] {
    auto const watch = otter::monitor(who);
    otter::exit(who, otter::exit_reason::kill());
    otter::receive(otter::when([&](otter::down const& d) { return d.ref == watch; },
                               [](otter::down const&) {}));
  });
}

void load_keeper() { code::load(modules::file("keeper-1")).value(); }

}  // namespace

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
    load_keeper();
    otter::pid const sleeper = otter::spawn([] { otter::receive([](go_on) {}); });
    elsewhere([sleeper, test = otter::self()] {
      otter::send(test, call<otter::timer_ref(otter::pid)>("keeper", "send_later")(sleeper));
    });
    auto const timer = otter::receive([](otter::timer_ref t) { return t; });
    is_held(report, "a timer", holder_kind::timer, sleeper,
            [&] { report.check("it was running", otter::cancel_timer(timer).has_value()); });
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
            [&] { *kept = otter::exit_reason::normal(); });
  });
}

TEST_CASE("a version stays mapped while a monitor has a tag of it", "[code][CL-11]") {
  on_every_driver([](driver_report& report) {
    load_keeper();
    otter::pid const whom = otter::spawn([] { otter::receive([](go_on) {}); });
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

otter::node_options quiet() {
  return {.workers = 2, .on_event = [](otter::node_event const&) {}};
}

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
