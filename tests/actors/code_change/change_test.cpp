// Servers of a module that go on in another version of their class.

#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <otter/code.hpp>
#include <otter/exit.hpp>
#include <otter/gen.hpp>
#include <otter/monitor.hpp>
#include <otter/name.hpp>
#include <otter/process_info.hpp>
#include <otter/receive.hpp>
#include <otter/request.hpp>
#include <otter/sys.hpp>
#include <string>

#include "code_changing.hpp"
#include "counter.hpp"
#include "on_every_driver.hpp"

namespace code = otter::code;
namespace sys = otter::sys;
using namespace counting;

namespace {

void load(int version) { code_changing::load("counter", version); }

otter::pid start(int n) { return starter("counter", "start")(n).value(); }

std::string change(otter::pid server) { return code_changing::change(server, "counter"); }
std::string upgrade(otter::pid server) { return code_changing::upgrade(server, "counter"); }
using code_changing::has;

}  // namespace

TEST_CASE("a server goes on in the new version with its state, field by field",
          "[code_change][CL-13][GS-35]") {
  on_every_driver([](driver_report& report) {
    load(1);
    otter::pid const server = start(40);
    otter::cast(server, add{2});
    otter::cast(server, keep{std::make_unique<std::string>("inside")});
    report.equal("before", otter::call(server, look{}),
                 std::string("version 1: 42 m new (inside)"));
    load(2);
    report.equal("loading touches nobody", otter::call(server, look{}),
                 std::string("version 1: 42 m new (inside)"));
    report.check("it uses the old version", code::check_process_code(server, "counter"));
    report.equal("the change", upgrade(server), std::string("done"));
    // An int became a long, "secret" has another name, "added" is new, and "unit" was set.
    report.equal("after", otter::call(server, look{}),
                 std::string("version 2: 42 metres 7 (inside)"));
    report.check("it has left the old version", !code::check_process_code(server, "counter"));
    report.check("so a purge kills nobody", !code::purge("counter"));
    otter::cast(server, add{1});
    report.equal("it serves", otter::call(server, look{}),
                 std::string("version 2: 43 metres 7 (inside)"));
  });
}

TEST_CASE("an older version is gone back to in the same way", "[code_change][CL-13]") {
  on_every_driver([](driver_report& report) {
    load(1);
    otter::pid const server = start(1);
    otter::cast(server, keep{std::make_unique<std::string>("inside")});
    load(2);
    report.equal("up", upgrade(server), std::string("done"));
    load(1);
    report.equal("down", upgrade(server), std::string("done"));
    report.equal("the fields of the first", otter::call(server, look{}),
                 std::string("version 1: 1 metres new (inside)"));
  });
}

TEST_CASE("pid, name, mailbox, callers, timers, links and monitors are as they were",
          "[code_change][CL-13]") {
  on_every_driver([](driver_report& report) {
    load(1);
    otter::pid const server = starter("counter", "start_named")(5).value();
    otter::monitor_ref const watch = otter::monitor(server);
    otter::cast(server, set_alarm{});
    auto const held = otter::send_request(server, hold{});
    otter::call(server, look{});
    load(2);
    sys::suspend(server);
    otter::cast(server, add{10});
    auto const waiting = otter::send_request(server, look{});
    report.equal("the change", change(server), std::string("done"));
    sys::resume(server);
    report.equal("what came meanwhile is served, in order, by the new version",
                 otter::receive_response(waiting).value().value(),
                 std::string("version 2: 15 metres 7"));
    otter::cast(server, release{});
    report.equal("a call that the old version had not answered",
                 otter::receive_response(held).value().value(),
                 std::string("version 2: 15 metres 7"));
    report.check("its name", otter::whereis("the counter") == server);
    otter::exit(server, otter::exit_reason::of("enough"));
    report.check("a monitor hears of its end", otter::receive([&](otter::down d) {
                   return d.ref == watch && d.reason == otter::exit_reason::of("enough");
                 }));
  });
}

TEST_CASE("a timer of the old version comes to the new one", "[code_change][CL-13]") {
  in_simulation([](driver_report& report) {
    load(1);
    otter::pid const server = start(0);
    otter::cast(server, set_alarm{});
    load(2);
    report.equal("the change", upgrade(server), std::string("done"));
    otter::receive(otter::after(std::chrono::hours(2), [] {}));
    report.equal("it has come", otter::call(server, look{}),
                 std::string("version 2: 0 metres 7, ticks: 1"));
  });
}

TEST_CASE("a refused change leaves the old version whole and serving, and says why",
          "[code_change][CL-15][SY-7]") {
  on_every_driver([](driver_report& report) {
    std::string const before = "version 1: 6 m new (inside)";
    for (int const version : {3, 4, 5}) {
      load(1);
      otter::pid const server = start(6);
      otter::cast(server, keep{std::make_unique<std::string>("inside")});
      load(version);
      std::string const soon = change(server);
      report.check("not suspended: " + soon, has(soon, "is not suspended"));
      std::string const why = upgrade(server);
      std::string const part = version == 3   ? "the field \"unit\" is a std::"
                               : version == 4 ? "cannot come from version 1"
                                              : "does not list the class counter";
      report.check(std::to_string(version) + ": " + why, has(why, part));
      report.equal("it serves on", otter::call(server, look{}), before);
      report.check("in the old version", code::check_process_code(server, "counter"));
      otter::stop(server);
    }
  });
}

TEST_CASE("what is of no module, or of another one, cannot be changed", "[code_change][SY-7]") {
  on_every_driver([](driver_report& report) {
    otter::pid const test = otter::self();
    struct ready {};
    otter::pid const plain = otter::spawn([test] {
      sys::callbacks hooks;
      otter::send(test, ready{});
      for (;;) otter::receive([&](sys::system_request r) { sys::handle_system_msg(r, hooks); });
    });
    otter::receive([](ready) {});
    sys::suspend(plain);
    std::string const why = change(plain);
    report.check("a function that joins in: " + why, has(why, "does not take code changes"));
    load(1);
    otter::pid const server = start(1);
    sys::suspend(server);
    std::string text;
    try {
      sys::change_code(server, "elsewhere");
    } catch (otter::process_exit const& e) {
      text = to_string(e.reason());
    }
    report.check("another module: " + text, has(text, "module elsewhere has no current version"));
    sys::resume(server);
    report.equal("it serves", otter::call(server, look{}), std::string("version 1: 1 m new"));
  });
}
