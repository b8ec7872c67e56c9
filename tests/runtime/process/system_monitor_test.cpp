// One process is told of those that misbehave.

#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/memory.hpp>
#include <otter/monitor.hpp>
#include <otter/process_info.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/system_monitor.hpp>
#include <otter/timer.hpp>

#include "on_every_driver.hpp"

using namespace std::chrono_literals;
using otter::system_event;
using otter_test::driver_report;
using otter_test::on_every_driver;

namespace {

struct go {};
struct number {
  int n;
};

void wait_for_go() {
  otter::receive([](go) {});
}

/// Passes the events of `about` on to `to`.
otter::spawned start_monitor_process(otter::system_monitor_options const& options) {
  otter::spawned m = otter::spawn_monitor([to = otter::self()] {
    for (bool stopped = false; !stopped;)
      otter::receive([&](system_event e) { otter::send(to, e); }, [&](go) { stopped = true; });
  });
  otter::system_monitor(m, options);
  return m;
}

system_event event_of(otter::pid p) {
  return otter::receive(otter::when([p](system_event const& e) { return e.process == p; },
                                    [](system_event e) { return e; }));
}

void await_end(otter::monitor_ref ref) {
  otter::receive(
      otter::when([ref](otter::down const& d) { return d.ref == ref; }, [](otter::down) {}));
}

}  // namespace

TEST_CASE("a process that runs for long without yielding is told of", "[system_monitor][PI-17]") {
  otter::node node({.workers = 2, .on_event = [](otter::node_event const&) {}});
  system_event seen;
  node.run([&] {
    otter::spawned m = start_monitor_process({.long_schedule = 1ms});
    otter::pid busy = otter::spawn([] {
      auto const began = otter::node_clock::now();
      while (otter::node_clock::now() - began < 3ms) {  // no safe point
      }
    });
    seen = event_of(busy);
    otter::send(m, go{});
    await_end(m.ref);
  });
  CHECK(seen.what == system_event::kind::long_schedule);
  CHECK(seen.ran >= 3ms);
}

TEST_CASE("a process that holds much memory is told of, once", "[system_monitor][PI-17]") {
  on_every_driver([](driver_report& report) {
    otter::spawned m = start_monitor_process({.large_heap = 100'000});
    otter::pid p = otter::spawn([] {
      otter::account_memory(200'000);
      otter::account_memory(200'000);
      otter::receive([](go) {});
      otter::account_memory(-400'000);  // small again
      otter::account_memory(300'000);
      otter::receive([](go) {});
    });
    system_event const first = event_of(p);
    report.check("kind", first.what == system_event::kind::large_heap);
    report.check("size", first.size > 200'000 && first.size < 400'000);
    otter::send(p, go{});
    system_event const second = event_of(p);
    report.check("again after it was small", second.size > 300'000 && second.size < 400'000);
    otter::send(p, go{});
    otter::send(m, go{});
    await_end(m.ref);
  });
}

TEST_CASE("a long mailbox is told of, and when it is short again", "[system_monitor][PI-17]") {
  on_every_driver([](driver_report& report) {
    otter::spawned m =
        start_monitor_process({.long_message_queue = 20, .long_message_queue_off = 5});
    otter::pid p = otter::spawn([] {
      otter::receive([](go) {});
      for (int i = 0; i < 30; ++i) otter::receive([](number) {});
      otter::receive([](go) {});
    });
    for (int i = 0; i < 30; ++i) otter::send(p, number{i});
    otter::is_alive(p);  // it has received them
    system_event const on = event_of(p);
    report.check("long", on.what == system_event::kind::long_message_queue);
    report.check("more than the threshold", on.size == 21);
    otter::send(p, go{});
    system_event const off = event_of(p);
    report.check("short", off.what == system_event::kind::long_message_queue_off);
    report.equal("the threshold", off.size, std::uint64_t{5});
    otter::send(p, go{});
    otter::send(m, go{});
    await_end(m.ref);
  });
}

TEST_CASE("the settings end with the process that is told", "[system_monitor][PI-17]") {
  on_every_driver([](driver_report& report) {
    report.check("none at first", !otter::system_monitor());
    otter::spawned m = start_monitor_process({.large_heap = 1000});
    auto const now = otter::system_monitor();
    report.check("in force", now && now->monitor == m.process && now->options.large_heap == 1000);
    otter::spawned other = otter::spawn_monitor(wait_for_go);
    auto const before = otter::system_monitor(other, {.busy_port = true});
    report.check("one at a time, the old one is returned", before && before->monitor == m.process);
    otter::send(m, go{});
    await_end(m.ref);
    report.check("the end of the old one changes nothing", otter::system_monitor().has_value());
    otter::exit(other, otter::exit_reason::kill());
    await_end(other.ref);
    report.check("cleared before anybody hears of the end", !otter::system_monitor());
    bool refused = false;
    try {
      otter::system_monitor(other, {});
    } catch (otter::error const& e) {
      refused = e.code() == otter::errc::badarg;
    }
    report.check("the dead are refused", refused);
  });
}

TEST_CASE("no process switches the system monitor off", "[system_monitor]") {
  on_every_driver([](driver_report& report) {
    otter::spawned m = start_monitor_process({.large_heap = 1000});
    otter::system_monitor(otter::pid{}, {});
    report.check("off", !otter::system_monitor());
    otter::spawned p = otter::spawn_monitor([] { otter::account_memory(100'000); });
    await_end(p.ref);
    otter::send(m, go{});
    await_end(m.ref);
    report.check("nothing was told", otter::receive([](system_event) { return false; },
                                                    otter::after(0s, [] { return true; })));
  });
}
