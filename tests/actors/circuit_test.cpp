// Not asking a server that does not answer.

#include <catch2/catch.hpp>
#include <otter/circuit.hpp>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <otter/name.hpp>
#include <otter/sys.hpp>
#include <string>
#include <utility>
#include <vector>

#include "process_support.hpp"
#include "trace.hpp"

using namespace trace;
using otter::circuit_state;
using process_test::errc_of;

namespace circuit_test {

/// Answers, or lets its callers wait, or ends.
class shop : public otter::gen_server<shop> {
 public:
  enum class mood { answers, waits, ends };
  struct ask {
    using reply = int;
  };
  struct be {
    mood how;
  };
  struct asked {
    using reply = int;
  };
  struct unheard_of {
    using reply = int;
  };
  using accepts = otter::accepts<ask, be, asked>;

  otter::call_outcome<int> handle_call(ask) {
    ++asked_;
    if (mood_ == mood::ends) return stop(otter::exit_reason::of("sold out"));
    if (mood_ == mood::waits) return noreply();
    return 42;
  }
  void handle_cast(be b) { mood_ = b.how; }
  int handle_call(asked) { return asked_; }

 private:
  mood mood_ = mood::answers;
  int asked_ = 0;
};

inline const otter::circuit guard{"guard"};

inline void must_start(otter::circuit_options how) { guard.start_link(std::move(how)).value(); }

/// "42", or why there is no answer: "refused", or the kind of the reason.
inline std::string ask(otter::pid server, otter::duration limit = 100ms) {
  auto const got = guard.try_call(server, shop::ask{}, limit);
  if (got) return std::to_string(*got);
  if (got.error().get<otter::circuit_open>() != nullptr) return "refused";
  return std::string(to_string(got.error().kind()));
}

inline otter::pid nobody() {
  otter::spawned const p = otter::spawn_monitor([] {});
  end_of(p.ref);
  return p;
}

}  // namespace circuit_test

using namespace circuit_test;

TEST_CASE("so many failed calls open a circuit, and then nobody is asked", "[circuit]") {
  on_every_driver([](driver_report& report) {
    must_start({.failures = 3, .window = 1h, .open_for = 1h});
    auto const server = shop::start_link().value();
    report.equal("closed", ask(server, patience), "42");
    for (int i = 0; i != 3; ++i) report.equal("failed", ask(nobody()), "noproc");
    report.check("open", guard.status().state == circuit_state::open);
    report.equal("refused", ask(server, patience), "refused");
    report.check("by a call too", failure_of([&] {
                                    guard.call(server, shop::ask{});
                                  }).starts_with("circuit \"guard\" is open after 3 failures"));
    report.equal("and did not reach the server", otter::call(server, shop::asked{}), 1);
    auto const status = guard.status();
    report.equal("counted: opened", status.opened, 1u);
    report.equal("counted: failed", status.failed, 3u);
    report.equal("counted: refused", status.refused, 2u);
    report.check("the last reason", status.last_failure == otter::exit_reason::noproc());
    report.equal("said once", report.count_events("circuit \"guard\" opens"), std::size_t{1});
  });
}

TEST_CASE("time-outs and ends of the server count as failures, answers do not", "[circuit]") {
  in_simulation([](driver_report& report) {
    otter::trap_exit(true);
    must_start({.failures = 2});
    auto const server = shop::start_link().value();
    otter::cast(server, shop::be{shop::mood::waits});
    report.equal("late", ask(server), "timeout");
    otter::cast(server, shop::be{shop::mood::answers});
    report.equal("answered", ask(server), "42");
    report.equal("one failure", guard.status().failures, 1u);
    otter::cast(server, shop::be{shop::mood::ends});
    report.equal("ended", ask(server), "user");
    report.check("open", guard.status().state == circuit_state::open);
  });
}

TEST_CASE("a refused call says until when, by the node's clock", "[circuit]") {
  in_simulation([](driver_report& report) {
    must_start({.failures = 1, .open_for = 5s});
    otter::pid const dead = nobody();
    // Each step takes some microseconds of virtual time.
    auto const before = otter::node_clock::now();
    ask(dead);
    auto const behind = otter::node_clock::now();
    otter::sleep_for(2s);
    auto const asked_at = otter::node_clock::now();
    auto const got = guard.try_call(dead, shop::ask{});
    auto const refused_by = otter::node_clock::now();
    auto const* why = got.error().get<otter::circuit_open>();
    report.check("refused", why != nullptr);
    if (why == nullptr) return;
    report.equal("by", why->circuit, "guard");
    report.check("until", why->until >= before + 5s && why->until <= behind + 5s);
    report.check("left",
                 why->left <= why->until - asked_at && why->left >= why->until - refused_by);
    report.check("status", guard.status().left <= why->left && guard.status().left > 2s);
    report.check("as a text: " + to_string(*why),
                 to_string(*why).find("open after 1 failures: it refuses calls for another ") !=
                     std::string::npos);
  });
}

