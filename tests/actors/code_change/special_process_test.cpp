// Processes that handle raw events, and are held still, looked at, ended and changed as behaviours
// are.

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <otter/code.hpp>
#include <otter/exit.hpp>
#include <otter/gen.hpp>
#include <otter/link.hpp>
#include <otter/monitor.hpp>
#include <otter/receive.hpp>
#include <otter/request.hpp>
#include <otter/special_process.hpp>
#include <otter/sys.hpp>
#include <otter/tcp.hpp>
#include <string>

#include "code_changing.hpp"
#include "on_every_driver.hpp"
#include "talker.hpp"

namespace code = otter::code;
namespace sys = otter::sys;
using namespace talking;

namespace {

// There may be millions of both.
static_assert(sizeof(otter::detail::special_core) <= sizeof(otter::detail::server_core));

/// Both ends of a connection, of the caller.
struct connection {
  otter::tcp_socket client;
  otter::tcp_socket server;
};
connection connect() {
  otter::tcp_listener listener =
      otter::tcp_listen(otter::tcp_address::parse("127.0.0.1", 0).value()).value();
  connection c;
  c.client = otter::tcp_connect(listener.local_address().value()).value();
  c.server = otter::tcp_accept(listener).value();
  listener.close();
  return c;
}

/// A talker of the current version that owns the server's end.
struct talk {
  connection ends;
  otter::pid process;
};
talk start() {
  talk t{connect(), {}};
  t.process = starter("talker", "start")(t.ends.server, otter::self());
  if (!t.ends.server.controlling_process(t.process))
    otter::exit(otter::exit_reason::of("not given"));
  otter::send(t.process, begin{});
  return t;
}
/// The next line, which has `size` bytes.
std::string heard(talk& t, std::size_t size) {
  std::string got = t.ends.client.recv(size + 1, std::chrono::minutes(1)).value_or("closed ");
  got.pop_back();
  return got;
}
/// What is answered to a line.
std::string said(talk& t, std::string const& text) {
  if (!t.ends.client.send(text + "\n")) return "closed";
  return heard(t, text.size() + 1);
}
std::string shown(talk const& t) { return otter::call(t.process, look{}); }

/// Answers the question that it has been asked when it is told to.
class slow_answerer final : public otter::special_process<slow_answerer> {
 public:
  void handle(otter::event& what) {
    if (what.what() == otter::event::kind::request)
      who_ = what.caller();
    else
      otter::reply(who_, std::string("at last"));
  }

 private:
  otter::from who_;
};

/// Counts what comes; adding up to 100 takes it out.
class adder final : public otter::special_process<adder> {
 public:
  struct add {
    int by;
  };
  struct sum {
    using reply = int;
  };
  explicit adder(otter::pid home) : home_(home) {
    otter::trap_exit(true);
    start_timeout(std::chrono::hours(1), 1);
  }
  void handle(otter::event& what) {
    if (auto* a = what.get_if<add>())
      sum_ += a->by;
    else if (what.get_if<sum>() != nullptr)
      otter::reply(what.caller(), sum_);
    else if (what.what() == otter::event::kind::timeout)
      sum_ += 1000;
    else if (auto* e = what.get_if<otter::exited>())
      otter::send(home_, over{"its parent: " + to_string(e->reason)});
    if (sum_ == 100) stop(otter::exit_reason::of("full"));
    if (sum_ < 0) throw std::runtime_error("less than nothing");
  }
  void terminate(otter::exit_reason const& reason) {
    otter::send(home_, over{to_string(reason)});
    stop(otter::exit_reason::of("nobody hears that"));
  }
  int& system_state() { return sum_; }
  [[nodiscard]] std::string format_status() const { return fmt::format("sum {}", sum_); }

 private:
  otter::pid home_;
  int sum_ = 0;
};

std::string why_it_ended(otter::monitor_ref watch) {
  return otter::receive(
      [&](otter::down d) { return d.ref == watch ? to_string(d.reason) : "another"; });
}

}  // namespace

