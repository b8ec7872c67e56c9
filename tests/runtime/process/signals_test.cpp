// Signals: what one process does to another, in which order, and when it takes effect.

#include <atomic>
#include <memory>
#include <otter/alias.hpp>
#include <otter/link.hpp>
#include <otter/name.hpp>
#include <otter/process_info.hpp>
#include <otter/shared.hpp>
#include <otter/timer.hpp>
#include <set>
#include <vector>

#include "process/signal_queue.hpp"
#include "process_support.hpp"

using namespace process_test;
using otter::info_item;

namespace {

struct text {
  std::string value;
};

std::uint64_t waiting_in(otter::pid p) {
  return otter::process_info<std::uint64_t>(p, info_item::message_queue_len).value();
}

/// Who sent, by the order of arrival, when two processes send to a third at the same time.
std::string order_of_two_senders(std::uint64_t seed) {
  otter::simulation simulation(seed);
  std::string order;
  simulation.run([&] {
    for (char const* name : {"a", "b"})
      otter::spawn([name, me = otter::self()] { otter::send(me, text{name}); });
    for (int i = 0; i < 2; ++i) order += otter::receive([](text t) { return t.value; });
  });
  return order;
}

/// Counts what happens to the objects of a message.
struct tracked {
  std::unique_ptr<int> owned = std::make_unique<int>(7);
  tracked() = default;
  tracked(tracked&&) = default;
  tracked& operator=(tracked&&) = default;
};

}  // namespace

TEST_CASE("nothing that is done to another process waits for it", "[process][P-1][P-6]") {
  on_every_driver([](driver_report& report) {
    // It looks for `go` only, which comes last: nothing below can be waiting for a receive of it.
    otter::pid p = otter::spawn([me = otter::self()] {
      otter::trap_exit(true);
      otter::send(me, go{});
      otter::receive([](go) {});
      otter::receive([](go) {});
    });
    otter::receive([](go) {});
    otter::trap_exit(true);
    for (int i = 0; i < 1000; ++i) otter::send(p, number{i});
    otter::link(p);
    otter::monitor_ref const first = otter::monitor(p);
    otter::monitor_ref const second = otter::monitor(p);
    otter::demonitor(first);
    otter::exit(p, exit_reason::of("trapped"));
    otter::set_group_leader(otter::self(), p);
    otter::send_after(0s, p, number{1000});
    report.equal("it has received nothing yet", next_exited(), std::string("none"));
    otter::send(p, go{});
    otter::send(p, go{});
    report.equal("the monitor", end_of(second), to_string(exit_reason::normal()));
    report.equal("the link", otter::receive([](otter::exited e) { return to_string(e.reason); }),
                 to_string(exit_reason::normal()));
  });
}

TEST_CASE("two senders to one receiver are in no order", "[process][P-4]") {
  // A promise that something is not promised: the simulation shows both orders.
  std::set<std::string> seen;
  for (std::uint64_t seed = 1; seed <= 200 && seen.size() < 2; ++seed)
    seen.insert(order_of_two_senders(seed));
  CHECK(seen == std::set<std::string>{"ab", "ba"});
}

TEST_CASE("signals act on a process that never looks at its mailbox", "[process][P-9]") {
  on_every_driver([](driver_report& report) {
    otter::spawned asleep = otter::spawn_monitor([] { otter::sleep_for(1h); });
    otter::spawned deaf = otter::spawn_monitor([] { otter::receive([](go) {}); });
    for (otter::spawned p : {asleep, deaf}) {
      otter::send(p, number{1});
      otter::set_group_leader(otter::self(), p);
      report.check("group leader",
                   otter::process_info<otter::pid>(p, info_item::group_leader) == otter::self());
      otter::link(p);
      report.equal("link",
                   otter::process_info<std::vector<otter::pid>>(p, info_item::links)->size(), 1u);
      otter::unlink(p);
      otter::exit(p, exit_reason::of("end"));
      report.equal("exit", end_of(p.ref), to_string(exit_reason::of("end")));
    }
  });
}

TEST_CASE("messages, exits and downs of one sender queue in the order of their sending",
          "[process][P-10][P-22][P-3]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    otter::register_name("here", otter::self());
    otter::alias_ref const alias = otter::alias();
    for (int round = 0; round < 20; ++round) {
      otter::spawned p = otter::spawn_monitor([me = otter::self(), alias] {
        otter::send(me, text{"pid"});
        otter::exit(me, exit_reason::of("signal"));
        otter::send("here", text{"name"});
        otter::exit(me, exit_reason::of("again"));
        otter::send(alias, text{"alias"});
      });
      std::string got;
      for (int i = 0; i < 6; ++i)
        got += otter::receive([](text t) { return t.value; },
                              [](otter::exited e) { return std::string(e.reason.text()); },
                              [](otter::down) { return std::string("down"); }) +
               " ";
      report.equal("order", got, std::string("pid signal name again alias down "));
      static_cast<void>(p);
    }
  });
}

