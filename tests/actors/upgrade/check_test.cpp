// Plans that are looked at before anybody notices.

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "on_every_driver.hpp"
#include "upgrading.hpp"

using namespace upgrading;

TEST_CASE("a plan that fits is found good, and nothing changes", "[upgrade][CL-15]") {
  on_every_driver([](driver_report& report) {
    load("lamp", 1);
    auto const all = start_many("lamp", 3);
    auto const found = upgrade::check({.application = "house", .modules = {step("lamp", 2)}});
    report.check("it is good: " + lines(found), found.done);
    report.equal("for whom", found.application, std::string("house"));
    report.equal("one module", found.modules.size(), 1u);
    report.equal("from", found.modules[0].from, std::string("1"));
    report.equal("its processes", found.modules[0].processes, 3u);
    report.check("checked", found.modules[0].state == upgrade::module_report::state_type::checked);
    report.equal("nothing has changed", versions("lamp"), std::string("1"));
    report.equal("for nobody", look(all), std::string("1: 0, 1: 1, 1: 2"));
  });
}

TEST_CASE("a plan that does not fit is refused with the reason, and nothing changes",
          "[upgrade][CL-8][CL-15]") {
  on_every_driver([](driver_report& report) {
    load("lamp", 1);
    auto const all = start_many("lamp", 2);
    auto const with_file = [](upgrade::module_step s, std::string path) {
      s.file = std::move(path);
      return s;
    };
    auto const from = [](upgrade::module_step s, std::vector<std::string> versions_of_it) {
      s.from = std::move(versions_of_it);
      return s;
    };
    struct trial {
      std::vector<upgrade::module_step> modules;
      std::string part;
    };
    for (trial const& t : std::vector<trial>{
             {{}, "the plan has no modules"},
             {{from(step("lamp", 2), {"0", "3"})}, "comes from version 0 or 3, and 1 is current"},
             {{step("desk", 2)}, "comes from version 1, and it is not loaded"},
             {{from(step("lamp", 1), {})}, "version 1 is current already"},
             {{with_file(step("lamp", 2), "/nowhere/lamp.so")},
              "/nowhere/lamp.so: cannot be opened"},
             {{with_file(step("lamp", 2), file("desk", 2))},
              "is module desk 2, and the plan says lamp 2"},
             {{with_file(step("lamp", 2), file("lamp", 3))},
              "is module lamp 3, and the plan says lamp 2"},
             {{step("lamp", 4)}, "it returned false"},
             {{step("lamp", 2, {{"shop"}})}, "depends on shop, which is neither loaded"},
             {{step("lamp", 2, {{"desk", "3"}}), from(step("desk", 2), {})},
              "depends on desk 3, and it will be 2"},
             {{step("lamp", 2), step("lamp", 3)}, "module lamp is in the plan twice"},
             {{step("lamp", 2, {{"desk"}}), step("desk", 2, {{"lamp"}})},
              "in a circle: lamp -> desk -> lamp"},
             {{step("lamp", 2, {{"lamp"}})}, "in a circle: lamp -> lamp"}}) {
      for (bool const really : {false, true}) {
        auto const found = really ? upgrade::apply({.modules = t.modules})
                                  : upgrade::check({.modules = t.modules});
        report.check(t.part + " is refused", !found.done && found.refusals.size() == 1);
        report.check("it says why: " + lines(found), has(lines(found), t.part));
        report.equal("nothing has changed", versions("lamp") + versions("desk"), std::string("1"));
      }
    }
    report.equal("for nobody", look(all), std::string("1: 0, 1: 1"));
  });
}

TEST_CASE("a module goes after those that it depends on", "[upgrade][CL-13]") {
  on_every_driver([](driver_report& report) {
    load("lamp", 1);
    load("desk", 1);
    auto const found =
        upgrade::check({.modules = {step("lamp", 2, {{"desk", "2"}}), step("desk", 2)}});
    report.check("it is good: " + lines(found), found.done);
    report.equal("the order", found.modules[0].name + found.modules[1].name,
                 std::string("desklamp"));
    auto const as_it_stands = upgrade::check({.modules = {step("lamp", 2), step("desk", 2)}});
    report.equal("without a need", as_it_stands.modules[0].name, std::string("lamp"));
  });
}

TEST_CASE("a plan that would kill who is two versions behind is refused, unless it says so",
          "[upgrade][CL-14]") {
  on_every_driver([](driver_report& report) {
    load("lamp", 1);
    otter::pid const behind = start("lamp", 5);
    load("lamp", 2);
    auto next = step("lamp", 3);
    next.from = {"2"};
    auto const refused = upgrade::apply({.modules = {next}});
    report.check("refused: " + lines(refused),
                 has(lines(refused), "1 processes still use version 1, which is old already"));
    report.equal("it serves", look({behind}), std::string("1: 5"));
    next.purge = upgrade::purge_type::brutal;
    otter::monitor_ref const watch = otter::monitor(behind);
    report.check("done", upgrade::apply({.modules = {next}}).done);
    report.check("it was killed", otter::receive([&](otter::down d) {
                   return d.ref == watch && d.reason == otter::exit_kind::killed;
                 }));
    report.equal("the versions", versions("lamp"), std::string("3 over 2"));
  });
}
