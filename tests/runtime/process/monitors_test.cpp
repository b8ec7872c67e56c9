// Monitors: what the message says, and what takes one away.

#include <algorithm>
#include <otter/alias.hpp>
#include <otter/name.hpp>
#include <otter/process_info.hpp>
#include <vector>

#include "process_support.hpp"

using namespace process_test;
using otter::demonitor_flush;

namespace {

std::vector<otter::pid> watchers_of(otter::pid p) {
  return otter::process_info<std::vector<otter::pid>>(p, otter::info_item::monitored_by).value();
}

/// A monitor that has fired: its `down` is queued in the caller's mailbox.
otter::monitor_ref fired() {
  otter::monitor_ref const ref = otter::monitor(otter::pid{});
  otter::checkpoint();  // takes in the answer, which is there at once
  return ref;
}

}  // namespace

TEST_CASE("a down says which monitor, which process, by what name, and why", "[monitor][MO-2]") {
  on_every_driver([](driver_report& report) {
    otter::pid p =
        otter::spawn(otter::spawn_options{.name = "worker"}, [] { otter::receive([](go) {}); });
    otter::monitor_ref const by_pid = otter::monitor(p);
    otter::monitor_ref const by_name = otter::monitor("worker");
    otter::exit(p, exit_reason::of("broken"));
    for (otter::monitor_ref ref : {by_pid, by_name}) {
      otter::down const d = otter::receive(otter::when(
          [ref](otter::down const& m) { return m.ref == ref; }, [](otter::down m) { return m; }));
      report.check("process", d.process == p);
      report.equal("name", d.name, std::string(ref == by_name ? "worker" : ""));
      report.equal("reason", to_string(d.reason), to_string(exit_reason::of("broken")));
    }
  });
}

TEST_CASE("a monitor by name stays with the process that had the name", "[monitor][MO-4]") {
  on_every_driver([](driver_report& report) {
    otter::spawned first = waiter();
    otter::spawned second = waiter();
    otter::register_name("role", first);
    otter::monitor_ref const ref = otter::monitor("role");
    otter::unregister_name("role");
    otter::register_name("role", second);
    otter::exit(second, exit_reason::of("second"));
    end_of(second.ref);
    report.equal(
        "the new bearer's end is not heard",
        otter::receive([](otter::down const&) { return 1; }, otter::after(0s, [] { return 0; })),
        0);
    otter::exit(first, exit_reason::of("first"));
    report.equal("the first one's is", end_of(ref), to_string(exit_reason::of("first")));
  });
}

TEST_CASE("demonitor with flush takes the message back that is queued", "[monitor][MO-7]") {
  on_every_driver([](driver_report& report) {
    otter::monitor_ref const a = fired();
    otter::monitor_ref const b = fired();
    otter::demonitor(a, demonitor_flush::yes);
    report.equal("b's is still there", end_of(b), to_string(exit_reason::noproc()));
    report.equal("a's is gone", take_all<otter::down>(), 0);
  });
}

TEST_CASE("demonitor says whether a message can still be there", "[monitor][MO-8]") {
  on_every_driver([](driver_report& report) {
    otter::spawned p = waiter();
    otter::monitor_ref const standing = otter::monitor(p);
    report.check("found: nothing came and nothing will", otter::demonitor(standing));
    otter::monitor_ref const flushed_early = otter::monitor(p);
    report.check("with flush, found", otter::demonitor(flushed_early, demonitor_flush::yes));
    otter::send(p, go{});
    end_of(p.ref);
    report.check("not found: it has fired", !otter::demonitor(fired()));
    report.equal("and stays queued", take_all<otter::down>(), 1);
    otter::monitor_ref const to_flush = fired();
    report.check("false: a message had to be removed",
                 !otter::demonitor(to_flush, demonitor_flush::yes));
    report.check("true: nothing had to be", otter::demonitor(to_flush, demonitor_flush::yes));
  });
}

