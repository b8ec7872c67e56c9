// One manager, many handlers.

#include <catch2/catch.hpp>
#include <otter/exit.hpp>
#include <otter/gen_event.hpp>
#include <otter/sys.hpp>
#include <stdexcept>
#include <string>

#include "on_every_driver.hpp"
#include "trace.hpp"

using namespace std::chrono_literals;
using otter::exit_reason;
using otter::gen_event;
using otter::handler_id;
using trace::text;

namespace event_test {

struct line {
  std::string text;
};
struct tick {};

/// Tells what it gets; does what a line says.
class teller : public otter::event_handler<teller> {
 public:
  struct count {
    using reply = int;
  };
  struct fail {
    using reply = int;
  };
  using accepts = otter::accepts<line, tick, count, fail>;

  explicit teller(otter::pid watcher, std::string name = "teller")
      : watcher_(watcher), name_(std::move(name)) {
    if (name_ == "refused") throw std::runtime_error("not that name");
  }
  otter::handler_result handle_event(line const& l);
  void handle_info(tick const&) { tell("tick"); }
  int handle_call(count) { return lines_; }
  int handle_call(fail) { throw std::runtime_error("call broke"); }
  int terminate(otter::handler_end const& end) {
    static constexpr char const* names[] = {"deleted", "removed", "swapped", "stopped", "error"};
    tell(std::string("ends: ") + names[static_cast<int>(end.what)]);
    return lines_;
  }

 private:
  void tell(std::string what) { trace::tell(watcher_, name_ + " " + what); }

  otter::pid watcher_;
  std::string name_;
  int lines_ = 0;
};

/// Takes the place of a teller.
class successor : public otter::event_handler<successor> {
 public:
  struct inherited {
    using reply = int;
  };
  using accepts = otter::accepts<line, inherited>;
  successor(otter::taken_over<teller> from, otter::pid watcher)
      : inherited_(from.result.value_or(-1)), watcher_(watcher) {}
  void handle_event(line const& l) { trace::tell(watcher_, "successor " + l.text); }
  int handle_call(inherited) { return inherited_; }

 private:
  int inherited_;
  otter::pid watcher_;
};

otter::handler_result teller::handle_event(line const& l) {
  tell(l.text);
  ++lines_;
  if (l.text == "throw") throw std::runtime_error("handler broke");
  if (l.text == "go") return remove();
  if (l.text == "swap") return swap<successor>(watcher_);
  if (l.text == "sleep") return keep().hibernate();
  return keep();
}

/// Starts a manager with handlers "a", and in front of it "b".
inline otter::server_ref<gen_event> two_tellers() {
  auto m = gen_event::start_link({.name = "bus"}).value();
  gen_event::add_handler<teller>(m, handler_id{"a"}, otter::self(), "a");
  gen_event::add_handler<teller>(m, handler_id{"b"}, otter::self(), "b");
  return m;
}

}  // namespace event_test

using event_test::line;
using event_test::successor;
using event_test::teller;
using event_test::tick;
using event_test::two_tellers;

TEST_CASE("each event goes to all handlers, the latest added first", "[gen_event][GE-1][GE-3]") {
  on_every_driver([](driver_report& report) {
    auto m = two_tellers();
    const auto handlers = gen_event::which_handlers(m);
    report.equal("two", handlers.size(), std::size_t{2});
    report.equal("the latest first", handlers[0].id, "b");
    gen_event::notify("bus", line{"x"});
    gen_event::sync_notify(m, line{"y"});
    // sync_notify: all four have been told by now.
    for (char const* expected : {"b x", "a x", "b y", "a y"})
      report.equal("in order",
                   otter::receive([](trace::saw s) { return s.what; },
                                  otter::after(0s, [] { return std::string("none"); })),
                   expected);
    gen_event::notify("nobody", line{"z"});  // is no error
    gen_event::sync_notify(m, 7);            // nobody handles numbers: neither is that
    report.check("quiet", trace::mailbox_is_empty());
    otter::stop(m);
  });
}

TEST_CASE("a handler whose constructor throws is not added", "[gen_event][GE-2]") {
  on_every_driver([](driver_report& report) {
    auto m = gen_event::start_link().value();
    auto added = gen_event::add_handler<teller>(m, otter::self(), "refused");
    report.check("refused", !added);
    report.check(text(added.error()),
                 text(added.error()).find("not that name") != std::string::npos);
    report.check("none", gen_event::which_handlers(m).empty());
  });
}

