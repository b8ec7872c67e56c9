// Applications: specifications, starts, phases, stops, ends.

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <optional>
#include <otter/application.hpp>
#include <otter/error.hpp>
#include <otter/gen.hpp>
#include <otter/name.hpp>
#include <otter/proc_lib.hpp>
#include <otter/timer.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "applications.hpp"
#include "logs.hpp"
#include "on_every_driver.hpp"
#include "process_support.hpp"

using namespace applications;
using children::next;
using otter::exit_reason;
using otter::restart_type;
using otter_test::driver_report;
using otter_test::on_every_driver;
using trace::end_of;
using trace::failure_of;
using trace::mailbox_is_empty;
using namespace std::chrono_literals;

namespace {

struct go {};

void wait_for_go() {
  otter::receive([](go) {});
}

/// The `exited` of `process`, as text.
std::string exit_of(otter::pid process) {
  return otter::receive(otter::when([&](otter::exited const& e) { return e.process == process; },
                                    [](otter::exited const& e) { return to_string(e.reason); }),
                        otter::after(trace::patience, [] { return std::string("no exit"); }));
}

/// Returns when the controller has treated everything that has come to it, or has ended.
void behind_what_has_come() {
  try {
    static_cast<void>(application::unload("nobody"));
  } catch (otter::process_exit const&) {
    // there is none any more
  }
}

/// Ends the topmost process of an application with `reason`, and waits until the controller knows
/// that the application has ended: its master tells that one before us.
void end_top(std::string_view name, exit_reason reason) {
  otter::pid const top = application::get_supervisor(name);
  otter::pid const master =
      otter::process_info<otter::pid>(top, otter::info_item::group_leader).value();
  auto const watch = otter::monitor(master);
  try {
    otter::stop(top, std::move(reason));
  } catch (otter::process_exit const&) {
    // it ended in another way
  }
  end_of(watch);
  behind_what_has_come();
}

/// Waits until `process` waits for the answer to a call: then it has asked.
void until_it_has_asked(otter::pid process) {
  while (otter::process_info<std::string>(process, otter::info_item::waiting_in) != "call")
    otter::sleep_for(100us);
}

}  // namespace

// --- specifications ---

TEST_CASE("an application is loaded and unloaded by its specification, and nothing is started",
          "[application][APP-1][APP-2]") {
  on_every_driver([](driver_report& report) {
    application::start_link({.known = {telling("store")}}).value();
    specification shop = telling("shop");
    shop.description = "sells things";
    shop.vsn = "1.2";
    shop.modules = {"cart"};
    shop.registered = {"till"};
    report.equal("load", text(application::load(shop)), "done");
    report.equal("by name", text(application::load("store")), "done");
    auto const found = application::get_spec("shop");
    report.check("its specification", found && found->vsn == "1.2" &&
                                          found->registered == names{"till"} &&
                                          found->modules == names{"cart"});
    auto const loaded = application::loaded_applications();
    report.check("listed", loaded.size() == 2 &&
                               loaded.front() == application::info{"shop", "sells things", "1.2"});
    report.equal("nothing runs", running(), "");
    report.check("twice", refused(application::load(shop), kind::already_loaded, "shop"));
    report.equal("unload", text(application::unload("shop")), "done");
    report.check("unloaded twice", refused(application::unload("shop"), kind::not_loaded, "shop"));
    report.check("unknown", refused(application::load("cellar"), kind::not_found, "cellar"));
    report.check("nothing was told", mailbox_is_empty());
  });
}

TEST_CASE("a specification that cannot be is refused when it is loaded, and says why",
          "[application][APP-1]") {
  on_every_driver([](driver_report& report) {
    application::start_link({.config = {{"shop", {{"port", "eighty"}}}}}).value();
    report.check("no name", refused(application::load(specification{}), kind::invalid, ""));
    specification shop = silent("shop");
    shop.env = {{"port", 80}};
    report.equal("a value of another kind", text(application::load(shop)),
                 "application \"shop\": the configuration of port is \"eighty\", which is text; it "
                 "must be a whole number, as 80 is");
    specification one = silent("one");
    specification two = silent("two");
    one.registered = two.registered = {"till"};
    report.equal("one", text(application::load(one)), "done");
    report.equal("a name that another has", text(application::load(two)),
                 "application \"two\": it registers the name \"till\", and so does application "
                 "\"one\"");
    specification whole = silent("whole");
    whole.included_applications = {"part"};
    report.check("a part that is not there",
                 refused(application::load(whole), kind::not_found, "part"));
    report.check("nothing of it is loaded", !application::get_spec("whole"));
  });
}

