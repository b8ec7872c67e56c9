// Supervisors of very many children that come and go.

#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <otter/dynamic_supervisor.hpp>
#include <otter/exit.hpp>
#include <otter/timer.hpp>
#include <string>
#include <vector>

#include "children.hpp"
#include "on_every_driver.hpp"

using namespace std::chrono_literals;
using namespace children;
using otter::child_error;
using otter::dynamic_supervisor;
using trace::text;

TEST_CASE("a dynamic supervisor starts children on demand, whatever their ids",
          "[dynamic_supervisor][SUP-36][DS-1]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = dynamic_supervisor::start_link().value();
    report.check("none", dynamic_supervisor::which_children(sup).empty());
    auto a = dynamic_supervisor::start_child(sup, spec(me, "x"));
    auto b = dynamic_supervisor::start_child(sup, spec(me, "x"));
    report.check("two, with one id", a && b && *a != *b);
    report.equal("starts", next(2), "start x, start x");
    report.equal("active", dynamic_supervisor::count_children(sup).active, std::size_t{2});
  });
}

TEST_CASE("a start that fails or is ignored keeps nothing", "[dynamic_supervisor][SUP-36][DS-3]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = dynamic_supervisor::start_link().value();
    auto once = std::make_shared<std::atomic<int>>(1);
    auto failed = dynamic_supervisor::start_child(sup, failing_spec(me, "x", once));
    report.check("failed", !failed && failed.error().what == child_error::kind::start_failed);
    auto ignored = dynamic_supervisor::start_child(
        sup, {.start = []() -> tl::expected<otter::pid, otter::start_error> {
          return tl::unexpected<otter::start_error>({otter::start_error::kind::ignored, {}, {}});
        }});
    report.check("ignored", ignored && !*ignored);
    report.check("nothing is kept", dynamic_supervisor::which_children(sup).empty());
    report.check("invalid", !dynamic_supervisor::start_child(sup, {}));
  });
}

TEST_CASE("a dynamic child is stopped by its pid and forgotten",
          "[dynamic_supervisor][SUP-37][DS-3]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = dynamic_supervisor::start_link().value();
    const otter::pid a = dynamic_supervisor::start_child(sup, spec(me, "a")).value();
    report.check("stopped", dynamic_supervisor::terminate_child(sup, a).has_value());
    report.equal("traces", next(2), "start a, stop a");
    report.check("forgotten", dynamic_supervisor::which_children(sup).empty());
    report.check("a dead one is no error", dynamic_supervisor::terminate_child(sup, a).has_value());
    auto foreign = dynamic_supervisor::terminate_child(sup, me);
    report.check("a foreign one", !foreign && foreign.error().what == child_error::kind::not_found);
  });
}

TEST_CASE("dynamic children are restarted as their type says",
          "[dynamic_supervisor][SUP-11][SUP-12]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = dynamic_supervisor::start_link({.intensity = 100}).value();
    const otter::pid p = dynamic_supervisor::start_child(sup, spec(me, "p")).value();
    crash(p);
    report.equal("permanent", next(3), "start p, stop p, start p");
    const otter::pid t =
        dynamic_supervisor::start_child(sup, spec(me, "t", restart_type::transient)).value();
    leave(t, exit_reason::normal());
    report.equal("active", dynamic_supervisor::count_children(sup).active, std::size_t{1});
    report.equal("transient, clean", next(2), "start t, stop t");
    const otter::pid y =
        dynamic_supervisor::start_child(sup, spec(me, "y", restart_type::temporary)).value();
    crash(y);
    report.equal("specs", dynamic_supervisor::count_children(sup).specs, std::size_t{1});
    report.equal("temporary", next(2), "start y, stop y");
    report.check("no more", trace::mailbox_is_empty());
  });
}

TEST_CASE("a failed restart of a dynamic child is tried again", "[dynamic_supervisor][SUP-22]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = dynamic_supervisor::start_link({.intensity = 100}).value();
    auto left = std::make_shared<std::atomic<int>>(0);
    const otter::pid a = dynamic_supervisor::start_child(sup, failing_spec(me, "a", left)).value();
    left->store(2);
    crash(a);
    report.equal("traces", next(5), "start a, stop a, fail a, fail a, start a");
  });
}

TEST_CASE("one restart too many ends a dynamic supervisor", "[dynamic_supervisor][SUP-21]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    const otter::pid me = otter::self();
    auto sup = dynamic_supervisor::start_link({.intensity = 0}).value();
    auto watch = otter::monitor(sup);
    dynamic_supervisor::start_child(sup, spec(me, "b")).value();
    const otter::pid a = dynamic_supervisor::start_child(sup, spec(me, "a")).value();
    crash(a);
    report.equal("end", trace::end_of(watch), text(exit_reason::shutdown()));
    report.equal("traces", next(4), "start b, start a, stop a, stop b");
  });
}

TEST_CASE("max_children is obeyed", "[dynamic_supervisor][DS-2]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = dynamic_supervisor::start_link({.max_children = 2}).value();
    const otter::pid a = dynamic_supervisor::start_child(sup, spec(me, "a")).value();
    dynamic_supervisor::start_child(sup, spec(me, "b")).value();
    auto third = dynamic_supervisor::start_child(sup, spec(me, "c"));
    report.check("refused", !third && third.error().what == child_error::kind::max_children);
    children::must_succeed(dynamic_supervisor::terminate_child(sup, a));
    report.check("one left, one came",
                 dynamic_supervisor::start_child(sup, spec(me, "c")).has_value());
  });
}

