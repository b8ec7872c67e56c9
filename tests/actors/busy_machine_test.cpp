// A state machine that says no instead of answering too late, also to what it has postponed.

#include <catch2/catch.hpp>
#include <otter/busy_policy.hpp>
#include <otter/exit.hpp>
#include <otter/gen_statem.hpp>
#include <otter/request.hpp>
#include <otter/sys.hpp>
#include <string>
#include <utility>
#include <vector>

#include "on_every_driver.hpp"
#include "trace.hpp"

using namespace trace;

namespace busy_machine_test {

struct go {};

/// Postpones what is asked until it is connected.
class link : public otter::gen_statem<link> {
 public:
  enum class state { connecting, connected };
  struct hold {};  // until `go`
  struct connect {};
  struct note {
    int n;
  };
  struct ask {
    using reply = int;
    int n;
  };
  struct counts {
    using reply = otter::busy_count;
  };
  using accepts = otter::accepts<hold, connect, note, ask, counts>;

  otter::busy_policy busy;

  link(otter::pid test, otter::busy_policy policy) : busy(policy), test_(test) {}

  void handle_event(state, hold) {
    tell(test_, "held");
    otter::receive([](go) {});
  }
  transition handle_event(state, connect) { return next_state(state::connected); }
  void handle_event(state, note n) { tell(test_, "note " + std::to_string(n.n)); }
  transition handle_event(in<state::connecting>, ask const&) { return postpone(); }
  int handle_event(in<state::connected>, ask const& a) {
    tell(test_, "call " + std::to_string(a.n));
    return a.n;
  }
  otter::busy_count handle_event(state, counts) { return otter::busy_counts(); }

 private:
  otter::pid test_;
};

using asked = otter::sent_request<int>;

inline otter::server_ref<link> started(otter::busy_policy policy) {
  return link::start_link(otter::self(), policy).value();
}
inline void hold(otter::server_ref<link> machine) {
  otter::cast(machine, link::hold{});
  next();  // it is held
}
inline std::vector<asked> ask(otter::pid machine, int first, int last) {
  std::vector<asked> ids;
  for (int n = first; n <= last; ++n) ids.push_back(otter::send_request(machine, link::ask{n}));
  return ids;
}
/// The answer, or why there is none; kinds only.
inline std::string answer(asked const& id) {
  auto const got = otter::receive_response(id, patience);
  if (!got) return "nothing";
  return *got ? std::to_string(**got) : std::string(to_string(got->error().kind()));
}
inline std::string answers(std::vector<asked> const& ids) {
  std::string all;
  for (asked const& id : ids) all += (all.empty() ? "" : " ") + answer(id);
  return all;
}

}  // namespace busy_machine_test

using namespace busy_machine_test;

TEST_CASE("a machine refuses the oldest calls while more than max_calls wait, and serves the rest",
          "[gen_statem][busy_policy][PI-14]") {
  on_every_driver([](driver_report& report) {
    auto const machine = started({.max_calls = 2});
    otter::cast(machine, link::connect{});
    hold(machine);
    auto const ids = ask(machine, 1, 5);
    otter::send(machine.process(), go{});
    report.equal("answers", answers(ids), "busy busy 3 4 5");
    report.equal("what it did first", next(), "call 3");
    report.equal("counted", otter::call(machine, link::counts{}).refused, 2u);
    report.check("status", otter::sys::get_status(machine).find("refused as busy: 2 calls") !=
                               std::string::npos);
  });
}

TEST_CASE("postponed calls wait too: the oldest of them is refused first",
          "[gen_statem][busy_policy][PI-14]") {
  on_every_driver([](driver_report& report) {
    auto const machine = started({.max_calls = 2});
    std::vector<asked> ids;
    for (int n = 1; n <= 4; ++n) {
      ids.push_back(otter::send_request(machine, link::ask{n}));
      otter::cast(machine, link::note{n});  // behind it
      next();                               // so it is postponed now
    }
    report.equal("the first was refused", answer(ids[0]), "busy");
    otter::cast(machine, link::connect{});
    report.equal("the others are served", answer(ids[1]) + answer(ids[2]) + answer(ids[3]), "234");
    report.equal("counted", otter::call(machine, link::counts{}).refused, 1u);
  });
}

TEST_CASE("a postponed call whose caller has given up is not served, if the machine says so",
          "[gen_statem][busy_policy][GC-6]") {
  on_every_driver([](driver_report& report) {
    for (auto const stale : {otter::stale_calls::serve, otter::stale_calls::skip}) {
      auto const machine = started({.stale = stale});
      auto const ids = ask(machine, 1, 2);
      otter::call(machine, link::counts{});  // both are postponed now
      report.check("late", !otter::receive_response(ids[0], 0s));
      otter::cast(machine, link::connect{});
      report.equal("the other", answer(ids[1]), "2");
      bool const skips = stale == otter::stale_calls::skip;
      if (!skips) report.equal("served all the same", next(), "call 1");
      report.equal("served", next(), "call 2");
      report.equal("counted", otter::call(machine, link::counts{}).stale, skips ? 1u : 0u);
    }
  });
}

TEST_CASE("a machine drops casts while too many calls wait, if it says so, and none by itself",
          "[gen_statem][busy_policy]") {
  on_every_driver([](driver_report& report) {
    for (auto const casts : {otter::busy_casts::serve, otter::busy_casts::drop}) {
      auto const machine = started({.max_calls = 1, .casts = casts});
      otter::cast(machine, link::connect{});
      hold(machine);
      otter::cast(machine, link::note{1});
      auto const ids = ask(machine, 1, 2);
      otter::send(machine.process(), go{});
      report.equal("calls", answers(ids), "1 2");
      bool const drops = casts == otter::busy_casts::drop;
      if (!drops) report.equal("served in its turn", next(), "note 1");
      report.equal("calls", next(), "call 1");
      report.equal("calls", next(), "call 2");
      report.equal("counted", otter::call(machine, link::counts{}).dropped_casts, drops ? 1u : 0u);
    }
  });
}
