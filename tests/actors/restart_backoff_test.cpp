// Supervisors that wait before they start a child again.

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <otter/dynamic_supervisor.hpp>
#include <otter/exit.hpp>
#include <otter/simulation.hpp>
#include <otter/supervisor.hpp>
#include <otter/timer.hpp>
#include <set>
#include <string>
#include <vector>

#include "children.hpp"
#include "on_every_driver.hpp"

using namespace std::chrono_literals;
using namespace children;
using otter::child_error;
using otter::dynamic_supervisor;
using otter::node_clock;
using otter::restart_backoff;
using otter::strategy_type;
using otter::supervisor;
using otter::supervisor_flags;
using trace::text;

namespace {

constexpr restart_backoff for_an_hour{.first = 1h, .most = 1h, .jitter = 0};
constexpr supervisor_flags never_again{.intensity = 100, .backoff = for_an_hour};

/// How long the child "a" is away after a crash, in tenths of a second of the node's clock.
template <class Supervisor>
long away_after_a_crash(Supervisor const& sup) {
  crash(process_of(sup, "a"));
  const auto ended = node_clock::now();
  next(2);
  return std::lround(std::chrono::duration<double>(node_clock::now() - ended).count() * 10);
}

bool is_restarting(otter::child_info const& c) { return c.restarting && !c.process; }

}  // namespace

TEST_CASE("without a back-off a child is started again at once", "[supervisor][backoff]") {
  in_simulation([](driver_report& report) {
    auto sup = supervisor::start_link({.intensity = 100, .period = 24h}, {spec(otter::self(), "a")})
                   .value();
    next(1);
    for (int i = 0; i != 20; ++i) report.equal("away", away_after_a_crash(sup), 0);
  });
}

TEST_CASE("the wait before a restart doubles up to its longest", "[supervisor][backoff]") {
  in_simulation([](driver_report& report) {
    auto sup =
        supervisor::start_link(
            {.intensity = 100, .period = 24h, .backoff = {.first = 100ms, .most = 1s, .jitter = 0}},
            {spec(otter::self(), "a")})
            .value();
    next(1);
    for (long expected : {1, 2, 4, 8, 10, 10})
      report.equal("away", away_after_a_crash(sup), expected);
  });
}

TEST_CASE("a child that has run for long begins with the first wait again",
          "[supervisor][backoff]") {
  in_simulation([](driver_report& report) {
    auto sup =
        supervisor::start_link(
            {.intensity = 100, .period = 24h, .backoff = {.first = 100ms, .most = 2s, .jitter = 0}},
            {spec(otter::self(), "a")})
            .value();
    next(1);
    for (long expected : {1, 2, 4}) report.equal("away", away_after_a_crash(sup), expected);
    otter::sleep_for(1s);
    report.equal("after a short run", away_after_a_crash(sup), 8);
    otter::sleep_for(2s + 1ms);
    report.equal("after a long one", away_after_a_crash(sup), 1);
  });
}

TEST_CASE("the wait never ends early, on any driver", "[supervisor][backoff]") {
  on_every_driver([](driver_report& report) {
    auto sup = supervisor::start_link(
                   {.intensity = 100, .backoff = {.first = 2ms, .most = 8ms, .jitter = 0.5}},
                   {spec(otter::self(), "a")})
                   .value();
    next(1);
    for (auto wait : {2ms, 4ms, 8ms, 8ms}) {
      const otter::pid a = process_of(sup, "a");
      const auto before = node_clock::now();
      crash(a);
      report.equal("traces", next(2), "stop a, start a");
      report.check("not early", node_clock::now() - before >= wait / 2);
    }
  });
}

TEST_CASE("jitter spreads the waits, within its part, and the seed decides them",
          "[supervisor][backoff][simulation]") {
  const auto waits_with = [](std::uint64_t seed) {
    std::vector<long> waits;
    otter::simulation_options quiet;
    quiet.node.on_event = [](auto const&) {};
    otter::simulation(seed, quiet).run([&] {
      auto sup = supervisor::start_link({.intensity = 100,
                                         .period = 24h,
                                         .backoff = {.first = 10s, .most = 10s, .jitter = 0.5}},
                                        {spec(otter::self(), "a")})
                     .value();
      next(1);
      for (int i = 0; i != 20; ++i) waits.push_back(away_after_a_crash(sup));
    });
    return waits;
  };
  const std::vector<long> waits = waits_with(1);
  REQUIRE(waits.size() == 20);
  CHECK(*std::min_element(waits.begin(), waits.end()) >= 50);
  CHECK(*std::max_element(waits.begin(), waits.end()) <= 100);
  CHECK(std::set<long>(waits.begin(), waits.end()).size() >= 10);
  CHECK(waits == waits_with(1));
  CHECK(waits != waits_with(2));
}