TEST_CASE("all dynamic children are told at once, and those that do not stop are killed",
          "[dynamic_supervisor][SUP-30]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);  // linked to what is stopped below
    const otter::pid me = otter::self();
    auto sup = dynamic_supervisor::start_link().value();
    std::vector<otter::monitor_ref> killed;
    for (int i = 0; i != 3; ++i) {
      child_spec stubborn = spec(me, "s", restart_type::temporary, manner::stubborn);
      stubborn.shutdown = 3ms;
      killed.push_back(
          otter::monitor(dynamic_supervisor::start_child(sup, std::move(stubborn)).value()));
    }
    auto polite = otter::monitor(dynamic_supervisor::start_child(sup, spec(me, "p")).value());
    next(4);
    otter::stop(sup, exit_reason::shutdown());
    report.equal("told", trace::next(), "stop p");
    report.equal("end", trace::end_of(polite), text(exit_reason::shutdown()));
    for (auto ref : killed) report.equal("killed", trace::end_of(ref), text(exit_reason::killed()));
    report.equal("one report for all three", report.count_events("3 children"), std::size_t{1});
  });
}

TEST_CASE("a dynamic child that is restarted leaves the others alone",
          "[dynamic_supervisor][DS-1]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = dynamic_supervisor::start_link().value();
    const otter::pid a = dynamic_supervisor::start_child(sup, spec(me, "a")).value();
    const otter::pid b = dynamic_supervisor::start_child(sup, spec(me, "b")).value();
    crash(a);
    report.equal("traces", next(4), "start a, start b, stop a, start a");
    report.check("b lives on", otter::is_alive(b) && trace::mailbox_is_empty());
  });
}

TEST_CASE("a dynamic supervisor that is told nothing tolerates three restarts in five seconds",
          "[dynamic_supervisor][DS-2]") {
  in_simulation([](driver_report& report) {
    otter::trap_exit(true);
    const otter::pid me = otter::self();
    auto sup = dynamic_supervisor::start_link().value();
    auto watch = otter::monitor(sup);
    dynamic_supervisor::start_child(sup, spec(me, "a")).value();
    const auto crash_it = [&] { crash(dynamic_supervisor::which_children(sup)[0].process); };
    for (int i = 0; i != 3; ++i) crash_it();
    otter::sleep_for(5s + 1ms);
    for (int i = 0; i != 3; ++i) crash_it();
    report.equal("it serves", dynamic_supervisor::count_children(sup).active, 1u);
    crash_it();
    report.equal("end", trace::end_of(watch), text(exit_reason::shutdown()));
    report.equal("it says why", report.count_events("needs restart 4 within 5 s (allowed: 3)"), 1u);
  });
}

TEST_CASE("dynamic children that do not stop are killed each after its own limit",
          "[dynamic_supervisor][DS-3][SUP-30]") {
  in_simulation([](driver_report& report) {
    otter::trap_exit(true);
    const otter::pid me = otter::self();
    auto sup = dynamic_supervisor::start_link().value();
    std::vector<otter::monitor_ref> ends;
    for (auto limit : {3s, 1s, 2s}) {
      child_spec s = spec(me, "s", restart_type::permanent, manner::stubborn);
      s.shutdown = limit;
      ends.push_back(otter::monitor(dynamic_supervisor::start_child(sup, s).value()));
    }
    const auto before = otter::node_clock::now();
    otter::exit(sup, exit_reason::shutdown());  // its parent's: it ends
    const auto seconds_until = [&](otter::monitor_ref end) {
      trace::end_of(end);
      return std::lround(std::chrono::duration<double>(otter::node_clock::now() - before).count());
    };
    report.equal("one", seconds_until(ends[1]), 1);
    report.equal("two", seconds_until(ends[2]), 2);
    report.equal("three", seconds_until(ends[0]), 3);
  });
}

TEST_CASE("a dynamic supervisor of thousands stops them all", "[dynamic_supervisor][SUP-37]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);  // linked to what is stopped below
    constexpr std::size_t many = 2'000;
    const otter::pid me = otter::self();
    auto sup = dynamic_supervisor::start_link().value();
    std::vector<otter::pid> all;
    for (std::size_t i = 0; i != many; ++i)
      all.push_back(dynamic_supervisor::start_child(
                        sup, spec(me, "x", restart_type::temporary, manner::silent))
                        .value());
    report.equal("active", dynamic_supervisor::count_children(sup).active, many);
    for (std::size_t i = 0; i != many / 2; ++i)
      children::must_succeed(dynamic_supervisor::terminate_child(sup, all[i]));
    report.equal("active", dynamic_supervisor::count_children(sup).active, many / 2);
    otter::stop(sup, exit_reason::shutdown());
    std::size_t alive = 0;
    for (otter::pid p : all) alive += otter::is_alive(p) ? 1 : 0;
    report.equal("alive", alive, std::size_t{0});
    report.equal("reports", report.events().size(), std::size_t{0});
  });
}
