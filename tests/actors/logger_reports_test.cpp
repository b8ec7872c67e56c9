// What otter itself logs: ends of processes, what supervisors do, and when.

#include <catch2/catch.hpp>
#include <otter/dynamic_supervisor.hpp>
#include <otter/exit.hpp>
#include <otter/gen_event.hpp>
#include <otter/gen_server.hpp>
#include <otter/logger.hpp>
#include <otter/proc_lib.hpp>
#include <otter/sys.hpp>
#include <stdexcept>
#include <string>

#include "children.hpp"
#include "logs.hpp"
#include "on_every_driver.hpp"
#include "trace.hpp"

using namespace std::chrono_literals;
using logs::paper_ptr;
using logs::value_in;
namespace logger = otter::logger;
using logger::level;

namespace logger_reports_test {

class account : public otter::gen_server<account> {
 public:
  struct pay {
    using reply = int;
    int amount;
  };
  using accepts = otter::accepts<pay>;
  int handle_call(pay p) { throw std::runtime_error("no money for " + std::to_string(p.amount)); }
  std::string format_status() const { return "balance 5"; }
};

class fragile : public otter::event_handler<fragile> {
 public:
  struct news {
    int n;
  };
  using accepts = otter::accepts<news>;
  void handle_event(news const&) { throw std::runtime_error("too much"); }
};

/// "name=value" for each, joined by blanks.
std::string facts(logger::event const& e, std::initializer_list<std::string_view> names) {
  std::string all;
  for (auto const name : names)
    all += (all.empty() ? "" : " ") + std::string(name) + "=" + value_in(e, name);
  return all;
}

}  // namespace logger_reports_test

using logger_reports_test::account;
using logger_reports_test::facts;
using logger_reports_test::fragile;

TEST_CASE("a server that crashes tells its last message, its caller, its state and the reason",
          "[logger][LOG-2]") {
  on_every_driver([](driver_report& report) {
    paper_ptr const paper = logs::start();
    auto const server = account::start({.name = "bank"}).value();
    report.check("no answer", !otter::try_call(server, account::pay{7}));
    logger::sync();
    auto const e = paper->event_with("terminates");
    report.check("level", e.level == level::error && e.is_report);
    report.check("whose", e.process == server.process());
    report.equal("facts", facts(e, {"behaviour", "module", "last_call", "client", "state"}),
                 "behaviour=gen_server module=logger_reports_test::account "
                 "last_call=logger_reports_test::account::pay pay{amount: 7} client=" +
                     to_string(otter::self()) + " state=balance 5");
    report.check("reason", value_in(e, "reason").find("no money for 7") != std::string::npos);
  });
}

TEST_CASE("a crash report says how the process was started, who it is and what it held",
          "[logger][LOG-4]") {
  on_every_driver([](driver_report& report) {
    paper_ptr const paper = logs::start();
    auto const p = otter::proc_lib::spawn_monitor([] {
      otter::proc_lib::set_label("a worker");
      otter::send(otter::self(), 17);
      otter::checkpoint();  // takes it in
      throw std::runtime_error("broken");
    });
    trace::end_of(p.ref);
    logger::sync();
    auto const e = paper->event_with("crash of");
    report.check("level", e.level == level::error);
    report.equal("facts",
                 facts(e, {"label", "parent", "error_class", "message_queue_len", "messages",
                           "trap_exit", "status", "ancestors"}),
                 "label=a worker parent=" + to_string(otter::self()) +
                     " error_class=error message_queue_len=1 messages=17 trap_exit=false "
                     "status=running ancestors=" +
                     to_string(otter::self()));
    report.check("a number stays one",
                 std::any_of(e.fields.begin(), e.fields.end(), [](auto const& f) {
                   return f.name == "memory" && std::holds_alternative<std::uint64_t>(f.what);
                 }));
  });
}

TEST_CASE("a handler of events that fails tells its name, its last message and the reason",
          "[logger][LOG-3]") {
  on_every_driver([](driver_report& report) {
    paper_ptr const paper = logs::start();
    auto const manager = otter::gen_event::start().value();
    otter::gen_event::add_handler<fragile>(manager);
    otter::gen_event::sync_notify(manager, fragile::news{1});
    logger::sync();
    auto const e = paper->event_with("is removed, since it failed");
    report.check("level", e.level == level::error && e.process == manager.process());
    report.equal("facts", facts(e, {"handler", "last_message"}),
                 "handler=logger_reports_test::fragile "
                 "last_message=logger_reports_test::fragile::news");
    report.check("reason", value_in(e, "reason").find("too much") != std::string::npos);
  });
}

TEST_CASE("a message that a server does not handle is a warning with its module",
          "[logger][LOG-3]") {
  on_every_driver([](driver_report& report) {
    paper_ptr const paper = logs::start();
    auto const server = account::start().value();
    otter::send(server.process(), 2.5);
    otter::sys::get_status(server);  // behind it
    logger::sync();
    auto const e = paper->event_with("does not handle this message");
    report.check("level", e.level == level::warning);
    report.equal("module", value_in(e, "module"), "logger_reports_test::account");
    report.check("what", e.text.find("2.5") != std::string::npos);
  });
}

