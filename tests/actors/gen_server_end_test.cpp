// How servers end: when terminate runs, with which reason, and who is told.

#include <catch2/catch.hpp>
#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <otter/link.hpp>
#include <otter/supervisor.hpp>
#include <stdexcept>
#include <string>

#include "on_every_driver.hpp"
#include "trace.hpp"

using namespace std::chrono_literals;
using otter::exit_reason;
using trace::text;

namespace gen_server_end_test {

enum class traps { no, yes };
enum class ending { well, throws };

class mortal : public otter::gen_server<mortal> {
 public:
  struct settled {
    using reply = void;
  };
  struct fault {};
  struct fault_in_call {
    using reply = int;
  };
  struct leave {
    exit_reason reason;
  };
  struct never {
    using reply = int;
  };
  struct stop_with_reply {
    using reply = int;
  };
  struct work {
    int amount;
  };
  using accepts =
      otter::accepts<settled, fault, fault_in_call, leave, never, stop_with_reply, work>;

  mortal(otter::pid watcher, traps t, ending e = ending::well) : watcher_(watcher), ending_(e) {
    otter::trap_exit(t == traps::yes);
  }

  void handle_call(settled) {}
  void handle_cast(fault) { throw std::runtime_error("broken"); }
  int handle_call(fault_in_call) { throw std::runtime_error("broken"); }
  void handle_cast(leave l) { otter::exit(l.reason); }
  otter::call_outcome<int> handle_call(never) { return noreply(); }
  otter::call_outcome<int> handle_call(stop_with_reply) { return stop(exit_reason::normal(), 3); }
  void handle_cast(work w) {
    done_ += w.amount;
    if (w.amount == 13) throw std::runtime_error("unlucky");
  }
  void handle_info(otter::exited e) { trace::tell(watcher_, "exited " + text(e.reason)); }

  void terminate(exit_reason const& reason) {
    trace::tell(watcher_, "terminate " + text(reason));
    if (ending_ == ending::throws) throw std::logic_error("cannot tidy up");
  }
  std::string format_status() const { return "done " + std::to_string(done_); }

 private:
  otter::pid watcher_;
  ending ending_;
  int done_ = 0;
};

/// Tells what terminate finds.
class ledger : public otter::gen_server<ledger> {
 public:
  struct add {
    int amount;
  };
  struct check_then_add {
    int amount;
  };
  struct add_then_check {
    int amount;
  };
  using accepts = otter::accepts<add, check_then_add, add_then_check>;

  explicit ledger(otter::pid watcher) : watcher_(watcher) {}
  void handle_cast(add m) { total_ += m.amount; }
  void handle_cast(check_then_add m) {
    check(m.amount);
    total_ += m.amount;
  }
  void handle_cast(add_then_check m) {
    total_ += m.amount;
    check(m.amount);
  }
  void terminate(exit_reason const&) { trace::tell(watcher_, std::to_string(total_)); }

 private:
  static void check(int amount) {
    if (amount < 0) throw std::invalid_argument("a negative amount");
  }

