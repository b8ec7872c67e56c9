// Processes that wait for each other are named: soon, or when the time of one of them is over.

#include <initializer_list>
#include <otter/detail/call.hpp>
#include <otter/message.hpp>
#include <otter/name.hpp>
#include <otter/process_info.hpp>
#include <otter/reactive.hpp>
#include <vector>

#include "process_support.hpp"

using namespace process_test;
using otter::overflow;

namespace {

struct question {};

std::string call(otter::pid p, otter::duration limit) {
  otter::detail::response const r = otter::detail::call(
      p, otter::detail::pack<question>(otter::detail::signal_kind::request, question{}), limit);
  return r.reply ? "answered" : to_string(r.why);
}

/// A process that runs `body` when an exit signal, which no limit refuses, tells it to.
template <class Body>
otter::spawned told_by_exit(char const* name, otter::mailbox_limit limit, Body body) {
  otter::spawned const p = otter::spawn(
      otter::spawn_options{.monitor = otter::alias_mode::none, .name = name, .max_mailbox = limit},
      [body, me = otter::self()] {
        otter::trap_exit(true);
        otter::send(me, go{});
        otter::receive([](otter::exited const&) {});
        body();
      });
  otter::receive([](go) {});
  return p;
}

void tell(otter::pid p) { otter::exit(p, exit_reason::of("now")); }

/// Whether `p` comes to wait in `what`. Each look lets it run, so a few are enough.
bool comes_to_wait_in(otter::pid p, std::string_view what) {
  for (int looks = 0; looks < 10'000; ++looks)
    if (otter::process_info<std::string>(p, otter::info_item::waiting_in) == what) return true;
  return false;
}

/// The reports of circles.
std::vector<std::string> circles(driver_report const& report) {
  std::vector<std::string> texts;
  for (auto const& e : report.events())
    if (e.what == otter::node_event::kind::failure &&
        e.text.find("wait for each other in a circle") != std::string::npos)
      texts.push_back(e.text);
  return texts;
}

/// Waits for a report of a circle; not for ever, so that one that never comes is a failure and no
/// hang.
void await_circle(driver_report const& report) {
  for (int looks = 0; circles(report).empty() && looks < 20'000; ++looks)
    otter::receive([](go) {}, otter::after(1ms));
}

bool in_the_first(driver_report const& report, std::string_view name) {
  auto const all = circles(report);
  return !all.empty() && all.front().find(name) != std::string::npos;
}

struct meet {
  otter::pid other;
};

/// Answers who asks it and asks back: at every moment one of two seems to wait for the other.
class player final : public otter::reactive {
 public:
  explicit player(otter::pid test) : test_(test) {}
  void start() override {}
  void handle(otter::event& e) override {
    if (meet* const m = e.get_if<meet>()) call(m->other, otter::infinity);
    if (e.what() != otter::event::kind::request) return;
    otter::from const who = e.caller();
    otter::detail::reply(who, otter::detail::pack<int>(otter::detail::signal_kind::reply, 1));
    if (--left_ > 0)
      call(who.caller(), otter::infinity);
    else
      otter::send(test_, go{});
  }

 private:
  otter::pid test_;
  int left_ = 500;
};

void end_all(std::initializer_list<otter::spawned> all) {
  for (otter::spawned p : all) otter::exit(p, exit_reason::kill());
  for (otter::spawned p : all) end_of(p.ref);
}

}  // namespace

TEST_CASE("calls in a circle are reported with the names of those who wait", "[call][PI-14]") {
  on_every_driver([](driver_report& report) {
    auto const a = told_by_exit("anna", {}, [] { call(otter::whereis("berta"), 1h); });
    auto const b = told_by_exit("berta", {}, [] { call(otter::whereis("clara"), 1h); });
    auto const c = told_by_exit("clara", {}, [me = otter::self()] {
      otter::send(me, number{call(otter::whereis("anna"), 1ms) == "answered" ? 1 : 0});
    });
    tell(a);
    tell(b);
    report.check("a waits in call", comes_to_wait_in(a, "call"));
    report.check("b waits in call", comes_to_wait_in(b, "call"));
    tell(c);
    report.equal("the call is late", otter::receive([](number x) { return x.n; }), 0);
    report.equal("reported once", circles(report).size(), 1u);
    for (char const* name : {"anna", "berta", "clara"})
      report.check(name, in_the_first(report, name));
    end_all({a, b, c});
  });
}

TEST_CASE("a circle may lead through a full mailbox", "[limits][PI-14]") {
  on_every_driver([](driver_report& report) {
    otter::mailbox_limit const full{.limit = 1, .policy = overflow::block};
    auto const a = told_by_exit("anna", {}, [] { otter::send("berta", number{2}); });
    auto const b = told_by_exit("berta", full, [me = otter::self()] {
      otter::send(me, number{call(otter::whereis("anna"), 1ms) == "answered" ? 1 : 0});
      otter::receive([](go) {});
    });
    otter::send(b, number{1});
    tell(a);
    report.check("a waits in send", comes_to_wait_in(a, "send"));
    tell(b);
    report.equal("the call is late", otter::receive([](number x) { return x.n; }), 0);
    report.equal("reported once", circles(report).size(), 1u);
    for (char const* name : {"anna", "berta"}) report.check(name, in_the_first(report, name));
    end_all({a, b});
  });
}

TEST_CASE("a circle in which nobody has a time limit is reported, and once", "[call][PI-14]") {
  on_every_driver([](driver_report& report) {
    auto const asks = [](char const* whom) {
      return [whom] { call(otter::whereis(whom), otter::infinity); };
    };
    // In any order: whoever closes the circle finds it.
    auto const a = told_by_exit("anna", {}, asks("berta"));
    auto const b = told_by_exit("berta", {}, asks("clara"));
    auto const c = told_by_exit("clara", {}, asks("anna"));
    for (otter::spawned p : {a, b, c}) tell(p);
    await_circle(report);
    for (char const* name : {"anna", "berta", "clara"})
      report.check(name, in_the_first(report, name));
    // Another look of each of them, for what comes from outside the circle, adds nothing.
    for (otter::spawned p : {a, b, c}) {
      otter::send(p, go{});
      report.check("alive", otter::is_alive(p));
    }
    otter::receive([](go) {}, otter::after(3s));
    report.equal("reported once", circles(report).size(), 1u);
    end_all({a, b, c});
  });
}

TEST_CASE("a circle through a full mailbox needs no time limit either", "[limits][PI-14]") {
  on_every_driver(
      [](driver_report& report) {
        otter::mailbox_limit const full{.limit = 1, .policy = overflow::block};
        auto const a = told_by_exit("anna", {}, [] { otter::send("berta", number{2}); });
        auto const b =
            told_by_exit("berta", full, [] { call(otter::whereis("anna"), otter::infinity); });
        otter::send(b, number{1});
        tell(a);
        tell(b);
        await_circle(report);
        for (char const* name : {"anna", "berta"}) report.check(name, in_the_first(report, name));
        report.equal("reported once", circles(report).size(), 1u);
        end_all({a, b});
      },
      {.block_limit = 1h});
}

TEST_CASE("two that ask each other in turn, each answering first, are no circle", "[call][PI-14]") {
  on_every_driver([](driver_report& report) {
    otter::pid const a = otter::spawn_reactive({}, otter::make_reactive<player>(otter::self()));
    otter::pid const b = otter::spawn_reactive({}, otter::make_reactive<player>(otter::self()));
    otter::send(a, meet{b});
    otter::receive([](go) {});
    report.equal("nothing is reported", circles(report).size(), 0u);
    for (otter::pid p : {a, b}) otter::exit(p, exit_reason::kill());
  });
}

TEST_CASE("a call that is late because its server is slow is no circle", "[call][PI-14]") {
  on_every_driver([](driver_report& report) {
    auto const slow = waiter();
    auto const asks = told_by_exit("anna", {}, [p = slow.process] { call(p, 1h); });
    tell(asks);
    report.check("asks waits in call", comes_to_wait_in(asks, "call"));
    report.equal("a time-out", call(asks, 1ms), to_string(exit_reason::timeout()));
    report.equal("nothing is reported", circles(report).size(), 0u);
    end_all({asks, slow});
  });
}
