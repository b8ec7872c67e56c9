// Aliases: destinations that can be switched off.

#include <otter/alias.hpp>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/monitor.hpp>
#include <otter/process_info.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <vector>

#include "process_support.hpp"

using otter::alias_mode;
using namespace process_test;

namespace {

struct to {
  otter::alias_ref alias;
};

bool got_down() {
  return otter::receive([](otter::down const&) { return true; },
                        otter::after(0s, [] { return false; }));
}

/// Sends number{n} through each alias that it is given, answers with `go`, until it is stopped.
otter::pid echo_through_alias(int n) {
  return otter::spawn([parent = otter::self(), n] {
    bool stopped = false;
    while (!stopped) {
      otter::receive(
          [&](to where) {
            otter::send(where.alias, number{n});
            otter::send(parent, go{});
          },
          [&](go) { stopped = true; });
    }
  });
}

void let_it_send(otter::pid p, otter::alias_ref a) {
  otter::send(p, to{a});
  otter::receive([](go) {});
}

}  // namespace

TEST_CASE("an alias delivers to its maker, and only the maker can end it", "[alias][AL-1][AL-4]") {
  on_every_driver([](driver_report& report) {
    otter::alias_ref a = otter::alias();
    report.check("it names its maker", a.owner() == otter::self());
    struct answer {
      bool ended;
    };
    otter::spawn([a, me = otter::self()] {
      otter::send(a, number{1});
      otter::send(me, answer{otter::unalias(a)});
    });
    report.check("not by another", !otter::receive([](answer x) { return x.ended; }));
    report.equal("delivered", next_number(), 1);
    report.check("by its maker", otter::unalias(a));
  });
}

TEST_CASE("an alias with mode explicit_unalias takes any number of messages", "[alias][AL-2]") {
  on_every_driver([](driver_report& report) {
    otter::alias_ref a = otter::alias(alias_mode::explicit_unalias);
    otter::pid p = echo_through_alias(4);
    int sum = 0;
    for (int i = 0; i < 20; ++i) {
      let_it_send(p, a);
      sum += next_number();
    }
    report.equal("sum", sum, 80);
    otter::send(p, go{});
  });
}

TEST_CASE("a monitor's alias with mode explicit_unalias outlives the monitor", "[alias][AL-3]") {
  on_every_driver([](driver_report& report) {
    otter::pid p = echo_through_alias(1);
    otter::monitor_ref m = otter::monitor(p, alias_mode::explicit_unalias);
    otter::demonitor(m);
    let_it_send(p, otter::alias_ref(m));
    report.equal("after demonitor", next_number(), 1);
    otter::monitor_ref n = otter::monitor(p, alias_mode::explicit_unalias);
    otter::send(p, go{});
    otter::receive([](otter::down const&) {});
    otter::pid q = echo_through_alias(2);
    let_it_send(q, otter::alias_ref(n));
    report.equal("after the down", next_number(), 2);
    report.check("still active", otter::unalias(otter::alias_ref(n)));
    otter::send(q, go{});
  });
}

TEST_CASE("a monitor's alias with mode demonitor ends with the monitor", "[alias][AL-3]") {
  on_every_driver([](driver_report& report) {
    otter::pid p = echo_through_alias(1);
    otter::monitor_ref m = otter::monitor(p, alias_mode::demonitor);
    let_it_send(p, otter::alias_ref(m));
    let_it_send(p, otter::alias_ref(m));
    report.equal("while it watches", next_number(), 1);
    report.equal("more than once", next_number(), 1);
    otter::demonitor(m);
    let_it_send(p, otter::alias_ref(m));
    report.equal("after demonitor", next_number(), -1);

    otter::monitor_ref n = otter::monitor(p, alias_mode::demonitor);
    otter::send(p, go{});
    otter::receive([](otter::down const&) {});
    otter::pid q = echo_through_alias(2);
    let_it_send(q, otter::alias_ref(n));
    report.equal("after the down", next_number(), -1);
    otter::send(q, go{});
  });
}

