// A server that says no instead of answering too late.

#include <catch2/catch.hpp>
#include <cstdint>
#include <memory>
#include <otter/busy_policy.hpp>
#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <otter/process_info.hpp>
#include <otter/request.hpp>
#include <otter/sys.hpp>
#include <string>
#include <utility>
#include <vector>

#include "process_support.hpp"
#include "trace.hpp"

using namespace trace;
using process_test::go;

namespace busy_policy_test {

/// Tells what it serves. While it is held, calls and casts pile up.
class desk : public otter::gen_server<desk> {
 public:
  struct hold {};  // until `go`
  struct ask {
    using reply = int;
    int n;
  };
  struct note {
    int n;
  };
  struct set {
    otter::busy_policy policy;
  };
  struct counts {
    using reply = otter::busy_count;
  };
  using accepts = otter::accepts<hold, ask, note, set, counts>;

  otter::busy_policy busy;

  desk(otter::pid test, otter::busy_policy policy) : busy(policy), test_(test) {}

  void handle_cast(hold) {
    tell(test_, "held");
    otter::receive([](go) {});
  }
  int handle_call(ask a) {
    tell(test_, "call " + std::to_string(a.n));
    return a.n;
  }
  void handle_cast(note n) { tell(test_, "cast " + std::to_string(n.n)); }
  void handle_cast(set s) { busy = s.policy; }
  otter::busy_count handle_call(counts) { return otter::busy_counts(); }

