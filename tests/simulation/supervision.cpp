// supervision.cpp - a tree whose servers are killed while clients call them.
//
// A supervisor keeps three servers with names. They are killed, crash and are asked to stop; the
// clients call them by name all the while. Calls are answered or fail with a reason that fits; at
// rest every server runs again, under its name; the end of the tree ends all of it.

#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <otter/monitor.hpp>
#include <otter/name.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/supervisor.hpp>
#include <stdexcept>

#include "trial.hpp"

namespace simulate {
namespace {

using namespace std::chrono_literals;

constexpr int servers = 3;
constexpr int clients = 4;

std::string name_of(std::uint64_t n) { return fmt::format("counter {}", n); }

class counter : public otter::gen_server<counter> {
 public:
  struct next {
    using reply = int;
  };
  struct fail {
    using reply = int;
  };
  struct add {
    int by;
  };
  using accepts = otter::accepts<next, fail, add>;

  int handle_call(next) { return ++value_; }
  int handle_call(fail) { throw std::runtime_error("as asked"); }
  void handle_cast(add a) { value_ += a.by; }

 private:
  int value_ = 0;
};

void client(trial& t, std::uint64_t me) {
  random numbers = t.numbers(10 + me);
  for (int i = 0; i < 20; ++i) {
    std::string const to = name_of(numbers.below(servers));
    bool const failing = numbers.below(6) == 0;
    otter::exit_reason why;
    if (numbers.below(3) == 0) {
      otter::cast(to, counter::add{1});
    } else if (failing) {
      auto const got = otter::try_call(to, counter::fail{}, 1s);
      t.expect(!got, "a call that throws was answered");
      if (!got) why = got.error();
    } else {
      auto const got = otter::try_call(to, counter::next{}, 1s);
      if (got)
        t.expect(*got > 0, "counter says {}", *got);
      else
        why = got.error();
    }
    t.expect(why != otter::exit_kind::timeout, "a call to \"{}\" was never answered", to);
    if (numbers.below(4) == 0) otter::sleep_for(std::chrono::nanoseconds(numbers.below(20'000)));
    otter::receive([&](otter::any_message&) { t.complain("client {} found a message", me); },
                   otter::after(0s, [] {}));
  }
}

void tree(trial& t) {
  random numbers = t.numbers(1);
  std::vector<otter::child_spec> specs;
  for (std::uint64_t n = 0; n < servers; ++n)
    specs.push_back(
        {.id = name_of(n), .start = [n] { return counter::start_link({.name = name_of(n)}); }});
  auto const strategy = static_cast<otter::strategy_type>(numbers.below(3));
  auto const sup = otter::supervisor::start_link({.strategy = strategy, .intensity = 1000}, specs);
  if (!t.expect(sup.has_value(), "the tree does not start")) return;
  std::vector<otter::spawned> all;
  for (std::uint64_t n = 0; n < clients; ++n)
    all.push_back(otter::spawn_monitor([&t, n] { client(t, n); }));
  for (std::size_t left = all.size(); left > 0;) {
    otter::receive(
        [&](otter::down const& d) {
          --left;
          t.expect(d.reason == otter::exit_kind::normal, "a client ended with {}", d.reason);
        },
        otter::after(std::chrono::nanoseconds(numbers.below(30'000)), [&] {
          otter::pid const victim = otter::whereis(name_of(numbers.below(servers)));
          if (victim) otter::exit(victim, otter::exit_reason::kill());
        }));
  }
  // The supervisor answers when it has restarted what it knows of; a crash may still be on its way.
  otter::sleep_for(1s);
  otter::child_count const count = otter::supervisor::count_children(*sup);
  t.expect(count.active == servers, "{} of {} servers run", count.active, servers);
  for (std::uint64_t n = 0; n < servers; ++n)
    t.expect(otter::try_call(name_of(n), counter::next{}, 1s).has_value(), "\"{}\" does not answer",
             name_of(n));
  otter::stop(*sup, otter::exit_reason::shutdown());
  for (std::uint64_t n = 0; n < servers; ++n)
    t.expect(!otter::whereis(name_of(n)), "\"{}\" outlives its supervisor", name_of(n));
}

}  // namespace

void supervision(trial& t) {
  t.run([&t] {
    otter::trap_exit(true);  // its child's shutdown is no reason to end
    tree(t);
  });
}

}  // namespace simulate
