// Holding a server still and looking at it.

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <fstream>
#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <otter/gen_statem.hpp>
#include <otter/link.hpp>
#include <otter/proc_lib.hpp>
#include <otter/sys.hpp>
#include <stdexcept>
#include <string>

#include "on_every_driver.hpp"
#include "trace.hpp"

using namespace std::chrono_literals;
using otter::exit_reason;
using trace::failure_of;
using trace::text;

namespace sys_test {

class speaker : public otter::gen_server<speaker> {
 public:
  struct say {
    std::string what;
  };
  struct ping {
    using reply = void;
  };
  struct wait {};
  using accepts = otter::accepts<say, ping, wait>;

  explicit speaker(otter::pid watcher) : watcher_(watcher) {}
  void handle_cast(say s) {
    trace::tell(watcher_, s.what);
    ++said_;
  }
  void handle_cast(wait) {
    otter::receive([](double) {});
  }
  void handle_call(ping) {}
  void terminate(exit_reason const&) { trace::tell(watcher_, "terminate"); }
  std::string format_status() const {
    if (said_ == 13) throw std::runtime_error("a secret");
    return "said " + std::to_string(said_);
  }

 private:
  otter::pid watcher_;
  int said_ = 0;
};

/// Its state is an aggregate, which it shows.
class tally : public otter::gen_server<tally> {
 public:
  struct state {
    int total = 0;
  };
  struct add {
    int by;
  };
  struct read {
    using reply = int;
  };
  using accepts = otter::accepts<add, read>;

  explicit tally(int begin) : state_{begin} {}
  void handle_cast(add a) { state_.total += a.by; }
  int handle_call(read) { return state_.total; }
  state& system_state() { return state_; }

 private:
  state state_;
};

/// The whole object is its state.
class plain : public otter::gen_server<plain> {
 public:
  using accepts = otter::accepts<>;
  int value = 3;
};

/// Tells when it hibernates, and traps exits.
class dozer : public otter::gen_server<dozer> {
 public:
  struct doze {};
  struct flush {
    using reply = void;
  };
  using accepts = otter::accepts<doze, flush>;
  explicit dozer(otter::pid watcher) : watcher_(watcher) { otter::trap_exit(true); }
  otter::outcome handle_cast(doze) { return noreply().hibernate(); }
  void handle_call(flush) {}
  void handle_info(otter::exited e) { trace::tell(watcher_, "exited " + to_string(e.reason)); }
  void hibernate() { trace::tell(watcher_, "hibernate"); }
  void terminate(exit_reason const& r) { trace::tell(watcher_, "terminate " + to_string(r)); }

 private:
  otter::pid watcher_;
};

/// Where each of its events goes is seen by a debugger only.
class gate : public otter::gen_statem<gate> {
 public:
  enum class state { shut, open };
  struct turn {};
  struct flush {
    using reply = void;
  };
  using accepts = otter::accepts<turn, flush>;
  void handle_event(state, flush) {}
  transition handle_event(in<state::shut>, turn) { return next_state(state::open); }
  transition handle_event(in<state::open>, turn) { return next_state(state::shut); }
  int turns = 0;
};

}  // namespace sys_test

using sys_test::dozer;
using sys_test::gate;
using sys_test::plain;
using sys_test::speaker;
using sys_test::tally;

TEST_CASE("a suspended server keeps its messages in order, and handles them when resumed",
          "[sys][SY-2][SY-3]") {
  on_every_driver([](driver_report& report) {
    auto server = speaker::start_link(otter::self()).value();
    otter::sys::suspend(server);
    otter::sys::suspend(server);  // once more changes nothing
    otter::cast(server, speaker::say{"one"});
    otter::cast(server, speaker::say{"two"});
    report.equal("a call", failure_of([&] { otter::call(server, speaker::ping{}, 3ms); }),
                 text(exit_reason::timeout()));
    report.check("nothing was handled", trace::mailbox_is_empty());
    otter::sys::resume(server);
    otter::sys::resume(server);
    report.equal("first", trace::next(), "one");
    report.equal("second", trace::next(), "two");
    otter::call(server, speaker::ping{});
    report.check("the late answer was dropped", trace::mailbox_is_empty());
  });
}

