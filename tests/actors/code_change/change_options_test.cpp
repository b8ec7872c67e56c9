// What may be said of a code change: a trial first, something for the hook, no waiting.

#include <catch2/catch.hpp>
#include <memory>
#include <otter/code.hpp>
#include <otter/exit.hpp>
#include <otter/gen.hpp>
#include <otter/message.hpp>
#include <otter/receive.hpp>
#include <otter/request.hpp>
#include <otter/spawn.hpp>
#include <otter/sys.hpp>
#include <string>
#include <vector>

#include "code_changing.hpp"
#include "counter.hpp"
#include "on_every_driver.hpp"

namespace code = otter::code;
namespace sys = otter::sys;
using namespace counting;
using code_changing::has;

namespace {

void load(int version) { code_changing::load("counter", version); }

/// A server of the current version, which is 1, with something that cannot be copied.
otter::pid start(int n) {
  otter::pid const server = starter("counter", "start")(n).value();
  otter::cast(server, keep{std::make_unique<std::string>("inside")});
  return server;
}
std::string shown(otter::pid server) { return otter::call(server, look{}); }

/// "done", or why not.
template <class F>
std::string outcome_of(F&& ask) {
  try {
    ask();
  } catch (otter::process_exit const& e) {
    return to_string(e.reason());
  }
  return "done";
}
std::string answer_to(otter::sent_request<void> const& id) {
  auto const got = otter::receive_response(id).value();
  return got ? "done" : to_string(got.error());
}

}  // namespace

TEST_CASE("a hook is told what the one who asks for the change has to say",
          "[code_change][GS-35][SY-7]") {
  on_every_driver([](driver_report& report) {
    load(1);
    otter::pid const server = start(3);
    load(6);
    sys::suspend(server);
    std::string const untold = outcome_of([&] { sys::change_code(server, "counter"); });
    report.check("not told: " + untold, has(untold, "it is not said what the unit is"));
    std::string const told = outcome_of([&] {
      sys::change_code(server, "counter", {.extra = otter::any_message::of(new_unit{"km"})});
    });
    report.equal("told", told, std::string("done"));
    sys::resume(server);
    report.equal("after", shown(server), std::string("version 6: 3 km 7 (inside)"));
  });
}

TEST_CASE("a check says whether a change would go, and why not, and changes nothing",
          "[code_change][CL-15][SY-7]") {
  on_every_driver([](driver_report& report) {
    std::string const before = "version 1: 3 m new (inside)";
    for (int const version : {2, 3, 4, 5, 6}) {
      load(1);
      otter::pid const server = start(3);
      load(version);
      std::string const found = outcome_of([&] { sys::check_code_change(server, "counter"); });
      std::string const part = version == 2   ? "done"
                               : version == 3 ? "the field \"unit\" is a std::"
                               : version == 4 ? "cannot come from version 1"
                               : version == 5 ? "does not list the class counter"
                                              : "it is not said what the unit is";
      report.check(std::to_string(version) + ": " + found, has(found, part));
      report.equal("it serves, was never suspended, and has lost nothing", shown(server), before);
      report.check("in the old version", code::check_process_code(server, "counter"));
      std::string const then = code_changing::upgrade(server, "counter");
      report.check("and the change says the same: " + then, has(then, part));
      otter::stop(server);
    }
  });
}

TEST_CASE("a check may be about a version that is prepared and not current",
          "[code_change][CL-15]") {
  on_every_driver([](driver_report& report) {
    load(1);
    otter::pid const server = start(3);
    auto const next = [](int version) {
      return code::prepare_loading({code_changing::file("counter", version)}).value();
    };
    code::prepared const bad = next(4);
    std::string const why = outcome_of([&] { sys::check_code_change(server, "counter", bad); });
    report.check("refused: " + why, has(why, "cannot come from version 1"));
    code::discard(bad);
    code::prepared const good = next(6);
    report.equal("it would go", outcome_of([&] {
                   sys::check_code_change(server, "counter", good,
                                          {.extra = otter::any_message::of(new_unit{"km"})});
                 }),
                 std::string("done"));
    report.equal("without waiting",
                 answer_to(sys::send_check_code_change(server, "counter", good,
                                                       otter::any_message::of(new_unit{"km"}))),
                 std::string("done"));
    report.equal("nothing has happened", shown(server), std::string("version 1: 3 m new (inside)"));
    report.equal("version 1 is current", code::which("counter")->version, std::string("1"));
    code::discard(good);
    std::string const gone = outcome_of([&] { sys::check_code_change(server, "counter", good); });
    report.check("discarded: " + gone, gone != "done");
    report.equal("it serves on", shown(server), std::string("version 1: 3 m new (inside)"));
  });
}