  otter::pid watcher_;
  int total_ = 0;
};

class hoarder : public otter::gen_server<hoarder> {
 public:
  struct text_message {
    std::string what;
  };
  struct gate {};
  using accepts = otter::accepts<text_message, gate>;
  void handle_info(text_message) { throw std::runtime_error(std::string(100'000, 'x')); }
  void handle_cast(gate) {
    otter::receive([](double) {});
  }
  std::string format_status() const { return std::string(100'000, 's'); }
};

}  // namespace gen_server_end_test

using gen_server_end_test::ending;
using gen_server_end_test::ledger;
using gen_server_end_test::mortal;
using gen_server_end_test::traps;

TEST_CASE("an exception in a callback runs terminate and ends the server with it",
          "[gen_server][GS-24][GS-26]") {
  on_every_driver([](driver_report& report) {
    auto server = mortal::start_monitor(otter::self(), traps::no);
    otter::cast(*server.result, mortal::fault{});
    const std::string told = trace::next();
    const std::string end = trace::end_of(server.ref);
    report.equal("terminate gets the reason", told, "terminate " + end);
    report.check("an error with its text: " + end, end.find("broken") != std::string::npos);
  });
}

TEST_CASE("a caller gets the exception of the server as the reason", "[gen_server][GS-26]") {
  on_every_driver([](driver_report& report) {
    auto server = mortal::start(otter::self(), traps::no).value();
    auto answer = otter::try_call(server, mortal::fault_in_call{});
    report.check("error", !answer && answer.error() == otter::exit_kind::error &&
                              answer.error().text() == "broken");
  });
}

TEST_CASE("otter::exit in a callback runs terminate with its reason", "[gen_server][GS-26]") {
  on_every_driver([](driver_report& report) {
    auto server = mortal::start_monitor(otter::self(), traps::no);
    otter::cast(*server.result, mortal::leave{exit_reason::shutdown()});
    report.equal("terminate", trace::next(), "terminate " + text(exit_reason::shutdown()));
    report.equal("end", trace::end_of(server.ref), text(exit_reason::shutdown()));
  });
}

TEST_CASE("stop() runs terminate whether or not the server traps exits",
          "[gen_server][GS-24][GC-19]") {
  on_every_driver([](driver_report& report) {
    for (traps t : {traps::no, traps::yes}) {
      auto server = mortal::start(otter::self(), t).value();
      otter::stop(server, exit_reason::shutdown());
      report.equal("terminate", trace::next(), "terminate " + text(exit_reason::shutdown()));
    }
  });
}

TEST_CASE("an exit signal ends a server that does not trap exits without terminate",
          "[gen_server][GS-25]") {
  on_every_driver([](driver_report& report) {
    auto server = mortal::start_monitor(otter::self(), traps::no);
    otter::exit(*server.result, exit_reason::shutdown());
    report.equal("end", trace::end_of(server.ref), text(exit_reason::shutdown()));
    report.check("terminate did not run", trace::mailbox_is_empty());
  });
}

TEST_CASE("kill ends a server without terminate", "[gen_server][GS-25]") {
  on_every_driver([](driver_report& report) {
    auto server = mortal::start_monitor(otter::self(), traps::yes);
    otter::exit(*server.result, exit_reason::kill());
    report.equal("end", trace::end_of(server.ref), text(exit_reason::killed()));
    report.check("terminate did not run", trace::mailbox_is_empty());
  });
}

TEST_CASE(
    "the shutdown of a supervisor reaches terminate of a server that traps exits, and is not "
    "killed at once",
    "[gen_server][supervisor][GS-28]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    for (traps t : {traps::no, traps::yes}) {
      for (otter::shutdown_limit limit : {otter::shutdown_limit(), otter::brutal_kill}) {
        auto sup = otter::supervisor::start_link(
                       {}, {{.id = "m",
                             .start = [me, t] { return mortal::start_link(me, t); },
                             .shutdown = limit}})
                       .value();
        report.check("stopped", otter::supervisor::terminate_child(sup, "m").has_value());
        if (t == traps::yes && !limit.is_brutal_kill())
          report.equal("told", trace::next(), "terminate " + text(exit_reason::shutdown()));
        report.check("no more", trace::mailbox_is_empty());
      }
    }
  });
}

TEST_CASE("terminate finds the state as the failed callback left it",
          "[gen_server][GS-29][GS-37]") {
  on_every_driver([](driver_report& report) {
    auto careful = ledger::start(otter::self()).value();
    otter::cast(careful, ledger::add{5});
    otter::cast(careful, ledger::check_then_add{-2});
    report.equal("as it was before", trace::next(), "5");
    auto careless = ledger::start(otter::self()).value();
    otter::cast(careless, ledger::add{5});
    otter::cast(careless, ledger::add_then_check{-2});
    report.equal("half changed", trace::next(), "3");
  });
}

TEST_CASE("a server that traps exits ends with its parent, whatever the reason",
          "[gen_server][GS-27]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    for (auto const& reason : {exit_reason::normal(), exit_reason::shutdown()}) {
      struct child {
        otter::pid process;
      };
      otter::pid parent = otter::spawn([me, reason] {
        auto server = mortal::start_link(me, traps::yes).value();
        otter::send(me, child{server});
        otter::receive([](int) {});
        otter::exit(reason);
      });
      const otter::pid server = otter::receive([](child c) { return c.process; });
      auto watch = otter::monitor(server);
      otter::send(parent, 1);
      report.equal("terminate, and no handle_info", trace::next(), "terminate " + text(reason));
      report.equal("end", trace::end_of(watch), text(reason));
    }
  });
}

TEST_CASE("the exit of another process than the parent reaches handle_info",
          "[gen_server][GS-27]") {
  on_every_driver([](driver_report& report) {
    auto server = mortal::start_link(otter::self(), traps::yes).value();
    otter::spawn([server] { otter::exit(server, exit_reason::shutdown()); });
    report.equal("told", trace::next(), "exited " + text(exit_reason::shutdown()));
    otter::call(server, mortal::settled{});
    otter::stop(server);
  });
}

