// Supervisors that end when their work is done.

#include <catch2/catch.hpp>
#include <otter/dynamic_supervisor.hpp>
#include <otter/exit.hpp>
#include <otter/link.hpp>
#include <otter/supervisor.hpp>
#include <string>

#include "children.hpp"
#include "on_every_driver.hpp"

using namespace std::chrono_literals;
using namespace children;
using otter::auto_shutdown_type;
using otter::child_error;
using otter::dynamic_supervisor;
using otter::strategy_type;
using otter::supervisor;
using otter::supervisor_flags;
using trace::text;

namespace {

child_spec significant(otter::pid test, std::string id, restart_type restart) {
  child_spec s = spec(test, std::move(id), restart);
  s.significant = true;
  return s;
}
child_spec transient(otter::pid test, std::string id) {
  return significant(test, std::move(id), restart_type::transient);
}
child_spec temporary(otter::pid test, std::string id) {
  return significant(test, std::move(id), restart_type::temporary);
}

constexpr supervisor_flags any{.intensity = 10,
                               .auto_shutdown = auto_shutdown_type::any_significant};
constexpr supervisor_flags all{.intensity = 10,
                               .auto_shutdown = auto_shutdown_type::all_significant};

}  // namespace

TEST_CASE("the first significant child that ends cleanly ends its supervisor and its siblings",
          "[supervisor][SUP-38]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link(any, {spec(me, "a"), transient(me, "work"),
                                            transient(me, "more"), spec(me, "d")})
                   .value();
    auto watch = otter::monitor(sup);
    next(4);
    leave(process_of(sup, "work"), exit_reason::normal());
    report.equal("end", trace::end_of(watch), text(exit_reason::shutdown()));
    report.equal("the others, the newest first", next(4), "stop work, stop d, stop more, stop a");
    report.equal("nothing is wrong", report.events().size(), 0u);
  });
}

TEST_CASE("a significant temporary child ends its supervisor however it ends",
          "[supervisor][SUP-38]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link(any, {spec(me, "a"), temporary(me, "work")}).value();
    auto watch = otter::monitor(sup);
    next(2);
    crash(process_of(sup, "work"));
    report.equal("end", trace::end_of(watch), text(exit_reason::shutdown()));
    report.equal("traces", next(2), "stop work, stop a");
  });
}

TEST_CASE("with all_significant the last significant child that ends ends its supervisor",
          "[supervisor][SUP-38]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    const otter::pid me = otter::self();
    auto sup =
        supervisor::start_link(all, {spec(me, "a"), transient(me, "one"), temporary(me, "two")})
            .value();
    auto watch = otter::monitor(sup);
    next(3);
    leave(process_of(sup, "one"), exit_reason::normal());
    report.equal("one is left", supervisor::count_children(sup).active, 2u);
    leave(process_of(sup, "two"), exit_reason::normal());
    report.equal("end", trace::end_of(watch), text(exit_reason::shutdown()));
    report.equal("traces", next(3), "stop one, stop two, stop a");
  });
}

TEST_CASE("an end that leads to a restart does not end the supervisor", "[supervisor][SUP-38]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link(any, {transient(me, "work")}).value();
    crash(process_of(sup, "work"));
    report.equal("traces", next(3), "start work, stop work, start work");
    report.equal("it serves", supervisor::count_children(sup).active, 1u);
  });
}

TEST_CASE("a significant child that is stopped by hand does not end the supervisor",
          "[supervisor][SUP-38][SUP-33]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    const otter::pid me = otter::self();
    for (supervisor_flags const& flags : {any, all}) {
      auto sup =
          supervisor::start_link(flags, {transient(me, "one"), temporary(me, "two")}).value();
      must_succeed(supervisor::terminate_child(sup, "one"));
      must_succeed(supervisor::terminate_child(sup, "two"));
      report.equal("it serves", supervisor::count_children(sup).active, 0u);
      otter::stop(sup, exit_reason::shutdown());
    }
  });
}

TEST_CASE("a significant child that a sibling's restart stops does not end the supervisor",
          "[supervisor][SUP-38][SUP-15]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    const otter::pid me = otter::self();
    supervisor_flags flags = any;
    flags.strategy = strategy_type::one_for_all;
    auto sup =
        supervisor::start_link(flags, {spec(me, "a"), transient(me, "one"), temporary(me, "two")})
            .value();
    next(3);
    crash(process_of(sup, "a"));
    report.equal("traces", next(5), "stop a, stop two, stop one, start a, start one");
    report.equal("it serves", supervisor::count_children(sup).active, 2u);
  });
}

TEST_CASE("a significant child that is being restarted has not ended", "[supervisor][SUP-38]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    const otter::pid me = otter::self();
    supervisor_flags flags = all;
    flags.backoff = {.first = 1h, .most = 1h};
    auto sup = supervisor::start_link(flags, {transient(me, "one"), temporary(me, "two")}).value();
    auto watch = otter::monitor(sup);
    crash(process_of(sup, "one"));
    leave(process_of(sup, "two"), exit_reason::normal());
    auto kept = supervisor::which_children(sup);
    report.check("it waits for its restart", kept.size() == 1 && kept[0].restarting);
    must_succeed(supervisor::terminate_child(sup, "one"));
    report.check("by hand is not by itself", otter::is_alive(sup));
    otter::stop(sup, exit_reason::shutdown());
    report.equal("end", trace::end_of(watch), text(exit_reason::shutdown()));
  });
}

TEST_CASE("a dynamic supervisor has no significant children", "[dynamic_supervisor][SUP-3]") {
  on_every_driver([](driver_report& report) {
    auto sup = dynamic_supervisor::start_link().value();
    auto added = dynamic_supervisor::start_child(sup, temporary(otter::self(), "x"));
    report.check("refused", !added && added.error().what == child_error::kind::invalid &&
                                added.error().reason.get<otter::bad_child_spec>()->what.find(
                                    "bad_combination") == 0);
  });
}
