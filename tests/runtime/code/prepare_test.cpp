// Loading in two halves, and the way back from a load.

#include <fstream>
#include <otter/code.hpp>
#include <otter/exit.hpp>
#include <otter/monitor.hpp>
#include <otter/process_info.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <string>
#include <utility>
#include <vector>

#include "modules.hpp"
#include "on_every_driver.hpp"
#include "sums.hpp"

namespace code = otter::code;

namespace {

/// How many parts of modules are in memory.
std::size_t mapped_parts() {
  std::ifstream maps("/proc/self/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);)
    if (line.find("otter module") != std::string::npos) ++count;
  return count;
}

/// A process whose body is of the current version; waits until it has said so.
otter::pid start_of_module() {
  otter::pid const started = code::latest<otter::pid(otter::pid)>("sums", "start")(otter::self());
  otter::receive([](sums::report) {});
  return started;
}

std::string why_not_finished(code::prepared const& p) {
  auto const finished = code::finish_loading(p);
  return finished ? "finished" : std::string(to_string(finished.error().what));
}

}  // namespace

TEST_CASE("what is prepared changes nothing until it is finished, and then all of it is current",
          "[code][CL-8]") {
  on_every_driver([](driver_report& report) {
    code::load(modules::file("sums-1")).value();
    auto const two = code::prepare_loading({modules::file("products-1"), modules::file("sums-2")});
    report.check("it is prepared", two.has_value());
    report.equal("the modules", two->modules().size(), 2u);
    report.equal("in the order of the files", two->modules()[1].version, std::string("2"));
    report.equal("one is as it was", modules::versions("sums"), std::string("1"));
    report.equal("the other is not there", modules::versions("products"), std::string());
    report.equal("nobody can call it", modules::version_of_sums(), std::string("1"));
    auto const finished = code::finish_loading(*two);
    report.check("it is finished", finished && finished->size() == 2);
    report.equal("both are current",
                 modules::versions("sums") + ", " + modules::versions("products"),
                 std::string("2 over 1, 1"));
    report.equal("on_load has run once", code::latest<int()>("products", "accepted")(), 1);
    report.equal("a second time", why_not_finished(*two), std::string("not_prepared"));
    report.equal("changes nothing", modules::versions("sums"), std::string("2 over 1"));
    code::discard(*two);
    report.equal("nor does discarding it", modules::versions("sums"), std::string("2 over 1"));
  });
}

TEST_CASE("a set of which one file is refused is not prepared", "[code][CL-7][CL-8]") {
  on_every_driver([](driver_report& report) {
    code::load(modules::file("sums-1")).value();
    auto const none =
        code::prepare_loading({modules::file("products-1"), modules::file("sums-returns_false")});
    report.check("refused", !none && none.error().what == code::load_errc::on_load_failure);
    report.equal("nothing has changed", modules::versions("sums") + modules::versions("products"),
                 std::string("1"));
    report.equal("a value that names nothing", why_not_finished({}), std::string("not_prepared"));
    code::discard({});
  });
}

TEST_CASE("what is prepared and discarded is gone, from memory too if nothing of it has run",
          "[code][CL-8]") {
  on_every_driver([](driver_report& report) {
    code::load(modules::file("sums-1")).value();
    std::size_t const before = mapped_parts();
    auto const set = code::prepare_loading({modules::file("sums-2")});
    report.check("it is in memory", mapped_parts() > before);
    code::discard(*set);
    report.equal("and is not", mapped_parts(), before);
    report.equal("it cannot be finished", why_not_finished(*set), std::string("not_prepared"));
    report.equal("the current version runs", modules::version_of_sums(), std::string("1"));
    auto const has_run = code::prepare_loading({modules::file("products-1")});
    code::discard(*has_run);
    report.equal("one whose on_load has run is not current either", modules::versions("products"),
                 std::string());
    code::load(modules::file("sums-2")).value();
    report.equal("a load of it works", modules::version_of_sums(), std::string("2"));
  });
}

TEST_CASE("what a process has prepared is discarded when it ends", "[code][CL-8]") {
  in_simulation([](driver_report& report) {
    otter::pid const test = otter::self();
    auto const owner = otter::spawn_monitor([test] {
      otter::send(test, code::prepare_loading({modules::file("sums-1")}).value());
      otter::receive([](sums::go_on) {});
    });
    auto const set = otter::receive([](code::prepared p) { return p; });
    std::size_t const prepared = mapped_parts();
    otter::exit(owner.process, otter::exit_reason::kill());
    otter::receive(otter::when([&](otter::down const& d) { return d.ref == owner.ref; },
                               [](otter::down const&) {}));
    otter::receive(otter::after(std::chrono::seconds(1), [] {}));
    report.equal("it cannot be finished", why_not_finished(set), std::string("not_prepared"));
    report.check("it is not in memory", mapped_parts() < prepared);
  });
}

TEST_CASE("an old version becomes current again, and nobody is killed", "[code][CL-13]") {
  on_every_driver([](driver_report& report) {
    code::load(modules::file("sums-1")).value();
    report.check("there is no way back from the first", !code::restore_old({"sums"}));
    otter::pid const first = start_of_module();
    code::atomic_load({modules::file("sums-2"), modules::file("products-1")}).value();
    otter::pid const second = start_of_module();
    report.check("all of them or none", !code::restore_old({"sums", "products"}));
    report.equal("then nothing changes", modules::versions("sums"), std::string("2 over 1"));
    report.check("it goes back", code::restore_old({"sums"}));
    report.equal("they have changed places", modules::versions("sums"), std::string("1 over 2"));
    report.equal("calls go to it", modules::version_of_sums(), std::string("1"));
    report.check("who uses the one", code::users("sums") == std::vector<otter::pid>{first});
    report.check("and who the other", code::old_users("sums") == std::vector<otter::pid>{second});
    report.check("nobody was killed", otter::is_alive(first) && otter::is_alive(second));
    report.check("a purge kills those of the later version", code::purge("sums"));
    report.check("only those", otter::is_alive(first) && !otter::is_alive(second));
  });
}

TEST_CASE("the processes of a module are those whose body is of it", "[code][CL-14]") {
  on_every_driver([](driver_report& report) {
    report.check("of one that is not loaded", code::users("sums").empty());
    code::load(modules::file("sums-1")).value();
    std::vector<otter::pid> started;
    for (int i = 0; i < 20; ++i) started.push_back(start_of_module());
    report.check("all, in order", code::users("sums") == started);
    otter::monitor_ref const watch = otter::monitor(started.back());
    otter::exit(started.back(), otter::exit_reason::kill());
    otter::receive(otter::when([&](otter::down const& d) { return d.ref == watch; },
                               [](otter::down const&) {}));
    started.pop_back();
    report.check("one has ended", code::users("sums") == started);
    code::load(modules::file("sums-2")).value();
    report.check("of the new version", code::users("sums").empty());
    report.check("of the old one", code::old_users("sums") == started);
  });
}