TEST_CASE("a handler may remove itself, be swapped, or let the manager hibernate",
          "[gen_event][GE-4][GE-10]") {
  on_every_driver([](driver_report& report) {
    auto m = gen_event::start_link().value();
    gen_event::add_handler<teller>(m, otter::self());
    gen_event::sync_notify(m, line{"sleep"});
    gen_event::sync_notify(m, line{"go"});
    for (char const* expected : {"teller sleep", "teller go", "teller ends: removed"})
      report.equal("told", trace::next(), expected);
    report.check("gone", gen_event::which_handlers(m).empty());
    gen_event::add_handler<teller>(m, otter::self());
    gen_event::sync_notify(m, line{"swap"});
    gen_event::sync_notify(m, line{"after"});
    for (char const* expected : {"teller swap", "teller ends: swapped", "successor after"})
      report.equal("told", trace::next(), expected);
    report.equal("what it left", gen_event::call<successor>(m, successor::inherited{}).value(), 1);
  });
}

TEST_CASE("a handler that throws is removed alone", "[gen_event][GE-5]") {
  on_every_driver([](driver_report& report) {
    auto m = two_tellers();
    gen_event::call<teller>(m, handler_id{"b"}, teller::count{}).value();
    gen_event::sync_notify(m, line{"throw"});  // both
    gen_event::add_handler<teller>(m, otter::self(), "new");
    gen_event::sync_notify(m, line{"on"});
    for (char const* expected : {"b throw", "b ends: error", "a throw", "a ends: error", "new on"})
      report.equal("told", trace::next(), expected);
    report.check("reported", report.count_events("handler broke") == 2);
    otter::stop(m);
  });
}

TEST_CASE("a call asks one handler, and its failure is an answer", "[gen_event][GE-6]") {
  on_every_driver([](driver_report& report) {
    auto m = two_tellers();
    gen_event::sync_notify(m, line{"x"});
    report.equal("answer", gen_event::call<teller>(m, handler_id{"a"}, teller::count{}).value(), 1);
    auto unknown = gen_event::call<teller>(m, teller::count{});
    report.check("no such handler: " + text(unknown.error()),
                 text(unknown.error()).find("bad_module") != std::string::npos);
    auto failed = gen_event::call<teller>(m, handler_id{"a"}, teller::fail{});
    report.check("failed: " + text(failed.error()),
                 text(failed.error()).find("call broke") != std::string::npos);
    const auto left = gen_event::which_handlers(m);
    report.check("it is removed, the other stays", left.size() == 1 && left[0].id == "b");
    otter::stop(m);
  });
}

TEST_CASE("delete_handler gives what terminate returned", "[gen_event][GE-7]") {
  on_every_driver([](driver_report& report) {
    auto m = two_tellers();
    gen_event::sync_notify(m, line{"x"});
    gen_event::sync_notify(m, line{"y"});
    report.equal("lines", gen_event::delete_handler<teller>(m, handler_id{"a"}).value(), 2);
    auto none = gen_event::delete_handler<teller>(m, handler_id{"a"});
    report.check("none", text(none.error()).find("module_not_found") != std::string::npos);
    otter::stop(m);
  });
}

TEST_CASE("swap_handler hands over what the old one left, or nothing", "[gen_event][GE-8]") {
  on_every_driver([](driver_report& report) {
    auto m = gen_event::start_link().value();
    gen_event::add_handler<teller>(m, otter::self());
    gen_event::sync_notify(m, line{"x"});
    gen_event::swap_handler<teller, successor>(m, otter::self());
    report.equal("left", gen_event::call<successor>(m, successor::inherited{}).value(), 1);
    gen_event::delete_handler<successor>(m);
    gen_event::swap_handler<teller, successor>(m, otter::self());
    report.equal("nothing", gen_event::call<successor>(m, successor::inherited{}).value(), -1);
  });
}

namespace event_test {

/// Counts lines; who takes it out says by which unit it is to tell.
class counter : public otter::event_handler<counter> {
 public:
  struct unit {
    int size;
  };
  struct file {
    std::string name;
  };
  using accepts = otter::accepts<line>;
  void handle_event(line const&) { ++lines_; }
  int terminate(otter::handler_end const&) { return lines_; }
  int terminate(unit u) { return lines_ * u.size; }
  std::string terminate(file f) {
    if (f.name.empty()) throw std::runtime_error("a file without a name");
    return f.name + ": " + std::to_string(lines_);
  }

 private:
  int lines_ = 0;
};

/// Goes on from where another counter ended.
class next_counter : public otter::event_handler<next_counter> {
 public:
  struct count {
    using reply = int;
  };
  using accepts = otter::accepts<count>;
  explicit next_counter(otter::taken_over<counter> from) : count_(from.result.value_or(-1)) {}
  int handle_call(count) { return count_; }

 private:
  int count_;
};

}  // namespace event_test

using event_test::counter;
using event_test::next_counter;