TEST_CASE("a suspended server can be looked at and stopped", "[sys][SY-1][SY-8]") {
  on_every_driver([](driver_report& report) {
    auto server = speaker::start_link(otter::self()).value();
    const std::string running = otter::sys::get_status(server);
    report.check("running: " + running, running.find("running") != std::string::npos);
    report.check("state: " + running, running.find("said 0") != std::string::npos);
    otter::sys::suspend(server);
    const std::string held = otter::sys::get_status(server);
    report.check("suspended: " + held, held.find("suspended") != std::string::npos);
    otter::stop(server);
    report.equal("terminate", trace::next(), "terminate");
  });
}

TEST_CASE("a status that cannot be told shows a note, never the raw state", "[sys][GS-34]") {
  on_every_driver([](driver_report& report) {
    auto server = speaker::start_link(otter::self()).value();
    for (int i = 0; i != 13; ++i) otter::cast(server, speaker::say{"x"});
    otter::call(server, speaker::ping{});
    const std::string status = otter::sys::get_status(server);
    report.check("note: " + status, status.find("format_status failed") != std::string::npos);
    report.check("no secret", status.find("secret") == std::string::npos);
  });
}

TEST_CASE("sys operations on what does not exist fail with noproc", "[sys][SY-1]") {
  on_every_driver([](driver_report& report) {
    report.equal("suspend", failure_of([] { otter::sys::suspend("nobody"); }),
                 text(exit_reason::noproc()));
    auto server = speaker::start(otter::self()).value();
    otter::stop(server);
    report.equal("status", failure_of([&] { (void)otter::sys::get_status(server); }),
                 text(exit_reason::noproc()));
  });
}

TEST_CASE("the state of a server can be read and replaced, running or suspended",
          "[sys][SY-4][SY-5]") {
  on_every_driver([](driver_report& report) {
    auto server = tally::start_link({.name = "tally"}, 40).value();
    report.equal("read", otter::sys::get_state(server).total, 40);
    report.equal("by name", otter::sys::get_state<tally>("tally").total, 40);
    const auto changed = otter::sys::replace_state(server, [](tally::state& s) { s.total += 2; });
    report.equal("changed", changed.total, 42);
    otter::sys::suspend(server);
    otter::cast(server, tally::add{1});
    const auto returned = otter::sys::replace_state(
        server, [](tally::state s) { return tally::state{s.total + 100}; });
    report.equal("while suspended", returned.total, 142);
    otter::sys::resume(server);
    report.equal("and it goes on with it", otter::call(server, tally::read{}), 143);
    auto whole = plain::start_link().value();
    report.equal("the object is the state", otter::sys::get_state(whole).value, 3);
    auto machine = gate::start_link().value();
    otter::cast(machine, gate::turn{});
    otter::call(machine, gate::flush{});  // what sys asks goes ahead of messages
    const auto found = otter::sys::get_state(machine);
    report.check("a machine's state", found.state == gate::state::open);
    otter::sys::replace_state(machine, [](auto& s) {
      s.state = gate::state::shut;
      s.data.turns = 7;
    });
    report.check("replaced", otter::sys::get_state(machine).state == gate::state::shut);
    report.equal("data", otter::sys::get_state(machine).data.turns, 7);
  });
}

TEST_CASE("a replacement that throws changes nothing, and its caller hears why", "[sys][SY-4]") {
  on_every_driver([](driver_report& report) {
    auto server = tally::start_link(1).value();
    std::string text_of_failure;
    try {
      otter::sys::replace_state(server, [](tally::state& s) {
        s.total = 99;
        throw std::runtime_error("not so");
      });
    } catch (otter::process_exit const& e) {
      text_of_failure = to_string(e.reason());
    }
    report.check("reason: " + text_of_failure,
                 text_of_failure.find("callback_failed") != std::string::npos &&
                     text_of_failure.find("not so") != std::string::npos);
    report.equal("unchanged", otter::call(server, tally::read{}), 1);
    const std::string other =
        failure_of([&] { (void)otter::sys::get_state<plain>(server.process()); });
    report.check("another class: " + other, other.find("bad_object") != std::string::npos);
  });
}

