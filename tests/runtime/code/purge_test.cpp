// The end of a version's use.

#include <catch2/catch.hpp>
#include <functional>
#include <otter/code.hpp>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/monitor.hpp>
#include <otter/process_info.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <string>

#include "modules.hpp"
#include "on_every_driver.hpp"
#include "sums.hpp"

namespace code = otter::code;

namespace {

std::string version_reported() {
  return otter::receive([](sums::report r) { return r.version; });
}
otter::exit_reason end_of(otter::spawned const& p) {
  return otter::receive(otter::when([&](otter::down const& d) { return d.ref == p.ref; },
                                    [](otter::down d) { return d.reason; }));
}

/// A process that is in a call of `stay`, in the version that is current now.
otter::spawned stays_in_a_call() {
  auto const p = otter::spawn_monitor(
      [test = otter::self()] { code::latest<void(otter::pid)>("sums", "stay")(test); });
  version_reported();
  return p;
}
/// A process that a module has started, of code of its own.
otter::spawned stays_by_its_body() {
  otter::pid const p = code::latest<otter::pid(otter::pid)>("sums", "start")(otter::self());
  version_reported();
  return {p, otter::monitor(p)};
}

}  // namespace

TEST_CASE("purge kills who still uses the old version, and nobody else", "[code][CL-4]") {
  on_every_driver([](driver_report& report) {
    code::load(modules::file("sums-1")).value();
    auto const caller = stays_in_a_call();
    auto const body = stays_by_its_body();
    code::load(modules::file("sums-2")).value();
    auto const new_caller = stays_in_a_call();
    auto const new_body = stays_by_its_body();
    report.equal("users of the old one", code::which_old("sums")->processes, 2u);
    report.check("somebody was killed", code::purge("sums"));
    report.check("in a call", end_of(caller) == otter::exit_kind::killed);
    report.check("by its body", end_of(body) == otter::exit_kind::killed);
    report.equal("the old one is gone", modules::versions("sums"), std::string("2"));
    report.check("others live: in a call", otter::is_alive(new_caller.process));
    report.check("and by their body", otter::is_alive(new_body.process));
    report.check("a second purge kills nobody", !code::purge("sums"));
    report.check("nor one of what was never loaded", !code::purge("products"));
  });
}

TEST_CASE("soft_purge spares the old version while anybody uses it", "[code][CL-4]") {
  on_every_driver([](driver_report& report) {
    code::load(modules::file("sums-1")).value();
    auto const body = stays_by_its_body();
    auto const caller = stays_in_a_call();
    code::load(modules::file("sums-2")).value();
    report.check("two use it", !code::soft_purge("sums"));
    otter::exit(body.process, otter::exit_reason::shutdown());
    end_of(body);
    report.check("one uses it", !code::soft_purge("sums"));
    report.check("and lives", otter::is_alive(caller.process));
    report.equal("it is still there", modules::versions("sums"), std::string("2 over 1"));
    otter::exit(caller.process, otter::exit_reason::shutdown());
    end_of(caller);
    report.check("nobody uses it", code::soft_purge("sums"));
    report.equal("it is gone", modules::versions("sums"), std::string("2"));
    report.check("nothing to do is success", code::soft_purge("sums"));
  });
}

TEST_CASE("a third version ends the use of the first", "[code][CL-1]") {
  on_every_driver([](driver_report& report) {
    code::load(modules::file("sums-1")).value();
    auto const first = stays_by_its_body();
    code::load(modules::file("sums-2")).value();
    auto const second = stays_by_its_body();
    code::load(modules::file("sums-1")).value();
    report.check("the first is killed", end_of(first) == otter::exit_kind::killed);
    report.check("the second lives", otter::is_alive(second.process));
  });
}

TEST_CASE("a refused third version kills nobody", "[code][CL-1][CL-7]") {
  on_every_driver([](driver_report& report) {
    code::load(modules::file("sums-1")).value();
    auto const first = stays_by_its_body();
    code::load(modules::file("sums-2")).value();
    report.check("refused", !code::load(modules::file("sums-returns_false")).has_value());
    report.check("the first lives", otter::is_alive(first.process));
    report.check("and uses the old version", code::check_process_code(first.process, "sums"));
  });
}

TEST_CASE("a deleted module has an old version and no current one", "[code][CL-5]") {
  on_every_driver([](driver_report& report) {
    report.check("what is not there is not deleted", !code::delete_module("sums"));
    code::load(modules::file("sums-1")).value();
    auto const body = stays_by_its_body();
    report.check("deleted", code::delete_module("sums"));
    report.equal("old only", modules::versions("sums"), std::string("over 1"));
    report.check("who uses it lives", otter::is_alive(body.process));
    report.check("not twice", !code::delete_module("sums"));
    code::load(modules::file("sums-2")).value();
    report.equal("a new one comes over it", modules::versions("sums"), std::string("2 over 1"));
    report.check("with an old one there is no deleting", !code::delete_module("sums"));
    report.equal("and nothing has changed", modules::versions("sums"), std::string("2 over 1"));
  });
}

TEST_CASE("a closure of a purged version starts nothing any more", "[code][CL-9]") {
  on_every_driver([](driver_report& report) {
    code::load(modules::file("sums-1")).value();
    std::function<otter::pid()> const start =
        code::latest<std::function<otter::pid()>(otter::pid)>("sums", "starter")(otter::self());
    code::load(modules::file("sums-2")).value();
    otter::pid const process = start();
    report.equal("it is of the old version", version_reported(), std::string("1"));
    report.check("and so is what it starts", code::check_process_code(process, "sums"));
    code::purge("sums");
    std::string what;
    try {
      start();
    } catch (otter::error const& e) {
      what = e.what();
    }
    report.check(
        "after the purge: " + what,
        what.find("undef: ") == 0 && what.find("sums 1, which was purged") != std::string::npos);
  });
}

TEST_CASE("a process that ends is no user any more", "[code][CL-4]") {
  on_every_driver([](driver_report& report) {
    code::load(modules::file("sums-1")).value();
    for (int i = 0; i < 20; ++i) {
      auto const p = i % 2 == 0 ? stays_by_its_body() : stays_in_a_call();
      otter::exit(p.process, otter::exit_reason::shutdown());
      end_of(p);
    }
    report.equal("none is left", code::which("sums")->processes, 0u);
  });
}