TEST_CASE("demonitor of what is no monitor of the caller harms nothing", "[monitor][MO-9]") {
  on_every_driver([](driver_report& report) {
    otter::alias_ref const alias = otter::alias();
    report.check("an alias", !otter::demonitor(otter::monitor_ref(alias)));
    report.check("a bare ref", !otter::demonitor(otter::monitor_ref(otter::make_ref())));
    report.check("nothing", !otter::demonitor(otter::monitor_ref()));
    otter::spawned const p = waiter();
    otter::monitor_ref const mine = otter::monitor(p);
    bool const found_by_other = [&] {
      otter::spawn(
          [mine, me = otter::self()] { otter::send(me, number{otter::demonitor(mine) ? 1 : 0}); });
      return otter::receive([](number x) { return x.n == 1; });
    }();
    report.check("somebody else's", !found_by_other);
    otter::send(alias, number{5});
    report.equal("the alias still works", next_number(), 5);
    otter::send(p, go{});
    report.equal("the monitor still works", end_of(mine), to_string(exit_reason::normal()));
  });
}

TEST_CASE("a monitor with a tag answers with the tag in front", "[monitor][MO-10]") {
  on_every_driver([](driver_report& report) {
    struct job {
      std::string name;
    };
    otter::spawned p = waiter();
    otter::monitor_ref const ref = otter::monitor_with_tag(p.process, job{"fetch"});
    otter::monitor_ref const dead = otter::monitor_with_tag(otter::pid{}, job{"nothing"});
    otter::exit(p, exit_reason::of("broken"));
    auto const take = [](otter::monitor_ref which) {
      return otter::receive(
          otter::when([which](otter::tagged_down<job> const& t) { return t.what.ref == which; },
                      [](otter::tagged_down<job> t) { return t; }));
    };
    auto const got = take(ref);
    report.equal("tag", got.tag.name, std::string("fetch"));
    report.check("process", got.what.process == p.process);
    report.equal("reason", to_string(got.what.reason), to_string(exit_reason::of("broken")));
    report.equal("of the dead", to_string(take(dead).what.reason),
                 to_string(exit_reason::noproc()));
    end_of(p.ref);
    report.equal("no plain one beside it", take_all<otter::down>(), 0);
  });
}

TEST_CASE("a process may watch itself, and hears nothing of it", "[monitor][MO-11]") {
  on_every_driver([](driver_report& report) {
    otter::spawned p = otter::spawn_monitor([] {
      otter::monitor_ref const forgotten = otter::monitor(otter::self());
      otter::monitor_ref const removed = otter::monitor(otter::self());
      if (!forgotten || !otter::demonitor(removed)) throw std::runtime_error("no monitor");
      otter::receive([](otter::down const&) { throw std::runtime_error("heard of itself"); },
                     otter::after(0s));
    });
    report.equal("reason", end_of(p.ref), to_string(exit_reason::normal()));
  });
}

TEST_CASE("the end of a watcher takes its monitors away, and the watched notices nothing",
          "[monitor][MO-12]") {
  on_every_driver([](driver_report& report) {
    otter::spawned p = waiter(true);
    otter::spawned watcher = otter::spawn_monitor([p = p.process, me = otter::self()] {
      for (int i = 0; i < 3; ++i) otter::monitor(p);
      otter::send(me, go{});
      otter::receive([](go) {});
    });
    otter::receive([](go) {});
    auto const others = [&] {
      auto const all = watchers_of(p);
      return std::count(all.begin(), all.end(), watcher.process);
    };
    report.equal("it watches", others(), 3);
    otter::exit(watcher, exit_reason::kill());
    end_of(watcher.ref);
    report.equal("no more", others(), 0);
    report.equal("no message for the watched",
                 otter::process_info<std::uint64_t>(p, otter::info_item::message_queue_len).value(),
                 0u);
    otter::send(p, go{});
    end_of(p.ref);
  });
}