TEST_CASE("delete_handler hands terminate what the caller gives it", "[gen_event][GE-7]") {
  on_every_driver([](driver_report& report) {
    auto m = gen_event::start_link().value();
    gen_event::add_handler<counter>(m);
    gen_event::add_handler<counter>(m, handler_id{"b"});
    gen_event::add_handler<counter>(m, handler_id{"c"});
    gen_event::sync_notify(m, line{"x"});
    gen_event::sync_notify(m, line{"y"});
    report.equal("without an id", gen_event::delete_handler<counter>(m, counter::unit{10}).value(),
                 20);
    report.equal(
        "a result of its own kind",
        gen_event::delete_handler<counter>(m, handler_id{"b"}, counter::file{"a.txt"}).value(),
        "a.txt: 2");
    auto none = gen_event::delete_handler<counter>(m, handler_id{"b"}, counter::unit{1});
    report.check("none", text(none.error()).find("module_not_found") != std::string::npos);
    auto failed = gen_event::delete_handler<counter>(m, handler_id{"c"}, counter::file{});
    report.check("failed", text(failed.error()).find("terminate_failed") != std::string::npos);
    report.check("and it is gone", gen_event::which_handlers(m).empty());
  });
}

TEST_CASE("swap_handler finds the old one by its id, and gives the new one another",
          "[gen_event][GE-8]") {
  on_every_driver([](driver_report& report) {
    auto m = two_tellers();
    gen_event::sync_notify(m, line{"x"});
    gen_event::swap_handler<teller, successor>(m, handler_id{"a"}, handler_id{"heir"},
                                               otter::self());
    const auto handlers = gen_event::which_handlers(m);
    report.check("the new one in front",
                 handlers.size() == 2 && handlers[0].id == "heir" && handlers[1].id == "b");
    report.equal("left",
                 gen_event::call<successor>(m, handler_id{"heir"}, successor::inherited{}).value(),
                 1);
    gen_event::swap_handler<teller, successor>(m, handler_id{"a"}, handler_id{"late"},
                                               otter::self());
    report.equal("nobody had it",
                 gen_event::call<successor>(m, handler_id{"late"}, successor::inherited{}).value(),
                 -1);
    otter::stop(m);
  });
}

TEST_CASE("swap_handler hands terminate of the old one what the caller gives it",
          "[gen_event][GE-8]") {
  on_every_driver([](driver_report& report) {
    auto m = gen_event::start_link().value();
    gen_event::add_handler<counter>(m, handler_id{"a"});
    gen_event::sync_notify(m, line{"x"});
    gen_event::swap_handler<counter, next_counter>(m, handler_id{"a"}, handler_id{},
                                                   otter::farewell{counter::unit{7}});
    report.equal("its result", gen_event::call<next_counter>(m, next_counter::count{}).value(), 7);
    // Of one that is not there nobody is told anything.
    gen_event::swap_handler<counter, next_counter>(m, handler_id{"a"}, handler_id{"b"},
                                                   otter::farewell{counter::unit{7}});
    report.equal("none",
                 gen_event::call<next_counter>(m, handler_id{"b"}, next_counter::count{}).value(),
                 -1);
  });
}

TEST_CASE("swap_sup_handler binds the new one to the caller, and the owner of the old one is told",
          "[gen_event][GE-8][GE-9]") {
  on_every_driver([](driver_report& report) {
    struct added {};
    auto m = gen_event::start().value();
    auto owner = otter::spawn_monitor([m, me = otter::self()] {
      gen_event::add_sup_handler<teller>(m, handler_id{"a"}, me);
      otter::send(me, added{});
      const auto told = otter::receive([](otter::handler_exited e) { return e; });
      trace::tell(me, told.id + (told.swapped ? " is swapped for " : " ends before ") +
                          told.successor_id + (told.successor_owner == me ? " of the test" : ""));
    });
    otter::receive([](added) {});
    gen_event::swap_sup_handler<teller, successor>(m, handler_id{"a"}, handler_id{"b"},
                                                   otter::self());
    report.equal("terminated", trace::next(), "teller ends: swapped");
    report.equal("its owner", trace::next(), "a is swapped for b of the test");
    trace::end_of(owner.ref);
    report.check("who had the old one has nothing to do with the new one",
                 gen_event::which_handlers(m).size() == 1);
    otter::trap_exit(true);
    gen_event::delete_handler<successor>(m, handler_id{"b"});
    report.equal("the new owner", otter::receive([](otter::handler_exited e) { return e.id; }),
                 "b");
    otter::stop(m);
    report.check("no link is left", trace::mailbox_is_empty());
  });
}

