// What otter itself logs: ends of processes, what supervisors do, and when.

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <mutex>
#include <otter/attached_thread.hpp>
#include <otter/dynamic_supervisor.hpp>
#include <otter/exit.hpp>
#include <otter/gen_event.hpp>
#include <otter/gen_server.hpp>
#include <otter/gen_statem.hpp>
#include <otter/link.hpp>
#include <otter/logger.hpp>
#include <otter/node.hpp>
#include <otter/proc_lib.hpp>
#include <otter/process_info.hpp>
#include <otter/request.hpp>
#include <otter/sys.hpp>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

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

/// Throws wherever it is asked to, from a function of its own.
[[gnu::noinline]] void throw_here() { throw std::runtime_error("no money"); }

class careless : public otter::gen_server<careless> {
 public:
  struct pay {
    using reply = int;
  };
  struct forget {};
  using accepts = otter::accepts<pay, forget>;
  explicit careless(bool in_init = false) {
    if (in_init) throw_here();
  }
  int handle_call(pay) {
    throw_here();
    return 1;
  }
  otter::outcome handle_cast(forget) { return stop(otter::exit_reason::of("bored")); }
};

class careless_machine : public otter::gen_statem<careless_machine> {
 public:
  struct on {};
  struct pay {};
  using state = otter::states<on>;
  using accepts = otter::accepts<pay>;
  void handle_event(on&, pay) { throw_here(); }
};

