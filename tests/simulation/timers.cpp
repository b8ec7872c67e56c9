// timers.cpp - timers started, cancelled, read and fired from all sides.
//
// Each timer is known to the ledger. Its message never comes early, never twice, never after a
// cancel that returned what was left of it; it comes exactly once if nobody cancelled it and its
// receiver lives.

#include <otter/exit.hpp>
#include <otter/message.hpp>
#include <otter/name.hpp>
#include <otter/reactive.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/timer.hpp>

#include "trial.hpp"

namespace simulate {
namespace {

using namespace std::chrono_literals;

constexpr int participants = 5;
constexpr int steps = 60;

struct rings {
  std::size_t which;
};

struct alarm_clock {
  otter::timer_ref ref;
  int receiver;
  otter::node_clock::time_point due;
  bool named = false;
  bool cancelled = false;
  bool was_late = false;  // a cancel said that it was too late
  int rang = 0;
};

struct ledger {
  trial& t;
  std::vector<alarm_clock> clocks{};
  std::vector<otter::pid> ids = std::vector<otter::pid>(participants);
  std::vector<bool> ended = std::vector<bool>(participants);
  int working = participants;

  void rang(int me, std::size_t which) {
    alarm_clock& c = clocks[which];
    auto const now = otter::node_clock::now();
    t.expect(c.receiver == me, "a timer for {} rang at {}", c.receiver, me);
    t.expect(now >= c.due, "timer {} rang {} ns early (TM-2)", which, (c.due - now).count());
    t.expect(!c.cancelled, "timer {} rang after a cancel that returned what was left (TM-7)",
             which);
    ++c.rang;
    t.expect(c.rang == 1, "timer {} rang {} times", which, c.rang);
  }
};

class participant {
 public:
  participant(ledger& l, int me)
      : ledger_(l), me_(me), numbers_(l.t.numbers(static_cast<std::uint64_t>(me))) {}

  void run() {
    for (int i = 0; i < steps; ++i) act();
    if (numbers_.below(3) == 0) {
      ledger_.ended[static_cast<std::size_t>(me_)] = true;
      --ledger_.working;
      return;  // its timers go with it (TM-4)
    }
    --ledger_.working;
    // Past the longest delay, and then as long as somebody still starts timers.
    do {
      take(20ms);
    } while (ledger_.working > 0);
    take(20ms);
  }

  static std::string name_of(int n) { return fmt::format("sleeper {}", n); }

