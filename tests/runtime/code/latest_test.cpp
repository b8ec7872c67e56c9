// Calls into modules: which version they reach, and what may come out of one.

#include <catch2/catch.hpp>
#include <otter/code.hpp>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <string>

#include "modules.hpp"
#include "on_every_driver.hpp"
#include "sums.hpp"

namespace code = otter::code;

namespace {

template <class F>
std::string thrown_by(F&& f) {
  try {
    f();
  } catch (otter::error const& e) {
    return e.what();
  } catch (otter::process_exit const& e) {
    return to_string(e.reason());
  }
  return "nothing";
}

std::string version_reported() {
  return otter::receive([](sums::report r) { return r.version; });
}

}  // namespace

TEST_CASE("a call of latest goes to the current version, whenever it was made", "[code][CL-2]") {
  on_every_driver([](driver_report& report) {
    code::latest<std::string()> const version("sums", "version");
    code::load(modules::file("sums-1")).value();
    report.equal("the first", version(), std::string("1"));
    code::load(modules::file("sums-2")).value();
    report.equal("the second", version(), std::string("2"));
    report.equal("with arguments", code::latest<int(int)>("sums", "twice")(21), 42);
  });
}

TEST_CASE("a call of what is not there is undef and says what is missing", "[code][CL-5]") {
  on_every_driver([](driver_report& report) {
    auto const call = [](char const* module, char const* function) {
      return thrown_by([&] { code::latest<int(int)>(module, function)(1); });
    };
    auto const says = [&](std::string const& text, std::string const& part) {
      report.check(text, text.find("undef: ") == 0 && text.find(part) != std::string::npos);
    };
    says(call("sums", "twice"), "no module is loaded");
    code::load(modules::file("sums-1")).value();
    says(call("products", "twice"), "products:twice: the module is not loaded");
    says(call("sums", "thrice"), "module sums 1 has no function \"thrice\"");
    says(call("sums", "version"), "is called as");
    says(thrown_by([] { code::latest<int(long)>("sums", "twice")(1); }), "is called as");
    code::load(modules::file("sums-2")).value();
    report.equal("which the next version has", code::latest<int(int)>("sums", "thrice")(1), 3);
    code::purge("sums");
    report.check("deleted", code::delete_module("sums"));
    says(call("sums", "twice"), "was deleted");
  });
}

TEST_CASE("what leaves a function of a module becomes a reason at its border", "[code][CL-11]") {
  on_every_driver([](driver_report& report) {
    code::load(modules::file("sums-1")).value();
    std::string const failed =
        thrown_by([] { code::latest<void(std::string)>("sums", "fail")("too small"); });
    report.check("an exception: " + failed, failed.find("too small") != std::string::npos &&
                                                failed.find("runtime_error") != std::string::npos);
    report.equal("is reported as a crash", report.count_events(otter::node_event::kind::crash), 1u);
    report.equal("an exit",
                 thrown_by([] { code::latest<void(std::string)>("sums", "leave")("enough"); }),
                 to_string(otter::exit_reason::of("enough")));
    report.equal("is none", report.count_events(otter::node_event::kind::crash), 1u);
    report.equal("and nobody uses it any more", code::which("sums")->processes, 0u);
  });
}

TEST_CASE("a process of steps goes on in the newest version, others stay in theirs",
          "[code][CL-3][CL-6]") {
  on_every_driver([](driver_report& report) {
    code::load(modules::file("sums-1")).value();
    auto const ticking = code::spawn({}, sums::tick("sums", "tick").with(otter::self()));
    report.equal("begins in the first", version_reported(), std::string("1"));
    otter::pid const staying = otter::spawn(
        [test = otter::self()] { code::latest<void(otter::pid)>("sums", "stay")(test); });
    report.equal("so does the other", version_reported(), std::string("1"));
    code::load(modules::file("sums-2")).value();
    report.equal("both run in what is old now", code::which_old("sums")->processes, 2u);
    otter::send(staying, sums::go_on{});
    report.equal("who makes no call of latest stays", version_reported(), std::string("1"));
    otter::send(ticking, sums::go_on{});
    report.equal("who does is in the new one", version_reported(), std::string("2"));
    report.check("one has left the old one", !code::check_process_code(ticking, "sums"));
    report.check("the other has not", code::check_process_code(staying, "sums"));
    report.equal("each version has one", code::which("sums")->processes, 1u);
    otter::exit(staying, otter::exit_reason::kill());
    report.check("a question comes behind the exit", !code::check_process_code(staying, "sums"));
  });
}

TEST_CASE("a process of steps ends when there is no next one", "[code][CL-3]") {
  on_every_driver([](driver_report& report) {
    code::load(modules::file("sums-1")).value();
    auto const once = code::spawn({.monitor = otter::alias_mode::none},
                                  sums::tick("sums", "tick_once").with(otter::self()));
    report.equal("it runs", version_reported(), std::string("1"));
    report.check("and ends normally", otter::receive([&](otter::down d) {
                   return d.process == once.process && d.reason == otter::exit_kind::normal;
                 }));
    report.equal("and has left", code::which("sums")->processes, 0u);
  });
}