class careless_handler : public otter::event_handler<careless_handler> {
 public:
  struct news {};
  using accepts = otter::accepts<news>;
  void handle_event(news const&) { throw_here(); }
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
using logger_reports_test::careless;
using logger_reports_test::careless_handler;
using logger_reports_test::careless_machine;
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

TEST_CASE("the crash report of whatever throws names the function that threw", "[logger][LOG-4]") {
  on_every_driver([](driver_report& report) {
    paper_ptr const paper = logs::start();
    auto const in_report = [&](std::string_view what, std::string_view text, auto crash) {
      std::size_t const before = paper->events().size();
      crash();
      logger::sync();
      auto const events = paper->events();
      auto const e = std::find_if(
          events.begin() + static_cast<std::ptrdiff_t>(before), events.end(),
          [&](logger::event const& one) { return one.text.find(text) != std::string::npos; });
      std::string const lines = e != events.end() ? value_in(*e, "backtrace") : "no report";
      report.check(std::string(what) + ": " + lines,
                   lines.find("logger_reports_test::throw_here()") == 0);
    };
    in_report("a call", "crash of", [] {
      auto const server = careless::start().value();
      static_cast<void>(otter::try_call(server, careless::pay{}));
    });
    in_report("init", "crash of", [] { static_cast<void>(careless::start(true)); });
    in_report("an event of a machine", "crash of", [] {
      auto const machine = careless_machine::start_monitor();
      otter::cast(machine.result.value(), careless_machine::pay{});
      trace::end_of(machine.ref);
    });
    in_report("a function of proc_lib", "crash of", [] {
      trace::end_of(otter::proc_lib::spawn_monitor([] { logger_reports_test::throw_here(); }).ref);
    });
    in_report("a handler of events", "is removed", [] {
      auto const manager = otter::gen_event::start().value();
      static_cast<void>(otter::gen_event::add_handler<careless_handler>(manager));
      otter::gen_event::sync_notify(manager, careless_handler::news{});
    });
  });
}

TEST_CASE("the report of a server that stops by itself has no place", "[logger][LOG-4]") {
  on_every_driver([](driver_report& report) {
    paper_ptr const paper = logs::start();
    auto const server = careless::start_monitor();
    otter::cast(server.result.value(), careless::forget{});
    trace::end_of(server.ref);
    logger::sync();
    report.equal("backtrace", value_in(paper->event_with("crash of"), "backtrace"), "none");
  });
}

TEST_CASE("a server that crashes tells its client's name, and where that waits",
          "[logger][LOG-2]") {
  on_every_driver([](driver_report& report) {
    paper_ptr const paper = logs::start();
    auto const server = account::start().value();
    auto const client = otter::spawn(
        otter::spawn_options{
            .monitor = otter::alias_mode::none, .name = "customer", .label = "who pays"},
        [server] { static_cast<void>(otter::try_call(server, account::pay{7})); });
    trace::end_of(client.ref);
    logger::sync();
    auto const e = paper->event_with("terminates");
    report.equal(
        "whose call it was",
        facts(e, {"client", "client_name", "client_label", "client_waiting_in", "client_status"}),
        "client=" + to_string(client.process) +
            " client_name=customer client_label=who pays client_waiting_in=call "
            "client_status=none");
    auto const stack = value_in(e, "client_stacktrace");
    report.check("a line for each function: " + stack,
                 std::count(stack.begin(), stack.end(), ';') > 1);
    report.check("no addresses, which differ from run to run",
                 stack.find("0x7f") == std::string::npos &&
                     stack.find("[0x") == std::string::npos);  // a name may have [abi:cxx11]
  });
}

TEST_CASE("a server whose client has ended says so when it crashes", "[logger][LOG-2]") {
  on_every_driver([](driver_report& report) {
    paper_ptr const paper = logs::start();
    auto const server = account::start_monitor();
    otter::sys::suspend(server.result.value());
    auto const client = otter::spawn_monitor([s = server.result.value()] {
      static_cast<void>(otter::send_request(s, account::pay{7}));
    });
    trace::end_of(client.ref);
    otter::sys::resume(server.result.value());
    trace::end_of(server.ref);
    logger::sync();
    report.equal("client", facts(paper->event_with("terminates"), {"client", "client_status"}),
                 "client=" + to_string(client.process) + " client_status=has ended");
  });
}

TEST_CASE("a client that is stuck does not hold up the report of its server", "[logger][LOG-2]") {
  std::atomic<bool> let_go{false};
  std::mutex mutex;
  std::string said;
  otter::node node({.workers = 2, .on_event = [&](otter::node_event const& e) {
                      std::lock_guard lock(mutex);
                      said += e.text;
                    }});
  otter::attached_thread me(node);
  auto const server = account::start_monitor();
  otter::sys::suspend(server.result.value());
  auto const client = otter::spawn([&let_go, s = server.result.value(), test = otter::self()] {
    static_cast<void>(otter::send_request(s, account::pay{7}));
    trace::tell(test, "asked");  // and then it reaches no safe point
    while (!let_go.load(std::memory_order_acquire)) {
    }
  });
  REQUIRE(trace::next() == "asked");
  otter::sys::resume(server.result.value());
  CHECK(trace::end_of(server.ref).find("no money for 7") != std::string::npos);
  let_go.store(true, std::memory_order_release);
  trace::end_of(client);
  std::lock_guard lock(mutex);
  CHECK(said.find("does not answer") != std::string::npos);
}

namespace logger_reports_test {

/// All neighbours that `e` tells of.
std::vector<std::string> neighbours_in(logger::event const& e) {
  std::vector<std::string> all;
  for (auto const& f : e.fields)
    if (f.name == "neighbour") all.push_back(logger::to_string(f.what));
  return all;
}
/// Is there one whose line begins like that?
bool has_neighbour(std::vector<std::string> const& all, std::string const& begin) {
  return std::any_of(all.begin(), all.end(),
                     [&](std::string const& line) { return line.starts_with(begin); });
}

void waits() {
  otter::receive([](std::monostate) {});
}
/// Returns when `p` waits in a receive.
void until_it_waits(otter::pid p) {
  while (otter::process_info<std::string>(p, otter::info_item::waiting_in) != "receive")
    otter::checkpoint();
}

}  // namespace logger_reports_test

TEST_CASE("a crash report tells of the neighbours that will end too, however far away",
          "[logger][LOG-4]") {
  on_every_driver([](driver_report& report) {
    using namespace logger_reports_test;
    paper_ptr const paper = logs::start();
    otter::pid const far = otter::spawn({.name = "far"}, waits);
    otter::pid const near = otter::spawn({.label = "the near one"}, [far] {
      otter::link(far);
      otter::send(otter::self(), 17);
      waits();
    });
    otter::pid const safe = otter::spawn({.name = "safe"}, [] {
      otter::trap_exit(true);
      waits();
    });
    until_it_waits(far);
    until_it_waits(near);
    until_it_waits(safe);
    auto const p = otter::proc_lib::spawn_monitor([near, safe] {
      otter::link(near);
      otter::link(safe);
      throw std::runtime_error("broken");
    });
    trace::end_of(p.ref);
    logger::sync();
    auto const all = neighbours_in(paper->event_with("crash of"));
    report.equal("two", all.size(), std::size_t{2});
    report.check(
        "linked to it",
        has_neighbour(all, to_string(near) + " (the near one) waiting in receive, 1 messages, "));
    report.check("linked to that one",
                 has_neighbour(all, to_string(far) + " \"far\" waiting in receive, 0 messages, "));
    otter::exit(safe, otter::exit_reason::kill());
  });
}

TEST_CASE("a crash report tells of fifteen neighbours, and then no more", "[logger][LOG-4]") {
  on_every_driver([](driver_report& report) {
    using namespace logger_reports_test;
    paper_ptr const paper = logs::start();
    auto const p = otter::proc_lib::spawn_monitor([] {
      for (int i = 0; i != 40; ++i) otter::spawn_link(waits);
      throw std::runtime_error("broken");
    });
    trace::end_of(p.ref);
    logger::sync();
    report.equal("bounded", neighbours_in(paper->event_with("crash of")).size(), std::size_t{15});
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
