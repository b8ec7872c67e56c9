// Registered names.

#include "process/names.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/monitor.hpp>
#include <otter/name.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <string>
#include <thread>
#include <vector>

#include "on_every_driver.hpp"

using namespace std::chrono_literals;
using otter_test::driver_report;
using otter_test::on_every_driver;

namespace {

struct number {
  int n;
};
struct go {};
struct outcome {
  bool mine;
};

bool try_register(std::string const& name, otter::pid who) {
  try {
    otter::register_name(name, who);
  } catch (otter::error const& e) {
    return false;
  }
  return true;
}

}  // namespace

TEST_CASE("of many concurrent registrations of a name exactly one succeeds", "[name][RN-6]") {
  on_every_driver([](driver_report& report) {
    constexpr int rivals = 20;
    for (int round = 0; round < 10; ++round) {
      std::vector<otter::pid> all;
      for (int i = 0; i < rivals; ++i)
        all.push_back(otter::spawn([me = otter::self()] {
          otter::receive([](go) {});
          otter::send(me, outcome{try_register("wanted", otter::self())});
          otter::receive([](go) {});  // keeps the name until all have tried
        }));
      for (otter::pid p : all) otter::send(p, go{});
      int winners = 0;
      for (int i = 0; i < rivals; ++i)
        winners += otter::receive([](outcome x) { return x.mine ? 1 : 0; });
      report.equal("winners", winners, 1);
      otter::monitor_ref end = otter::monitor("wanted");
      for (otter::pid p : all) otter::send(p, go{});
      otter::receive(
          otter::when([end](otter::down const& d) { return d.ref == end; }, [](otter::down) {}));
    }
  });
}

TEST_CASE("a message that was sent by name arrives after the name is gone", "[name][RN-5]") {
  on_every_driver([](driver_report& report) {
    otter::pid p = otter::spawn([me = otter::self()] {
      otter::receive([](go) {});
      otter::receive([me](number x) { otter::send(me, x); });
    });
    otter::register_name("p", p);
    otter::send("p", number{5});
    otter::unregister_name("p");
    otter::send(p, go{});
    report.equal("arrived", otter::receive([](number x) { return x.n; }), 5);
  });
}

TEST_CASE("registered lists the names, sorted", "[name][RN-4]") {
  on_every_driver([](driver_report& report) {
    report.check("none", otter::registered().empty());
    otter::pid p = otter::spawn([] { otter::receive([](go) {}); });
    otter::register_name("b", otter::self());
    otter::register_name("a", p);
    report.check("both", otter::registered() == std::vector<std::string>{"a", "b"});
  });
}

TEST_CASE("the name of a process is found without asking it", "[name][RN-4]") {
  on_every_driver([](driver_report& report) {
    otter::spawned const p = otter::spawn_monitor([] { otter::receive([](go) {}); });
    report.equal("none", otter::name_of(p), "");
    otter::register_name("somebody", p);
    report.equal("its name", otter::name_of(p), "somebody");
    otter::send(p.process, go{});
    otter::receive([](otter::down const&) {});
    report.equal("it has ended", otter::name_of(p), "");
    report.equal("nobody", otter::name_of(otter::pid{}), "");
  });
}

TEST_CASE("an empty or too long name, or one for the dead, is badarg", "[name][RN-1]") {
  on_every_driver([](driver_report& report) {
    otter::spawned gone = otter::spawn_monitor([] {});
    otter::receive([](otter::down const&) {});
    report.check("empty", !try_register("", otter::self()));
    report.check("long", !try_register(std::string(256, 'x'), otter::self()));
    report.check("dead", !try_register("ghost", gone));
    report.check("nobody has it", !otter::whereis("ghost"));
    report.check("the longest is allowed", try_register(std::string(255, 'x'), otter::self()));
  });
}

TEST_CASE("names that come and go are not kept for ever", "[name][RN-8]") {
  otter::rts::name_table table(1);
  auto const yes = [] { return true; };
  std::size_t const before = table.capacity();
  for (std::uint64_t i = 1; i <= 20'000; ++i) {
    std::string const name = "user " + std::to_string(i);
    REQUIRE(table.insert(name, i, yes) == otter::rts::name_table::inserted::done);
    REQUIRE(table.erase(name, [](std::uint64_t) {}));
  }
  CHECK(table.size() == 0);
  CHECK(table.capacity() <= 2 * before);  // two of a size take turns
}

TEST_CASE("whereis finds a name at every moment while others come and go", "[name][RN-8]") {
  otter::rts::name_table table(1);
  auto const yes = [] { return true; };
  REQUIRE(table.insert("stays", 7, yes) == otter::rts::name_table::inserted::done);
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::atomic<int> looks{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i)
    readers.emplace_back([&] {
      while (!done) {
        if (table.find("stays") != 7) ++wrong;
        if (table.find("never was") != 0) ++wrong;
        ++looks;
      }
    });
  // A table of every size is passed through, up and down.
  for (int round = 0; round < 20 || looks < 100; ++round) {
    for (std::uint64_t i = 100; i < 400; ++i) table.insert(std::to_string(i), i, yes);
    for (std::uint64_t i = 100; i < 400; ++i) table.erase(std::to_string(i), [](std::uint64_t) {});
  }
  done = true;
  for (std::thread& t : readers) t.join();
  CHECK(wrong == 0);
}

TEST_CASE("a process that was refused a second name frees its first when it ends",
          "[name][RN-1][RN-3]") {
  on_every_driver([](driver_report& report) {
    otter::spawn_monitor([] {
      otter::register_name("first", otter::self());
      try {
        otter::register_name("second", otter::self());
      } catch (otter::error const&) {
        return;
      }
    });
    otter::receive([](otter::down const&) {});
    report.check("the name is free", !otter::whereis("first"));
    otter::register_name("first", otter::self());
  });
}
