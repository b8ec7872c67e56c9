// What tables keep of a module.

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <otter/code.hpp>
#include <otter/exit.hpp>
#include <otter/monitor.hpp>
#include <otter/process_info.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/table.hpp>
#include <string>

#include "code_changing.hpp"
#include "on_every_driver.hpp"

namespace code = otter::code;

namespace {

struct go_on {};

void await(otter::monitor_ref watch) {
  otter::receive(
      otter::when([&](otter::down const& d) { return d.ref == watch; }, [](otter::down const&) {}));
}

/// The module "shelf" is purged, and kept by a table of `owner`, in words with `part`, until
/// `release()`.
template <class Release>
void is_kept(driver_report& report, otter::pid owner, std::string const& part, Release&& release) {
  code::delete_module("shelf");
  code::purge("shelf");
  std::string text;
  bool named = false;
  for (auto const& r : code::unload("shelf")) {
    for (auto const& h : r.held_by) {
      text += h.text + "; ";
      named = named || (h.what == code::holder_kind::table && h.process == owner &&
                        h.text.find(part) != std::string::npos);
    }
  }
  report.check(fmt::format("\"{}\" in \"{}\"", part, text), named);
  if (!named) return;
  release();
  bool unmapped = false;
  for (int attempt = 0; attempt < 500 && !unmapped; ++attempt) {
    for (auto const& r : code::unload("shelf")) unmapped = r.unmapped;
    otter::sleep_for(std::chrono::milliseconds(attempt / 10));
  }
  report.check("it is unmapped when that is gone", unmapped);
}

}  // namespace

TEST_CASE("a version stays mapped while a table has a row that it has put there",
          "[code_change][CL-11]") {
  on_every_driver([](driver_report& report) {
    auto rows = otter::table<int, std::string>::create(
        {.name = "shelf", .access = otter::table_access::public_table});
    rows.insert(1, "of the program");
    code_changing::load("shelf", 1);
    await(otter::spawn_monitor([] { code::latest<void(int)>("shelf", "put")(2); }).ref);
    report.check("it is there", rows.lookup(2).has_value());
    is_kept(report, otter::self(), "a row of table \"shelf\" of ",
            [&] { await(otter::spawn_monitor([rows] { rows.erase(2); }).ref); });
    report.check("the other row is as it was", rows.lookup(1) == "of the program");
  });
}

TEST_CASE("a version stays mapped while there is a table that it has made",
          "[code_change][CL-11]") {
  on_every_driver([](driver_report& report) {
    code_changing::load("shelf", 1);
    auto const owner = otter::spawn_monitor([test = otter::self()] {
      code::latest<void()>("shelf", "make")();
      otter::send(test, go_on{});
      otter::receive([](go_on) {});
    });
    otter::receive([](go_on) {});
    is_kept(report, owner, "the types of table \"rack\" of ", [&] {
      otter::send(owner, go_on{});
      await(owner.ref);
    });
  });
}