TEST_CASE("a start that fails makes the wait longer too", "[supervisor][backoff][SUP-22]") {
  in_simulation([](driver_report& report) {
    auto left = std::make_shared<std::atomic<int>>(0);
    auto sup =
        supervisor::start_link(
            {.intensity = 100, .period = 24h, .backoff = {.first = 100ms, .most = 1s, .jitter = 0}},
            {failing_spec(otter::self(), "a", left)})
            .value();
    next(1);
    left->store(2);
    const auto before = node_clock::now();
    crash(process_of(sup, "a"));
    report.equal("traces", next(4), "stop a, fail a, fail a, start a");
    const auto took = node_clock::now() - before;
    report.check("0.1 + 0.2 + 0.4 seconds", took >= 700ms && took < 800ms);
  });
}

TEST_CASE("a restart that waits counts for the intensity at once",
          "[supervisor][backoff][SUP-18]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link({.intensity = 1, .period = 24h, .backoff = for_an_hour},
                                      {spec(me, "a"), spec(me, "b")})
                   .value();
    auto watch = otter::monitor(sup);
    next(2);
    const otter::pid b = process_of(sup, "b");
    crash(process_of(sup, "a"));
    crash(b);
    report.equal("end", trace::end_of(watch), text(exit_reason::shutdown()));
    report.equal("traces", next(2), "stop a, stop b");
    report.equal("it says why", report.count_events("needs restart 2"), 1u);
  });
}

TEST_CASE("a child that waits for its back-off is restarting, and can be stopped and deleted",
          "[supervisor][backoff][SUP-24]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link(never_again, {spec(me, "a"), spec(me, "b")}).value();
    next(2);
    crash(process_of(sup, "a"));
    auto all = supervisor::which_children(sup);
    report.check("restarting", all.size() == 2 && is_restarting(all[1]));
    report.check("one runs, two are known", supervisor::count_children(sup).active == 1 &&
                                                supervisor::count_children(sup).specs == 2);
    auto restart = supervisor::restart_child(sup, "a");
    report.check("restart_child: restarting",
                 !restart && restart.error().what == child_error::kind::restarting);
    auto forget = supervisor::delete_child(sup, "a");
    report.check("delete_child: restarting",
                 !forget && forget.error().what == child_error::kind::restarting);
    auto added = supervisor::start_child(sup, spec(me, "a"));
    report.check("start_child: already present",
                 !added && added.error().what == child_error::kind::already_present);
    must_succeed(supervisor::terminate_child(sup, "a"));
    report.check("stopped", !supervisor::which_children(sup)[1].restarting);
    must_succeed(supervisor::delete_child(sup, "a"));
    report.equal("deleted", supervisor::which_children(sup).size(), 1u);
    report.equal("traces", next(1), "stop a");
    report.check("no more", trace::mailbox_is_empty());
  });
}

TEST_CASE("a restart that was taken back does not happen when its time comes",
          "[supervisor][backoff][SUP-24]") {
  in_simulation([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link(never_again, {spec(me, "a")}).value();
    auto many = dynamic_supervisor::start_link({.intensity = 100, .backoff = for_an_hour}).value();
    const otter::pid x = dynamic_supervisor::start_child(many, spec(me, "x")).value();
    crash(process_of(sup, "a"));
    crash(x);
    must_succeed(supervisor::terminate_child(sup, "a"));
    must_succeed(dynamic_supervisor::terminate_child(many, x));
    report.equal("traces", next(4), "start a, start x, stop a, stop x");
    otter::sleep_for(1s);  // one that its owner has cancelled on another worker goes home first
    report.equal("no timer is left", report.statistics().timers, 0u);
    otter::sleep_for(3h);
    report.check("nothing was started", trace::mailbox_is_empty());
  });
}

TEST_CASE("a child that was stopped while it waited may be started by hand",
          "[supervisor][backoff][SUP-34]") {
  on_every_driver([](driver_report& report) {
    auto sup = supervisor::start_link(never_again, {spec(otter::self(), "a")}).value();
    crash(process_of(sup, "a"));
    must_succeed(supervisor::terminate_child(sup, "a"));
    report.check("started", supervisor::restart_child(sup, "a").has_value());
    report.equal("traces", next(3), "start a, stop a, start a");
  });
}

TEST_CASE("a supervisor that waits for a restart stops when it is told to",
          "[supervisor][backoff][SUP-25]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link(never_again, {spec(me, "a"), spec(me, "b")}).value();
    crash(process_of(sup, "b"));
    report.check("b waits", is_restarting(supervisor::which_children(sup)[0]));
    otter::stop(sup, exit_reason::shutdown());
    report.equal("traces", next(4), "start a, start b, stop b, stop a");
  });
}