TEST_CASE(
    "many servers are changed without waiting for each, and each goes on whatever comes of it",
    "[code_change][CL-13][CL-15]") {
  on_every_driver([](driver_report& report) {
    for (int const version : {2, 4}) {
      load(1);
      std::vector<otter::pid> all;
      for (int i = 0; i < 50; ++i) all.push_back(start(i));
      otter::stop(all.back());
      load(version);
      std::vector<otter::sent_request<void>> asked;
      std::vector<otter::sent_request<std::string>> waiting;
      for (otter::pid const p : all) {
        asked.push_back(sys::send_suspend(p));
        asked.push_back(sys::send_change_code(p, "counter"));
        asked.push_back(sys::send_resume(p));
        waiting.push_back(otter::send_request(p, look{}));
      }
      std::string const wanted = version == 2 ? "done" : "cannot come from version 1";
      int good = 0;
      for (std::size_t i = 0; i < 49; ++i) {
        good += static_cast<int>(answer_to(asked[3 * i]) == "done" &&
                                 has(answer_to(asked[3 * i + 1]), wanted) &&
                                 answer_to(asked[3 * i + 2]) == "done");
        std::string const now = otter::receive_response(waiting[i]).value().value();
        good += static_cast<int>(
            now == (version == 2 ? "version 2: " + std::to_string(i) + " metres 7 (inside)"
                                 : "version 1: " + std::to_string(i) + " m new (inside)"));
      }
      report.equal("they", good, 2 * 49);
      for (std::size_t k = 3 * 49; k < asked.size(); ++k)
        report.equal("the one that is no more", answer_to(asked[k]), std::string("noproc"));
      for (std::size_t i = 0; i < 49; ++i) otter::stop(all[i]);
    }
  });
}

TEST_CASE(
    "a process that receives system messages itself answers those that are sent without waiting",
    "[sys][SY-15]") {
  on_every_driver([](driver_report& report) {
    struct ready {};
    struct go_on {};
    otter::pid const test = otter::self();
    otter::pid const plain = otter::spawn([test] {
      otter::receive([](go_on) {});  // some come before it receives them
      sys::callbacks hooks;
      otter::send(test, ready{});
      for (;;) otter::receive([&](sys::system_request r) { sys::handle_system_msg(r, hooks); });
    });
    auto const early = sys::send_suspend(plain);
    otter::send(plain, go_on{});
    otter::receive([](ready) {});
    report.equal("what came early", answer_to(early), std::string("done"));
    std::string const why = answer_to(sys::send_change_code(plain, "counter"));
    report.check("a change: " + why, has(why, "does not take code changes"));
    std::string const check = answer_to(sys::send_check_code_change(plain, "counter"));
    report.check("a check: " + check, has(check, "does not take code changes"));
    report.equal("what comes later", answer_to(sys::send_resume(plain)), std::string("done"));
    otter::spawn([plain] {
      auto const asked = sys::send_suspend(plain);
      otter::receive_response(asked, otter::duration::zero());  // gives it up
    });
    otter::pid const deaf = otter::spawn([test] {
      sys::callbacks hooks;
      otter::send(test, ready{});
      otter::receive([](go_on) {});
    });
    otter::receive([](ready) {});
    auto const unheard = sys::send_suspend(deaf);
    otter::exit(deaf, otter::exit_reason::of("gone"));
    std::string const end = answer_to(unheard);
    report.check("one that ends without an answer: " + end, has(end, "gone"));
  });
}
