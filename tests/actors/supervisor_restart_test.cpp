// Supervisors: who is restarted, and how often.

#include <catch2/catch.hpp>
#include <otter/exit.hpp>
#include <otter/supervisor.hpp>
#include <otter/timer.hpp>
#include <string>

#include "children.hpp"
#include "on_every_driver.hpp"

using namespace std::chrono_literals;
using namespace children;
using otter::child_error;
using otter::strategy_type;
using otter::supervisor;
using trace::text;

namespace {
constexpr otter::supervisor_flags often{.intensity = 100};
}

TEST_CASE("a permanent child is restarted however it ends", "[supervisor][SUP-11]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link(often, {spec(me, "a")}).value();
    const otter::pid first = process_of(sup, "a");
    next(1);
    crash(first);
    report.equal("after a crash", next(2), "stop a, start a");
    const otter::pid second = process_of(sup, "a");
    report.check("another process", second && second != first);
    leave(second, exit_reason::normal());
    report.equal("after a normal end", next(2), "stop a, start a");
    leave(process_of(sup, "a"), exit_reason::shutdown());
    report.equal("after a shutdown", next(2), "stop a, start a");
  });
}

TEST_CASE("a transient child is restarted only after an abnormal end",
          "[supervisor][SUP-11][SUP-12]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link(often, {spec(me, "a", restart_type::transient)}).value();
    next(1);
    crash(process_of(sup, "a"));
    report.equal("after a crash", next(2), "stop a, start a");
    for (auto const& reason : {exit_reason::normal(), exit_reason::shutdown(),
                               exit_reason::shutdown(std::string_view("done"))}) {
      leave(process_of(sup, "a"), reason);
      auto all = supervisor::which_children(sup);
      report.check("kept, not running", all.size() == 1 && !all[0].process);
      report.equal("no restart", trace::next(), "stop a");
      report.check("restart_child works", supervisor::restart_child(sup, "a").has_value());
      report.equal("started", trace::next(), "start a");
    }
  });
}

TEST_CASE("a temporary child is never restarted and is forgotten", "[supervisor][SUP-11]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link(often, {spec(me, "a", restart_type::temporary)}).value();
    crash(process_of(sup, "a"));
    report.check("forgotten", supervisor::which_children(sup).empty());
    report.equal("traces", next(2), "start a, stop a");
    report.check("no restart", trace::mailbox_is_empty());
  });
}

TEST_CASE("ends are reported unless a transient or temporary child ends cleanly",
          "[supervisor][SUP-13]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link(often, {spec(me, "p"), spec(me, "t", restart_type::transient),
                                              spec(me, "y", restart_type::temporary)})
                   .value();
    leave(process_of(sup, "t"), exit_reason::normal());
    leave(process_of(sup, "y"), exit_reason::shutdown());
    supervisor::which_children(sup);
    report.equal("clean ends", report.count_events("terminated"), std::size_t{0});
    leave(process_of(sup, "p"), exit_reason::normal());
    supervisor::which_children(sup);
    report.equal("a permanent child", report.count_events("terminated"), std::size_t{1});
  });
}

TEST_CASE("one_for_one restarts only the child that ended", "[supervisor][SUP-14]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link(often, {spec(me, "a"), spec(me, "b"), spec(me, "c")}).value();
    next(3);
    const otter::pid a = process_of(sup, "a");
    const otter::pid c = process_of(sup, "c");
    crash(process_of(sup, "b"));
    report.equal("traces", next(2), "stop b, start b");
    report.check("the others live on", process_of(sup, "a") == a && process_of(sup, "c") == c);
  });
}

TEST_CASE("rest_for_one restarts the child that ended and those after it",
          "[supervisor][SUP-14][SUP-15]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link({.strategy = strategy_type::rest_for_one, .intensity = 100},
                                      {spec(me, "a"), spec(me, "b"),
                                       spec(me, "t", restart_type::temporary), spec(me, "d")})
                   .value();
    next(4);
    crash(process_of(sup, "b"));
    report.equal("traces", next(5), "stop b, stop d, stop t, start b, start d");
    report.check("the temporary one is forgotten", supervisor::which_children(sup).size() == 3);
  });
}

TEST_CASE("one_for_all restarts all children", "[supervisor][SUP-14]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link({.strategy = strategy_type::one_for_all, .intensity = 100},
                                      {spec(me, "a"), spec(me, "b"), spec(me, "c")})
                   .value();
    next(3);
    crash(process_of(sup, "b"));
    report.equal("traces", next(6), "stop b, stop c, stop a, start a, start b, start c");
  });
}