TEST_CASE("a running application cannot be unloaded, and one that has stopped stays loaded",
          "[application][APP-2][APP-7]") {
  on_every_driver([](driver_report& report) {
    application::start_link({.known = {silent("shop")}}).value();
    must_start("shop");
    report.check("running", refused(application::unload("shop"), kind::running, "shop"));
    children::must_succeed(application::stop("shop"));
    report.check("still loaded", application::get_spec("shop").has_value());
    report.equal("unload", text(application::unload("shop")), "done");
  });
}

TEST_CASE("what an application includes is loaded and unloaded with it", "[application][APP-2]") {
  on_every_driver([](driver_report& report) {
    specification whole = silent("whole");
    whole.included_applications = {"part"};
    specification part = silent("part");
    part.included_applications = {"screw"};
    application::start_link({.known = {whole, part, silent("screw")}}).value();
    children::must_succeed(application::load("whole"));
    report.equal("with all parts", application::loaded_applications().size(), std::size_t{3});
    children::must_succeed(application::unload("whole"));
    report.equal("without them", application::loaded_applications().size(), std::size_t{0});
  });
}

// --- starts ---

TEST_CASE("an application starts when what it needs runs, and not before", "[application][APP-3]") {
  on_every_driver([](driver_report& report) {
    specification shop = telling("shop", {"store", "music"});
    shop.optional_applications = {"music"};
    application::start_link({.known = {telling("store"), shop}}).value();
    report.check("too early", refused(application::start("shop"), kind::not_started, "store"));
    report.equal("store", text(application::start("store")), "done");
    report.equal("now", text(application::start("shop")), "done");
    report.equal("told", next(4), "store start, start store child, shop start, start shop child");
    report.check("again", refused(application::start("shop"), kind::already_started, "shop"));
    report.equal("that is no error here", text(application::ensure_started("shop")), "done");
    report.equal("in the order of the starts", running(), "store shop");
    report.check("unknown", refused(application::start("cellar"), kind::not_found, "cellar"));
  });
}

TEST_CASE("ensure_all_started starts what is needed first, and says what it has started",
          "[application][APP-4]") {
  on_every_driver([](driver_report& report) {
    specification shop = silent("shop", {"store", "till"});
    shop.optional_applications = {"music", "lights"};
    application::start_link({.known = {shop, silent("store", {"disk"}), silent("till", {"disk"}),
                                       silent("disk"), silent("lights")}})
        .value();
    must_start("disk");
    auto const started = application::ensure_all_started("shop");
    report.check("what did not run yet, in order",
                 started == names{"store", "till", "lights", "shop"});
    report.equal("all", running(), "disk store till lights shop");
    report.check("nothing the second time", application::ensure_all_started("shop") == names{});
  });
}

TEST_CASE("when one of them fails, ensure_all_started stops again what it has started",
          "[application][APP-4]") {
  on_every_driver([](driver_report& report) {
    auto const broken =
        played("broken", {.start = []() -> tl::expected<otter::pid, otter::start_error> {
                 throw std::runtime_error("no key");
               }});
    application::start_link(
        {.known = {telling("store"), telling("till", {"store"}), broken, silent("disk"),
                   silent("egg", {"hen"}), silent("hen", {"egg"})}})
        .value();
    must_start("disk");
    auto const failed = application::ensure_all_started(names{"disk", "till", "broken"});
    report.check("which one", refused(failed, kind::start_failed, "broken"));
    report.equal("the others, the last one first", next(10),
                 "store start, start store child, till start, start till child, till prep_stop, "
                 "stop till child, till stop, store prep_stop, stop store child, store stop");
    report.equal("what ran before still runs", running(), "disk");
    report.equal("a circle", text(application::ensure_all_started("egg")),
                 "application \"egg\": it needs itself: egg -> hen -> egg");
    report.check("a need that nobody knows",
                 refused(application::ensure_all_started(names{"till", "cellar"}), kind::not_found,
                         "cellar"));
    report.equal("taken back as well", running(), "disk");
  });
}

