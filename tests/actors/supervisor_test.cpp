// Supervisors: start, shutdown and the operations on children.

#include <catch2/catch.hpp>
#include <otter/exit.hpp>
#include <otter/link.hpp>
#include <otter/name.hpp>
#include <otter/supervisor.hpp>
#include <string>
#include <vector>

#include "children.hpp"
#include "on_every_driver.hpp"

namespace supervisor_test {

class fugitive : public otter::gen_server<fugitive> {
 public:
  struct go {
    using reply = void;
    otter::pid from;
  };
  using accepts = otter::accepts<go>;
  void handle_call(go g) { otter::unlink(g.from); }
};

}  // namespace supervisor_test

using namespace std::chrono_literals;
using namespace children;
using otter::child_error;
using otter::supervisor;
using trace::text;

TEST_CASE("children start in the order of their list and stop in the reverse order",
          "[supervisor][SUP-6][SUP-29]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);  // linked to what is stopped below
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link({}, {spec(me, "a"), spec(me, "b"), spec(me, "c")}).value();
    report.equal("starts", next(3), "start a, start b, start c");
    otter::stop(sup, exit_reason::shutdown());
    report.equal("stops", next(3), "stop c, stop b, stop a");
    report.equal("reports", report.events().size(), std::size_t{0});
  });
}

TEST_CASE("a child that cannot be started ends the start of its supervisor",
          "[supervisor][SUP-9]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    const otter::pid me = otter::self();
    auto never = std::make_shared<std::atomic<int>>(1);
    auto sup = supervisor::start_link(
        {}, {spec(me, "a"), spec(me, "b"), failing_spec(me, "bad", never), spec(me, "d")});
    report.equal("traces", next(5), "start a, start b, fail bad, stop b, stop a");
    report.check("failed", !sup && sup.error().reason == otter::exit_kind::shutdown_with);
    auto const* why = sup.error().reason.get<otter::failed_to_start_child>();
    report.check("which child",
                 why != nullptr && why->id == "bad" && why->reason.text() == "not yet");
    report.equal("start error reports", report.count_events("start error"), std::size_t{1});
    report.check("no exited is left", trace::mailbox_is_empty());
  });
}

TEST_CASE("flags and specifications that cannot be obeyed are refused by name",
          "[supervisor][SUP-3][SUP-4]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    const otter::pid me = otter::self();
    struct row {
      otter::supervisor_flags flags;
      std::vector<child_spec> specs;
      std::string expected;
    };
    child_spec no_id = spec(me, "x");
    no_id.id.clear();
    child_spec no_start = spec(me, "x");
    no_start.start = nullptr;
    child_spec negative = spec(me, "x");
    negative.shutdown = -2s;
    child_spec bad_restart = spec(me, "x");
    bad_restart.restart = static_cast<restart_type>(9);
    child_spec bad_type = spec(me, "x");
    bad_type.type = static_cast<otter::child_type>(9);
    const std::vector<row> rows = {
        {{}, {no_id}, "missing_id"},
        {{}, {no_start}, "missing_start"},
        {{}, {negative}, "invalid_shutdown"},
        {{}, {bad_restart}, "invalid_restart_type"},
        {{}, {bad_type}, "invalid_child_type"},
        {{}, {spec(me, "x"), spec(me, "x")}, "duplicate_child_name"},
        {{.period = 0s}, {}, "invalid_period"},
        {{.strategy = static_cast<otter::strategy_type>(9)}, {}, "invalid_strategy"},
    };
    for (auto const& r : rows) {
      auto sup = supervisor::start_link(r.flags, r.specs);
      auto const* bad = sup ? nullptr : sup.error().reason.get<otter::bad_child_spec>();
      report.check(r.expected, bad != nullptr && bad->what.find(r.expected) == 0);
    }
    report.check("nothing was started", trace::mailbox_is_empty());
  });
}

TEST_CASE("a child whose start is ignored is kept without a process", "[supervisor][SUP-8]") {
  on_every_driver([](driver_report& report) {
    const auto ignored = []() -> tl::expected<otter::pid, otter::start_error> {
      return tl::unexpected<otter::start_error>({otter::start_error::kind::ignored, {}, {}});
    };
    auto sup = supervisor::start_link(
                   {}, {{.id = "kept", .start = ignored},
                        {.id = "dropped", .start = ignored, .restart = restart_type::temporary}})
                   .value();
    auto all = supervisor::which_children(sup);
    report.check("one is kept", all.size() == 1 && all[0].id == "kept" && !all[0].process);
    auto added = supervisor::start_child(sup, {.id = "added", .start = ignored});
    report.check("start_child gives no process", added && !*added);
  });
}