TEST_CASE("one_for_all starts also those that did not run", "[supervisor][SUP-16]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link({.strategy = strategy_type::one_for_all, .intensity = 100},
                                      {spec(me, "a"), spec(me, "b")})
                   .value();
    children::must_succeed(supervisor::terminate_child(sup, "a"));
    next(3);
    crash(process_of(sup, "b"));
    report.equal("traces", next(3), "stop b, start a, start b");
  });
}

TEST_CASE("a supervisor tolerates as many restarts as its intensity says, and no more",
          "[supervisor][SUP-18][SUP-21]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    const otter::pid me = otter::self();
    auto sup =
        supervisor::start_link({.intensity = 2, .period = 1h}, {spec(me, "a"), spec(me, "b")})
            .value();
    auto watch = otter::monitor(sup);
    for (int i = 0; i != 2; ++i) {
      crash(process_of(sup, "b"));
      report.check("it serves", supervisor::which_children(sup).size() == 2);
    }
    crash(process_of(sup, "b"));
    report.equal("end", trace::end_of(watch), text(exit_reason::shutdown()));
    report.equal("traces", next(8),
                 "start a, start b, stop b, start b, stop b, start b, stop b, stop a");
    report.equal("it says why", report.count_events("needs restart 3 within 3600 s (allowed: 2)"),
                 std::size_t{1});
  });
}

TEST_CASE("intensity 0 allows no restart", "[supervisor][SUP-18]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link({.intensity = 0}, {spec(me, "a")}).value();
    auto watch = otter::monitor(sup);
    crash(process_of(sup, "a"));
    report.equal("end", trace::end_of(watch), text(exit_reason::shutdown()));
  });
}

TEST_CASE("restarts that are longer ago than the period do not count",
          "[supervisor][SUP-18][SUP-19]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link({.intensity = 1, .period = 2ms}, {spec(me, "a")}).value();
    next(1);
    for (int i = 0; i != 4; ++i) {
      crash(process_of(sup, "a"));
      report.equal("restarted", next(2), "stop a, start a");
      // Let the period pass on the node's clock; in simulation that is virtual time.
      otter::send_after(5ms, otter::self(), trace::saw{"later"});
      trace::next();
    }
    report.check("it serves", supervisor::which_children(sup).size() == 1);
  });
}

TEST_CASE("restarts by hand and of siblings do not count", "[supervisor][SUP-20]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link(
                   {.strategy = strategy_type::one_for_all, .intensity = 2, .period = 1h},
                   {spec(me, "a"), spec(me, "b"), spec(me, "c")})
                   .value();
    for (int i = 0; i != 5; ++i) {
      children::must_succeed(supervisor::terminate_child(sup, "a"));
      supervisor::restart_child(sup, "a").value();
    }
    for (int i = 0; i != 2; ++i) crash(process_of(sup, "b"));  // six starts, two restarts
    report.check("it serves", supervisor::count_children(sup).active == 3);
  });
}

TEST_CASE("a restart that fails is tried again until it succeeds", "[supervisor][SUP-22]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto left = std::make_shared<std::atomic<int>>(0);
    auto sup = supervisor::start_link(often, {failing_spec(me, "a", left)}).value();
    next(1);
    left->store(3);
    crash(process_of(sup, "a"));
    report.equal("traces", next(5), "stop a, fail a, fail a, fail a, start a");
    report.check("it runs", supervisor::count_children(sup).active == 1);
    report.equal("start errors", report.count_events("start error"), std::size_t{3});
  });
}

TEST_CASE("each retry of a restart counts", "[supervisor][SUP-22][SUP-18]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    const otter::pid me = otter::self();
    auto left = std::make_shared<std::atomic<int>>(0);
    auto sup = supervisor::start_link({.intensity = 3, .period = 1h}, {failing_spec(me, "a", left)})
                   .value();
    auto watch = otter::monitor(sup);
    next(1);
    left->store(1000);
    crash(process_of(sup, "a"));
    report.equal("end", trace::end_of(watch), text(exit_reason::shutdown()));
    report.equal("traces", next(4), "stop a, fail a, fail a, fail a");
  });
}

