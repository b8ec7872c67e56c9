// Asking for a process without waiting to learn how it went.

#include <memory>
#include <otter/exit.hpp>
#include <otter/link.hpp>
#include <otter/monitor.hpp>
#include <otter/name.hpp>
#include <otter/process_info.hpp>
#include <otter/receive.hpp>
#include <otter/spawn_request.hpp>

#include "process_support.hpp"

using otter::spawn_reply_mode;
using namespace process_test;

namespace {

struct who {
  otter::pid process;
};

void wait_for_go() {
  otter::receive([](go) {});
}

otter::spawn_reply reply_to(otter::request_id id) {
  return otter::receive(otter::when([id](otter::spawn_reply const& r) { return r.request == id; },
                                    [](otter::spawn_reply r) { return r; }));
}

/// Has one come?
template <class Message>
bool got() {
  return otter::receive([](Message const&) { return true; },
                        otter::after(0s, [] { return false; }));
}

/// A name that is taken, so that a request for it is refused.
otter::spawn_options refused_options() { return {.name = "taken"}; }

}  // namespace

TEST_CASE("a spawn request is answered with the pid, or with why not", "[spawn][SP-7]") {
  on_every_driver([](driver_report& report) {
    otter::request_id good =
        otter::spawn_request({}, [me = otter::self()] { otter::send(me, who{otter::self()}); });
    otter::spawn_reply r = reply_to(good);
    report.check("no error", !r.error);
    report.check("pid", otter::receive([](who w) { return w.process; }) == r.process);
    otter::register_name("taken", otter::self());
    otter::spawn_reply bad = reply_to(otter::spawn_request(refused_options(), [] {}));
    report.check("error", bad.error == otter::errc::badarg && !bad.process);
    report.check("it says why", bad.text.find("taken") != std::string::npos);
  });
}

TEST_CASE("a spawn request beyond the node's limit is refused", "[spawn][SP-7]") {
  otter::node node(
      {.workers = 2, .max_processes = 16, .on_event = [](otter::node_event const&) {}});
  int refused = 0;
  int started = 0;
  node.run([&] {
    for (int i = 0; i < 100; ++i) otter::spawn_request({}, wait_for_go);
    for (int i = 0; i < 100; ++i) {
      otter::receive([&](otter::spawn_reply r) {
        if (r.error == otter::errc::system_limit) ++refused;
        if (!r.error) ++started;
      });
    }
  });
  CHECK(started > 0);
  CHECK(started < 16);
  CHECK(started + refused == 100);
}

TEST_CASE("a spawn request may be answered under a tag", "[spawn][SP-7]") {
  on_every_driver([](driver_report& report) {
    struct job {
      int n;
    };
    otter::request_id id = otter::spawn_request_with_tag(job{3}, {}, spawn_reply_mode::yes, [] {});
    auto const r = otter::receive([](otter::tagged_spawn_reply<job> x) { return x; });
    report.equal("tag", r.tag.n, 3);
    report.check("request", r.what.request == id);
    otter::register_name("taken", otter::self());
    otter::spawn_request_with_tag(job{4}, refused_options(), spawn_reply_mode::yes, [] {});
    auto const e = otter::receive([](otter::tagged_spawn_reply<job> x) { return x; });
    report.check("error", e.tag.n == 4 && e.what.error == otter::errc::badarg);
  });
}

TEST_CASE("only the replies that are wanted come", "[spawn][SP-8]") {
  on_every_driver([](driver_report& report) {
    otter::register_name("taken", otter::self());
    struct expected {
      spawn_reply_mode mode;
      bool success, error;
    };
    for (expected e :
         {expected{spawn_reply_mode::yes, true, true}, expected{spawn_reply_mode::no, false, false},
          expected{spawn_reply_mode::error_only, false, true},
          expected{spawn_reply_mode::success_only, true, false}}) {
      otter::request_id good =
          otter::spawn_request({.monitor = otter::alias_mode::none}, e.mode, [] {});
      end_of(otter::monitor_ref(good));  // behind the reply, if there is one
      report.equal("success", got<otter::spawn_reply>(), e.success);
      otter::spawn_request(refused_options(), e.mode, [] {});
      report.equal("error", got<otter::spawn_reply>(), e.error);
      report.check("once", !got<otter::spawn_reply>());
    }
  });
}

TEST_CASE("the reply comes before all that the child does", "[spawn][SP-9]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    bool first = true;
    for (int i = 0; i < 30; ++i) {
      otter::spawn_request({.link = true, .monitor = otter::alias_mode::none},
                           [me = otter::self()] {
                             otter::send(me, go{});
                             otter::exit(exit_reason::of("quick"));
                           });
      first = first &&
              otter::receive([](otter::spawn_reply const&) { return true; },
                             [](go) { return false; }, [](otter::exited const&) { return false; },
                             [](otter::down const&) { return false; });
      otter::receive([](go) {});
      otter::receive([](otter::exited const&) {});
      otter::receive([](otter::down const&) {});
    }
    report.check("first each time", first);
  });
}