TEST_CASE("a handler that is swapped stays with its owner, and so does the link",
          "[gen_event][GE-9]") {
  on_every_driver([](driver_report& report) {
    auto m = gen_event::start().value();
    gen_event::add_sup_handler<teller>(m, otter::self());
    gen_event::sync_notify(m, line{"swap"});
    auto told = otter::receive([](otter::handler_exited e) { return e; });
    report.check("told once", told.swapped && told.successor_owner == otter::self());
    report.check("supervised", gen_event::which_handlers(m).at(0).supervised);
    otter::trap_exit(true);
    otter::exit(m.process(), otter::exit_reason::kill());
    report.equal("the link goes on", otter::receive([](otter::exited e) { return e.process; }),
                 m.process());
  });
}

TEST_CASE("a supervised handler and its owner hear of each other's end", "[gen_event][GE-9]") {
  on_every_driver([](driver_report& report) {
    struct added {};
    auto m = gen_event::start().value();
    auto owner = otter::spawn_monitor([m, me = otter::self()] {
      gen_event::add_sup_handler<teller>(m, me);
      otter::send(me, added{});
      otter::receive([](int) {});
    });
    otter::receive([](added) {});
    report.check("supervised", gen_event::which_handlers(m)[0].supervised);
    otter::send(owner.process, 1);
    trace::end_of(owner.ref);
    report.equal("goes with its owner", trace::next(), "teller ends: stopped");
    report.check("gone", gen_event::which_handlers(m).empty());

    const auto next_exit = [] {
      return otter::receive([](otter::handler_exited e) { return to_string(e.reason); },
                            otter::after(trace::patience, [] { return std::string("none"); }));
    };
    gen_event::add_sup_handler<teller>(m, otter::self());
    gen_event::delete_handler<teller>(m).value();
    report.equal("deleted", next_exit(), "normal");
    gen_event::add_sup_handler<teller>(m, otter::self());
    gen_event::sync_notify(m, line{"throw"});
    report.check("failed", next_exit().find("handler broke") != std::string::npos);
    otter::trap_exit(true);
    gen_event::add_sup_handler<teller>(m, otter::self());
    otter::stop(m);
    report.equal("stopped", next_exit(), "shutdown");
  });
}

TEST_CASE("a manager that stops ends its handlers, and its parent's end stops it",
          "[gen_event][GE-10][GE-11]") {
  on_every_driver([](driver_report& report) {
    struct manager_is {
      otter::pid process;
    };
    auto parent = otter::spawn_monitor([me = otter::self()] {
      auto m = gen_event::start_link().value();
      gen_event::add_handler<teller>(m, me);
      otter::send(me, manager_is{m.process()});
      otter::receive([](int) {});
      otter::exit(exit_reason::of("gone"));
    });
    const otter::pid m = otter::receive([](manager_is r) { return r.process; });
    auto watch = otter::monitor(m);
    auto stranger = otter::spawn_monitor([m] { otter::exit(m, exit_reason::of("a stranger's")); });
    trace::end_of(stranger.ref);
    report.equal("it lives on", gen_event::which_handlers(m).size(), std::size_t{1});
    otter::send(parent.process, 1);
    report.equal("handlers end", trace::next(), "teller ends: stopped");
    report.equal("with the parent's reason", trace::end_of(watch), text(exit_reason::of("gone")));
    trace::end_of(parent.ref);
  });
}

TEST_CASE("plain messages go to handle_info of every handler", "[gen_event][GE-12]") {
  on_every_driver([](driver_report& report) {
    auto m = two_tellers();
    otter::send(m.process(), tick{});
    report.equal("b", trace::next(), "b tick");
    report.equal("a", trace::next(), "a tick");
    otter::send(m.process(), 3.5);
    gen_event::sync_notify(m, line{"on"});
    report.equal("kept", trace::next(), "b on");
    report.check("reported", report.count_events("has no handler for this message") == 1);
    otter::stop(m);
  });
}

namespace event_test {
class totals : public otter::event_handler<totals> {
 public:
  using accepts = otter::accepts<int>;
  void handle_event(int n) { sum += n; }
  int sum = 0;
};
}  // namespace event_test

TEST_CASE("the state of a handler is read and replaced through its manager", "[gen_event][SY-5]") {
  on_every_driver([](driver_report& report) {
    auto m = gen_event::start_link().value();
    gen_event::add_handler<event_test::totals>(m);
    gen_event::sync_notify(m, 4);
    report.equal("read", otter::sys::get_state<event_test::totals>(m.process()).sum, 4);
    otter::sys::replace_state<event_test::totals>(m.process(), [](auto& t) { t.sum = 40; });
    gen_event::sync_notify(m, 2);
    report.equal("replaced", otter::sys::get_state<event_test::totals>(m.process()).sum, 42);
  });
}