TEST_CASE("start_child adds a child, last in the order", "[supervisor][SUP-32]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);  // linked to what is stopped below
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link({}, {spec(me, "a")}).value();
    auto b = supervisor::start_child(sup, spec(me, "b"));
    report.check("started", b && *b == process_of(sup, "b"));
    report.equal("starts", next(2), "start a, start b");
    auto again = supervisor::start_child(sup, spec(me, "b"));
    report.check("already started", !again &&
                                        again.error().what == child_error::kind::already_started &&
                                        again.error().process == *b);
    otter::stop(sup, exit_reason::shutdown());
    report.equal("stops", next(2), "stop b, stop a");
  });
}

TEST_CASE("a start_child that fails keeps nothing", "[supervisor][SUP-32]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link({}, {}).value();
    auto once = std::make_shared<std::atomic<int>>(1);
    auto failed = supervisor::start_child(sup, failing_spec(me, "x", once));
    report.check("failed", !failed && failed.error().what == child_error::kind::start_failed &&
                               failed.error().reason.text() == "not yet");
    report.check("not kept", supervisor::which_children(sup).empty());
    report.check("the same id works now",
                 supervisor::start_child(sup, failing_spec(me, "x", once)).has_value());
    auto bad = supervisor::start_child(sup, {.id = "y"});
    report.check("invalid", !bad && bad.error().what == child_error::kind::invalid);
  });
}

TEST_CASE("terminate_child stops a child and keeps it, unless it is temporary",
          "[supervisor][SUP-33]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup =
        supervisor::start_link({}, {spec(me, "a"), spec(me, "t", restart_type::temporary)}).value();
    next(2);
    report.check("a", supervisor::terminate_child(sup, "a").has_value());
    report.equal("stopped", trace::next(), "stop a");
    report.check("once more", supervisor::terminate_child(sup, "a").has_value());
    report.check("t", supervisor::terminate_child(sup, "t").has_value());
    report.equal("stopped", trace::next(), "stop t");
    auto gone = supervisor::terminate_child(sup, "t");
    report.check("t is forgotten", !gone && gone.error().what == child_error::kind::not_found);
    auto all = supervisor::which_children(sup);
    report.check("a is kept", all.size() == 1 && all[0].id == "a" && !all[0].process);
    auto present = supervisor::start_child(sup, spec(me, "a"));
    report.check("already present",
                 !present && present.error().what == child_error::kind::already_present);
    report.check("it was not restarted", trace::mailbox_is_empty());
  });
}

TEST_CASE("restart_child starts a stopped child, delete_child forgets one",
          "[supervisor][SUP-34]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = supervisor::start_link({}, {spec(me, "a")}).value();
    auto kind_of = [](auto const& r) { return r ? child_error::kind::invalid : r.error().what; };
    report.check("running",
                 kind_of(supervisor::restart_child(sup, "a")) == child_error::kind::running);
    report.check("running",
                 kind_of(supervisor::delete_child(sup, "a")) == child_error::kind::running);
    report.check("unknown",
                 kind_of(supervisor::restart_child(sup, "x")) == child_error::kind::not_found);
    report.check("unknown",
                 kind_of(supervisor::delete_child(sup, "x")) == child_error::kind::not_found);
    children::must_succeed(supervisor::terminate_child(sup, "a"));
    auto again = supervisor::restart_child(sup, "a");
    report.check("started", again && *again == process_of(sup, "a"));
    report.equal("traces", next(3), "start a, stop a, start a");
    children::must_succeed(supervisor::terminate_child(sup, "a"));
    report.check("deleted", supervisor::delete_child(sup, "a").has_value());
    report.check("forgotten", supervisor::which_children(sup).empty());
  });
}