TEST_CASE("a status says class, state, parent and ancestors", "[sys][SY-6]") {
  on_every_driver([](driver_report& report) {
    auto server = speaker::start_link({.name = "loud"}, otter::self()).value();
    const std::string status = otter::sys::get_status(server);
    for (std::string const& part :
         {std::string("gen_server"), std::string("\"loud\""), std::string("speaker"),
          std::string("running"), "parent: " + to_string(otter::self()),
          "ancestors: " + to_string(otter::self()), std::string("said 0")})
      report.check(part + " in " + status, status.find(part) != std::string::npos);
  });
}

TEST_CASE("a suspended server whose parent ends, ends with its reason", "[sys][SY-9]") {
  on_every_driver([](driver_report& report) {
    struct server_is {
      otter::pid process;
    };
    for (bool exit_first : {false, true}) {
      auto parent = otter::spawn_monitor([me = otter::self()] {
        auto server = dozer::start_link(me).value();
        otter::send(me, server_is{server.process()});
        otter::receive([](int) {});
        otter::exit(exit_reason::of("parent is gone"));
      });
      const otter::pid server = otter::receive([](server_is s) { return s.process; });
      otter::sys::suspend(server);
      if (exit_first) otter::cast(server, dozer::doze{});  // something waits in front of it
      otter::send(parent.process, 1);
      report.equal("terminates", trace::next(),
                   "terminate " + text(exit_reason::of("parent is gone")));
      trace::end_of(parent.ref);
    }
  });
}

TEST_CASE("the exits of others wait until a suspended server is resumed", "[sys][SY-9][SY-3]") {
  on_every_driver([](driver_report& report) {
    auto server = dozer::start_link(otter::self()).value();
    otter::sys::suspend(server);
    otter::trap_exit(true);
    auto other = otter::spawn_monitor(
        [to = server.process()] { otter::exit(to, exit_reason::of("another's")); });
    trace::end_of(other.ref);
    report.check("held", otter::sys::get_status(server).find("suspended") != std::string::npos);
    report.check("nothing of it", trace::mailbox_is_empty());
    otter::sys::resume(server);
    report.equal("then it comes", trace::next(), "exited " + text(exit_reason::of("another's")));
  });
}

TEST_CASE("a hibernating server that is asked for its status sleeps on", "[sys][SY-13]") {
  on_every_driver([](driver_report& report) {
    auto server = dozer::start_link(otter::self()).value();
    otter::cast(server, dozer::doze{});
    report.equal("asleep", trace::next(), "hibernate");
    (void)otter::sys::get_status(server);
    report.equal("asleep again", trace::next(), "hibernate");
    otter::call(server, dozer::flush{});
    (void)otter::sys::get_status(server);
    report.check("awake after a message", trace::mailbox_is_empty());
  });
}

TEST_CASE("a server that has nothing to do for hibernate_after hibernates",
          "[gen_server][GC-2][GS-22]") {
  on_every_driver([](driver_report& report) {
    auto server = dozer::start_link({.hibernate_after = 1ms}, otter::self()).value();
    report.equal("asleep", trace::next(), "hibernate");
    otter::call(server, dozer::flush{});
    report.equal("and again after an event", trace::next(), "hibernate");
  });
}