TEST_CASE("failures that lie further apart than the window do not open a circuit", "[circuit]") {
  in_simulation([](driver_report& report) {
    must_start({.failures = 3, .window = 10s});
    otter::pid const dead = nobody();
    for (int i = 0; i != 10; ++i) {
      report.equal("asked", ask(dead), "noproc");
      otter::sleep_for(5s);
    }
    report.check("closed", guard.status().state == circuit_state::closed);
    report.equal("of the last ten seconds", guard.status().failures, 1u);
    for (int i = 0; i != 2; ++i) ask(dead);
    report.check("three within ten seconds", guard.status().state == circuit_state::open);
  });
}

TEST_CASE("after open_for a call is let through, and its answer closes the circuit", "[circuit]") {
  in_simulation([](driver_report& report) {
    must_start({.failures = 1, .open_for = 5s});
    auto const server = shop::start_link().value();
    ask(nobody());
    otter::sleep_for(4s);
    report.equal("not yet", ask(server), "refused");
    otter::sleep_for(2s);
    report.equal("now", ask(server), "42");
    report.check("closed", guard.status().state == circuit_state::closed);
    report.equal("and goes on", ask(server), "42");
    report.equal("said once", report.count_events("circuit \"guard\" closes"), std::size_t{1});
  });
}

TEST_CASE("a trial that fails opens the circuit again, for the whole time", "[circuit]") {
  in_simulation([](driver_report& report) {
    must_start({.failures = 3, .open_for = 5s});
    otter::pid const dead = nobody();
    auto const server = shop::start_link().value();
    for (int i = 0; i != 3; ++i) ask(dead);
    otter::sleep_for(6s);
    report.equal("one failure is enough", ask(dead), "noproc");
    report.check("open", guard.status().state == circuit_state::open);
    report.equal("twice", guard.status().opened, 2u);
    otter::sleep_for(4s);
    report.equal("still", ask(server), "refused");
    otter::sleep_for(2s);
    report.equal("again", ask(server), "42");
  });
}

TEST_CASE("half open, so many calls as trials are let through, and all of them must succeed",
          "[circuit]") {
  in_simulation([](driver_report& report) {
    must_start({.failures = 1, .open_for = 5s, .trials = 2});
    auto const server = shop::start_link().value();
    otter::cast(server, shop::be{shop::mood::waits});
    ask(nobody());
    otter::sleep_for(6s);
    std::vector<otter::monitor_ref> trials;
    for (int i = 0; i != 2; ++i)
      trials.push_back(
          otter::spawn_monitor([server, me = otter::self()] { tell(me, ask(server, 2s)); }).ref);
    otter::sleep_for(1s);
    report.check("half open", guard.status().state == circuit_state::half_open);
    report.equal("a third is refused", ask(server), "refused");
    report.check(
        "for how long is not known",
        guard.try_call(server, shop::ask{}).error().get<otter::circuit_open>()->left == 0s);
    report.equal("they fail", next(), "timeout");
    next();
    report.check("open again", guard.status().state == circuit_state::open);
    otter::cast(server, shop::be{shop::mood::answers});
    otter::sleep_for(6s);
    report.equal("one", ask(server), "42");
    report.check("is not enough", guard.status().state == circuit_state::half_open);
    report.equal("two", ask(server), "42");
    report.check("are", guard.status().state == circuit_state::closed);
  });
}

TEST_CASE("a caller that is ended during its trial gives its place to another", "[circuit]") {
  in_simulation([](driver_report& report) {
    must_start({.failures = 1, .open_for = 5s});
    auto const server = shop::start_link().value();
    otter::cast(server, shop::be{shop::mood::waits});
    ask(nobody());
    otter::sleep_for(6s);
    otter::spawned const caller = otter::spawn_monitor([server] { ask(server, otter::infinity); });
    otter::sleep_for(1s);
    report.equal("its trial is under way", ask(server), "refused");
    otter::exit(caller, otter::exit_reason::kill());
    end_of(caller.ref);
    otter::cast(server, shop::be{shop::mood::answers});
    report.equal("another's", ask(server), "42");
    report.check("decides", guard.status().state == circuit_state::closed);
  });
}