TEST_CASE("which_children shows the newest first, count_children counts", "[supervisor][SUP-35]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    child_spec inner{.id = "inner",
                     .start = [] { return supervisor::start_link({}, {}); },
                     .type = otter::child_type::supervisor};
    auto sup = supervisor::start_link({}, {spec(me, "a"), inner, spec(me, "c")}).value();
    children::must_succeed(supervisor::terminate_child(sup, "a"));
    std::string ids;
    for (auto const& c : supervisor::which_children(sup)) ids += c.id + " ";
    report.equal("ids", ids, "c inner a ");
    auto n = supervisor::count_children(sup);
    report.check("counts",
                 n == otter::child_count{.specs = 3, .active = 2, .supervisors = 1, .workers = 2});
    report.check("childspec", supervisor::get_childspec(sup, "c")->id == "c");
    report.check("unknown childspec", !supervisor::get_childspec(sup, "x"));
  });
}

TEST_CASE("a child that does not stop in time is killed, and the shutdown goes on",
          "[supervisor][SUP-26]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);  // linked to what is stopped below
    const otter::pid me = otter::self();
    child_spec stubborn = spec(me, "stubborn", restart_type::permanent, manner::stubborn);
    stubborn.shutdown = 3ms;
    auto sup = supervisor::start_link({}, {spec(me, "a"), stubborn}).value();
    auto watch = otter::monitor(process_of(sup, "stubborn"));
    otter::stop(sup, exit_reason::shutdown());
    report.equal("killed", trace::end_of(watch), text(exit_reason::killed()));
    report.equal("traces", next(3), "start a, start stubborn, stop a");
    report.equal("shutdown errors", report.count_events("shutdown error"), std::size_t{1});
  });
}

TEST_CASE("brutal_kill kills a child without telling it", "[supervisor][SUP-26][SUP-28]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    child_spec brutal = spec(me, "brutal");
    brutal.shutdown = otter::brutal_kill;
    auto sup = supervisor::start_link({}, {brutal}).value();
    auto watch = otter::monitor(process_of(sup, "brutal"));
    otter::unlink(sup);
    otter::stop(sup, exit_reason::shutdown());
    report.equal("killed", trace::end_of(watch), text(exit_reason::killed()));
    report.equal("traces", trace::next(), "start brutal");
    report.check("it was not told", trace::mailbox_is_empty());
    report.equal("reports", report.events().size(), std::size_t{0});
  });
}

TEST_CASE("a child that unlinked itself does not hang its supervisor", "[supervisor][SUP-27]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);  // linked to what is stopped below
    const otter::pid me = otter::self();
    auto sup =
        supervisor::start_link(
            {}, {{.id = "f", .start = [] { return supervisor_test::fugitive::start_link(); }},
                 spec(me, "b")})
            .value();
    const otter::pid process = process_of(sup, "f");
    otter::call(process, supervisor_test::fugitive::go{sup});
    auto watch = otter::monitor(process);
    otter::stop(sup, exit_reason::shutdown());
    report.equal("it was stopped", trace::end_of(watch), text(exit_reason::shutdown()));
  });
}

TEST_CASE("a supervisor ends with its parent, and its children with it", "[supervisor][SUP-31]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    struct tree {
      otter::pid sup;
    };
    otter::pid parent = otter::spawn([me] {
      auto sup = supervisor::start_link({}, {spec(me, "a"), spec(me, "b")}).value();
      otter::send(me, tree{sup});
      otter::receive([](int) {});
    });
    const otter::pid sup = otter::receive([](tree t) { return t.sup; });
    auto watch = otter::monitor(sup);
    otter::send(parent, 1);  // it ends normally
    report.equal("end", trace::end_of(watch), text(exit_reason::normal()));
    report.equal("traces", next(4), "start a, start b, stop b, stop a");
  });
}

TEST_CASE("an exit of an unknown process is ignored by a supervisor", "[supervisor][SUP-17]") {
  on_every_driver([](driver_report& report) {
    auto sup = supervisor::start_link({}, {}).value();
    auto stranger = otter::spawn_monitor([sup] { otter::exit(sup, exit_reason::shutdown()); });
    trace::end_of(stranger.ref);
    report.check("it serves", supervisor::which_children(sup).empty());
    report.equal("silently", report.events().size(), std::size_t{0});
  });
}

TEST_CASE("a supervisor has a name like any server", "[supervisor][GC-1]") {
  on_every_driver([](driver_report& report) {
    auto sup = supervisor::start_link({}, {}, {.name = "top"}).value();
    report.check("whereis", otter::whereis("top") == sup.process());
    report.check("by name", supervisor::which_children("top").empty());
  });
}