TEST_CASE("statistics, log and trace show what a server does", "[sys][SY-10]") {
  on_every_driver([](driver_report& report) {
    auto server = tally::start_link(0).value();
    report.check("nothing is counted", !otter::sys::get_statistics(server));
    otter::sys::statistics(server, otter::sys::debugging::on);
    otter::sys::log(server, 2);
    otter::sys::trace(server, otter::sys::debugging::on);
    otter::cast(server, tally::add{1});
    otter::cast(server, tally::add{2});
    otter::call(server, tally::read{});
    const auto counted = otter::sys::get_statistics(server).value();
    report.equal("in", counted.messages_in, 3u);
    report.equal("out", counted.messages_out, 1u);
    report.check("it worked for it", counted.reductions > 0);
    report.check("time went on", counted.now >= counted.start);
    const auto lines = otter::sys::get_log(server);
    report.equal("the last two", lines.size(), std::size_t{2});
    report.check("call: " + lines[0], lines[0].find("got call") == 0);
    report.check("answer: " + lines[1], lines[1].find("answered 3") == 0);
    report.check("traced", report.count_events("got cast add{by: 2}") == 1);
    otter::sys::no_debug(server);
    otter::cast(server, tally::add{5});
    report.check("all is off", otter::sys::get_log(server).empty() &&
                                   !otter::sys::get_statistics(server) &&
                                   report.count_events("add{by: 5}") == 0);
    auto machine = gate::start_link().value();
    otter::sys::log(machine);
    otter::cast(machine, gate::turn{});
    otter::call(machine, gate::flush{});
    const auto seen = otter::sys::get_log(machine);
    report.check("a machine's state", seen.size() > 1 && seen[1] == "is in state open");
  });
}

TEST_CASE("a log goes to a file, or says that it cannot", "[sys][SY-10]") {
  on_every_driver([](driver_report& report) {
    auto server = tally::start_link(0).value();
    char name[] = "/tmp/otter_sys_test_XXXXXX";
    const int file = ::mkstemp(name);
    report.check("a file", file >= 0);
    ::close(file);
    otter::sys::log_to_file(server, name);
    otter::cast(server, tally::add{1});
    otter::call(server, tally::read{});  // what sys asks goes ahead of messages
    otter::sys::log_to_file(server, "");
    otter::cast(server, tally::add{2});
    otter::call(server, tally::read{});
    std::string all;
    std::ifstream in(name);
    for (std::string line; std::getline(in, line);) all += line + "\n";
    std::remove(name);
    report.check("written: " + all, all.find("add{by: 1}") != std::string::npos &&
                                        all.find("add{by: 2}") == std::string::npos);
    const std::string why =
        failure_of([&] { otter::sys::log_to_file(server, "/no such folder/log"); });
    report.check("refused: " + why, why.find("cannot open") != std::string::npos);
    report.equal("it goes on", otter::call(server, tally::read{}), 3);
  });
}

TEST_CASE("an installed function sees each event, once per id, until it is done or throws",
          "[sys][SY-10][SY-11]") {
  on_every_driver([](driver_report& report) {
    auto server = tally::start_link(0).value();
    const auto teller = [me = otter::self()](std::string who, int times) {
      return [me, who, left = times](otter::sys::debug_event const& e) mutable {
        trace::tell(me, who + " " + e.text());
        return --left == 0 ? otter::sys::verdict::done : otter::sys::verdict::keep;
      };
    };
    otter::sys::install(server, "a", teller("first", 2));
    otter::sys::install(server, "a", teller("ignored", 9));
    otter::sys::install(server, "b", teller("other", 9));
    otter::sys::install(server, "c", [](otter::sys::debug_event const&) -> otter::sys::verdict {
      throw std::runtime_error("debugger");
    });
    for (int i = 1; i != 4; ++i) otter::cast(server, tally::add{i});
    for (char const* expected :
         {"first got cast add{by: 1}", "other got cast add{by: 1}", "first got cast add{by: 2}",
          "other got cast add{by: 2}", "other got cast add{by: 3}"})
      report.equal("seen", trace::next(), expected);
    otter::sys::remove(server, "b");
    otter::sys::remove(server, "none");
    otter::cast(server, tally::add{4});
    report.equal("it lives", otter::call(server, tally::read{}), 10);
    report.check("no more", trace::mailbox_is_empty());
    report.check("the one that threw was removed", report.count_events("threw, removed") == 1);
  });
}

TEST_CASE("terminate runs the callback and ends with the reason, also when suspended",
          "[sys][SY-8]") {
  on_every_driver([](driver_report& report) {
    auto server = speaker::start(otter::self()).value();
    otter::sys::suspend(server);
    otter::sys::terminate(server, exit_reason::shutdown("enough"));
    report.equal("terminate", trace::next(), "terminate");
    report.equal("gone", failure_of([&] { otter::sys::suspend(server); }),
                 text(exit_reason::noproc()));
  });
}
