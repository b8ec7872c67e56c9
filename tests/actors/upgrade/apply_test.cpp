// Plans that are applied, and what is left when they fail.

#include <catch2/catch.hpp>
#include <chrono>
#include <otter/exit.hpp>
#include <otter/message.hpp>
#include <otter/monitor.hpp>
#include <otter/receive.hpp>
#include <string>
#include <vector>

#include "on_every_driver.hpp"
#include "upgrading.hpp"

using namespace upgrading;
using state = upgrade::module_report::state_type;
using mode = upgrade::mode_type;

namespace {

constexpr mode both_modes[] = {mode::one_by_one, mode::together};

otter::pid start_stuck(std::string const& module, int n) {
  otter::pid const p = start(module, n);
  otter::cast(p, lamps::get_stuck{otter::self()});
  otter::receive([](lamps::stuck) {});
  return p;
}

}  // namespace

TEST_CASE("a plan brings all processes of its modules to the next versions",
          "[upgrade][CL-13][CL-14]") {
  on_every_driver([](driver_report& report) {
    for (mode const m : both_modes) {
      load("lamp", 1);
      load("desk", 1);
      auto const all_lamps = start_many("lamp", 3);
      auto const desks = start_many("desk", 2);
      // A window of two, so that not all are asked at once.
      auto const done = upgrade::apply(
          {.modules = {step("lamp", 2, {{"desk"}}, m), step("desk", 2, {}, m)}}, {.window = 2});
      report.check("it is done: " + lines(done), done.done && lines(done).empty());
      report.equal("with their states", look(all_lamps), std::string("2: 0, 2: 1, 2: 2"));
      report.equal("both modules", look(desks), std::string("2: 0, 2: 1"));
      report.equal("versions", versions("lamp") + ", " + versions("desk"),
                   std::string("2 over 1, 2 over 1"));
      report.equal("the desks came first", done.modules[0].name, std::string("desk"));
      report.check("changed", done.modules[1].state == state::changed);
      report.equal("so many lamps", done.modules[1].processes, 3u);
      report.check("nobody is left in the old version", !code::purge("lamp"));
      for (auto const& list : {all_lamps, desks})
        for (otter::pid const p : list) otter::stop(p);
    }
  });
}

TEST_CASE("when a later module refuses, the earlier ones go back, and nobody stays suspended",
          "[upgrade][CL-15]") {
  on_every_driver([](driver_report& report) {
    for (mode const first : both_modes) {
      for (mode const second : both_modes) {
        load("lamp", 1);
        load("desk", 1);
        auto const desks = start_many("desk", 4);
        auto all_lamps = start_many("lamp", 12);
        all_lamps.push_back(start("lamp", 13));
        all_lamps.push_back(start("lamp", 14));
        auto const refused = upgrade::apply(
            {.modules = {step("desk", 2, {}, first), step("lamp", 3, {{"desk"}}, second)}},
            {.window = 3, .trial_sample = 0});
        report.check("refused: " + lines(refused), !refused.done && refused.refusals.size() == 1 &&
                                                       has(lines(refused), "13 is unlucky"));
        report.check("no notes", refused.notes.empty());
        report.equal("the desks are back", look(desks), std::string("1: 0, 1: 1, 1: 2, 1: 3"));
        report.equal("and the lamps", look({all_lamps[0], all_lamps[11], all_lamps[13]}),
                     std::string("1: 0, 1: 11, 1: 14"));
        report.equal("he who refused too", look({all_lamps[12]}), std::string("1: 13"));
        report.equal("versions", versions("lamp") + ", " + versions("desk"), std::string("1, 1"));
        bool const one_group = first == mode::together && second == mode::together;
        report.check("the desks in the report",
                     refused.modules[0].state == (one_group ? state::refused : state::restored) &&
                         refused.modules[0].restored == refused.modules[0].processes);
        report.check("the lamps in the report", refused.modules[1].state == state::refused);
        for (auto const& list : {all_lamps, desks})
          for (otter::pid const p : list) otter::stop(p);
      }
    }
  });
}