TEST_CASE("a start fails with what the callbacks return or throw, and leaves nothing behind",
          "[application][APP-5][APP-13]") {
  on_every_driver([](driver_report& report) {
    using started = tl::expected<otter::pid, otter::start_error>;
    auto const me = otter::self();
    auto const half_way = [me]() -> started {
      otter::pid const stray = otter::spawn([] {
        otter::trap_exit(true);
        for (;;) otter::receive([](otter::any_message&) {});
      });
      otter::send(me, stray);
      throw std::runtime_error("no key");
    };
    application::start_link(
        {.known = {played("throws", {.start = half_way}),
                   played("refuses", {.start = []() -> started {
                            return tl::unexpected<otter::start_error>(
                                {otter::start_error::kind::failed, {}, exit_reason::of("closed")});
                          }}),
                   played("ignores", {.start = []() -> started {
                            return tl::unexpected<otter::start_error>(
                                {otter::start_error::kind::ignored, {}, {}});
                          }}),
                   played("gives nobody", {.start = []() -> started { return otter::pid{}; }}),
                   {.name = "is nothing", .mod = [] { return nullptr; }}}})
        .value();
    auto const why = [](std::string_view name) {
      auto const r = application::start(name);
      return !r && r.error().what == kind::start_failed ? r.error().reason : exit_reason();
    };
    report.equal("throws", why("throws"), exit_reason::error("std::runtime_error", "no key"));
    otter::pid const stray = otter::receive([](otter::pid p) { return p; });
    report.check("what it had begun is gone", !otter::is_alive(stray));
    report.equal("refuses", why("refuses"), exit_reason::of("closed"));
    for (auto const name : {"ignores", "gives nobody", "is nothing"})
      report.check(name, why(name) == otter::exit_kind::bad_return_value);
    report.equal("none runs", running(), "");
  });
}

TEST_CASE("an application without callbacks is a library: it runs, and nothing does",
          "[application][APP-5]") {
  on_every_driver([](driver_report& report) {
    application::start_link({.known = {{.name = "maths"}, silent("shop", {"maths"})}}).value();
    report.check("both", application::ensure_all_started("shop") == names{"maths", "shop"});
    report.check("no process", !application::get_supervisor("maths"));
    report.check("one", otter::is_alive(application::get_supervisor("shop")));
    report.equal("stop", text(application::stop("maths")), "done");
    report.equal("the other", running(), "shop");
  });
}

TEST_CASE("phases follow the start in their order, also in included applications that name them",
          "[application][APP-6]") {
  on_every_driver([](driver_report& report) {
    specification whole = telling("whole");
    whole.included_applications = {"part", "other"};
    whole.start_phases = {{"init"}, {"go"}};
    specification part = telling("part");
    part.start_phases = {{"go"}, {"never"}};
    specification other = telling("other");
    other.start_phases = {{"init"}, {"go"}};
    application::start_link({.known = {whole, part, other}}).value();
    report.equal("start", text(application::start("whole")), "done");
    report.equal("told", next(7),
                 "whole start, start whole child, whole phase init, other phase init, whole phase "
                 "go, part phase go, other phase go");
    report.equal("included ones are not started", running(), "whole");
  });
}

TEST_CASE("a phase that fails stops the application, and is what the start fails with",
          "[application][APP-6]") {
  on_every_driver([](driver_report& report) {
    specification shop = telling("shop");
    shop.start_phases = {{"open"}, {"sell", {{"fail", true}}}, {"close"}};
    application::start_link({.known = {shop}}).value();
    auto const failed = application::start("shop");
    report.check("the error", refused(failed, kind::start_failed, "shop") &&
                                  failed.error().reason == exit_reason::of("no such phase"));
    report.equal("told", next(7),
                 "shop start, start shop child, shop phase open, shop phase sell, shop prep_stop, "
                 "stop shop child, shop stop");
    report.check("nothing more", mailbox_is_empty());
  });
}

// --- stops ---

TEST_CASE("a stop asks first, then ends the processes from the top, and says so at last",
          "[application][APP-7]") {
  on_every_driver([](driver_report& report) {
    application::start_link({.known = {telling("shop")}}).value();
    must_start("shop");
    next(2);
    report.equal("stop", text(application::stop("shop")), "done");
    report.equal("told", next(3), "shop prep_stop, stop shop child, shop stop");
    report.check("again", refused(application::stop("shop"), kind::not_started, "shop"));
    report.equal("it may start again", text(application::start("shop")), "done");
  });
}

