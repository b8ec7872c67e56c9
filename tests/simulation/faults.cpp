// faults.cpp - a process that does everything is ended in every place where it can end.
//
// The same errands are run again and again: killed at the k-th safe point, with an exception out of
// the k-th safe point, with an exception of its own before the k-th call. Whoever is bound to it
// hears of its end exactly as the rules say, and the node holds nothing afterwards.

#include <algorithm>
#include <otter/alias.hpp>
#include <otter/blocking.hpp>
#include <otter/detail/call.hpp>
#include <otter/exit.hpp>
#include <otter/link.hpp>
#include <otter/monitor.hpp>
#include <otter/name.hpp>
#include <otter/process_info.hpp>
#include <otter/reactive.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/timer.hpp>
#include <stdexcept>

#include "trial.hpp"

namespace simulate {
namespace {

using namespace std::chrono_literals;
using otter::detail::pack;
using otter::detail::signal_kind;

constexpr std::uint64_t places_of_a_seed = 6;  // tried in one seed, of some hundred

struct ask {};
struct told {
  std::string text;
};
struct note {
  std::string text;
};

struct own_failure {};

/// The errands themselves. `step()` comes before each call.
class errands {
 public:
  errands(otter::pid server, std::uint64_t throw_at) : server_(server), throw_at_(throw_at) {}

  void run() {
    step(), otter::register_name("errands", otter::self());
    step();
    otter::pid const child = otter::spawn_link([] { otter::receive([](told const&) {}); });
    step(), otter::monitor(child);
    step();
    otter::spawned const shy = otter::spawn_monitor([] { otter::receive([](told const&) {}); });
    step(), otter::send(shy, note{"nobody takes this"});
    step(), otter::send(shy, told{"go"});
    step();
    otter::receive(otter::when([&](otter::down const& d) { return d.ref == shy.ref; },
                               [](otter::down const&) {}));
    step();
    otter::alias_ref const alias = otter::alias(otter::alias_mode::reply);
    step(), otter::send(alias, note{"through the alias"});
    step(), otter::receive([](note const&) {});
    step();
    otter::timer_ref const far = otter::send_after(1h, otter::self(), note{"late"});
    step(), otter::send_after(5us, otter::self(), note{"soon"});
    step(), otter::receive([](note const&) {});
    step(), otter::cancel_timer(far);
    step(), otter::send_after(1h, server_, note{"dies with the node"});
    step(), otter::receive([](note const&) {}, otter::after(3us, [] {}));
    step(), otter::detail::call(server_, pack<ask>(signal_kind::request, ask{}), 1s);
    step();
    otter::request_id const id =
        otter::detail::send_request(server_, pack<ask>(signal_kind::request, ask{}));
    step();
    otter::detail::response got;
    otter::detail::wait_response(id, 1s, true, got);
    step(), otter::blocking([] { return 1; });
    step(), otter::sleep_for(2us);
    step(), otter::is_alive(child);
    step(), otter::process_info(child, {otter::info_item::links, otter::info_item::monitored_by});
    {
      otter::defer_exit whole;
      step(), otter::send(child, note{"one"});
      step(), otter::send(child, note{"two"});
    }
    step(), otter::checkpoint();
    step(), otter::unlink(child);
    step(), otter::exit(child, otter::exit_reason::kill());
    step();
    otter::receive([](otter::down const&) {});
    step(), otter::unregister_name("errands");
    step(), otter::register_name("errands", otter::self());
  }

  std::uint64_t calls() const noexcept { return calls_; }

 private:
  void step() {
    if (++calls_ == throw_at_) throw own_failure();
  }