TEST_CASE("a process that could not change is found before anything does", "[upgrade][CL-15]") {
  on_every_driver([](driver_report& report) {
    load("lamp", 1);
    load("desk", 1);
    auto all_lamps = start_many("lamp", 4);
    all_lamps.push_back(start("lamp", 13));
    otter::pid const desk = start("desk", 0);
    upgrade::plan const plan = {.modules = {step("desk", 2), step("lamp", 3)}};
    for (bool const really : {false, true}) {
      auto const refused = really ? upgrade::apply(plan) : upgrade::check(plan);
      report.check("refused: " + lines(refused), !refused.done &&
                                                     has(lines(refused), "cannot go to 3") &&
                                                     has(lines(refused), "13 is unlucky"));
      report.check("nothing was done", refused.modules[0].state == state::untouched &&
                                           refused.modules[1].state == state::untouched &&
                                           refused.modules[1].processes == 0);
      report.equal("no version is there", versions("lamp") + versions("desk"), std::string("11"));
    }
    report.equal("they serve", look(all_lamps) + ", " + look({desk}),
                 std::string("1: 0, 1: 1, 1: 2, 1: 3, 1: 13, 1: 0"));
    auto const two = upgrade::check(plan, {.trial_sample = 2});
    report.check("a sample of two does not find it: " + lines(two),
                 two.done && two.modules[1].tried == 2);
  });
}

TEST_CASE("what a plan says to its hooks comes to them", "[upgrade][CL-13]") {
  on_every_driver([](driver_report& report) {
    load("lamp", 1);
    otter::pid const lamp = start("lamp", 5);
    auto next = step("lamp", 2);
    next.extra = "twice";
    report.check("done", upgrade::apply({.modules = {next}}).done);
    report.equal("it has heard", look({lamp}), std::string("2: 10"));
  });
}

TEST_CASE("a module that was not there before is gone again when the plan is refused",
          "[upgrade][CL-15]") {
  on_every_driver([](driver_report& report) {
    load("lamp", 1);
    otter::pid const unlucky = start("lamp", 13);
    auto fresh = step("desk", 1);
    fresh.from = {};
    auto const refused = upgrade::apply({.modules = {fresh, step("lamp", 3)}}, {.trial_sample = 0});
    report.check("refused: " + lines(refused), has(lines(refused), "13 is unlucky"));
    report.equal("it is gone", versions("desk"), std::string());
    report.equal("and the other as it was", look({unlucky}) + versions("lamp"),
                 std::string("1: 131"));
    auto next = step("lamp", 2);
    auto const done = upgrade::apply({.modules = {fresh, next}});
    report.check("it comes when the plan goes: " + lines(done), done.done);
    report.equal("current", versions("desk"), std::string("1"));
  });
}

TEST_CASE("a process that does not answer is left out, and goes on in the new version when it does",
          "[upgrade][CL-14]") {
  on_every_driver([](driver_report& report) {
    for (mode const m : both_modes) {
      load("lamp", 1);
      auto const others = start_many("lamp", 2);
      otter::pid const stuck = start_stuck("lamp", 9);
      auto const done = upgrade::apply({.modules = {step("lamp", 2, {}, m)}},
                                       {.limit = std::chrono::milliseconds(50)});
      report.check("done: " + lines(done), done.done && has(lines(done), "does not answer"));
      report.equal("one was left out", done.modules[0].unanswered, 1u);
      report.equal("the others were not", done.modules[0].processes, 2u);
      report.equal("they are there", look(others), std::string("2: 0, 2: 1"));
      otter::send(stuck, lamps::go_on{});
      // One by one, the change had been asked of it; together it would have had to be held first.
      report.equal("it serves", look({stuck}),
                   std::string(m == mode::one_by_one ? "2: 9" : "1: 9"));
      for (otter::pid const p : others) otter::stop(p);
      otter::stop(stuck);
    }
  });
}

