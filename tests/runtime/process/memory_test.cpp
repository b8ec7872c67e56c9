// What a process may hold.

#include <array>
#include <memory>
#include <otter/exit.hpp>
#include <otter/link.hpp>
#include <otter/memory.hpp>
#include <otter/monitor.hpp>
#include <otter/process_info.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <vector>

#include "process_support.hpp"

using otter::info_item;
using namespace process_test;

namespace {

struct bulky {
  std::array<char, 1000> bytes{};
};

std::uint64_t memory_of(otter::pid p) {
  return otter::process_info<std::uint64_t>(p, info_item::memory).value_or(0);
}

}  // namespace

TEST_CASE("a process that holds more than it may is killed and reported", "[memory][PI-12]") {
  on_every_driver([](driver_report& report) {
    otter::spawned p = otter::spawn(
        {.monitor = otter::alias_mode::none, .max_heap_size = otter::max_heap_size{.size = 20'000}},
        [] {
          otter::trap_exit(true);
          otter::receive([](go) {});
        });
    for (int i = 0; i < 10; ++i) otter::send(p, bulky{});
    report.check("what it may hold does no harm", otter::is_alive(p));
    for (int i = 0; i < 20; ++i) otter::send(p, bulky{});
    report.equal("reason, untrappable", end_of(p.ref), to_string(exit_reason::killed()));
    report.equal("reports", report.count_events(otter::node_event::kind::large_heap),
                 std::size_t{1});
  });
}

TEST_CASE("a limit without kill only reports, and once", "[memory][PI-12]") {
  on_every_driver([](driver_report& report) {
    otter::spawned p =
        otter::spawn({.monitor = otter::alias_mode::none,
                      .max_heap_size = otter::max_heap_size{.size = 10'000, .kill = false}},
                     [] { otter::receive([](go) {}); });
    for (int i = 0; i < 30; ++i) otter::send(p, bulky{});
    report.check("lives", otter::is_alive(p));
    report.equal("reports", report.count_events(otter::node_event::kind::large_heap),
                 std::size_t{1});
    otter::send(p, go{});
    report.equal("ends as it wants", end_of(p.ref), to_string(exit_reason::normal()));
  });
}

TEST_CASE("a limit may be silent, and 0 is none", "[memory][PI-12]") {
  on_every_driver([](driver_report& report) {
    otter::spawned silent =
        otter::spawn({.monitor = otter::alias_mode::none,
                      .max_heap_size = otter::max_heap_size{.size = 10'000, .error_logger = false}},
                     [] { otter::receive([](go) {}); });
    otter::spawned free = otter::spawn_monitor([] { otter::receive([](go) {}); });
    for (int i = 0; i < 30; ++i) {
      otter::send(silent, bulky{});
      otter::send(free, bulky{});
    }
    report.equal("silent", end_of(silent.ref), to_string(exit_reason::killed()));
    report.equal("reports", report.count_events(otter::node_event::kind::large_heap),
                 std::size_t{0});
    otter::send(free, go{});
    report.equal("free", end_of(free.ref), to_string(exit_reason::normal()));
  });
}

TEST_CASE("a node has a default limit, which a process may raise", "[memory][PI-12]") {
  std::string usual, raised;
  otter::node node({.workers = 2,
                    .max_heap_size = {.size = 10'000, .error_logger = false},
                    .on_event = [](otter::node_event const&) {}});
  node.run([&] {
    auto const wait = [] { otter::receive([](go) {}); };
    otter::spawned a = otter::spawn_monitor(wait);
    otter::spawned b = otter::spawn(
        {.monitor = otter::alias_mode::none, .max_heap_size = otter::max_heap_size{}}, wait);
    for (int i = 0; i < 30; ++i) {
      otter::send(a, bulky{});
      otter::send(b, bulky{});
    }
    otter::send(b, go{});
    usual = end_of(a.ref);
    raised = end_of(b.ref);
  });
  CHECK(usual == to_string(exit_reason::killed()));
  CHECK(raised == to_string(exit_reason::normal()));
}

TEST_CASE("what waits in the mailbox is accounted for until it is received", "[memory][PI-13]") {
  on_every_driver([](driver_report& report) {
    std::uint64_t const before = memory_of(otter::self());
    for (int i = 0; i < 10; ++i) otter::send(otter::self(), bulky{});
    otter::receive([](go) {}, otter::after(0s));
    report.check("ten messages", memory_of(otter::self()) >= before + 10'000);
    for (int i = 0; i < 10; ++i) otter::receive([](bulky const&) {});
    report.equal("received", memory_of(otter::self()), before);
  });
}

TEST_CASE("what a process says it holds counts at once", "[memory][PI-13]") {
  on_every_driver([](driver_report& report) {
    otter::account_memory(0);
    std::uint64_t const before = memory_of(otter::self());
    {
      std::vector<int, otter::counted_allocator<int>> numbers(1000);
      report.equal("a container", memory_of(otter::self()), before + 1000 * sizeof(int));
    }
    report.equal("freed", memory_of(otter::self()), before);
    otter::account_memory(-5000);
    report.equal("never below nothing", memory_of(otter::self()), before);
    auto const went_on = std::make_shared<bool>(false);
    otter::spawned p = otter::spawn_monitor([went_on] {
      otter::set_max_heap_size({.size = 100'000, .error_logger = false});
      otter::account_memory(200'000);
      otter::checkpoint();
      *went_on = true;
    });
    report.equal("too much", end_of(p.ref), to_string(exit_reason::killed()));
    report.check("ended at the safe point", !*went_on);
  });
}

TEST_CASE("the limit of a process is a flag that returns its old value", "[memory][PI-5]") {
  on_every_driver([](driver_report& report) {
    otter::max_heap_size const limit{.size = 1 << 20, .kill = false, .error_logger = false};
    report.check("none at first", otter::set_max_heap_size(limit) == otter::max_heap_size{});
    report.check("shown", otter::process_info<otter::max_heap_size>(
                              otter::self(), info_item::max_heap_size) == limit);
    report.check("returned", otter::set_max_heap_size({}) == limit);
  });
}