  otter::pid server_;
  std::uint64_t throw_at_;
  std::uint64_t calls_ = 0;
};

class answering final : public otter::reactive {
 public:
  void start() override {}
  void handle(otter::event& what) override {
    if (what.get_if<ask>() == nullptr || what.what() != otter::event::kind::request) return;
    otter::sleep_for(1us);
    otter::detail::reply(what.caller(), pack<told>(signal_kind::reply, told{"answer"}));
  }
};

struct plan {
  std::uint64_t throw_at = 0;              // a call; 0: none
  std::uint64_t safe_point = 0;            // 0: none
  otter::fault what = otter::fault::none;  // done there
  bool everybody = false;                  // the safe points of all but the first process
};
struct measured {
  std::uint64_t safe_points = 0, calls = 0;
};

/// Who looks at the errands from outside: the first process, which nothing befalls.
void watch_errands(trial& t, plan const& p, otter::pid& victim, measured& m) {
  otter::trap_exit(true);
  otter::spawned const server = otter::spawn_reactive({.monitor = otter::alias_mode::none},
                                                      otter::make_reactive<answering>());
  otter::spawned const partner = otter::spawn_monitor([] { otter::receive([](told const&) {}); });
  otter::spawned who;
  {
    otter::defer_exit until_it_has_a_partner;
    who = otter::spawn({.link = true, .monitor = otter::alias_mode::none},
                       [&, partner = partner.process, server = server.process] {
                         errands e(server, p.throw_at);
                         struct count {
                           errands& from;
                           measured& to;
                           ~count() { to.calls = from.calls(); }
                         } later{e, m};
                         otter::link(partner);
                         e.run();
                       });
    victim = who;
  }
  int downs = 0, exits = 0;
  otter::exit_reason why;
  while (downs < 1 || exits < 1) {
    otter::receive(otter::when([&](otter::down const& d) { return d.ref == who.ref; },
                               [&](otter::down const& d) {
                                 ++downs;
                                 if (exits > 0)
                                   t.expect(d.reason == why, "a down with {} and an exited with {}",
                                            d.reason, why);
                                 why = d.reason;
                               }),
                   [&](otter::exited const& e) {
                     ++exits;
                     t.expect(e.process == who.process, "an exited of another");
                     if (downs > 0)
                       t.expect(e.reason == why, "an exited with {} and a down with {}", e.reason,
                                why);
                     why = e.reason;
                   });
    t.expect(otter::whereis("errands") != who.process, "its name is not free (RN-3)");
  }
  t.expect(!otter::is_alive(who.process), "it lives after its end");
  // Its partner shares its fate, unless it ended normally.
  if (why != otter::exit_kind::normal)
    otter::receive(
        otter::when([&](otter::down const& d) { return d.ref == partner.ref; },
                    [](otter::down const&) {}),
        otter::after(1s, [&] { t.complain("its partner lives on after {} (L-3)", why); }));
  if (p.what == otter::fault::none && p.throw_at == 0)
    t.expect(why == otter::exit_kind::normal, "undisturbed errands ended with {}", why);
  if (p.what == otter::fault::kill && !p.everybody && m.safe_points >= p.safe_point)
    t.expect(why == otter::exit_kind::killed, "killed errands ended with {}", why);
  otter::exit(server.process, otter::exit_reason::kill());
  otter::exit(partner.process, otter::exit_reason::kill());
  otter::sleep_for(1s);
  otter::receive([&](otter::exited const& e) { t.complain("a second exited: {}", e.reason); },
                 otter::after(0s, [] {}));
}

measured run_errands(trial& t, plan const& p) {
  measured m;
  otter::pid victim, first;
  otter::simulation_options options;
  options.at_safe_point = [&](otter::pid who) {
    if (p.everybody ? who == first : who != victim) return otter::fault::none;
    return ++m.safe_points == p.safe_point ? p.what : otter::fault::none;
  };
  t.run(
      [&] {
        first = otter::self();
        watch_errands(t, p, victim, m);
      },
      options);
  return m;
}

/// Some places of `n`, others with each seed.
template <class F>
void some_places(trial& t, std::uint64_t n, F&& at) {
  random numbers = t.numbers(7);
  for (std::uint64_t i = 0; i < std::min(n, places_of_a_seed); ++i) {
    std::uint64_t const place = 1 + numbers.below(n);
    std::size_t const before = t.complaints().size();
    at(place);
    if (t.complaints().size() != before) t.complain("  that was at place {} of {}", place, n);
  }
}

}  // namespace

void kill_at_each_safe_point(trial& t) {
  measured const m = run_errands(t, {});
  some_places(t, m.safe_points, [&](std::uint64_t k) {
    run_errands(t, {.safe_point = k, .what = otter::fault::kill});
  });
}

void throw_at_each_safe_point(trial& t) {
  measured const m = run_errands(t, {.safe_point = 0, .everybody = true});
  some_places(t, m.safe_points, [&](std::uint64_t k) {
    run_errands(t, {.safe_point = k, .what = otter::fault::raise, .everybody = true});
  });
}

void throw_at_each_call(trial& t) {
  measured const m = run_errands(t, {});
  some_places(t, m.calls, [&](std::uint64_t k) { run_errands(t, {.throw_at = k}); });
}

}  // namespace simulate