TEST_CASE("a trial that never comes back is given up after open_for", "[circuit]") {
  in_simulation([](driver_report& report) {
    must_start({.failures = 1, .open_for = 5s});
    auto const server = shop::start_link().value();
    otter::cast(server, shop::be{shop::mood::waits});
    ask(nobody());
    otter::sleep_for(6s);
    otter::spawn_link([server] { ask(server, otter::infinity); });
    otter::sleep_for(4s);
    otter::cast(server, shop::be{shop::mood::answers});
    report.equal("not yet", ask(server), "refused");
    otter::sleep_for(2s);
    report.equal("another", ask(server), "42");
    report.check("closed", guard.status().state == circuit_state::closed);
  });
}

TEST_CASE("what does not count as a failure does not open a circuit", "[circuit]") {
  on_every_driver([](driver_report& report) {
    auto const sup = guard.start_link({.failures = 1, .open_for = 1h}).value();
    auto const server = shop::start_link().value();
    auto const got = guard.try_call(otter::pid(server), shop::unheard_of{});
    report.equal("a request that the server does not know", got.error().type_name(),
                 otter::unknown_request);
    guard.try_call(otter::self(), shop::ask{});
    report.check("nor a call to oneself", guard.status().state == circuit_state::closed);
    otter::stop(sup);
    must_start({.failures = 1, .open_for = 1h, .counts = [](otter::exit_reason const& why) {
                  return !(why == otter::exit_kind::noproc);
                }});
    ask(nobody());
    report.check("what the program leaves out", guard.status().state == circuit_state::closed);
    report.equal("failures", guard.status().failures, 0u);
  });
}

TEST_CASE("run() guards whatever fails by process_exit, for any address", "[circuit]") {
  on_every_driver([](driver_report& report) {
    must_start({.failures = 2, .open_for = 1h});
    auto const server = shop::start_link(otter::start_options{.name = "shop"}).value();
    report.equal("by name", guard.call("shop", shop::ask{}), 42);
    report.equal("several calls", guard.run([&] {
      return otter::call(server, shop::ask{}) + otter::call(server, shop::ask{});
    }),
                 84);
    guard.run([] {});
    auto const fails = [&] { guard.run([] { otter::exit(otter::exit_reason::of("no")); }); };
    report.equal("thrown on", failure_of(fails), "no");
    report.equal("another exception is thrown on, and is no failure",
                 errc_of([&] { guard.run([] { throw otter::error(otter::errc::badarg, "x"); }); }),
                 "badarg");
    report.equal("one", guard.status().failures, 1u);
    failure_of(fails);
    report.check("open", guard.status().state == circuit_state::open);
    bool ran = false;
    report.check("refused",
                 failure_of([&] { guard.run([&] { ran = true; }); }).starts_with("circuit"));
    report.check("not run", !ran);
  });
}

TEST_CASE("a circuit that does not run is noproc, and one that cannot be is badarg", "[circuit]") {
  on_every_driver([](driver_report& report) {
    auto const server = shop::start_link().value();
    report.equal("a call", ask(server, patience), "noproc");
    report.equal("did not reach the server", otter::call(server, shop::asked{}), 0);
    report.equal("its state", failure_of([&] { static_cast<void>(guard.status()); }), "noproc");
    report.equal("no name", errc_of([] { otter::circuit("").start_link().value(); }), "badarg");
    report.equal("no failures", errc_of([] { must_start({.failures = 0}); }), "badarg");
    report.equal("no trials", errc_of([] { must_start({.trials = 0}); }), "badarg");
    report.equal("no time", errc_of([] { must_start({.open_for = 0s}); }), "badarg");
    otter::pid const process = guard.start_link().value();
    report.check("once",
                 guard.start_link().error().what == otter::start_error::kind::already_started);
    report.check("shown",
                 otter::sys::get_status(process).find("closed, 0 failures") != std::string::npos);
  });
}

TEST_CASE("many callers of one circuit see one state", "[circuit]") {
  on_every_driver([](driver_report& report) {
    must_start({.failures = 100, .window = 1h, .open_for = 1h});
    otter::pid const dead = nobody();
    std::vector<otter::monitor_ref> callers;
    for (int i = 0; i != 8; ++i)
      callers.push_back(otter::spawn_monitor([dead] {
                          for (int k = 0; k != 50; ++k) ask(dead);
                        }).ref);
    for (auto const ref : callers) end_of(ref);
    auto const status = guard.status();
    report.check("open", status.state == circuit_state::open);
    report.equal("once", status.opened, 1u);
    report.check("each call failed or was refused", status.failed + status.refused == 400);
  });
}