TEST_CASE("a function of a module that takes no system messages is left out", "[upgrade][CL-14]") {
  on_every_driver([](driver_report& report) {
    load("lamp", 1);
    otter::pid const plain = lamps::plain_starter("lamp", "start_plain")();
    otter::monitor_ref const watch = otter::monitor(plain);
    auto const done =
        upgrade::apply({.modules = {step("lamp", 2)}}, {.limit = std::chrono::milliseconds(50)});
    report.check("done: " + lines(done), done.done && done.modules[0].unanswered == 1);
    otter::send(plain, lamps::go_on{});
    report.check("it goes on", otter::receive([&](otter::down d) {
                   return d.ref == watch && d.reason == otter::exit_kind::normal;
                 }));
  });
}

TEST_CASE("a process that ends meanwhile is counted, and nothing waits for it",
          "[upgrade][CL-14]") {
  on_every_driver([](driver_report& report) {
    load("lamp", 1);
    otter::pid const stuck = start_stuck("lamp", 9);
    auto const done = upgrade::apply({.modules = {step("lamp", 2)}},
                                     {.limit = std::chrono::hours(1),
                                      .trial_sample = 0,
                                      .progress = [stuck](std::string_view line) {
                                        if (line == "lamp 2 is current")
                                          otter::exit(stuck, otter::exit_reason::kill());
                                      }});
    report.check("done: " + lines(done), done.done);
    report.check("it has ended, before or after it was asked",
                 done.modules[0].ended <= 1 && done.modules[0].processes == 0);
  });
}

TEST_CASE("processes that start meanwhile are in the new version too", "[upgrade][CL-19]") {
  on_every_driver([](driver_report& report) {
    for (mode const m : both_modes) {
      load("lamp", 1);
      otter::pid const parent = start("lamp", 0);
      constexpr int count = 30;
      otter::cast(parent, lamps::start_more{count, otter::self()});
      auto const done = upgrade::apply({.modules = {step("lamp", 2, {}, m)}});
      report.check("done: " + lines(done), done.done && done.notes.empty());
      std::vector<otter::pid> children;
      for (int i = 0; i < count; ++i)
        children.push_back(otter::receive([](otter::pid p) { return p; }));
      std::string const all = look(children);
      report.check("each is in version 2: " + all, all.find("1: ") != 0 && !has(all, ", 1: "));
      report.check("nobody uses the old one", code::old_users("lamp").empty());
      for (otter::pid const p : children) otter::stop(p);
      otter::stop(parent);
    }
  });
}

TEST_CASE("a process that an old one starts in the middle of an upgrade is in the new version too",
          "[upgrade][CL-19]") {
  in_simulation([](driver_report& report) {
    for (mode const m : both_modes) {
      load("lamp", 1);
      otter::pid const first = start_stuck("lamp", 1);  // the others are asked when it has answered
      otter::pid const parent = start("lamp", 2);
      otter::pid const test = otter::self();
      otter::pid const helper = otter::spawn([=] {
        otter::receive([](lamps::go_on) {});
        // An instant later all waits for the first.
        otter::receive(otter::after(std::chrono::milliseconds(1), [] {}));
        otter::cast(parent, lamps::start_more{1, otter::self()});
        otter::send(test, otter::receive([](otter::pid child) { return child; }));
        otter::send(first, lamps::go_on{});
      });
      auto const done = upgrade::apply(
          {.modules = {step("lamp", 2, {}, m)}},
          {.window = 1, .trial_sample = 0, .progress = [helper](std::string_view line) {
             if (has(std::string(line), "checked")) otter::send(helper, lamps::go_on{});
           }});
      report.check("done: " + lines(done), done.done && done.notes.empty());
      report.equal("three have changed", done.modules[0].processes, 3u);
      otter::pid const child = otter::receive([](otter::pid p) { return p; });
      report.equal("all are in version 2", look({first, parent, child}),
                   std::string("2: 1, 2: 2, 2: 1"));
      for (otter::pid const p : {first, parent, child}) otter::stop(p);
    }
  });
}

