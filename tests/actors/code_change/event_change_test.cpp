// Handlers of modules that go on in another version of their class, in a manager that is of none.

#include <catch2/catch.hpp>
#include <otter/code.hpp>
#include <otter/exit.hpp>
#include <otter/gen_event.hpp>
#include <otter/message.hpp>
#include <otter/monitor.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/sys.hpp>
#include <string>
#include <vector>

#include "bell.hpp"
#include "code_changing.hpp"
#include "on_every_driver.hpp"

namespace code = otter::code;
namespace sys = otter::sys;
using namespace bells;
using code_changing::has;

namespace {

void load(int version) { code_changing::load("bell", version); }
std::string upgrade(otter::pid manager) { return code_changing::upgrade(manager, "bell"); }

/// One of the program's own.
class ear : public otter::event_handler<ear> {
 public:
  using accepts = otter::accepts<ring, tell>;
  void handle_event(ring const&) { ++heard_; }
  void handle_event(tell const& t) { otter::send(t.to, told{"ear: " + std::to_string(heard_)}); }

 private:
  int heard_ = 0;
};

/// With two bells, a gong and an ear, which have heard two rings.
otter::pid start() {
  otter::pid const manager = otter::gen_event::start().value();
  adder("bell", "add_bell")(manager, "a");
  if (!otter::gen_event::add_handler<ear>(manager)) otter::exit(otter::exit_reason::of("no ear"));
  adder("bell", "add_gong")(manager, "");
  adder("bell", "add_bell")(manager, "b");
  otter::gen_event::notify(manager, ring{3});
  otter::gen_event::sync_notify(manager, ring{4});
  return manager;
}
/// What the handlers say, in the order in which they are called.
std::string said(otter::pid manager, int handlers = 4) {
  otter::gen_event::sync_notify(manager, tell{otter::self()});
  std::string all;
  for (int i = 0; i < handlers; ++i)
    all += (i == 0 ? "" : "; ") + otter::receive([](told t) { return t.text; });
  return all;
}

std::string const before = "bell b 1: 7, last 4; gong 1: 7; ear: 2; bell a 1: 7, last 4";

}  // namespace

TEST_CASE("all handlers of a module go on in the new version, in their places; others stay",
          "[code_change][GE-13][CL-13]") {
  on_every_driver([](driver_report& report) {
    load(1);
    otter::pid const manager = start();
    report.equal("before", said(manager), before);
    report.check("the manager uses it", code::users("bell") == std::vector<otter::pid>{manager});
    load(2);
    report.check("now the old one", code::check_process_code(manager, "bell"));
    sys::suspend(manager);
    otter::gen_event::notify(manager, ring{1});
    report.equal("the change", code_changing::change(manager, "bell"), std::string("done"));
    sys::resume(manager);
    report.equal("what came meanwhile is heard by the new ones", said(manager),
                 std::string("bell b 2: 8, last 1; gong 2: 8; ear: 3; bell a 2: 8, last 1"));
    report.check("the old version is free", !code::check_process_code(manager, "bell"));
    report.check("so a purge kills nobody", !code::purge("bell"));
    load(1);
    report.equal("down", upgrade(manager), std::string("done"));
    report.equal("after", said(manager),
                 std::string("bell b 1: 8, last 1; gong 1: 8; ear: 3; bell a 1: 8, last 1"));
    otter::stop(manager);
  });
}

TEST_CASE("if one handler of the module refuses, none of them changes",
          "[code_change][GE-13][CL-15]") {
  on_every_driver([](driver_report& report) {
    for (int const version : {3, 4}) {
      load(1);
      otter::pid const manager = start();
      load(version);
      std::string const part =
          version == 3 ? "a gong does not change" : "does not list the class gong";
      std::string const soon = code_changing::change(manager, "bell");
      report.check("not suspended: " + soon, has(soon, "is not suspended"));
      std::string const check = [&] {
        try {
          sys::check_code_change(manager, "bell");
        } catch (otter::process_exit const& e) {
          return to_string(e.reason());
        }
        return std::string("done");
      }();
      report.check("a check: " + check, has(check, part));
      std::string const why = upgrade(manager);
      report.check("refused: " + why, has(why, part));
      report.equal("all are what they were", said(manager), before);
      otter::stop(manager);
    }
  });
}

TEST_CASE("a handler that changes is still whose it was", "[code_change][GE-13][GE-9]") {
  on_every_driver([](driver_report& report) {
    struct go_on {};
    otter::pid const manager = otter::gen_event::start().value();
    otter::pid const test = otter::self();
    load(1);
    otter::pid const owner = otter::spawn([manager, test] {
      // Its end is told to the manager, which passes it to the other handlers: to nobody.
      adder("bell", "add_own_bell")(manager, "mine");
      otter::send(test, go_on{});
      otter::receive([](go_on) {});
    });
    otter::receive([](go_on) {});
    load(2);
    report.equal("the change", upgrade(manager), std::string("done"));
    report.check("supervised", otter::gen_event::which_handlers(manager) ==
                                   std::vector<otter::handler_info>{{"bell", "mine", true}});
    otter::monitor_ref const watch = otter::monitor(owner);
    otter::send(owner, go_on{});
    otter::receive([&](otter::down d) { return d.ref == watch; });
    report.check("it goes with its owner", otter::gen_event::which_handlers(manager).empty());
    otter::stop(manager);
  });
}

TEST_CASE("a manager with a handler of the old version ends when that is purged",
          "[code_change][CL-4]") {
  on_every_driver([](driver_report& report) {
    load(1);
    otter::pid const manager = start();
    otter::monitor_ref const watch = otter::monitor(manager);
    load(2);
    report.check("a soft purge leaves it alone", !code::soft_purge("bell"));
    report.equal("it serves", said(manager), before);
    report.check("a purge kills it", code::purge("bell"));
    report.check("and it has ended", otter::receive([&](otter::down d) {
                   return d.ref == watch && d.reason == otter::exit_reason::killed();
                 }));
  });
}