TEST_CASE("what is left of an application is killed before its stop is said, and after it",
          "[application][APP-7][APP-13]") {
  on_every_driver([](driver_report& report) {
    auto const me = otter::self();
    auto const stray = [me] {
      otter::spawn([me] {
        otter::trap_exit(true);
        otter::send(me, otter::self());
        for (;;) otter::receive([](otter::any_message&) {});
      });
    };
    auto const start = [stray] {
      stray();
      return otter::supervisor::start_link({}, {});
    };
    auto const stop = [me, stray] {
      auto const left = otter::group_members(otter::group_leader());
      trace::tell(me, fmt::format("{} left", left.size()));
      stray();
    };
    application::start_link({.known = {played("shop", {.start = start, .stop = stop})}}).value();
    must_start("shop");
    auto const first = otter::monitor(otter::receive([](otter::pid p) { return p; }));
    children::must_succeed(application::stop("shop"));
    report.equal("the first", end_of(first), "killed");
    report.equal("only the caller is there when stop() is called", trace::next(), "1 left");
    // It may have been killed before it could say who it was.
    otter::pid const second = otter::receive([](otter::pid p) { return p; },
                                             otter::after(0s, [] { return otter::pid{}; }));
    report.check("the second", !second || !otter::is_alive(second));
  });
}

TEST_CASE("callbacks of a stop that throw are reported, and the application stops all the same",
          "[application][APP-7]") {
  on_every_driver([](driver_report& report) {
    auto const fail = [] { throw std::runtime_error("cannot"); };
    application::start_link({.known = {played("shop", {.prep_stop = fail, .stop = fail})}}).value();
    must_start("shop");
    otter::pid const top = application::get_supervisor("shop");
    report.equal("stop", text(application::stop("shop")), "done");
    report.check("its processes", !otter::is_alive(top));
    report.equal("prep_stop", report.count_events("\"shop\": prep_stop() has failed"),
                 std::size_t{1});
    report.equal("stop", report.count_events("\"shop\": stop() has failed"), std::size_t{1});
  });
}

// --- ends ---

TEST_CASE("the end of a temporary application is reported, its stop is called, and others go on",
          "[application][APP-8]") {
  on_every_driver([](driver_report& report) {
    application::start_link({.known = {telling("shop"), silent("store")}}).value();
    must_start("store");
    must_start("shop");
    next(2);
    end_top("shop", exit_reason::of("sold out"));
    report.equal("told", next(3), "stop shop child, shop prep_stop, shop stop");
    report.equal("the other", running(), "store");
    report.equal("reported",
                 report.count_events("application \"shop\" has ended by itself, temporary"),
                 std::size_t{1});
    report.equal("it may start again", text(application::start("shop")), "done");
  });
}

TEST_CASE("a permanent application takes all others and the controller down with it",
          "[application][APP-8]") {
  for (auto const& reason : {exit_reason::normal(), exit_reason::of("sold out")}) {
    on_every_driver([reason](driver_report& report) {
      otter::trap_exit(true);
      auto const controller = application::start_link({.known = {silent("shop"), telling("store"),
                                                                 telling("till", {"store"})}})
                                  .value();
      must_start("store");
      must_start("till");
      must_start("shop", restart_type::permanent);
      next(4);
      end_top("shop", reason);
      report.equal("in order", next(6),
                   "till prep_stop, stop till child, till stop, store prep_stop, stop store child, "
                   "store stop");
      report.equal("why", exit_of(controller),
                   to_string(exit_reason::shutdown(application::terminated{"shop", reason})));
    });
  }
}

TEST_CASE("a transient application does so unless its end is normal; giving up is not",
          "[application][APP-8][APP-10]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    auto const me = otter::self();
    auto const start = [me] {
      return otter::supervisor::start_link({.intensity = 0}, {children::spec(me, "child")},
                                           {.name = "top"});
    };
    auto const controller =
        application::start_link({.known = {silent("other"), played("shop", {.start = start})}})
            .value();
    must_start("other", restart_type::transient);
    end_top("other", exit_reason::normal());
    must_start("shop", restart_type::transient);
    next(1);
    report.equal("a normal end is only reported", running(), "shop");
    otter::cast(children::process_of("top", "child"), children::child::crash{});
    report.equal(
        "a supervisor that gives up", exit_of(controller),
        to_string(exit_reason::shutdown(application::terminated{"shop", exit_reason::shutdown()})));
  });
}

TEST_CASE("a stop that was asked for affects no other application, whatever the type",
          "[application][APP-9]") {
  on_every_driver([](driver_report& report) {
    application::start_link({.known = {silent("store"), silent("shop", {"store"})}}).value();
    must_start("store", restart_type::permanent);
    must_start("shop", restart_type::permanent);
    report.equal("what the other needs", text(application::stop("store")), "done");
    report.equal("goes on", running(), "shop");
    report.check("lives", otter::is_alive(application::get_supervisor("shop")));
  });
}

