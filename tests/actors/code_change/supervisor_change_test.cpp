// Supervisors of modules that are asked again what they look after.

#include <catch2/catch.hpp>
#include <otter/code.hpp>
#include <otter/exit.hpp>
#include <otter/gen.hpp>
#include <otter/link.hpp>
#include <otter/monitor.hpp>
#include <otter/receive.hpp>
#include <otter/supervisor.hpp>
#include <otter/sys.hpp>
#include <string>
#include <vector>

#include "code_changing.hpp"
#include "on_every_driver.hpp"
#include "shop.hpp"

namespace code = otter::code;
namespace sys = otter::sys;
using namespace shops;
using code_changing::has;
using otter::supervisor;

namespace {

void load(int version) { code_changing::load("shop", version); }
std::string upgrade(otter::pid sup) { return code_changing::upgrade(sup, "shop"); }
otter::pid start() { return starter("shop", "start")("Bonn"); }

/// The ids in the order of their starts; one that does not run in brackets.
std::string shown(otter::pid sup) {
  std::string text;
  std::vector<otter::child_info> const all = supervisor::which_children(sup);
  for (auto it = all.rbegin(); it != all.rend(); ++it)
    text += (text.empty() ? "" : " ") + (it->process ? it->id : "[" + it->id + "]");
  return text;
}
otter::pid child(otter::pid sup, std::string const& id) {
  for (otter::child_info const& c : supervisor::which_children(sup))
    if (c.id == id) return c.process;
  return {};
}
std::string version_of(otter::pid sup, std::string const& id) {
  return otter::call(child(sup, id), look{});
}
/// Ends it, and returns when its supervisor has dealt with that.
void fail(otter::pid sup, std::string const& id) {
  otter::pid const one = child(sup, id);
  otter::monitor_ref const watch = otter::monitor(one);
  otter::exit(one, otter::exit_reason::of("an accident"));
  otter::receive([&](otter::down d) { return d.ref == watch; });
  while (child(sup, id) == one) otter::checkpoint();
}

}  // namespace

TEST_CASE("a supervisor's flags and specifications are replaced, and no child notices",
          "[code_change][SUP-39]") {
  on_every_driver([](driver_report& report) {
    load(1);
    otter::pid const sup = start();
    report.equal("before", shown(sup), std::string("till door yard"));
    otter::pid const till = child(sup, "till");
    load(2);
    report.equal("the change", upgrade(sup), std::string("done"));
    // What is not said any more is kept, behind the others; what is new is not started.
    report.equal("after", shown(sup), std::string("[desk] till yard door"));
    report.check("the same processes", child(sup, "till") == till);
    report.equal("in their old version", version_of(sup, "till"),
                 std::string("clerk 1 at till Bonn"));
    fail(sup, "till");
    report.equal("a restart runs the new one", version_of(sup, "till"),
                 std::string("clerk 2 at till Bonn"));
    report.check("the new child is started by hand",
                 supervisor::restart_child(sup, "desk").has_value());
    report.equal("by the new version", version_of(sup, "desk"),
                 std::string("clerk 2 at desk Bonn"));
    fail(sup, "door");
    report.equal("what is kept is restarted as before", version_of(sup, "door"),
                 std::string("clerk 1 at door Bonn"));
    fail(sup, "desk");
    report.equal("more restarts are allowed now", version_of(sup, "desk"),
                 std::string("clerk 2 at desk Bonn"));
    fail(sup, "yard");
    report.equal("its new specification counts", shown(sup), std::string("desk till door"));
    otter::unlink(sup);
    otter::stop(sup, otter::exit_reason::shutdown());
  });
}

TEST_CASE("a supervisor goes back to an older version of its module", "[code_change][SUP-39]") {
  on_every_driver([](driver_report& report) {
    load(2);
    otter::pid const sup = start();
    report.equal("before", shown(sup), std::string("desk till yard"));
    load(1);
    report.equal("down", upgrade(sup), std::string("done"));
    report.equal("after", shown(sup), std::string("till [door] yard desk"));
    report.check("it keeps a child of the later version", code::check_process_code(sup, "shop"));
    static_cast<void>(supervisor::terminate_child(sup, "desk"));
    static_cast<void>(supervisor::delete_child(sup, "desk"));
    report.check("and has left that without it", !code::check_process_code(sup, "shop"));
    fail(sup, "till");
    report.equal("a restart runs the older one", version_of(sup, "till"),
                 std::string("clerk 1 at till Bonn"));
    otter::unlink(sup);
    otter::stop(sup, otter::exit_reason::shutdown());
  });
}

TEST_CASE("a supervisor whose new flags or specifications cannot be had stays as it is",
          "[code_change][SUP-39][CL-15]") {
  on_every_driver([](driver_report& report) {
    for (int const version : {3, 4, 5}) {
      load(1);
      otter::pid const sup = start();
      load(version);
      std::string const part = version == 3   ? "closed for ever"
                               : version == 4 ? "there are two children \"till\""
                                              : "init() of shop takes int in version 5";
      std::string const why = upgrade(sup);
      report.check("refused: " + why, has(why, part));
      report.equal("after", shown(sup), std::string("till door yard"));
      fail(sup, "till");
      report.equal("a restart runs the old version", version_of(sup, "till"),
                   std::string("clerk 1 at till Bonn"));
      otter::unlink(sup);
      otter::stop(sup, otter::exit_reason::shutdown());
    }
  });
}

TEST_CASE("a supervisor that no class describes refuses a change", "[code_change][SUP-39]") {
  on_every_driver([](driver_report& report) {
    load(1);
    otter::pid const sup = supervisor::start_link({}, {}).value();
    std::string const why = upgrade(sup);
    report.check("refused: " + why, has(why, "no class of a module says its flags"));
    otter::unlink(sup);
    otter::stop(sup, otter::exit_reason::shutdown());
  });
}
