// Supervisors: what flags, specifications and start functions may say, and what they mean if they
// do not say it.

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <otter/dynamic_supervisor.hpp>
#include <otter/exit.hpp>
#include <otter/node.hpp>
#include <otter/process_info.hpp>
#include <otter/supervisor.hpp>
#include <otter/sys.hpp>
#include <otter/timer.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "children.hpp"
#include "on_every_driver.hpp"

using namespace std::chrono_literals;
using namespace children;
using otter::auto_shutdown_type;
using otter::child_error;
using otter::child_type;
using otter::dynamic_supervisor;
using otter::start_error;
using otter::supervisor;
using otter::supervisor_flags;
using trace::text;
using started = tl::expected<otter::pid, start_error>;

namespace {

/// What a refused start says.
template <class Start>
std::string refusal(Start const& start) {
  if (start) return "no refusal";
  auto const* bad = start.error().reason.template get<otter::bad_child_spec>();
  return bad != nullptr ? bad->what : "another refusal";
}
/// Is it the rule's error, and does it say more than its name?
bool refused_as(std::string_view rule, std::string const& said) {
  return said.find(rule) == 0 && said.size() > rule.size() + 2;
}

child_spec significant(child_spec spec) {
  spec.significant = true;
  return spec;
}

}  // namespace

TEST_CASE(
    "flags that say nothing mean one_for_one, one restart in five seconds, and no end by itself",
    "[supervisor][SUP-1]") {
  in_simulation([](driver_report& report) {
    otter::trap_exit(true);
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link(
                   {}, {spec(me, "a"), spec(me, "b"), spec(me, "t", restart_type::temporary)})
                   .value();
    next(3);
    const otter::pid b = process_of(sup, "b");
    leave(process_of(sup, "t"), exit_reason::normal());
    report.equal("t ends, and nobody with it", next(1), "stop t");
    crash(process_of(sup, "a"));
    report.equal("a restart", next(2), "stop a, start a");
    report.check("of that one alone", process_of(sup, "b") == b);
    otter::sleep_for(5s + 1ms);
    crash(process_of(sup, "a"));
    report.equal("later one more", next(2), "stop a, start a");
    auto watch = otter::monitor(sup);
    crash(process_of(sup, "a"));
    report.equal("the second within the period", trace::end_of(watch),
                 text(exit_reason::shutdown()));
    report.equal("too many", report.count_events("needs restart 2 within 5 s (allowed: 1)"), 1u);
  });
}

TEST_CASE(
    "a specification that says nothing means a permanent, insignificant worker with five "
    "seconds to stop",
    "[supervisor][SUP-2]") {
  in_simulation([](driver_report& report) {
    otter::trap_exit(true);
    const otter::pid me = otter::self();
    auto start = [me] { return child::start_link(me, "a", manner::stubborn); };
    auto sup = supervisor::start_link({}, {{.id = "a", .start = start}}).value();
    next(1);
    const child_spec kept = supervisor::get_childspec(sup, "a").value();
    report.check("permanent", kept.restart == restart_type::permanent);
    report.check("not significant", !kept.significant);
    report.check("a worker", kept.type == child_type::worker);
    report.check("a supervisor may take its time",
                 kept.shutdown.limit_for(child_type::supervisor) == otter::infinity);
    const auto before = otter::node_clock::now();
    must_succeed(supervisor::terminate_child(sup, "a"));
    const auto took = otter::node_clock::now() - before;
    report.check("killed after five seconds", took >= 5s && took < 5100ms);
  });
}