TEST_CASE("when the node is to stop, applications stop in the reverse order of their starts",
          "[application][APP-11]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    auto const controller =
        application::start_link(
            {.known = {telling("till", {"store"}), telling("store"), {.name = "maths"}}})
            .value();
    children::must_succeed(application::ensure_all_started(names{"maths", "till"}));
    next(4);
    application::stop_node(3);
    report.equal("told", next(6),
                 "till prep_stop, stop till child, till stop, store prep_stop, stop store child, "
                 "store stop");
    report.equal("why", exit_of(controller),
                 to_string(exit_reason::shutdown(application::node_stopped{3})));
    report.equal("nobody is there any more",
                 failure_of([] { static_cast<void>(application::start("till")); }), "noproc");
    report.equal("and nothing runs", running(), "");
  });
}

TEST_CASE("an application that does not stop in time is killed, and the others stop in order",
          "[application][APP-11][APP-13]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    auto const controller =
        application::start_link(
            {.known = {telling("store"), played("stuck", {.prep_stop = wait_for_go})},
             .shutdown_timeout = 50ms})
            .value();
    must_start("store");
    must_start("stuck");
    next(2);
    auto const stuck = otter::monitor(application::get_supervisor("stuck"));
    otter::stop(controller, exit_reason::shutdown());
    report.equal("its processes", end_of(stuck), "killed");
    report.equal("the other", next(3), "store prep_stop, stop store child, store stop");
    report.equal("reported", report.count_events("\"stuck\": it has not stopped within 0.05 s"),
                 std::size_t{1});
  });
}

TEST_CASE("the processes of an application whose master is killed are killed with it",
          "[application][APP-13]") {
  on_every_driver([](driver_report& report) {
    application::start_link({.known = {silent("shop")}}).value();
    must_start("shop");
    auto const top = otter::monitor(application::get_supervisor("shop"));
    otter::exit(otter::process_info<otter::pid>(application::get_supervisor("shop"),
                                                otter::info_item::group_leader)
                    .value(),
                exit_reason::kill());
    report.equal("killed", end_of(top), "killed");
    report.equal("it may start again", text(application::ensure_started("shop")), "done");
  });
}

TEST_CASE("a process belongs to the application whose master leads it, whoever started it",
          "[application][APP-13][PI-8]") {
  on_every_driver([](driver_report& report) {
    auto const me = otter::self();
    auto const start = [me] {
      return otter::supervisor::start_link(
          {}, {{.id = "child", .start = [me] {
                  return otter::proc_lib::start_link({}, [me] {
                    otter::proc_lib::init_ack();
                    trace::tell(me, application::get_application().value_or("none") + " " +
                                        application::get_env<std::string>("sign").value_or("?"));
                    otter::send(me, otter::spawn(wait_for_go));
                    wait_for_go();
                  });
                }}});
    };
    specification shop = played("shop", {.start = start});
    shop.env = {{"sign", "open"}};
    application::start_link({.known = {shop}}).value();
    must_start("shop");
    report.equal("what a child finds", trace::next(), "shop open");
    otter::pid const grandchild = otter::receive([](otter::pid p) { return p; });
    report.equal("a child of a child", application::get_application(grandchild).value_or("none"),
                 "shop");
    report.check("the test",
                 !application::get_application() && !application::get_application(otter::self()));
    report.equal("has no environment of its own",
                 process_test::errc_of([] { application::get_env("sign"); }), "badarg");
    children::must_succeed(application::stop("shop"));
    report.check("gone with it", !otter::is_alive(grandchild));
    report.equal("to no application", application::get_application(grandchild).value_or("none"),
                 "none");
  });
}

// --- the controller ---

TEST_CASE("a slow start holds up those who wait for it, and nobody else", "[application][APP-14]") {
  on_every_driver([](driver_report& report) {
    auto const me = otter::self();
    auto const start = [me] {
      otter::send(me, otter::self());
      wait_for_go();
      return otter::supervisor::start_link({}, {});
    };
    application::start_link({.known = {played("slow", {.start = start}), silent("shop")}}).value();
    for (int i = 0; i != 2; ++i)
      otter::spawn([me] { trace::tell(me, "slow " + text(application::start("slow"))); });
    otter::pid const master = otter::receive([](otter::pid p) { return p; });
    report.equal("another starts", text(application::start("shop")), "done");
    report.equal("and runs alone", running(), "shop");
    report.check("what starts cannot be stopped",
                 refused(application::stop("slow"), kind::not_started, "slow"));
    report.check("nor unloaded", refused(application::unload("slow"), kind::running, "slow"));
    otter::send(master, go{});
    report.equal("one answer", trace::next().substr(0, 5), "slow ");
    trace::next();
    report.equal("both run", running(), "shop slow");
  });
}