TEST_CASE("in one_for_all the others stop at once and start with the one that waits",
          "[supervisor][backoff][SUP-14]") {
  in_simulation([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link(
                   {.strategy = strategy_type::one_for_all,
                    .intensity = 100,
                    .backoff = {.first = 1s, .most = 1s, .jitter = 0}},
                   {spec(me, "a"), spec(me, "b"), spec(me, "t", restart_type::temporary)})
                   .value();
    next(3);
    const auto before = node_clock::now();
    crash(process_of(sup, "b"));
    report.equal("at once", next(3), "stop b, stop t, stop a");
    auto all = supervisor::which_children(sup);
    report.check("the temporary one is forgotten", all.size() == 2);
    report.check("b waits, a does not run", is_restarting(all[0]) && !all[1].restarting);
    report.check("no second has passed", node_clock::now() - before < 1s);
    report.equal("then", next(2), "start a, start b");
    report.check("a second has", node_clock::now() - before >= 1s);
  });
}

TEST_CASE(
    "in rest_for_one those before the one that waits run on, those started by hand are started "
    "again in order",
    "[supervisor][backoff][SUP-14]") {
  in_simulation([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link({.strategy = strategy_type::rest_for_one,
                                       .intensity = 100,
                                       .backoff = {.first = 1s, .most = 1s, .jitter = 0}},
                                      {spec(me, "a"), spec(me, "b"), spec(me, "c")})
                   .value();
    next(3);
    crash(process_of(sup, "b"));
    report.equal("at once", next(2), "stop b, stop c");
    report.check("a runs", static_cast<bool>(process_of(sup, "a")));
    must_succeed(supervisor::restart_child(sup, "c"));
    report.equal("by hand", next(1), "start c");
    report.equal("then", next(3), "stop c, start b, start c");
  });
}

TEST_CASE("a restart of an earlier sibling takes the place of one that waits",
          "[supervisor][backoff][SUP-14]") {
  in_simulation([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link({.strategy = strategy_type::rest_for_one,
                                       .intensity = 100,
                                       .backoff = {.first = 1s, .most = 1s, .jitter = 0}},
                                      {spec(me, "a"), spec(me, "b")})
                   .value();
    next(2);
    const otter::pid a = process_of(sup, "a");
    crash(process_of(sup, "b"));
    crash(a);
    report.equal("traces", next(4), "stop b, stop a, start a, start b");
    otter::sleep_for(5s);
    report.check("and once", trace::mailbox_is_empty());
  });
}

// --- dynamic supervisors ---

TEST_CASE("a dynamic child waits for its back-off, each for itself",
          "[dynamic_supervisor][backoff]") {
  in_simulation([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = dynamic_supervisor::start_link(
                   {.intensity = 100, .backoff = {.first = 1s, .most = 8s, .jitter = 0}})
                   .value();
    const otter::pid a = dynamic_supervisor::start_child(sup, spec(me, "a")).value();
    const otter::pid b = dynamic_supervisor::start_child(sup, spec(me, "b")).value();
    const auto before = node_clock::now();
    crash(a);
    otter::sleep_for(500ms);
    crash(b);
    report.equal("traces", next(6), "start a, start b, stop a, stop b, start a, start b");
    const auto took = node_clock::now() - before;
    report.check("a second each", took >= 1500ms && took < 1600ms);
    report.equal("both run", dynamic_supervisor::count_children(sup).active, 2u);
  });
}

TEST_CASE("a dynamic child that waits counts, and is stopped by the process that it was",
          "[dynamic_supervisor][SUP-24][DS-2]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = dynamic_supervisor::start_link(
                   {.intensity = 100, .max_children = 1, .backoff = for_an_hour})
                   .value();
    const otter::pid a = dynamic_supervisor::start_child(sup, spec(me, "a")).value();
    crash(a);
    auto all = dynamic_supervisor::which_children(sup);
    report.check("restarting", all.size() == 1 && is_restarting(all[0]));
    auto second = dynamic_supervisor::start_child(sup, spec(me, "b"));
    report.check("no room", !second && second.error().what == child_error::kind::max_children);
    must_succeed(dynamic_supervisor::terminate_child(sup, a));
    report.equal("forgotten", dynamic_supervisor::count_children(sup).specs, 0u);
    report.check("room again", dynamic_supervisor::start_child(sup, spec(me, "b")).has_value());
    report.equal("traces", next(3), "start a, stop a, start b");
  });
}

TEST_CASE("terminate_child takes back the retry of a dynamic child whose restart fails",
          "[dynamic_supervisor][SUP-24]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    const otter::pid me = otter::self();
    auto sup = dynamic_supervisor::start_link({.intensity = 4'000'000'000u, .period = 1h}).value();
    auto left = std::make_shared<std::atomic<int>>(0);
    const otter::pid a = dynamic_supervisor::start_child(sup, failing_spec(me, "a", left)).value();
    left->store(1'000'000'000);
    crash(a);
    report.equal("it fails", next(3), "start a, stop a, fail a");
    must_succeed(dynamic_supervisor::terminate_child(sup, a));
    report.equal("forgotten", dynamic_supervisor::count_children(sup).specs, 0u);
    const int then = left->load();
    dynamic_supervisor::which_children(sup);
    report.equal("no try after that", left->load(), then);
  });
}