TEST_CASE("also before the end of a child that is killed before it runs", "[spawn][SP-9]") {
  on_every_driver([](driver_report& report) {
    bool first = true;
    for (int i = 0; i < 30; ++i) {
      otter::spawn_request({.monitor = otter::alias_mode::none, .name = "child"}, wait_for_go);
      otter::exit(otter::whereis("child"), exit_reason::kill());
      first = first && otter::receive([](otter::spawn_reply const&) { return true; },
                                      [](otter::down const&) { return false; });
      otter::receive([](otter::down const&) {});
    }
    report.check("first each time", first);
  });
}

TEST_CASE("a request that failed brings neither exit nor down", "[spawn][SP-9]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    otter::register_name("taken", otter::self());
    otter::spawn_options options = refused_options();
    options.link = true;
    options.monitor = otter::alias_mode::none;
    report.check("error", reply_to(otter::spawn_request(options, [] {})).error.has_value());
    report.check("no exit", !got<otter::exited>());
    report.check("no down", !got<otter::down>());
  });
}

TEST_CASE("the request names the monitor, which cannot be removed before the reply",
          "[spawn][SP-10]") {
  on_every_driver([](driver_report& report) {
    otter::request_id id = otter::spawn_request({.monitor = otter::alias_mode::none}, wait_for_go);
    report.check("not yet", !otter::demonitor(otter::monitor_ref(id)));
    report.check("not even with flush",
                 !otter::demonitor(otter::monitor_ref(id), otter::demonitor_flush::yes));
    otter::pid p = reply_to(id).process;
    otter::send(p, go{});
    report.equal("still watched", end_of(otter::monitor_ref(id)), to_string(exit_reason::normal()));
    otter::request_id other =
        otter::spawn_request({.monitor = otter::alias_mode::none}, wait_for_go);
    otter::pid q = reply_to(other).process;
    report.check("after the reply", otter::demonitor(otter::monitor_ref(other)));
    otter::monitor_ref second = otter::monitor(q);
    otter::send(q, go{});
    end_of(second);
    report.check("no down", !got<otter::down>());
  });
}

TEST_CASE("an abandoned request brings nothing, and ends a linked child", "[spawn][SP-11]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    otter::request_id id = otter::spawn_request(
        {.link = true, .monitor = otter::alias_mode::none, .name = "child"}, wait_for_go);
    otter::monitor_ref watch = otter::monitor("child");
    report.check("outstanding", otter::spawn_request_abandon(id));
    report.check("only once", !otter::spawn_request_abandon(id));
    report.equal("the child", end_of(watch), to_string(exit_reason::abandoned()));
    report.check("no reply", !got<otter::spawn_reply>());
    report.check("no exit", !got<otter::exited>());
    report.check("no down", !got<otter::down>());
  });
}

TEST_CASE("an abandoned request without a link leaves the child alone", "[spawn][SP-11]") {
  on_every_driver([](driver_report& report) {
    otter::request_id id = otter::spawn_request({.name = "child"}, wait_for_go);
    otter::pid child = otter::whereis("child");
    report.check("outstanding", otter::spawn_request_abandon(id));
    report.check("it lives", otter::is_alive(child));
    report.check("no reply", !got<otter::spawn_reply>());
    otter::send(child, go{});
  });
}

TEST_CASE("an answered request cannot be abandoned", "[spawn][SP-11]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    otter::request_id id = otter::spawn_request({.link = true}, wait_for_go);
    otter::pid p = reply_to(id).process;
    report.check("answered", !otter::spawn_request_abandon(id));
    report.check("unknown", !otter::spawn_request_abandon(otter::request_id()));
    report.check("the link is there", otter::is_alive(p));
    otter::send(p, go{});
    report.check("its end comes", otter::receive([](otter::exited e) { return e.process; }) == p);
  });
}

TEST_CASE("a linked child of a requester that ends early ends with its reason", "[spawn][SP-12]") {
  on_every_driver([](driver_report& report) {
    for (int i = 0; i < 20; ++i) {
      otter::pid requester = otter::spawn([me = otter::self()] {
        otter::spawn_request({.link = true, .name = "child"}, wait_for_go);
        otter::send(me, who{otter::whereis("child")});
        wait_for_go();
        otter::exit(exit_reason::of("early"));  // the reply was never received
      });
      otter::monitor_ref watch = otter::monitor(otter::receive([](who w) { return w.process; }));
      otter::send(requester, go{});
      report.equal("reason", end_of(watch), to_string(exit_reason::of("early")));
    }
  });
}