TEST_CASE("the state of a process counts everything that the asker sent it before",
          "[process][P-13][PI-4]") {
  on_every_driver([](driver_report& report) {
    otter::spawned p = waiter(true);
    for (std::uint64_t i = 1; i <= 20; ++i) {
      otter::send(p, number{1});
      report.equal("queue", waiting_in(p), i);
    }
    otter::set_group_leader(otter::self(), p);
    report.check("group leader",
                 otter::process_info<otter::pid>(p, info_item::group_leader) == otter::self());
    otter::exit(p, exit_reason::of("trapped"));
    report.equal("an exit that is trapped", waiting_in(p), 21u);
    otter::exit(p, exit_reason::kill());
    report.check("a kill", !otter::process_info(p, {info_item::label}));
  });
}

TEST_CASE("is_alive is false right after a kill", "[process][P-12]") {
  on_every_driver([](driver_report& report) {
    bool dead = true;
    for (int i = 0; i < 200; ++i) {
      otter::pid p = otter::spawn([] { otter::receive([](go) {}); });
      if (i % 2 == 0) dead = dead && otter::is_alive(p);
      otter::exit(p, exit_reason::kill());
      dead = dead && !otter::is_alive(p);
    }
    report.check("every time", dead);
    report.check("oneself lives", otter::is_alive(otter::self()));
    report.check("nobody does not", !otter::is_alive(otter::pid{}));
  });
}

TEST_CASE("a process that has to exit runs no more code and is not alive", "[process][P-11]") {
  on_every_driver([](driver_report& report) {
    bool silent = true;
    for (int i = 0; i < 50; ++i) {
      otter::spawned p = otter::spawn_monitor([me = otter::self()] {
        for (;;) otter::receive([me](number x) { otter::send(me, x); });
      });
      otter::send(p, number{1});
      otter::receive([](number) {});
      otter::exit(p, exit_reason::of("end"));
      otter::send(p, number{2});  // in its mailbox, perhaps; never treated
      silent = silent && !otter::is_alive(p);
      end_of(p.ref);
      silent = silent && next_number() == -1;
    }
    report.check("no answer after the exit", silent);
  });
}

TEST_CASE("links and monitors hear the same reason, each once, in no order that counts",
          "[process][P-15][P-16]") {
  on_every_driver([](driver_report& report) {
    std::string const reason = to_string(exit_reason::of("end"));
    otter::trap_exit(true);
    // A second one that is both linked and watching, so that each kind goes to two.
    otter::spawned p = waiter();
    otter::spawned witness = otter::spawn_monitor([p = p.process, me = otter::self()] {
      otter::trap_exit(true);
      otter::link(p);
      otter::monitor(p);
      otter::send(me, go{});
      std::string both;
      for (int i = 0; i < 2; ++i)
        both = otter::receive([](otter::exited e) { return to_string(e.reason); },
                              [](otter::down d) { return to_string(d.reason); });
      otter::send(me, text{both});
    });
    otter::receive([](go) {});
    otter::link(p);
    otter::exit(p, exit_reason::of("end"));
    int exits = 0;
    int downs = 0;
    for (int i = 0; i < 2; ++i)
      otter::receive(
          [&](otter::exited e) {
            ++exits;
            report.equal("exit", to_string(e.reason), reason);
          },
          otter::when([&](otter::down const& d) { return d.ref == p.ref; },
                      [&](otter::down d) {
                        ++downs;
                        report.equal("down", to_string(d.reason), reason);
                      }));
    report.equal("exits", exits, 1);
    report.equal("downs", downs, 1);
    report.equal("the other's", otter::receive([](text t) { return t.value; }), reason);
    end_of(witness.ref);
  });
}