TEST_CASE("a supervisor serves requests between the retries of a restart",
          "[supervisor][SUP-24][SUP-25]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);  // linked to what is stopped below
    const otter::pid me = otter::self();
    // The start fails as long as the test says; each failure waits for a go of the test.
    auto fails = std::make_shared<std::atomic<bool>>(false);
    child_spec slow{.id = "a",
                    .start = [me, fails]() -> tl::expected<otter::pid, otter::start_error> {
                      if (!fails->load()) return child::start_link(me, "a", manner::polite);
                      trace::tell(me, "fail a");
                      otter::receive([](double) {});
                      throw std::runtime_error("not yet");
                    }};
    auto sup = supervisor::start_link({.intensity = 1'000}, {slow, spec(me, "b")}).value();
    next(2);
    fails->store(true);
    const otter::pid first = process_of(sup, "a");
    crash(first);
    report.equal("a retry waits", next(2), "stop a, fail a");
    // These are in the mailbox before the retry that the failure will send.
    auto restart = [&] { return supervisor::restart_child(sup, "a"); };
    struct answers {
      bool restarting, present, stopped;
    };
    auto helper = otter::spawn_monitor([&, me] {
      auto r = restart();
      auto p = supervisor::start_child(sup, spec(me, "a"));
      auto t = supervisor::terminate_child(sup, "a");
      otter::send(
          me, answers{!r && r.error().what == child_error::kind::restarting,
                      !p && p.error().what == child_error::kind::already_present, t.has_value()});
    });
    // Keep it failing until the helper is through: each failure is one go.
    for (bool through = false; !through;) {
      otter::send(sup, 1.0);
      through = otter::receive([&](otter::down d) { return d.ref == helper.ref; },
                               [](trace::saw) { return false; });
    }
    auto got = otter::receive([](answers a) { return a; });
    report.check("restart_child: restarting", got.restarting);
    report.check("start_child: already present", got.present);
    report.check("terminate_child takes the retry back", got.stopped);
    auto all = supervisor::which_children(sup);
    report.check("not restarting any more",
                 all.size() == 2 && !all[1].restarting && !all[1].process);
    otter::stop(sup, exit_reason::shutdown());
  });
}

TEST_CASE("a shutdown is honoured while a restart is tried again and again",
          "[supervisor][SUP-25]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);  // linked to what is stopped below
    const otter::pid me = otter::self();
    auto left = std::make_shared<std::atomic<int>>(0);
    auto sup = supervisor::start_link({.intensity = 4'000'000'000u, .period = 1h},
                                      {failing_spec(me, "a", left)})
                   .value();
    next(1);
    left->store(1'000'000'000);
    crash(process_of(sup, "a"));
    report.equal("it fails", next(2), "stop a, fail a");
    otter::stop(sup, exit_reason::shutdown());
    report.check("it has ended", !otter::is_alive(sup));
  });
}

TEST_CASE("a supervisor that is told to stop does not go on trying first", "[supervisor][SUP-25]") {
  // In the simulation alone: there it has the request within a few turns, and so a few tries.
  in_simulation([](driver_report& report) {
    otter::trap_exit(true);
    const otter::pid me = otter::self();
    auto left = std::make_shared<std::atomic<int>>(0);
    auto sup = supervisor::start_link({.intensity = 4'000'000'000u, .period = 1h},
                                      {failing_spec(me, "a", left)})
                   .value();
    next(1);
    left->store(1'000'000'000);
    crash(process_of(sup, "a"));
    next(2);
    const int when_told = left->load();
    otter::stop(sup, exit_reason::shutdown());
    report.check(fmt::format("{} more tries", when_told - left->load()),
                 when_told - left->load() < 100);
  });
}

TEST_CASE("in one_for_all a failed restart leaves the later ones waiting for the retry",
          "[supervisor][SUP-23]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto left = std::make_shared<std::atomic<int>>(0);
    auto sup = supervisor::start_link({.strategy = strategy_type::one_for_all, .intensity = 100},
                                      {spec(me, "a"), failing_spec(me, "b", left), spec(me, "c")})
                   .value();
    next(3);
    left->store(1);
    crash(process_of(sup, "c"));
    report.equal("traces", next(9),
                 "stop c, stop b, stop a, start a, fail b, stop a, start a, start b, start c");
  });
}

TEST_CASE("in rest_for_one the retry begins with the child that failed", "[supervisor][SUP-23]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto left = std::make_shared<std::atomic<int>>(0);
    auto sup = supervisor::start_link({.strategy = strategy_type::rest_for_one, .intensity = 100},
                                      {spec(me, "a"), failing_spec(me, "b", left), spec(me, "c")})
                   .value();
    next(3);
    left->store(1);
    crash(process_of(sup, "a"));
    report.equal("traces", next(7), "stop a, stop c, stop b, start a, fail b, start b, start c");
  });
}
