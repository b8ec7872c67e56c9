// What the operations of tables do to a process that is to end.

#include <catch2/catch.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/table.hpp>
#include <string>

#include "exits_contract.hpp"
#include "on_every_driver.hpp"

using otter_test::driver_report;
using otter_test::on_every_driver;

namespace table_exits_test {

using ages = otter::table<std::string, int>;

/// What the functions are called with: the caller's own table, and one who can be given others.
struct world {
  world() : table(ages::create()), partner(otter::spawn([] { otter::receive([](double) {}); })) {
    table.insert("a", 1);
  }
  ages table;
  otter::pid partner;
};

using entry = otter_test::contract_entry<world>;
using otter_test::exits;
using otter_test::waits;

constexpr entry functions[] = {
    {"create", exits::never, waits::no, [](world&) { static_cast<void>(ages::create()); }},
    {"whereis", exits::never, waits::no, [](world&) { static_cast<void>(ages::whereis("a")); }},
    {"lookup", exits::never, waits::no, [](world& w) { static_cast<void>(w.table.lookup("a")); }},
    {"first", exits::never, waits::no, [](world& w) { static_cast<void>(w.table.first()); }},
    {"last, next, prev", exits::never, waits::no,
     [](world& w) {
       static_cast<void>(w.table.last());
       static_cast<void>(w.table.next("a"));
       static_cast<void>(w.table.prev("a"));
     }},
    {"member, size, info", exits::never, waits::no,
     [](world& w) {
       static_cast<void>(w.table.member("a"));
       static_cast<void>(w.table.size());
       static_cast<void>(w.table.info());
     }},
    {"select", exits::may, waits::no,
     [](world& w) { static_cast<void>(w.table.select([](auto const&, int) { return true; })); }},
    {"select_count", exits::may, waits::no,
     [](world& w) {
       static_cast<void>(w.table.select_count([](auto const&, int) { return true; }));
     }},
    {"select_delete", exits::may, waits::no,
     [](world& w) {
       static_cast<void>(w.table.select_delete([](auto const&, int) { return false; }));
     }},
    {"insert", exits::never, waits::no, [](world& w) { w.table.insert("a", 2); }},
    {"insert_new", exits::never, waits::no,
     [](world& w) { static_cast<void>(w.table.insert_new("a", 3)); }},
    {"take", exits::never, waits::no, [](world& w) { static_cast<void>(w.table.take("a")); }},
    {"update", exits::never, waits::no, [](world& w) { w.table.update("a", [](int& n) { ++n; }); }},
    {"update_counter", exits::never, waits::no,
     [](world& w) { w.table.update_counter("a", 1, 0); }},
    {"erase", exits::never, waits::no, [](world& w) { w.table.erase("a"); }},
    {"clear", exits::never, waits::no, [](world& w) { w.table.clear(); }},
    {"set_heir", exits::never, waits::no, [](world& w) { w.table.set_heir(w.partner); }},
    {"give_away", exits::never, waits::no, [](world& w) { ages::create().give_away(w.partner); }},
    {"delete_table", exits::never, waits::no, [](world&) { ages::create().delete_table(); }},
};

}  // namespace table_exits_test

using namespace table_exits_test;

TEST_CASE("operations on one object of a table never end their process", "[table][C0-2]") {
  on_every_driver(
      [](driver_report& report) { otter_test::check_contract<world>(report, functions); });
}