TEST_CASE("no pid returns, and what is sent to an old one reaches nobody", "[process][P-17]") {
  on_every_driver([](driver_report& report) {
    constexpr int many = 9000;  // more than the table keeps unused
    std::set<otter::pid> seen;
    std::vector<otter::pid> old;
    for (int i = 0; i < many; ++i) {
      otter::spawned p = otter::spawn_monitor([] {});
      end_of(p.ref);
      seen.insert(p);
      old.push_back(p);
    }
    report.equal("all different", seen.size(), std::size_t{many});
    // Somebody lives in each block again that had them, and gets nothing of theirs.
    std::vector<otter::spawned> now;
    for (int i = 0; i < 100; ++i) now.push_back(waiter());
    for (otter::pid p : old) otter::send(p, number{1});
    bool untouched = true;
    for (otter::spawned p : now) {
      untouched = untouched && !seen.contains(p) && waiting_in(p) == 0;
      otter::send(p, go{});
      end_of(p.ref);
    }
    report.check("the living are others", untouched);
  });
}

TEST_CASE("a message is moved to its receiver, never copied", "[process][C0-4]") {
  on_every_driver([](driver_report& report) {
    tracked message;
    int const* const before = message.owned.get();
    otter::send(otter::self(), std::move(message));
    report.check("one owner", message.owned == nullptr);
    tracked const got = otter::receive([](tracked t) { return t; });
    report.check("the same object arrives", got.owned.get() == before);
  });
}

TEST_CASE("a shared message is one value for all who read it", "[process][shared][C0-4]") {
  on_every_driver([](driver_report& report) {
    constexpr int readers = 50;
    struct heard {
      std::string const* where;
      std::size_t size;
    };
    std::weak_ptr<int> watch;
    std::vector<otter::spawned> all;
    for (int i = 0; i < readers; ++i)
      all.push_back(otter::spawn_monitor([me = otter::self(), i] {
        auto const answer = [me](std::pair<std::string, std::shared_ptr<int>> const& v) {
          otter::send(me, heard{&v.first, v.first.size()});
        };
        if (i % 2 == 0)
          otter::receive(answer);  // by what is in it
        else
          otter::receive(
              [&](otter::shared<std::pair<std::string, std::shared_ptr<int>>> v) { answer(*v); });
      }));
    {
      auto owner = std::make_shared<int>(1);
      watch = owner;
      auto const value = otter::share(std::pair(std::string(100'000, 'x'), std::move(owner)));
      for (otter::pid p : all) otter::send(p, value);
    }
    std::set<std::string const*> places;
    for (int i = 0; i < readers; ++i)
      otter::receive([&](heard h) {
        places.insert(h.where);
        report.equal("size", h.size, 100'000u);
      });
    report.equal("one value", places.size(), 1u);
    for (otter::spawned p : all) end_of(p.ref);
    report.check("destroyed with its last reader", watch.expired());
  });
}

TEST_CASE("what a process had is released before anybody hears of its end",
          "[process][C0-5][P-18]") {
  on_every_driver([](driver_report& report) {
    for (int i = 0; i < 30; ++i) {
      bool const killed = i % 2 == 0;
      otter::spawned p =
          otter::spawn(otter::spawn_options{.monitor = otter::alias_mode::none, .name = "holder"},
                       [me = otter::self()] {
                         sends_at_end unwound(me, text{"unwound"});
                         otter::timer_ref const t = otter::send_after(1h, otter::self(), go{});
                         otter::send(me, t);
                         otter::receive([](go) {});
                       });
      otter::timer_ref const timer = otter::receive([](otter::timer_ref t) { return t; });
      if (killed)
        otter::exit(p, exit_reason::kill());
      else
        otter::send(p, go{});
      // The destructor's message is in front of the `down`.
      report.equal("unwound first",
                   otter::receive([](text t) { return t.value; },
                                  [](otter::down) { return std::string("down"); }),
                   std::string("unwound"));
      end_of(p.ref);
      report.check("its name is free", !otter::whereis("holder"));
      report.check("its timer is gone", !otter::read_timer(timer));
    }
  });
}

TEST_CASE("signals that wait in a queue leave it in the order of their arrival", "[signals]") {
  std::vector<otter::detail::envelope> signals(5);
  otter::rts::signal_queue queue;
  CHECK(queue.pop() == nullptr);
  queue.append(&signals[0]);
  CHECK(queue.pop() == &signals[0]);
  CHECK(queue.empty());
  queue.append(&signals[1]);
  queue.append(&signals[2]);
  CHECK(queue.pop() == &signals[1]);
  queue.append(&signals[3]);
  queue.append(&signals[4]);
  for (int i : {2, 3, 4}) CHECK(queue.pop() == &signals[static_cast<std::size_t>(i)]);
  CHECK(queue.empty());
  CHECK(queue.pop() == nullptr);
}