TEST_CASE("flags that no supervisor can obey are refused by the rule's name",
          "[supervisor][SUP-3][SUP-4]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    const otter::pid me = otter::self();
    struct row {
      char const* rule;
      supervisor_flags flags;
      std::vector<child_spec> specs;
    };
    const supervisor_flags any{.auto_shutdown = auto_shutdown_type::any_significant};
    const std::vector<row> rows = {
        {"invalid_strategy", {.strategy = static_cast<otter::strategy_type>(3)}, {}},
        {"invalid_period", {.period = 0s}, {}},
        {"invalid_period", {.period = -1s}, {}},
        {"invalid_auto_shutdown", {.auto_shutdown = static_cast<auto_shutdown_type>(3)}, {}},
        {"invalid_backoff", {.backoff = {.first = -1ms}}, {}},
        {"invalid_backoff", {.backoff = {.first = 2s, .most = 1s}}, {}},
        {"invalid_backoff", {.backoff = {.first = 1s, .most = otter::infinity}}, {}},
        {"invalid_backoff", {.backoff = {.first = 1s, .jitter = 1.5}}, {}},
        {"invalid_backoff", {.backoff = {.first = 1s, .jitter = -0.5}}, {}},
        {"max_children", {.max_children = 1}, {spec(me, "a"), spec(me, "b")}},
        {"duplicate_child_name", {}, {spec(me, "a"), spec(me, "b"), spec(me, "a")}},
        {"bad_combination", {}, {significant(spec(me, "a", restart_type::transient))}},
        {"bad_combination", any, {significant(spec(me, "a", restart_type::permanent))}},
    };
    for (auto const& r : rows) {
      const std::string said = refusal(supervisor::start_link(r.flags, r.specs));
      report.check(fmt::format("{}: {}", r.rule, said), refused_as(r.rule, said));
    }
    report.check("nothing was started", trace::mailbox_is_empty());
  });
}

TEST_CASE("a dynamic supervisor refuses flags that it cannot obey", "[dynamic_supervisor][SUP-3]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    const std::string period = refusal(dynamic_supervisor::start_link({.period = 0s}));
    report.check(period, refused_as("invalid_period", period));
    const std::string backoff =
        refusal(dynamic_supervisor::start_link({.backoff = {.first = -1s}}));
    report.check(backoff, refused_as("invalid_backoff", backoff));
  });
}

TEST_CASE("a child that is added must fit too", "[supervisor][SUP-3][SUP-32]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link({.max_children = 2}, {spec(me, "a")}).value();
    next(1);
    const auto wrong_with = [&](child_spec s) {
      auto added = supervisor::start_child(sup, std::move(s));
      if (added || added.error().what != child_error::kind::invalid) return std::string("accepted");
      return added.error().reason.get<otter::bad_child_spec>()->what;
    };
    child_spec negative = spec(me, "x");
    negative.shutdown = -2s;
    report.check("missing_id", refused_as("missing_id", wrong_with({.start = spec(me, "").start})));
    report.check("missing_start", refused_as("missing_start", wrong_with({.id = "x"})));
    report.check("invalid_shutdown", refused_as("invalid_shutdown", wrong_with(negative)));
    report.check("bad_combination",
                 refused_as("bad_combination",
                            wrong_with(significant(spec(me, "x", restart_type::temporary)))));
    report.check("nothing was started", trace::mailbox_is_empty());
  });
}

TEST_CASE("a supervisor has no more children than max_children, whether they run or not",
          "[supervisor][SUP-32]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link({.max_children = 2}, {spec(me, "a")}).value();
    must_succeed(supervisor::start_child(sup, spec(me, "b")));
    must_succeed(supervisor::terminate_child(sup, "b"));
    next(3);
    auto third = supervisor::start_child(sup, spec(me, "c"));
    report.check("refused", !third && third.error().what == child_error::kind::max_children);
    report.check("and not started", trace::mailbox_is_empty());
    auto known = supervisor::start_child(sup, spec(me, "b"));
    report.check("a known one is told apart",
                 !known && known.error().what == child_error::kind::already_present);
    must_succeed(supervisor::delete_child(sup, "b"));
    report.check("there is room again", supervisor::start_child(sup, spec(me, "c")).has_value());
  });
}

TEST_CASE("a supervisor is a server that traps exits", "[supervisor][SUP-5]") {
  on_every_driver([](driver_report& report) {
    auto sup = supervisor::start_link({}, {}, {.name = "top"}).value();
    report.check("it traps exits",
                 otter::process_info<bool>(sup, otter::info_item::trap_exit) == true);
    report.check("and answers what any server is asked",
                 otter::sys::get_status("top").find("gen_server \"top\"") == 0);
  });
}

TEST_CASE("operations of a supervisor wait as long as it takes", "[supervisor][SUP-5]") {
  in_simulation([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link({}, {}).value();
    auto slow = [me] {
      otter::sleep_for(10h);
      return child::start_link(me, "slow", manner::polite);
    };
    const auto before = otter::node_clock::now();
    report.check("started",
                 supervisor::start_child(sup, {.id = "slow", .start = slow}).has_value());
    report.check("after ten hours", otter::node_clock::now() - before >= 10h);
  });
}

