// Very many versions of a module, under load: what is unmapped is not missed, and what is not
// unmapped costs no more than its mapping.

#include "upgrades.hpp"

#include <fmt/format.h>
#include <malloc.h>

#include <catch2/catch.hpp>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <otter/code.hpp>
#include <otter/exit.hpp>
#include <otter/gen.hpp>
#include <otter/monitor.hpp>
#include <otter/node.hpp>
#include <otter/receive.hpp>
#include <otter/sys.hpp>
#include <string>
#include <vector>

#include "stress.hpp"

namespace code = otter::code;
using metering::add;
using metering::look;

namespace {

struct enough {};
struct served {
  otter::pid by;
  long calls = 0;
  long wrong = 0;
};

void wait_for_end(otter::pid p) {
  otter::monitor_ref const watch = otter::monitor(p);
  otter::receive(
      otter::when([&](otter::down const& d) { return d.ref == watch; }, [](otter::down const&) {}));
}

code::module_info load(int n) {
  return code::load(fmt::format("{}/meter-{}.so", UPGRADE_MODULES, 1 + n % 2)).value();
}

/// Adds and looks, until it is told that it is enough: what it has added must be there.
otter::pid start_client(otter::pid server, otter::pid test) {
  return otter::spawn([server, test] {
    served so_far{otter::self()};
    long least = 0;
    for (bool goes_on = true; goes_on;) {
      otter::cast(server, add{1});
      long const sum = otter::call(server, look{}, otter::infinity);
      so_far.wrong += sum <= least ? 1 : 0;
      least = sum;
      ++so_far.calls;
      otter::receive([&](enough) { goes_on = false; },
                     otter::after(otter::duration::zero(), [] {}));
    }
    otter::send(test, so_far);
  });
}

/// Files of modules that are mapped, and their bytes.
struct mapped_modules {
  std::size_t mappings = 0;
  std::size_t bytes = 0;
};
mapped_modules mapped() {
  mapped_modules sum;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t from = 0;
    std::uintptr_t to = 0;
    if (line.find("otter module") == std::string::npos ||
        std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR, &from, &to) != 2)
      continue;
    ++sum.mappings;
    sum.bytes += to - from;
  }
  return sum;
}

struct run_result {
  long calls = 0;
  long wrong = 0;
  std::size_t unmapped_under_load = 0;
  std::size_t left = 0;
  std::string why;
};

/// `upgrades` versions, one after the other, of servers that are used all the time.
run_result upgrade_under_load(int upgrades) {
  run_result result;
  load(0);
  std::vector<otter::pid> servers;
  std::vector<otter::pid> clients;
  for (int i = 0; i < 4; ++i) {
    servers.push_back(metering::starter("meter", "start")().value());
    clients.push_back(start_client(servers.back(), otter::self()));
    clients.push_back(start_client(servers.back(), otter::self()));
  }
  for (int n = 1; n <= upgrades; ++n) {
    load(n);
    for (otter::pid const server : servers) {
      otter::sys::suspend(server);
      otter::sys::change_code(server, "meter");
      otter::sys::resume(server);
    }
    code::purge("meter");
    for (auto const& r : code::unload("meter")) result.unmapped_under_load += r.unmapped ? 1 : 0;
  }
  for (otter::pid const client : clients) {
    otter::send(client, enough{});
    otter::receive([&](served s) {
      result.calls += s.calls;
      result.wrong += s.wrong;
    });
    wait_for_end(client);
  }
  for (otter::pid const server : servers) {
    otter::exit(server, otter::exit_reason::kill());
    wait_for_end(server);
  }
  // A timer that fires for a server that has ended, the last words of a process: these are soon
  // over.
  for (int attempt = 0; attempt < 1000 && !code::purged("meter").empty(); ++attempt) {
    code::unload("meter");
    otter::sleep_for(std::chrono::milliseconds(1));
  }
  auto const left = code::purged("meter");
  result.left = left.size();
  for (auto const& v : left)
    for (auto const& h : v.held_by) result.why += h.text + "; ";
  return result;
}

}  // namespace

TEST_CASE("a thousand upgrades under load leave the current version mapped and no other",
          "[stress][code][CL-11]") {
  int const upgrades = stress::sized(100, 1000);
  run_result result;
  mapped_modules one;
  mapped_modules end;
  otter::node node({.workers = 4, .on_event = [](otter::node_event const&) {}});
  auto const why = node.run([&] {
    std::size_t const before = mapped().mappings;
    load(upgrades);
    one = mapped();
    one.mappings -= before;
    result = upgrade_under_load(upgrades);
    // What was loaded first of all was purged by the first load of the loop, or it is old.
    code::soft_purge("meter");
    code::unload("meter");
    end = mapped();
    end.mappings -= before;
  });
  INFO(result.why);
  CHECK(to_string(why) == "normal");
  CHECK(result.wrong == 0);
  CHECK(result.calls > upgrades);
  CHECK(result.left == 0);
  CHECK(result.unmapped_under_load > 0);
  CHECK(one.mappings > 0);
  CHECK(end.mappings == one.mappings);
  if (stress::full_sizes())
    fmt::print("{} upgrades, {} calls, {} versions unmapped under load\n", upgrades, result.calls,
               result.unmapped_under_load);
}

TEST_CASE("a version that is not unmapped costs its mapping and a few notes", "[stress][code]") {
  int const upgrades = stress::sized(50, 200);
  constexpr int warm_up = 20;
  std::size_t before_bytes = 0;
  std::size_t after_bytes = 0;
  std::size_t version_bytes = 0;
  std::size_t heap_before = 0;
  std::size_t heap_after = 0;
  std::size_t listed = 0;
  otter::node node({.workers = 2, .on_event = [](otter::node_event const&) {}});
  auto const heap = [] { return ::mallinfo2().uordblks + ::mallinfo2().hblkhd; };
  auto const why = node.run([&] {
    auto const one = [](int n) {
      load(n);
      code::soft_purge("meter");
    };
    for (int n = 0; n < warm_up; ++n) one(n);
    before_bytes = mapped().bytes;
    heap_before = heap();
    for (int n = 0; n < upgrades; ++n) one(n);
    after_bytes = mapped().bytes;
    heap_after = heap();
    auto const purged = code::purged("meter");
    listed = purged.size();
    for (int n = 0; n < upgrades; ++n)
      version_bytes += purged[purged.size() - 1 - static_cast<std::size_t>(n)].version.bytes;
  });
  CHECK(to_string(why) == "normal");
  std::size_t const added = after_bytes - before_bytes;
  auto const n = static_cast<std::size_t>(upgrades);
  std::string const costs =
      fmt::format("each version: {} bytes said, {} bytes of files mapped, {} bytes of the heap",
                  version_bytes / n, added / n,
                  (static_cast<double>(heap_after) - static_cast<double>(heap_before)) /
                      static_cast<double>(n));
  INFO(costs);
  if (stress::full_sizes()) fmt::print("{}\n", costs);
  CHECK(listed >= n);
  // The last pages of the variables may be no file's: zeroes only.
  CHECK(added <= version_bytes);
  CHECK(added + n * 64 * 1024 >= version_bytes);
  // The loader's own notes, and ours: name, digest, functions. Measured: 2.5 KiB.
  if (!otter::rts::built_with_asan && !otter::rts::built_with_tsan)
    CHECK(heap_after <= heap_before + n * 6 * 1024);
}