TEST_CASE("a special process is held still, looked at and changed as a server is",
          "[sys][SY-15][SY-3]") {
  on_every_driver([](driver_report& report) {
    otter::server_ref<adder> const a = adder::start(otter::self()).value();
    otter::send(a, adder::add{1});
    otter::call(a, adder::sum{});
    sys::suspend(a);
    otter::send(a, adder::add{2});
    auto const asked = otter::send_request(a, adder::sum{});
    report.equal("nothing is handled", sys::get_state(a), 1);
    report.equal("replaced", sys::replace_state(a, [](int& sum) { sum = 40; }), 40);
    report.check("status", code_changing::has(sys::get_status(a), "suspended"));
    report.check("its own", code_changing::has(sys::get_status(a), "sum 40"));
    sys::resume(a);
    report.equal("in order", otter::receive_response(asked).value().value(), 42);
  });
}

TEST_CASE("a special process ends as it says, and terminates first", "[sys][SY-8][SY-15]") {
  on_every_driver([](driver_report& report) {
    using otter::receive;
    auto const ended = [&](auto&& bring_about, std::string const& why) {
      otter::spawned const a = adder::spawn({.monitor = otter::alias_mode::none}, otter::self());
      bring_about(a.process);
      std::string const said = receive([](over o) { return o.why; });
      report.check("terminate: " + said, code_changing::has(said, why));
      std::string const seen = why_it_ended(a.ref);
      report.check("and its end: " + seen, code_changing::has(seen, why));
    };
    ended([](otter::pid a) { otter::send(a, adder::add{100}); }, "full");
    ended([](otter::pid a) { otter::send(a, adder::add{-1}); }, "less than nothing");
    ended([](otter::pid a) { sys::terminate(a, otter::exit_reason::of("asked")); }, "asked");
    ended(
        [](otter::pid a) {
          sys::suspend(a);
          otter::stop(a, otter::exit_reason::of("asked again"));
        },
        "asked again");
  });
}

TEST_CASE("the exit of its parent is an event; only a suspended one ends by it",
          "[sys][SY-9][SY-15]") {
  on_every_driver([](driver_report& report) {
    otter::pid const test = otter::self();
    for (bool const suspended : {false, true}) {
      otter::pid const parent = otter::spawn([test] {
        otter::send(test, otter::pid(adder::spawn({.link = true}, test)));
        otter::receive([](go_on) {});
        otter::exit(otter::exit_reason::of("the parent's"));
      });
      otter::pid const a = otter::receive([](otter::pid p) { return p; });
      otter::call(a, adder::sum{});  // it traps exits now
      otter::monitor_ref const watch = otter::monitor(a);
      if (suspended) sys::suspend(a);
      otter::send(parent, go_on{});
      std::string const heard = otter::receive([](over o) { return o.why; });
      if (suspended) {
        report.check("terminates: " + heard, code_changing::has(heard, "the parent's"));
        report.check("its end", code_changing::has(why_it_ended(watch), "the parent's"));
      } else {
        report.check("hears of it: " + heard, code_changing::has(heard, "its parent: "));
        report.equal("it serves on", otter::call(a, adder::sum{}), 0);
        otter::stop(a);
        otter::receive([](over) {});
        why_it_ended(watch);
      }
    }
  });
}