 private:
  otter::duration some_delay() {
    return numbers_.below(4) == 0 ? otter::duration(0)
                                  : std::chrono::nanoseconds(numbers_.below(120'000));
  }

  void act() {
    switch (numbers_.below(8)) {
      case 0:
      case 1:
      case 2:
        return start();
      case 3:
      case 4:
        return cancel();
      case 5:
        return read();
      default:
        return take(std::chrono::nanoseconds(numbers_.below(30'000)));
    }
  }

  void start() {
    int const to = static_cast<int>(numbers_.below(participants));
    otter::pid const id = ledger_.ids[static_cast<std::size_t>(to)];
    std::size_t const which = ledger_.clocks.size();
    otter::duration const delay = some_delay();
    bool const named = numbers_.below(4) == 0;
    otter::node_clock::time_point const due = otter::node_clock::now() + delay;
    ledger_.clocks.push_back({{}, to, due, named});
    otter::timer_ref const ref = named ? otter::send_after(delay, name_of(to), rings{which})
                                       : otter::send_after(delay, id, rings{which});
    ledger_.clocks[which].ref = ref;
  }

  void cancel() {
    if (ledger_.clocks.empty()) return;
    std::size_t const which = numbers_.below(ledger_.clocks.size());
    bool const was_cancelled = ledger_.clocks[which].cancelled;
    std::optional<otter::duration> const left = otter::cancel_timer(ledger_.clocks[which].ref);
    alarm_clock& c = ledger_.clocks[which];
    if (!left) {
      if (!was_cancelled) c.was_late = true;
      return;
    }
    ledger_.t.expect(!was_cancelled, "timer {} was cancelled twice", which);
    ledger_.t.expect(c.rang == 0, "timer {} had rung, and a cancel returned {} ns", which,
                     left->count());
    c.cancelled = true;
  }

  void read() {
    if (ledger_.clocks.empty()) return;
    std::size_t const which = numbers_.below(ledger_.clocks.size());
    alarm_clock const& c = ledger_.clocks[which];
    if (!otter::read_timer(c.ref)) return;
    ledger_.t.expect(!c.cancelled && c.rang == 0, "timer {} is over, and a read says it is not",
                     which);
  }

  void take(otter::duration limit) {
    auto const until = otter::node_clock::now() + limit;
    for (bool more = true; more;) {
      auto const now = otter::node_clock::now();
      otter::receive(
          [&](rings r) { ledger_.rang(me_, r.which); },
          otter::after(until > now ? until - now : otter::duration(0), [&] { more = false; }));
    }
    ledger_.t.expect(otter::node_clock::now() >= until, "a receive's limit was over early (MB-7)");
  }

  ledger& ledger_;
  int const me_;
  random numbers_;
};

/// Starts, replaces and stops its one time-out; an old token is never heard again.
class restless final : public otter::reactive {
 public:
  restless(trial& t, std::uint64_t stream) : trial_(t), numbers_(t.numbers(stream)) {}

  void start() override {
    otter::send(otter::self(), 0);
    next();
  }
  void handle(otter::event& what) override {
    if (what.what() == otter::event::kind::timeout) {
      trial_.expect(what.token() == token_ && running_,
                    "the time-out {} came after it was stopped or replaced (GS-20)", what.token());
      trial_.expect(otter::node_clock::now() >= due_, "a time-out came early");
      running_ = false;
    }
    if (++turns_ == 40) {
      stop(otter::exit_reason::normal());
      return;
    }
    next();
    if (!running_) otter::send(otter::self(), 0);
  }

 private:
  void next() {
    switch (numbers_.below(4)) {
      case 0:
        stop_timeout();
        running_ = false;
        break;
      case 1:
        otter::send(otter::self(), 0);  // comes before or after the time-out: both happen
        if (!running_) arm();
        break;
      default:
        arm();
    }
  }
  void arm() {
    otter::duration const delay = std::chrono::nanoseconds(numbers_.below(4) * 2'000);
    due_ = otter::node_clock::now() + delay;
    running_ = true;
    start_timeout(delay, ++token_);
  }

  trial& trial_;
  random numbers_;
  std::uint64_t token_ = 0;
  bool running_ = false;
  otter::node_clock::time_point due_{};
  int turns_ = 0;
};

void first_process(trial& t) {
  ledger l{t};
  std::vector<otter::monitor_ref> watched;
  for (std::uint64_t i = 0; i < 3; ++i)
    watched.push_back(otter::spawn_reactive({.monitor = otter::alias_mode::none},
                                            otter::make_reactive<restless>(t, 100 + i))
                          .ref);
  for (int n = 0; n < participants; ++n) {
    otter::spawn_options options{.monitor = otter::alias_mode::none,
                                 .name = participant::name_of(n)};
    otter::spawned const p = otter::spawn(options, [&l, n] {
      otter::receive([](int) {});  // all have their names by then
      participant(l, n).run();
    });
    l.ids[static_cast<std::size_t>(n)] = p.process;
    watched.push_back(p.ref);
  }
  for (otter::pid p : l.ids) otter::send(p, 0);
  for (otter::monitor_ref ref : watched)
    otter::receive(otter::when([ref](otter::down const& d) { return d.ref == ref; },
                               [&](otter::down const& d) {
                                 t.expect(d.reason == otter::exit_kind::normal,
                                          "a participant ended with {}", d.reason);
                               }));
  otter::sleep_for(1ms);  // a timer for a name goes on although its receiver has ended (TM-5)
  for (std::size_t i = 0; i < l.clocks.size(); ++i) {
    alarm_clock const& c = l.clocks[i];
    if (c.cancelled || l.ended[static_cast<std::size_t>(c.receiver)]) continue;
    t.expect(c.rang == 1, "timer {} rang {} times; {}", i, c.rang,
             c.was_late ? "a cancel came too late" : "nobody cancelled it");
  }
}

}  // namespace

void timers(trial& t) {
  t.run([&t] { first_process(t); });
}

}  // namespace simulate
