// Behaviours that are watched from their start on.

#include <catch2/catch.hpp>
#include <otter/debug_options.hpp>
#include <otter/gen_event.hpp>
#include <otter/gen_server.hpp>
#include <otter/gen_statem.hpp>
#include <otter/proc_lib.hpp>
#include <otter/sys.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "on_every_driver.hpp"
#include "trace.hpp"

namespace sys = otter::sys;
using otter::debug_options;

namespace debug_options_test {

/// Begins with a continue, which is no event.
class till : public otter::gen_server<till> {
 public:
  struct open {};
  struct pay {
    int cents;
  };
  struct total {
    using reply = int;
  };
  using accepts = otter::accepts<pay, total>;

  explicit till(int begin = 0) : cents_(begin) {
    if (begin < 0) throw std::runtime_error("no money");
  }
  otter::init_outcome init() { return ok().continue_with(open{}); }
  void handle_continue(open) {}
  void handle_cast(pay p) { cents_ += p.cents; }
  int handle_call(total) { return cents_; }

 private:
  int cents_;
};

class lamp : public otter::gen_statem<lamp> {
 public:
  enum class state { off, on };
  struct press {};
  struct flush {
    using reply = void;
  };
  using accepts = otter::accepts<press, flush>;
  transition handle_event(in<state::off>, press) { return next_state(state::on); }
  transition handle_event(in<state::on>, press) { return next_state(state::off); }
  void handle_event(state, flush) {}
};

class sink : public otter::event_handler<sink> {
 public:
  using accepts = otter::accepts<int>;
  void handle_event(int) {}
};

/// Tells `test` of each event, until that is a call.
debug_options::installed teller(otter::pid test) {
  return {"teller", [test](sys::debug_event const& e) {
            trace::tell(test, e.text());
            return e.how == "call" ? sys::verdict::done : sys::verdict::keep;
          }};
}

bool begins_with(std::vector<std::string> const& lines, std::size_t at, std::string_view text) {
  return lines.size() > at && lines[at].starts_with(text);
}

}  // namespace debug_options_test

using namespace debug_options_test;

TEST_CASE("a server is watched from its first event on, if its start says so",
          "[sys][GC-2][SY-10]") {
  on_every_driver([](driver_report& report) {
    auto server = till::start_link({.debug = {.trace = sys::debugging::on,
                                              .log = 2,
                                              .statistics = sys::debugging::on,
                                              .install = {teller(otter::self())}}},
                                   5)
                      .value();
    otter::cast(server, till::pay{1});
    otter::cast(server, till::pay{2});
    report.equal("served", otter::call(server, till::total{}), 8);
    for (char const* expected : {"got cast pay{cents: 1}", "got cast pay{cents: 2}"})
      report.equal("seen", trace::next(), expected);
    report.check("the call too", trace::next().starts_with("got call"));
    report.check("traced", report.count_events("got cast pay{cents: 1}") == 1);
    auto const counted = sys::get_statistics(server);
    report.check("counted", counted && counted->messages_in == 3 && counted->messages_out == 1);
    auto const lines = sys::get_log(server);
    report.check("the last two are kept", lines.size() == 2 && begins_with(lines, 0, "got call") &&
                                              begins_with(lines, 1, "answered 8"));
    sys::no_debug(server);
    otter::cast(server, till::pay{3});
    report.check("until it is switched off",
                 !sys::get_statistics(server) && report.count_events("cents: 3") == 0);
    report.check("the function was done by itself", trace::mailbox_is_empty());
  });
}

TEST_CASE("machines, managers of events and what a function becomes are watched from the start too",
          "[sys][GC-2][SY-10]") {
  on_every_driver([](driver_report& report) {
    auto machine = lamp::start_link({.debug = {.log = 10}}).value();
    otter::cast(machine, lamp::press{});
    otter::call(machine, lamp::flush{});
    auto const seen = sys::get_log(machine);
    report.check("machine",
                 begins_with(seen, 0, "got cast") && begins_with(seen, 1, "is in state on"));

    auto manager = otter::gen_event::start_link({.debug = {.log = 10}}).value();
    otter::gen_event::add_handler<sink>(manager);
    otter::gen_event::sync_notify(manager, 1);
    report.equal("manager: two calls and their answers", sys::get_log(manager).size(),
                 std::size_t{4});

    auto const became =
        otter::proc_lib::spawn_link([] { return till::enter_loop({.debug = {.log = 10}}, 1); });
    report.equal("served", otter::call(became, till::total{}), 1);
    report.check("a function's", begins_with(sys::get_log(became), 0, "got call"));
  });
}

TEST_CASE("a log file that cannot be opened is reported, and the server starts without it",
          "[sys][GC-2]") {
  on_every_driver([](driver_report& report) {
    auto server =
        till::start_link({.debug = {.log_to_file = "/no/such/folder/till.log"}}, 1).value();
    report.equal("served", otter::call(server, till::total{}), 1);
    report.equal("reported", report.count_events("cannot open \"/no/such/folder/till.log\""),
                 std::size_t{1});
  });
}

TEST_CASE("a start that fails leaves nothing of what was to be watched", "[sys][GC-2]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    auto const failed = till::start_link(
        {.name = "till", .debug = {.log = 10, .install = {teller(otter::self())}}}, -1);
    report.check("failed",
                 !failed && to_string(failed.error()).find("no money") != std::string::npos);
    report.check("nothing was seen", trace::mailbox_is_empty());
    report.check("the name is free", till::start_link({.name = "till"}, 1).has_value());
  });
}