TEST_CASE("a supervisor reports what became of a child, in which context and why",
          "[logger][LOG-5]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    paper_ptr const paper = logs::start();
    auto const sup =
        otter::supervisor::start_link({.intensity = 1, .period = 1h},
                                      {children::spec(otter::self(), "a")}, {.name = "sup"})
            .value();
    trace::next();
    auto const first = children::process_of(sup, "a");
    children::crash(first);
    trace::next();
    children::crash(children::process_of(sup, "a"));
    trace::end_of(sup.process());
    logger::sync();
    auto const e = paper->event_with("terminated");
    auto const me = "\"sup\" " + to_string(sup.process());
    report.check("level", e.level == level::error && e.process == sup.process());
    report.equal(
        "the child's end",
        facts(e, {"supervisor", "error_context", "child", "pid", "restart", "shutdown", "type"}),
        "supervisor=" + me + " error_context=child_terminated child=a pid=" + to_string(first) +
            " restart=permanent shutdown=5 s type=worker");
    report.check("why", value_in(e, "reason").find("crash of a") != std::string::npos);
    auto const last = paper->event_with("needs restart 2");
    report.equal("its own", facts(last, {"supervisor", "error_context"}),
                 "supervisor=" + me + " error_context=shutdown");
  });
}

TEST_CASE("a start that fails, and a child that does not stop, are reported with their context",
          "[logger][LOG-5]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    paper_ptr const paper = logs::start();
    auto bad = children::failing_spec(otter::self(), "bad", std::make_shared<std::atomic<int>>(1));
    report.check("no start", !otter::supervisor::start_link({}, {std::move(bad)}));
    auto slow = children::spec(otter::self(), "slow", otter::restart_type::permanent,
                               children::manner::stubborn);
    slow.shutdown = 1ms;
    auto const sup = otter::supervisor::start_link({}, {std::move(slow)}).value();
    children::must_succeed(otter::supervisor::terminate_child(sup, "slow"));
    logger::sync();
    report.equal("start", facts(paper->event_with("start error"), {"error_context", "child"}),
                 "error_context=start_error child=bad");
    report.equal("stop", facts(paper->event_with("shutdown error"), {"error_context", "reason"}),
                 "error_context=shutdown_error reason=killed");
  });
}

TEST_CASE("progress is reported at level info: which supervisor started which child",
          "[logger][LOG-6]") {
  on_every_driver([](driver_report& report) {
    paper_ptr const paper = logs::start(level::info);
    auto const sup =
        otter::supervisor::start_link({}, {children::spec(otter::self(), "a")}).value();
    auto const many = otter::dynamic_supervisor::start_link().value();
    auto const b = otter::dynamic_supervisor::start_child(
        many, children::spec(otter::self(), "b", otter::restart_type::temporary));
    logger::sync();
    auto const e = paper->event_with("started child \"a\"");
    report.check("level", e.level == level::info && e.process == sup.process());
    report.equal("facts", facts(e, {"supervisor", "child", "pid", "restart", "shutdown", "type"}),
                 "supervisor=" + to_string(sup.process()) +
                     " child=a pid=" + to_string(children::process_of(sup, "a")) +
                     " restart=permanent shutdown=5 s type=worker");
    auto const other = paper->event_with("started child " + to_string(b.value()));
    report.check("nothing of children of one kind", other.text.empty());
    logger::set_level(level::notice);
    report.check(
        "quiet",
        otter::supervisor::start_child(sup, children::spec(otter::self(), "c")).has_value());
    logger::sync();
    report.check("nothing", paper->event_with("started child \"c\"").text.empty());
  });
}

TEST_CASE("a plain process that dies by an exception gives one error, before anybody hears of it",
          "[logger][LOG-7]") {
  on_every_driver([](driver_report& report) {
    paper_ptr const paper = logs::start();
    auto const p = otter::spawn_monitor([] { throw std::runtime_error("broken"); });
    otter::sys::suspend(logs::handler());
    otter::receive([](otter::down) {});  // the first moment
    bool const was_there = logs::info_of().queued == 1 || paper->lines().size() == 1;
    report.check("on its way or there already", was_there);
    otter::sys::resume(logs::handler());
    logger::sync();
    report.equal("events", paper->events().size(), std::size_t{1});
    auto const e = paper->event_with("a process has crashed");
    report.check("level", e.level == level::error && e.process == p.process);
    report.check("why", e.text.find("broken") != std::string::npos);
  });
}

TEST_CASE("what a server says when it dies is logged before its links and monitors fire",
          "[logger][LOG-7]") {
  on_every_driver([](driver_report& report) {
    paper_ptr const paper = logs::start();
    auto const server = account::start().value();
    otter::sys::suspend(logs::handler());
    report.check("no answer", !otter::try_call(server, account::pay{1}));
    report.equal("both reports wait", logs::info_of().queued, 2u);
    otter::sys::resume(logs::handler());
    logger::sync();
    report.check("in order", paper->events().size() == 2 &&
                                 paper->events()[0].text.find("terminates") != std::string::npos &&
                                 paper->events()[1].text.find("crash of") != std::string::npos);
  });
}

TEST_CASE("the node's own events are logged, with their details", "[logger][LOG-1]") {
  on_every_driver([](driver_report& report) {
    paper_ptr const paper = logs::start();
    otter::report(
        {otter::node_event::kind::failure, otter::self(), "it is broken\nhere and there"});
    logger::sync();
    auto const e = paper->event_with("it is broken");
    report.check("level", e.level == level::error && e.module == "otter");
    report.equal("facts", facts(e, {"kind", "details"}), "kind=failure details=here and there");
    report.equal("on_event has it too", report.count_events("it is broken"), std::size_t{1});
  });
}