TEST_CASE("a special process goes on in another version with its socket, in the middle of a talk",
          "[code_change][CL-13][SY-15]") {
  on_every_driver([](driver_report& report) {
    code_changing::load("talker", 1);
    talk t = start();
    report.equal("first", said(t, "one"), std::string("1one"));
    code_changing::load("talker", 2);
    sys::suspend(t.process);
    report.check("while it is suspended", t.ends.client.send("two\n").has_value());
    report.equal("the change", code_changing::change(t.process, "talker"), std::string("done"));
    sys::resume(t.process);
    report.equal("what came meanwhile is read by the new version", heard(t, 4),
                 std::string("2two"));
    report.equal("the state", shown(t), std::string("version 2: 2 lines, last two, politely"));
    code_changing::load("talker", 1);
    report.equal("down", code_changing::upgrade(t.process, "talker"), std::string("done"));
    report.equal("again", said(t, "three"), std::string("1three"));
    report.equal("the state", shown(t), std::string("version 1: 3 lines, last three"));
    report.check("it uses no old version", !code::check_process_code(t.process, "talker"));
    t.ends.client.close();
    otter::unlink(t.process);
    otter::stop(t.process);
  });
}

TEST_CASE("an answer that is under way, and a time-out, come to the new version",
          "[code_change][CL-13]") {
  in_simulation([](driver_report& report) {
    code_changing::load("talker", 1);
    talk t = start();
    otter::pid const other = slow_answerer::spawn({});
    otter::send(t.process, ask{other});
    otter::send(t.process, set_timer{});
    shown(t);
    code_changing::load("talker", 2);
    report.equal("the change", code_changing::upgrade(t.process, "talker"), std::string("done"));
    otter::send(other, go_on{});
    otter::receive(otter::after(std::chrono::hours(2), [] {}));
    report.equal("both", shown(t),
                 std::string("version 2: 0 lines, last nothing, politely, answered at last, "
                             "time-outs: 1"));
    otter::unlink(t.process);
    otter::stop(t.process);
  });
}

TEST_CASE("a change waits for the end of an event that is under way, however it waits itself",
          "[code_change][SY-1]") {
  on_every_driver([](driver_report& report) {
    code_changing::load("talker", 1);
    talk t = start();
    code_changing::load("talker", 2);
    otter::send(t.process, wait_inside{otter::self()});
    otter::receive([](waiting) {});
    otter::pid const test = otter::self();
    otter::pid const process = t.process;
    otter::spawn([test, process] { otter::send(test, code_changing::upgrade(process, "talker")); });
    otter::send(t.process, go_on{});
    report.equal("done then", otter::receive([](std::string s) { return s; }), std::string("done"));
    report.equal("the end of the event was in the old one", shown(t),
                 std::string("version 2: 0 lines, last waited, politely"));
    otter::unlink(t.process);
    otter::stop(t.process);
  });
}

TEST_CASE("a refused change leaves a special process whole and serving", "[code_change][CL-15]") {
  on_every_driver([](driver_report& report) {
    code_changing::load("talker", 1);
    talk t = start();
    said(t, "one");
    code_changing::load("talker", 3);
    std::string const soon = code_changing::change(t.process, "talker");
    report.check("not suspended: " + soon, code_changing::has(soon, "is not suspended"));
    std::string const why = code_changing::upgrade(t.process, "talker");
    report.check("refused: " + why, code_changing::has(why, "never"));
    report.equal("it serves on", said(t, "two"), std::string("1two"));
    report.equal("the state", shown(t), std::string("version 1: 2 lines, last two"));
    otter::unlink(t.process);
    otter::stop(t.process);
  });
}

TEST_CASE("what a special process of a module throws ends it with that reason",
          "[code_change][C0-1]") {
  on_every_driver([](driver_report& report) {
    code_changing::load("talker", 1);
    otter::trap_exit(true);
    for (bool const throws : {true, false}) {
      talk t = start();
      if (throws)
        otter::send(t.process, fail{});
      else
        otter::send(t.process, leave{});
      std::string const part = throws ? "told to fail" : "told to";
      std::string const heard = otter::receive([](over o) { return o.why; });
      report.check("terminate: " + heard, code_changing::has(heard, part));
      std::string const why = otter::receive([](otter::exited e) { return to_string(e.reason); });
      report.check("its end: " + why, code_changing::has(why, part));
      report.check("its socket is closed", !t.ends.client.recv(1, std::chrono::minutes(1)));
    }
  });
}