TEST_CASE("with reply_demonitor the first message ends alias and monitor", "[alias][AL-3]") {
  on_every_driver([](driver_report& report) {
    otter::pid p = echo_through_alias(1);
    otter::monitor_ref m = otter::monitor(p, alias_mode::reply_demonitor);
    let_it_send(p, otter::alias_ref(m));
    report.equal("first", next_number(), 1);
    let_it_send(p, otter::alias_ref(m));
    report.equal("second", next_number(), -1);
    report.check("no monitor is left", !otter::demonitor(m));
    otter::monitor_ref other = otter::monitor(p);
    otter::send(p, go{});
    report.check("the other monitor's down",
                 otter::receive([](otter::down d) { return d.ref; }) == other);
    report.check("no other", !got_down());
  });
}

TEST_CASE("unalias leaves a reply_demonitor monitor active", "[alias][AL-4]") {
  on_every_driver([](driver_report& report) {
    otter::pid p = echo_through_alias(1);
    otter::monitor_ref m = otter::monitor(p, alias_mode::reply_demonitor);
    report.check("was active", otter::unalias(otter::alias_ref(m)));
    let_it_send(p, otter::alias_ref(m));
    report.equal("nothing", next_number(), -1);
    otter::send(p, go{});
    report.check("down", otter::receive([](otter::down d) { return d.ref; }) == m);
  });
}

TEST_CASE("unalias stops what is not received yet and keeps what is", "[alias][AL-6][AL-9]") {
  on_every_driver([](driver_report& report) {
    otter::alias_ref a = otter::alias();
    otter::send(a, number{1});
    report.equal("no go is there, but the mailbox has taken in what was sent",
                 otter::receive([](go) { return 1; }, otter::after(0s, [] { return 0; })), 0);
    otter::send(a, number{2});  // sent, not yet received: even by oneself
    otter::unalias(a);
    otter::send(a, number{3});
    report.equal("received before", next_number(), 1);
    report.equal("not received before", next_number(), -1);
  });
}

TEST_CASE("each of many aliases ends for itself", "[alias][AL-9]") {
  on_every_driver([](driver_report& report) {
    std::vector<otter::alias_ref> all;
    for (int i = 0; i < 500; ++i) all.push_back(otter::alias());
    for (std::size_t i = 0; i < all.size(); i += 2) otter::unalias(all[i]);
    otter::spawn([all, me = otter::self()] {
      for (std::size_t i = 0; i < all.size(); ++i) otter::send(all[i], number{static_cast<int>(i)});
      otter::send(me, go{});
    });
    otter::receive([](go) {});
    bool right = true;
    for (int i = 1; i < 500; i += 2) right = right && next_number() == i;
    report.check("what goes through the others arrives, in order", right);
    report.equal("nothing else", next_number(), -1);
  });
}

TEST_CASE("a late reply after a time-out never reaches the mailbox", "[alias][AL-5][AL-8]") {
  on_every_driver([](driver_report& report) {
    otter::pid slow = otter::spawn([] {
      for (int i = 0; i < 10; ++i)
        otter::receive([](to asked) {
          otter::sleep_for(2ms);
          otter::send(asked.alias, number{1});
        });
    });
    otter::monitor_ref end = otter::monitor(slow);
    for (int i = 0; i < 10; ++i) {
      otter::monitor_ref call = otter::monitor(slow, alias_mode::reply_demonitor);
      otter::send(slow, to{otter::alias_ref(call)});
      otter::receive_from(
          call, [](number) {}, otter::after(100us));
      otter::demonitor(call, otter::demonitor_flush::yes);
      otter::receive([](number) {}, otter::after(0s));  // one that came just in time
    }
    otter::receive(
        otter::when([end](otter::down const& d) { return d.ref == end; }, [](otter::down) {}));
    report.equal(
        "mailbox",
        otter::process_info<std::uint64_t>(otter::self(), otter::info_item::message_queue_len)
            .value_or(99),
        std::uint64_t{0});
  });
}

TEST_CASE("alias refuses the modes that belong to a monitor", "[alias]") {
  on_every_driver([](driver_report& report) {
    for (alias_mode mode : {alias_mode::none, alias_mode::demonitor, alias_mode::reply_demonitor}) {
      bool refused = false;
      try {
        otter::alias(mode);
      } catch (otter::error const& e) {
        refused = e.code() == otter::errc::badarg;
      }
      report.check("badarg", refused);
    }
  });
}