TEST_CASE("a start may give a process, an error, an exception, or nothing", "[supervisor][SUP-7]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link({}, {}).value();
    const auto outcome_of = [&](otter::child_start start) -> std::string {
      auto added = supervisor::start_child(
          sup, {.id = "x", .start = std::move(start), .restart = restart_type::temporary});
      if (added) return *added ? "runs" : "ignored";
      if (added.error().what != child_error::kind::start_failed) return "another error";
      return to_string(added.error().reason);
    };
    report.equal("an error", outcome_of([]() -> started {
                   return tl::unexpected<start_error>(
                       {start_error::kind::failed, {}, exit_reason::of("no luck")});
                 }),
                 text(exit_reason::of("no luck")));
    report.equal("a time-out", outcome_of([]() -> started {
                   return tl::unexpected<start_error>({start_error::kind::timeout, {}, {}});
                 }),
                 text(exit_reason::timeout()));
    report.equal("an exit", outcome_of([]() -> started { otter::exit(exit_reason::of("gone")); }),
                 text(exit_reason::of("gone")));
    report.check("an exception", outcome_of([]() -> started {
                                   throw std::runtime_error("burnt");
                                 }).find("burnt") != std::string::npos);
    report.equal("no process", outcome_of([]() -> started { return otter::pid{}; }),
                 text(exit_reason::bad_return_value("no process")));
    report.equal("ignored", outcome_of([]() -> started {
                   return tl::unexpected<start_error>({start_error::kind::ignored, {}, {}});
                 }),
                 "ignored");
    report.check("nothing is kept", supervisor::which_children(sup).empty());
    report.equal("a process", outcome_of(spec(me, "x").start), "runs");
  });
}

TEST_CASE("a child is linked to its supervisor", "[supervisor][SUP-7]") {
  on_every_driver([](driver_report& report) {
    auto sup = supervisor::start_link({}, {spec(otter::self(), "a")}).value();
    const auto links =
        otter::process_info<std::vector<otter::pid>>(process_of(sup, "a"), otter::info_item::links);
    report.check("linked", links == std::vector<otter::pid>{sup.process()});
  });
}

TEST_CASE("each start of a child is reported as progress", "[supervisor][SUP-10][LOG-6]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    child_spec brutal = spec(me, "b", restart_type::temporary);
    brutal.shutdown = otter::brutal_kill;
    child_spec inner{.id = "inner",
                     .start = [] { return supervisor::start_link({}, {}); },
                     .restart = restart_type::transient,
                     .type = child_type::supervisor};
    auto sup = supervisor::start_link({}, {spec(me, "a"), inner}, {.name = "top"}).value();
    const otter::pid a = process_of(sup, "a");
    const otter::pid b = supervisor::start_child(sup, brutal).value();
    crash(a);
    const otter::pid again = process_of(sup, "a");
    const std::string top = fmt::format("supervisor \"top\" {}: started child ", sup);
    const std::vector<std::string> expected = {
        fmt::format("{}\"a\" {}, permanent worker, shutdown 5 s", top, a),
        fmt::format("{}\"inner\" {}, transient supervisor, shutdown infinity", top,
                    process_of(sup, "inner")),
        fmt::format("{}\"b\" {}, temporary worker, shutdown brutal_kill", top, b),
        fmt::format("{}\"a\" {}, permanent worker, shutdown 5 s", top, again)};
    report.equal("reports", fmt::format("{}", fmt::join(report.progress(), "\n")),
                 fmt::format("{}", fmt::join(expected, "\n")));
  });
}

TEST_CASE("children of a dynamic supervisor make no progress reports",
          "[dynamic_supervisor][SUP-10]") {
  on_every_driver([](driver_report& report) {
    auto sup = dynamic_supervisor::start_link().value();
    must_succeed(dynamic_supervisor::start_child(sup, spec(otter::self(), "a")));
    report.equal("reports", report.progress().size(), 0u);
  });
}

TEST_CASE("a supervisor that waits holds no stack, and hibernates if it is told to",
          "[supervisor][SUP-40][PI-11]") {
  on_every_driver([](driver_report& report) {
    auto sup =
        supervisor::start_link({}, {spec(otter::self(), "a")}, {.hibernate_after = 1ms}).value();
    next(1);
    report.check("no stack",
                 otter::process_info<std::uint64_t>(sup, otter::info_item::stack_size) == 0u);
    otter::sleep_for(5ms);
    crash(process_of(sup, "a"));
    report.equal("and wakes up", next(2), "stop a, start a");
  });
}
