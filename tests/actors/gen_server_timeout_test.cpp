// The time-out of a server that nobody talks to, and hibernation.

#include <catch2/catch.hpp>
#include <otter/gen_server.hpp>
#include <otter/sys.hpp>
#include <otter/timer.hpp>
#include <string>

#include "on_every_driver.hpp"
#include "trace.hpp"

using namespace std::chrono_literals;

namespace gen_server_timeout_test {

class idler : public otter::gen_server<idler> {
 public:
  struct arm {
    otter::duration limit;
  };
  struct ping {
    using reply = void;
  };
  struct note {};
  struct rest {};
  using accepts = otter::accepts<arm, ping, note, rest>;

  explicit idler(otter::pid watcher) : watcher_(watcher) {}

  otter::outcome handle_cast(arm a) {
    armed_at_ = otter::node_clock::now();
    limit_ = a.limit;
    if (a.limit == 0s) otter::send(otter::self(), note{});
    return noreply().timeout(a.limit);
  }
  void handle_call(ping) {}
  void handle_info(note) { trace::tell(watcher_, "note"); }
  void handle_info(otter::idle_timeout) {
    const bool early = otter::node_clock::now() - armed_at_ < limit_;
    trace::tell(watcher_, early ? "early" : "timeout");
  }
  otter::outcome handle_cast(rest) { return noreply().hibernate(); }
  void hibernate() { trace::tell(watcher_, "hibernate"); }

 private:
  otter::pid watcher_;
  otter::node_clock::time_point armed_at_;
  otter::duration limit_{};
};

/// Times out from init.
class short_lived : public otter::gen_server<short_lived> {
 public:
  using accepts = otter::accepts<>;
  otter::init_outcome init() { return ok().timeout(1ms); }
  otter::outcome handle_info(otter::idle_timeout) { return stop(otter::exit_reason::normal()); }
};

class impatient : public otter::gen_server<impatient> {
 public:
  using accepts = otter::accepts<>;
  explicit impatient(otter::pid watcher) : watcher_(watcher) {}
  otter::init_outcome init() { return ok().timeout(0s); }
  void handle_info(otter::idle_timeout) { trace::tell(watcher_, "timeout"); }

 private:
  otter::pid watcher_;
};

}  // namespace gen_server_timeout_test

using gen_server_timeout_test::idler;

TEST_CASE("a server that nobody talks to gets idle_timeout, never early", "[gen_server][GS-19]") {
  on_every_driver([](driver_report& report) {
    auto server = idler::start_link(otter::self()).value();
    otter::cast(server, idler::arm{2ms});
    report.equal("after the limit", trace::next(), "timeout");
  });
}

TEST_CASE("a time-out may be set by init", "[gen_server][GS-1][GS-19]") {
  on_every_driver([](driver_report& report) {
    auto server = gen_server_timeout_test::short_lived::start_monitor();
    report.equal("end", trace::end_of(server.ref), trace::text(otter::exit_reason::normal()));
  });
}

TEST_CASE("any message cancels the time-out, and it is not armed again by itself",
          "[gen_server][GS-19]") {
  on_every_driver([](driver_report& report) {
    auto server = idler::start_link(otter::self()).value();
    otter::cast(server, idler::arm{3ms});
    otter::call(server, idler::ping{});
    // A timer that is started after it and for longer fires first only if the time-out is gone.
    otter::send_after(12ms, otter::self(), trace::saw{"later"});
    report.equal("first", trace::next(), "later");
  });
}

TEST_CASE("a message that waits wins against a time-out of zero", "[gen_server][GS-20]") {
  on_every_driver([](driver_report& report) {
    auto server = idler::start_link(otter::self()).value();
    otter::cast(server, idler::arm{0s});
    report.equal("first", trace::next(), "note");
    otter::call(server, idler::ping{});
    otter::send_after(4ms, otter::self(), trace::saw{"later"});
    report.equal("the time-out was cancelled", trace::next(), "later");
  });
}

TEST_CASE("a time-out of zero fires when nothing waits", "[gen_server][GS-20]") {
  on_every_driver([](driver_report& report) {
    auto server = gen_server_timeout_test::impatient::start_link(otter::self()).value();
    report.equal("then", trace::next(), "timeout");
    otter::stop(server);
  });
}

TEST_CASE("a forged idle_timeout is told from a real one by its way", "[gen_server][GS-21]") {
  on_every_driver([](driver_report& report) {
    auto server = idler::start_link(otter::self()).value();
    otter::send(server, otter::idle_timeout{});
    otter::call(server, idler::ping{});
    report.check("it is no message that the server accepts", trace::mailbox_is_empty());
    report.equal("reported", report.count_events("idle_timeout"), std::size_t{1});
  });
}

TEST_CASE("a system message does not cancel the time-out", "[gen_server][SY-14]") {
  on_every_driver([](driver_report& report) {
    auto server = idler::start_link(otter::self()).value();
    otter::cast(server, idler::arm{3ms});
    (void)otter::sys::get_status(server);
    report.equal("then", trace::next(), "timeout");
  });
}

TEST_CASE("hibernate is called when a callback asks for it", "[gen_server][GS-22]") {
  on_every_driver([](driver_report& report) {
    auto server = idler::start_link(otter::self()).value();
    otter::cast(server, idler::rest{});
    report.equal("then", trace::next(), "hibernate");
    otter::call(server, idler::ping{});
    report.check("it wakes up for the next message", true);
  });
}
