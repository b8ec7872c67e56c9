// Links, exit signals and monitors, as a user sees them.

#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/link.hpp>
#include <otter/monitor.hpp>
#include <otter/process_info.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>

#include "process_support.hpp"

using namespace process_test;

TEST_CASE("an exit signal ends a process that does not trap", "[exit][X-1a][X-3]") {
  on_every_driver([](driver_report& report) {
    otter::spawned p = waiter(false);
    otter::exit(p, exit_reason::of("crashed"));
    report.equal("reason", end_of(p.ref), to_string(exit_reason::of("crashed")));
    otter::exit(p, exit_reason::of("again"));  // dead already: nothing happens
  });
}

TEST_CASE("normal from another is ignored", "[exit][X-1b]") {
  on_every_driver([](driver_report& report) {
    otter::spawned p = waiter(false);
    otter::exit(p, exit_reason::normal());
    report.check("lives", otter::is_alive(p));
    otter::send(p, go{});
    report.equal("then", end_of(p.ref), to_string(exit_reason::normal()));
  });
}

TEST_CASE("exit normal to self ends it even inside catch", "[exit][X-1c][X-4][X-8]") {
  on_every_driver([](driver_report& report) {
    otter::spawned p = otter::spawn_monitor([] {
      try {
        otter::exit(otter::self(), exit_reason::normal());
        otter::receive([](go) {});
      } catch (...) {
      }
      otter::receive([](go) {});  // the token comes again
      throw std::runtime_error("went on");
    });
    report.equal("reason", end_of(p.ref), to_string(exit_reason::normal()));
  });
}

TEST_CASE("kill cannot be trapped and arrives as killed", "[exit][X-1d]") {
  on_every_driver([](driver_report& report) {
    otter::spawned p = waiter(true);
    otter::exit(p, exit_reason::kill());
    report.check("dead at once for the sender", !otter::is_alive(p));
    report.equal("reason", end_of(p.ref), to_string(exit_reason::killed()));
  });
}

TEST_CASE("a linked kill passes along as kill and can be trapped", "[exit][X-1e][X-2]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    otter::spawn_link([] { otter::exit(exit_reason::kill()); });
    report.equal("trapped", otter::receive([](otter::exited e) { return to_string(e.reason); }),
                 to_string(exit_reason::kill()));
  });
}

TEST_CASE("a link ends both, with the same reason", "[link][L-3][L-8]") {
  on_every_driver([](driver_report& report) {
    otter::spawned parent = otter::spawn_monitor([] {
      otter::spawn_link([] { otter::exit(exit_reason::of("child")); });
      otter::receive([](go) {});
    });
    report.equal("reason", end_of(parent.ref), to_string(exit_reason::of("child")));
  });
}

TEST_CASE("link to the dead throws noproc, or is an exited message when trapping",
          "[link][L-4][L-5]") {
  on_every_driver([](driver_report& report) {
    otter::spawned gone = otter::spawn_monitor([] {});
    end_of(gone.ref);
    bool thrown = false;
    try {
      otter::link(gone);
    } catch (otter::error const& e) {
      thrown = e.code() == otter::errc::noproc;
    }
    report.check("thrown", thrown);
    otter::trap_exit(true);
    otter::link(gone);
    report.equal("message", next_exited(), to_string(exit_reason::noproc()));
  });
}

TEST_CASE("after unlink no exit comes through", "[link][L-6][L-7]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    otter::spawned p = otter::spawn({.link = true, .monitor = otter::alias_mode::none},
                                    [] { otter::receive([](go) {}); });
    otter::unlink(p);
    otter::unlink(p);
    otter::exit(p, exit_reason::kill());
    end_of(p.ref);
    report.equal("nothing", next_exited(), std::string("none"));
  });
}

TEST_CASE("a monitor of the dead answers noproc", "[monitor][MO-3]") {
  on_every_driver([](driver_report& report) {
    otter::spawned gone = otter::spawn_monitor([] {});
    end_of(gone.ref);
    report.equal("pid", end_of(otter::monitor(gone)), to_string(exit_reason::noproc()));
    report.equal("name", end_of(otter::monitor("nobody")), to_string(exit_reason::noproc()));
  });
}

TEST_CASE("each monitor fires once, and a removed one never", "[monitor][MO-1][MO-6]") {
  on_every_driver([](driver_report& report) {
    otter::pid p = otter::spawn([] { otter::receive([](go) {}); });
    otter::monitor_ref a = otter::monitor(p);
    otter::monitor_ref b = otter::monitor(p);
    report.check("found", otter::demonitor(a));
    report.check("not found again", !otter::demonitor(a));
    otter::send(p, go{});
    report.equal("b", end_of(b), to_string(exit_reason::normal()));
    report.equal(
        "no more",
        otter::receive([](otter::down const&) { return 1; }, otter::after(0s, [] { return 0; })),
        0);
  });
}

TEST_CASE("a down does not overtake what was sent before", "[monitor][MO-5]") {
  on_every_driver([](driver_report& report) {
    bool ordered = true;
    for (int i = 0; i < 50; ++i) {
      otter::spawn_monitor([me = otter::self()] { otter::send(me, go{}); });
      ordered = ordered &&
                otter::receive([](go) { return true; }, [](otter::down const&) { return false; });
      if (ordered) otter::receive([](otter::down const&) {});
    }
    report.check("in order", ordered);
  });
}

TEST_CASE("an exception is an error with its type and text", "[exit][C0-1][P-14]") {
  on_every_driver([](driver_report& report) {
    otter::spawned p = otter::spawn_monitor([] { throw std::runtime_error("boom"); });
    report.equal("reason", end_of(p.ref), std::string("std::runtime_error(\"boom\")"));
  });
}
