// Servers that wait hold nothing but their state, and less of it if they hibernate.

#include <otter/alias.hpp>
#include <otter/gen.hpp>
#include <otter/gen_server.hpp>
#include <otter/link.hpp>
#include <otter/name.hpp>
#include <otter/process_info.hpp>
#include <otter/timer.hpp>
#include <vector>

#include "on_every_driver.hpp"
#include "trace.hpp"

using namespace trace;
using otter::info_item;
using otter::process_info;
using otter_test::driver_report;
using otter_test::on_every_driver;

namespace hibernate_test {

class sleeper : public otter::gen_server<sleeper> {
 public:
  struct sleep {};
  struct sleep_now {
    using reply = int;
  };
  struct grow {
    std::vector<otter::pid> friends;
  };
  struct nudge {};
  struct make_alias {
    using reply = otter::alias_ref;
  };
  struct watch {
    using reply = otter::monitor_ref;
    otter::pid who;
  };
  using accepts = otter::accepts<sleep, sleep_now, grow, nudge, make_alias, watch>;

  explicit sleeper(otter::pid observer) : observer_(observer) {}

  otter::outcome handle_cast(sleep) { return noreply().hibernate(); }
  otter::call_outcome<int> handle_call(sleep_now) { return reply(1).hibernate(); }
  void handle_cast(grow g) {
    // Links that come and go leave room in the process's tables.
    for (otter::pid p : g.friends) otter::link(p);
    for (otter::pid p : g.friends) otter::unlink(p);
  }
  otter::alias_ref handle_call(make_alias) { return otter::alias(); }
  otter::monitor_ref handle_call(watch w) { return otter::monitor(w.who); }
  void handle_info(nudge) { tell(observer_, "nudge"); }
  void handle_info(otter::down) { tell(observer_, "down"); }
  void hibernate() { tell(observer_, "hibernate"); }
  void terminate(otter::exit_reason const&) { tell(observer_, "terminate"); }

 private:
  otter::pid observer_;
};

std::uint64_t stack_of(otter::pid p) {
  return process_info<std::uint64_t>(p, info_item::stack_size).value_or(1);
}
std::uint64_t memory_of(otter::pid p) {
  return process_info<std::uint64_t>(p, info_item::memory).value_or(0);
}

}  // namespace hibernate_test

using namespace hibernate_test;

TEST_CASE("a server that waits holds no stack, a function that waits does", "[gen][PI-11]") {
  on_every_driver([](driver_report& report) {
    auto server = sleeper::start_link(otter::self()).value();
    report.equal("server", stack_of(server), std::uint64_t{0});
    struct go {};
    otter::pid function = otter::spawn([] { otter::receive([](go) {}); });
    while (process_info<std::string>(function, info_item::waiting_in) != "receive")
      otter::sleep_for(100us);
    report.check("function", stack_of(function) > 0);
    otter::send(function, go{});
    otter::stop(server);
  });
}

TEST_CASE("hibernation shrinks what it can and ends with the next message", "[gen][PI-9]") {
  on_every_driver([](driver_report& report) {
    auto server = sleeper::start_link(otter::self()).value();
    struct go {};
    std::vector<otter::pid> friends;
    for (int i = 0; i < 200; ++i)
      friends.push_back(otter::spawn([] { otter::receive([](go) {}); }));
    otter::cast(server, sleeper::grow{friends});
    otter::call(server, sleeper::make_alias{});  // it has treated the cast
    for (otter::pid p : friends) otter::send(p, go{});
    for (otter::pid p : friends) end_of(p);
    std::uint64_t const before = memory_of(server);
    report.equal("call", otter::call(server, sleeper::sleep_now{}), 1);
    report.equal("its own part", next(), std::string("hibernate"));
    report.check("less memory", memory_of(server) < before);
    report.equal("no stack", stack_of(server), std::uint64_t{0});
    otter::send(server, sleeper::nudge{});
    report.equal("the next message wakes it", next(), std::string("nudge"));
    otter::stop(server);
  });
}

TEST_CASE("with a message waiting hibernation ends at once", "[gen][PI-9]") {
  on_every_driver([](driver_report& report) {
    auto server = sleeper::start_link(otter::self()).value();
    otter::cast(server, sleeper::sleep{});
    otter::send(server, sleeper::nudge{});
    otter::cast(server, sleeper::sleep{});
    report.equal("first", next(), std::string("hibernate"));
    report.equal("second", next(), std::string("nudge"));
    report.equal("third", next(), std::string("hibernate"));
    otter::stop(server);
  });
}

TEST_CASE("timers, names, aliases and monitors go on during hibernation", "[gen][PI-10]") {
  on_every_driver([](driver_report& report) {
    struct go {};
    auto server = sleeper::start_link({.name = "sleeper"}, otter::self()).value();
    otter::pid watched = otter::spawn([] { otter::receive([](go) {}); });
    otter::alias_ref alias = otter::call(server, sleeper::make_alias{});
    otter::call(server, sleeper::watch{watched});
    auto const sleep = [&] {
      otter::call(server, sleeper::sleep_now{});
      return next();
    };
    report.equal("asleep", sleep(), std::string("hibernate"));
    otter::send_after(1ms, server, sleeper::nudge{});
    report.equal("timer", next(), std::string("nudge"));
    sleep();
    otter::send("sleeper", sleeper::nudge{});
    report.equal("name", next(), std::string("nudge"));
    sleep();
    otter::send(alias, sleeper::nudge{});
    report.equal("alias", next(), std::string("nudge"));
    sleep();
    otter::send(watched, go{});
    report.equal("monitor", next(), std::string("down"));
    otter::stop(server);
  });
}

TEST_CASE("an exit signal ends a hibernating server without running its code", "[gen][PI-10]") {
  on_every_driver([](driver_report& report) {
    auto server = sleeper::start(otter::self()).value();
    otter::monitor_ref end = otter::monitor(server);
    otter::call(server, sleeper::sleep_now{});
    report.equal("asleep", next(), std::string("hibernate"));
    otter::exit(server, otter::exit_reason::of("gone"));
    report.equal("reason", end_of(end), text(otter::exit_reason::of("gone")));
    report.check("nothing was told", mailbox_is_empty());
  });
}