TEST_CASE("two that start one application at the same time get one answer",
          "[application][APP-14]") {
  on_every_driver([](driver_report& report) {
    auto const me = otter::self();
    auto const start = [me]() -> tl::expected<otter::pid, otter::start_error> {
      otter::send(me, otter::self());
      wait_for_go();
      throw std::runtime_error("no key");
    };
    application::start_link({.known = {played("slow", {.start = start})}}).value();
    auto const ask = [me] {
      return otter::spawn([me] { trace::tell(me, text(application::start("slow"))); });
    };
    ask();
    otter::pid const master = otter::receive([](otter::pid p) { return p; });
    until_it_has_asked(ask());
    behind_what_has_come();
    otter::send(master, go{});
    std::string const first = trace::next();
    report.check("failed", first.find("no key") != std::string::npos);
    report.equal("the same", trace::next(), first);
    report.check("one start", mailbox_is_empty());
  });
}

TEST_CASE("a start of an application that just stops waits until it has stopped",
          "[application][APP-14]") {
  on_every_driver([](driver_report& report) {
    auto const me = otter::self();
    auto const prep_stop = [me] {
      otter::send(me, otter::self());
      wait_for_go();
    };
    application::start_link({.known = {played("shop", {.prep_stop = prep_stop})}}).value();
    must_start("shop");
    otter::spawn([me] { trace::tell(me, "stop " + text(application::stop("shop"))); });
    otter::pid const master = otter::receive([](otter::pid p) { return p; });
    otter::spawn([me, master] {
      until_it_has_asked(me);
      otter::send(master, go{});
    });
    report.equal("start", text(application::start("shop")), "done");
    report.equal("the stop", trace::next(), "stop done");
    report.equal("it runs", running(), "shop");
    report.check("with another master",
                 otter::process_info<otter::pid>(application::get_supervisor("shop"),
                                                 otter::info_item::group_leader) != master);
  });
}

TEST_CASE("without a controller there is nobody to ask, and there are no applications",
          "[application][APP-14]") {
  on_every_driver([](driver_report& report) {
    report.equal("start", failure_of([] { static_cast<void>(application::start("shop")); }),
                 "noproc");
    report.equal("set_env", failure_of([] { application::set_env("shop", "port", 1); }), "noproc");
    report.equal("stop_node", failure_of([] { application::stop_node(); }), "noproc");
    report.check("nothing", application::which_applications().empty() &&
                                application::loaded_applications().empty() &&
                                !application::get_env("shop", "port") &&
                                !application::get_env("port") && !application::get_application());
    application::start_link().value();
    auto const second = application::start_link();
    report.check("one is enough",
                 !second && second.error().what == otter::start_error::kind::already_started);
  });
}

// --- reports ---

TEST_CASE("starts, stops and ends of applications are in the log, with their type and reason",
          "[application][LOG-6]") {
  on_every_driver([](driver_report& report) {
    auto const paper = logs::start();
    specification shop = silent("shop");
    shop.vsn = "1.2";
    application::start_link({.known = {shop}}).value();
    must_start("shop", restart_type::transient);
    end_top("shop", exit_reason::normal());
    must_start("shop");
    children::must_succeed(application::stop("shop"));
    otter::logger::sync();
    auto const started = paper->event_with("application \"shop\" has started, transient");
    report.check("started", started.level == otter::logger::level::info &&
                                logs::value_in(started, "vsn") == "1.2" &&
                                logs::value_in(started, "application") == "shop");
    auto const ended = paper->event_with("has ended by itself");
    report.check("ended", ended.level == otter::logger::level::notice &&
                              logs::value_in(ended, "exited") == "normal" &&
                              logs::value_in(ended, "type") == "transient");
    auto const stopped = paper->event_with("application \"shop\" has been stopped, temporary");
    report.check("stopped", stopped.level == otter::logger::level::notice &&
                                logs::value_in(stopped, "exited") == "stopped");
  });
}