 private:
  otter::pid test_;
};

using asked = otter::sent_request<int>;

inline otter::server_ref<desk> held(otter::busy_policy policy) {
  auto const server = desk::start_link(otter::self(), policy).value();
  otter::cast(server, desk::hold{});
  next();  // it is held
  return server;
}
inline asked ask(otter::pid server, int n) { return otter::send_request(server, desk::ask{n}); }

/// The answer, or why there is none; kinds only.
inline std::string answer(asked const& id) {
  auto const got = otter::receive_response(id, patience);
  if (!got) return "nothing";
  return *got ? std::to_string(**got) : std::string(to_string(got->error().kind()));
}
inline std::string text_of_answer(asked const& id) {
  auto const got = otter::receive_response(id, patience);
  return got && !*got ? to_string(got->error()) : "an answer";
}
inline bool contains(std::string const& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// Returns when the process waits for the answer to a call: its request is at the server.
inline void wait_until_it_calls(otter::pid caller) {
  while (otter::process_info<std::string>(caller, otter::info_item::waiting_in) != "call")
    otter::checkpoint();
}

/// Its policy is a constant of the class.
class strict : public otter::gen_server<strict> {
 public:
  struct hold {};
  struct ask {
    using reply = int;
    int n;
  };
  using accepts = otter::accepts<hold, ask>;
  static constexpr otter::busy_policy busy{.max_calls = 0};
  void handle_cast(hold) {
    otter::receive([](go) {});
  }
  int handle_call(ask a) { return a.n; }
};

/// Takes 50 ms for each call.
class slow : public otter::gen_server<slow> {
 public:
  struct ask {
    using reply = void;
  };
  using accepts = otter::accepts<ask>;
  otter::busy_policy busy;
  explicit slow(otter::busy_policy policy) : busy(policy) {}
  void handle_call(ask) { otter::sleep_for(50ms); }
};

/// How many of 1000 callers, who come every 10 ms and wait for 400 ms, are answered in time.
inline int answered_in_time(otter::busy_policy policy) {
  auto const server = slow::start_link(policy).value();
  auto const answered = std::make_shared<int>(0);  // the simulation has one thread
  std::vector<otter::monitor_ref> callers;
  for (int i = 0; i != 1000; ++i) {
    callers.push_back(otter::spawn_monitor([server, answered] {
                        if (otter::try_call(server, slow::ask{}, 400ms)) ++*answered;
                      }).ref);
    otter::sleep_for(10ms);
  }
  for (auto const ref : callers) end_of(ref);
  otter::stop(server);
  return *answered;
}

}  // namespace busy_policy_test

using namespace busy_policy_test;

TEST_CASE("while more than max_calls calls wait, the oldest are answered busy, with the numbers",
          "[gen_server][busy_policy][PI-14]") {
  on_every_driver([](driver_report& report) {
    auto const server = held({.max_calls = 2});
    std::vector<asked> ids;
    for (int i = 1; i <= 5; ++i) ids.push_back(ask(server, i));
    otter::send(server, go{});
    std::string const first = text_of_answer(ids[0]);
    report.check("the server", contains(first, "busy(") && contains(first, "desk"));
    report.check("the numbers: " + first, contains(first, "4 calls wait") &&
                                              contains(first, "max_calls (2)") &&
                                              contains(first, "try again"));
    report.equal("the second", answer(ids[1]), "busy");
    for (int i = 3; i <= 5; ++i)
      report.equal("served", answer(ids.at(static_cast<std::size_t>(i - 1))), std::to_string(i));
    report.equal("what it did first", next(), "call 3");
    report.equal("refused", otter::call(server, desk::counts{}).refused, 2u);
  });
}

TEST_CASE("a call that fails because the server is busy fails for a cause of kind busy",
          "[gen_server][busy_policy][GC-7]") {
  on_every_driver([](driver_report& report) {
    auto const server = strict::start_link().value();
    otter::cast(server, strict::hold{});
    std::vector<otter::spawned> callers;
    auto const call = [server, me = otter::self()] {
      tell(me, contains(failure_of([&] { otter::call(server, strict::ask{1}); }), "busy(")
                   ? "busy"
                   : "served");
    };
    for (int i = 0; i != 2; ++i) callers.push_back(otter::spawn_monitor(call));
    for (otter::pid const caller : callers) wait_until_it_calls(caller);
    otter::send(server, go{});
    std::string const one = next();
    std::string const other = next();
    report.check("one is refused, one is served: " + one + " " + other, one != other);
    for (otter::spawned const& caller : callers) end_of(caller.ref);
  });
}

TEST_CASE("a call whose caller has given up is not served, if the server says so",
          "[gen_server][busy_policy][GC-6]") {
  on_every_driver([](driver_report& report) {
    auto const server = held({.stale = otter::stale_calls::skip});
    asked const first = ask(server, 1);
    asked const second = ask(server, 2);
    asked const third = ask(server, 3);
    report.check("late", !otter::receive_response(second, 0s));
    otter::spawned const caller =
        otter::spawn_monitor([server] { otter::call(server, desk::ask{4}, otter::infinity); });
    wait_until_it_calls(caller);
    otter::exit(caller, otter::exit_reason::kill());
    end_of(caller.ref);
    otter::send(server, go{});
    report.equal("before it", answer(first), "1");
    report.equal("behind it", answer(third), "3");
    auto const counts = otter::call(server, desk::counts{});
    report.equal("one was late, one has ended", counts.stale, 2u);
    report.equal("nobody was refused", counts.refused, 0u);
    report.equal("served", next(), "call 1");
    report.equal("served", next(), "call 3");
    report.check("nothing else", mailbox_is_empty());
  });
}

TEST_CASE("without a policy a server serves calls whose callers have given up",
          "[gen_server][busy_policy][GC-6]") {
  on_every_driver([](driver_report& report) {
    auto const server = held({});
    asked const given_up = ask(server, 1);
    asked const other = ask(server, 2);
    report.check("late", !otter::receive_response(given_up, 0s));
    otter::send(server, go{});
    report.equal("the other", answer(other), "2");
    report.equal("served all the same", next(), "call 1");
    report.check("counts nothing", otter::call(server, desk::counts{}) == otter::busy_count{});
  });
}

TEST_CASE("a server may refuse all that waits behind a call whose caller has given up",
          "[gen_server][busy_policy][GC-6]") {
  on_every_driver([](driver_report& report) {
    auto const server = held({.stale = otter::stale_calls::clear});
    asked const stale = ask(server, 1);
    asked const second = ask(server, 2);
    asked const third = ask(server, 3);
    report.check("late", !otter::receive_response(stale, 0s));
    otter::send(server, go{});
    report.check("says why", contains(text_of_answer(second), "waited longer than its caller"));
    report.equal("the last of them", answer(third), "busy");
    report.equal("who comes later is served", answer(ask(server, 4)), "4");
    report.equal("the first that was served", next(), "call 4");
    report.check("counted", otter::call(server, desk::counts{}) ==
                                otter::busy_count{.refused = 2, .stale = 1, .dropped_casts = 0});
  });
}

TEST_CASE("casts are dropped and counted while too many calls wait, if the server says so",
          "[gen_server][busy_policy][PI-14]") {
  on_every_driver([](driver_report& report) {
    for (auto const casts : {otter::busy_casts::serve, otter::busy_casts::drop}) {
      auto const server = held({.max_calls = 1, .casts = casts});
      otter::cast(server, desk::note{1});
      std::vector<asked> ids;
      for (int i = 1; i <= 2; ++i) ids.push_back(ask(server, i));
      otter::cast(server, desk::note{2});
      otter::send(server, go{});
      for (auto const& id : ids) answer(id);
      bool const drops = casts == otter::busy_casts::drop;
      if (!drops) report.equal("served in its turn", next(), "cast 1");
      report.equal("calls", next(), "call 1");
      report.equal("calls", next(), "call 2");
      report.equal("when few wait it is served", next(), "cast 2");
      report.equal("counted", otter::call(server, desk::counts{}).dropped_casts, drops ? 1u : 0u);
    }
  });
}

TEST_CASE("a policy may be changed while the server runs, and its status tells the counts",
          "[gen_server][busy_policy]") {
  on_every_driver([](driver_report& report) {
    auto const server = held({.max_calls = 0});
    asked const refused = ask(server, 1);
    otter::cast(server, desk::set{{}});
    asked const served = ask(server, 2);
    asked const last = ask(server, 3);
    otter::send(server, go{});
    report.equal("before", answer(refused), "busy");
    report.equal("after", answer(served), "2");
    report.equal("after", answer(last), "3");
    report.check("status", contains(otter::sys::get_status(server), "refused as busy: 1 calls"));
  });
}

TEST_CASE(
    "an overloaded server that refuses answers as many in time as it can, one that does not "
    "hardly any",
    "[gen_server][busy_policy]") {
  in_simulation([](driver_report& report) {
    // It can serve 20 in a second, and for ten seconds 100 come in each.
    int const without = answered_in_time({});
    int const with = answered_in_time({.max_calls = 4, .stale = otter::stale_calls::skip});
    report.check("without: " + std::to_string(without), without < 20);
    report.check("with: " + std::to_string(with), with > 180);
  });
}
