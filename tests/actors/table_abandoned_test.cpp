// The tables of a process that cannot be killed.

#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <otter/attached_thread.hpp>
#include <otter/exit.hpp>
#include <otter/message.hpp>
#include <otter/monitor.hpp>
#include <otter/node.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/table.hpp>
#include <string>

#include "process_support.hpp"

using namespace std::chrono_literals;

namespace table_abandoned_test {

using kept_table = otter::table<int, std::shared_ptr<int const>>;

struct here_it_is {
  kept_table table;
  kept_table inherited;
};

/// Longer than anything takes; never the thing that is tested.
constexpr auto patience = 60s;

}  // namespace table_abandoned_test

using namespace table_abandoned_test;

TEST_CASE("the table of a process that is given up ends, or goes to its heir", "[table][P-18]") {
  std::atomic<bool> open{false};
  otter::node node({.workers = 1, .kill_limit = 20ms, .on_event = [](otter::node_event const&) {}});
  otter::attached_thread me(node);
  otter::pid const test = otter::self();
  auto value = std::make_shared<int const>(1);
  std::weak_ptr<int const> const seen = value;
  otter::spawned const stuck = otter::spawn_monitor([&open, test, value] {
    auto const t = kept_table::create({.name = "stuck"});
    for (int i = 0; i != 100; ++i) t.insert(i, value);
    auto const inherited = kept_table::create({.heir = test});
    otter::send(test, here_it_is{t, inherited});
    while (!open.load(std::memory_order_acquire)) {
    }
  });
  value.reset();
  here_it_is const its = otter::receive([](here_it_is h) { return h; },
                                        otter::after(patience, [] { return here_it_is{}; }));
  REQUIRE(its.table);
  CHECK(its.table.size() == 100);
  long const before = seen.use_count();
  otter::exit(stuck, otter::exit_reason::kill());
  bool heard_of_table = false;
  bool const ended = otter::receive(
      [&](otter::table_transfer<kept_table> const& m) {
        heard_of_table = m.table == its.inherited;
        return false;
      },
      [](otter::down const&) { return true; }, otter::after(patience, [] { return true; }));
  CHECK(heard_of_table);
  CHECK_FALSE(ended);
  CHECK(otter::receive([](otter::down d) { return to_string(d.reason); },
                       otter::after(patience, [] { return std::string("no end"); })) == "killed");
  CHECK(process_test::errc_of([&] { static_cast<void>(its.table.size()); }) == "badarg");
  CHECK_FALSE(kept_table::whereis("stuck"));
  CHECK(seen.use_count() == before - 100);  // the function that is stuck has one
  its.inherited.insert(1, nullptr);
  CHECK(its.inherited.size() == 1);
  open.store(true, std::memory_order_release);
}