TEST_CASE("a process that cannot go back stays in its version, and the report says so",
          "[upgrade][CL-15]") {
  on_every_driver([](driver_report& report) {
    for (mode const m : both_modes) {
      load("desk", 1);
      load("lamp", 1);
      otter::pid const desk = start("desk", 77);
      otter::pid const unlucky = start("lamp", 13);
      auto const refused = upgrade::apply(
          {.modules = {step("desk", 2, {}, m), step("lamp", 3, {}, m)}}, {.trial_sample = 0});
      report.check("refused: " + lines(refused), !refused.done);
      report.check("who stays: " + lines(refused),
                   has(lines(refused), "stays in 2") && has(lines(refused), "no way back for 77"));
      report.equal("it serves", look({desk, unlucky}), std::string("2: 77, 1: 13"));
      report.equal("version 1 is current", versions("desk"), std::string("1 over 2"));
      otter::stop(desk);
      otter::stop(unlucky);
    }
  });
}

TEST_CASE("nobody stays suspended when the process that upgrades is killed", "[upgrade][CL-19]") {
  on_every_driver([](driver_report& report) {
    for (mode const m : both_modes) {
      load("lamp", 1);
      auto const all = start_many("lamp", 5);
      auto const cut_off = upgrade::apply(
          {.modules = {step("lamp", 2, {}, m)}}, {.progress = [](std::string_view line) {
            if (line == "lamp 2 is current") otter::exit(otter::self(), otter::exit_reason::kill());
          }});
      report.check("the caller hears of it: " + lines(cut_off),
                   !cut_off.done && has(lines(cut_off), "has ended in the middle of it"));
      std::string const serving = look(all);  // in whatever version the end has left it
      report.check("all serve: " + serving, has(serving, ": 0, ") && has(serving, ": 4"));
      report.equal("the next one goes on from there", versions("lamp"), std::string("2 over 1"));
      for (otter::pid const p : all) otter::stop(p);
    }
  });
}

TEST_CASE("there is one upgrade at a time", "[upgrade][CL-13]") {
  on_every_driver([](driver_report& report) {
    load("lamp", 1);
    otter::pid const test = otter::self();
    auto const done =
        upgrade::apply({.modules = {step("lamp", 2)}}, {.progress = [test](std::string_view line) {
                         if (line != "lamp 2 is current") return;
                         otter::send(test, lines(upgrade::apply({.modules = {step("lamp", 3)}})));
                       }});
    report.check("the first is done", done.done);
    report.equal("the second is not", otter::receive([](std::string s) { return s; }),
                 std::string("another upgrade is going on"));
    report.equal("the first one's version", versions("lamp"), std::string("2 over 1"));
  });
}

TEST_CASE("a report is a table for people", "[upgrade][CL-14]") {
  upgrade::report r;
  r.modules = {{.name = "lamp",
                .from = "1",
                .to = "2",
                .state = state::changed,
                .processes = 15000,
                .unanswered = 1,
                .pause = {std::chrono::nanoseconds(1500), std::chrono::microseconds(20),
                          std::chrono::milliseconds(3)},
                .took = std::chrono::milliseconds(250)},
               {.name = "desk", .to = "1", .state = state::untouched}};
  r.refusals = {"module desk: no"};
  r.notes = {"module lamp: one"};
  CHECK(to_string(r) ==
        "module  version    state      processes  left out  pause p50      p99     max      took\n"
        "lamp    1 -> 2     changed        15000         1     1.5 us  20.0 us  3.0 ms  250.0 ms\n"
        "desk    none -> 1  untouched          0         0          -        -       -         -\n"
        "refused: module desk: no\n"
        "note: module lamp: one");
}