TEST_CASE("if terminate throws, the server ends with that exception", "[gen_server][GS-30]") {
  on_every_driver([](driver_report& report) {
    auto server = mortal::start_monitor(otter::self(), traps::no, ending::throws);
    otter::cast(*server.result, mortal::leave{exit_reason::shutdown()});
    const std::string end = trace::end_of(server.ref);
    report.check("end: " + end, end.find("cannot tidy up") != std::string::npos);
    report.equal("it is reported", report.count_events(otter::node_event::kind::crash),
                 std::size_t{1});
  });
}

TEST_CASE("the answer of a stop goes out even if terminate throws", "[gen_server][GS-9]") {
  on_every_driver([](driver_report& report) {
    auto server = mortal::start(otter::self(), traps::no, ending::throws).value();
    report.equal("answer", otter::call(server, mortal::stop_with_reply{}), 3);
  });
}

TEST_CASE("callers that wait get the reason when the server ends", "[gen_server][GS-31]") {
  on_every_driver([](driver_report& report) {
    auto server = mortal::start(otter::self(), traps::no).value();
    auto first = otter::send_request(server, mortal::never{});
    otter::call(server, mortal::settled{});
    otter::cast(server, mortal::leave{exit_reason::shutdown()});
    auto second = otter::send_request(server, mortal::never{});  // discarded with the mailbox
    auto one = otter::receive_response(first, trace::patience);
    report.check("handled already", one && !*one && one->error() == exit_reason::shutdown());
    auto two = otter::receive_response(second, trace::patience);
    report.check("never handled", two && !*two &&
                                      (two->error() == exit_reason::shutdown() ||
                                       two->error() == exit_reason::noproc()));
  });
}

TEST_CASE("a server that ends normally or by shutdown is not reported",
          "[gen_server][GS-32][PL-8]") {
  on_every_driver([](driver_report& report) {
    for (auto const& reason : {exit_reason::normal(), exit_reason::shutdown(),
                               exit_reason::shutdown(std::string_view("done"))}) {
      auto server = mortal::start(otter::self(), traps::no).value();
      otter::stop(server, reason);
    }
    report.equal("reports", report.events().size(), std::size_t{0});
  });
}

TEST_CASE("a server that ends badly is reported with its last message and its state",
          "[gen_server][LOG-2][LOG-4]") {
  on_every_driver([](driver_report& report) {
    auto server = mortal::start_monitor(otter::self(), traps::no);
    otter::cast(*server.result, mortal::work{4});
    otter::cast(*server.result, mortal::work{13});
    trace::end_of(server.ref);
    report.equal("report: state", report.count_events("done 17"), std::size_t{1});
    report.check("report: message", report.count_events("work") >= 1);
    report.equal("crash reports", report.count_events(otter::node_event::kind::crash),
                 std::size_t{1});
    for (auto const& e : report.events()) {
      report.check("why: " + e.text, e.text.find("unlucky") != std::string::npos);
      report.check("who", e.process == *server.result);
      report.check("bounded", e.text.size() < 10'000);
    }
  });
}

TEST_CASE("the report is there before anybody hears of the end", "[gen_server][LOG-7]") {
  on_every_driver([](driver_report& report) {
    auto server = mortal::start_monitor(otter::self(), traps::no);
    otter::cast(*server.result, mortal::fault{});
    const std::string end =
        otter::receive([](otter::down d) { return text(d.reason); });  // the first moment
    report.equal("crash reports", report.count_events(otter::node_event::kind::crash),
                 std::size_t{1});
    report.check("end: " + end, end.find("broken") != std::string::npos);
  });
}

TEST_CASE("a crash report stays small with a long mailbox, a long reason and a large state",
          "[gen_server][LOG-4]") {
  on_every_driver([](driver_report& report) {
    auto server = gen_server_end_test::hoarder::start_monitor();
    otter::cast(*server.result, gen_server_end_test::hoarder::gate{});
    for (int i = 0; i != 2'000; ++i)
      otter::send(*server.result,
                  gen_server_end_test::hoarder::text_message{std::string(500, 'm')});
    otter::send(*server.result, 1.0);
    trace::end_of(server.ref);
    report.equal("crash reports", report.count_events(otter::node_event::kind::crash),
                 std::size_t{1});
    for (auto const& e : report.events()) report.check("bounded", e.text.size() < 10'000);
  });
}
