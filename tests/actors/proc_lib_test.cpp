// Processes that run a function and belong to a tree, and what behaviours take from them.

#include <catch2/catch.hpp>
#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <otter/link.hpp>
#include <otter/name.hpp>
#include <otter/proc_lib.hpp>
#include <otter/process_info.hpp>
#include <otter/sys.hpp>
#include <otter/type_name.hpp>
#include <stdexcept>
#include <string>

#include "on_every_driver.hpp"
#include "trace.hpp"

using namespace std::chrono_literals;
using otter::exit_reason;
using trace::text;

namespace proc_lib_test {

/// Says on request who its ancestors are, and starts another one.
class person : public otter::gen_server<person> {
 public:
  struct who {
    using reply = std::string;
  };
  struct have_child {
    using reply = otter::pid;
    std::string name;
  };
  struct crash {};
  using accepts = otter::accepts<who, have_child, crash>;

  std::string handle_call(who) {
    std::string all;
    for (std::string const& a : otter::proc_lib::ancestors()) all += a + " ";
    return all;
  }
  otter::pid handle_call(have_child c) {
    return person::start_link({.name = c.name}).value().process();
  }
  void handle_cast(crash) { throw std::runtime_error("broken"); }
};

/// Made by a function, not by a start.
class counter : public otter::gen_server<counter> {
 public:
  struct read {
    using reply = int;
  };
  using accepts = otter::accepts<read>;
  explicit counter(int v) : value_(v) {}
  void init() { value_ = -1; }
  int handle_call(read) { return value_; }

 private:
  int value_;
};

}  // namespace proc_lib_test

using proc_lib_test::counter;
using proc_lib_test::person;

TEST_CASE("a process knows its ancestors, the nearest first, by name if they have one",
          "[proc_lib][PL-1]") {
  on_every_driver([](driver_report& report) {
    auto first = person::start_link({.name = "eve"}).value();
    const otter::pid second = otter::call(first, person::have_child{""});
    const otter::pid third = otter::call(second, person::have_child{"abel"});
    report.equal("the third", otter::call(third, person::who{}),
                 to_string(second) + " eve " + to_string(otter::self()) + " ");
    report.equal("the first", otter::call(first, person::who{}), to_string(otter::self()) + " ");
    otter::stop(first);  // takes the others along
    auto spawned = otter::proc_lib::spawn_monitor([me = otter::self()] {
      auto const mine = otter::proc_lib::ancestors();
      trace::tell(me, mine.empty() ? "none" : mine.front());
    });
    report.equal("a function's", trace::next(), to_string(otter::self()));
    trace::end_of(spawned.ref);
    report.check("a plain process has none", otter::proc_lib::ancestors().empty());
  });
}

TEST_CASE("a crash report says the initial call and the ancestors", "[proc_lib][PL-1][LOG-4]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    auto first = person::start_link({.name = "eve"}).value();
    const otter::pid second = otter::call(first, person::have_child{""});
    otter::cast(second, person::crash{});
    trace::end_of(second);
    std::string crash;
    for (auto const& e : report.events())
      if (e.what == otter::node_event::kind::crash && e.process == second) crash = e.text;
    for (std::string const& part :
         {std::string("initial call: proc_lib_test::person"),
          "ancestors: eve " + to_string(otter::self()), std::string("broken")})
      report.check(part + " in " + crash, crash.find(part) != std::string::npos);
  });
}

TEST_CASE("start_link returns when the function has said that it is ready", "[proc_lib][PL-2]") {
  on_every_driver([](driver_report& report) {
    auto started = otter::proc_lib::start_link({.name = "worker"}, [me = otter::self()] {
      trace::tell(me, "before");
      otter::proc_lib::init_ack();
      otter::proc_lib::init_ack();  // once is enough
      otter::receive([](int) {});
    });
    report.check("started", started.has_value());
    report.equal("it ran first", trace::next(), "before");
    report.check("named", otter::whereis("worker") == started->process());
    auto second = otter::proc_lib::start({.name = "worker"}, [] {});
    report.check("the name is taken",
                 second.error().what == otter::start_error::kind::already_started);
    otter::send(started->process(), 1);
    report.equal("ends", trace::end_of(started->process()), "normal");
  });
}

TEST_CASE("a function that ends before it is ready, or is late, did not start",
          "[proc_lib][PL-2]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    auto ended = otter::proc_lib::start_link({}, [] { otter::exit(exit_reason::of("no")); });
    report.equal("its reason", to_string(ended.error()), text(exit_reason::of("no")));
    auto late = otter::proc_lib::start_link({.timeout = 1ms}, [] { otter::receive([](int) {}); });
    report.check("late", late.error().what == otter::start_error::kind::timeout);
    auto [result, ref] = otter::proc_lib::start_monitor({}, [] {});
    report.check("over", !result);
    report.equal("and a down comes", trace::end_of(ref), "normal");
    report.check("nothing is left", trace::mailbox_is_empty());
  });
}

TEST_CASE("init_fail frees the name before the starter hears of it", "[proc_lib][PL-6]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    for (int i = 0; i != 3; ++i) {
      auto failed = otter::proc_lib::start_link({.name = "again"}, [] {
        otter::proc_lib::init_fail(exit_reason::of("told"), exit_reason::shutdown());
      });
      report.equal("what was told", to_string(failed.error()), text(exit_reason::of("told")));
    }
    report.check("the name is free", !otter::whereis("again"));
    report.check("nothing is left", trace::mailbox_is_empty());
  });
}

TEST_CASE("a function that throws is reported; one that exits normally is not",
          "[proc_lib][PL-7][PL-8]") {
  on_every_driver([](driver_report& report) {
    auto thrown = otter::proc_lib::spawn_monitor([] { throw std::runtime_error("broken"); });
    const std::string why = trace::end_of(thrown.ref);
    report.check("an error: " + why, why.find("broken") != std::string::npos);
    report.equal("one report", report.count_events(otter::node_event::kind::crash), std::size_t{1});
    for (exit_reason const& quiet :
         {exit_reason::normal(), exit_reason::shutdown(), exit_reason::shutdown("because")}) {
      auto p = otter::proc_lib::spawn_monitor([quiet] { otter::exit(quiet); });
      report.equal("reason", trace::end_of(p.ref), text(quiet));
    }
    auto signalled = otter::proc_lib::spawn_monitor([] { otter::receive([](int) {}); });
    otter::exit(signalled.process, exit_reason::of("by signal"));
    report.equal("by a signal", trace::end_of(signalled.ref), text(exit_reason::of("by signal")));
    report.equal("still one", report.count_events(otter::node_event::kind::crash), std::size_t{1});
  });
}

TEST_CASE("a server that has hibernated is reported when it crashes", "[proc_lib][PL-10]") {
  struct sleeper : otter::gen_server<sleeper> {
    struct doze {};
    using accepts = otter::accepts<doze, int>;
    otter::outcome handle_cast(doze) { return noreply().hibernate(); }
    void handle_info(int) { throw std::runtime_error("broken after sleep"); }
  };
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    auto server = sleeper::start_link().value();
    otter::cast(server, sleeper::doze{});
    otter::send(server.process(), 1);
    trace::end_of(server.process());
    report.check("reported", report.count_events("broken after sleep") >= 1 &&
                                 report.count_events(otter::node_event::kind::crash) == 1);
  });
}

TEST_CASE("a label is shown to who asks, and need not be unique", "[proc_lib][PL-11]") {
  on_every_driver([](driver_report& report) {
    const auto labelled = [] {
      otter::proc_lib::set_label("shard");
      otter::proc_lib::init_ack();
      otter::receive([](int) {});
    };
    auto one = otter::proc_lib::start_link({}, labelled).value();
    auto two = otter::proc_lib::start_link({}, labelled).value();
    report.equal("one", otter::proc_lib::get_label(one), "shard");
    report.equal("two", otter::proc_lib::get_label(two), "shard");
    otter::send(one.process(), 1);
    trace::end_of(one.process());
    report.equal("of the dead", otter::proc_lib::get_label(one), "");
  });
}

TEST_CASE("a function may become a server, without init", "[proc_lib][GS-33]") {
  on_every_driver([](driver_report& report) {
    auto started = otter::proc_lib::start_link(
                       {.name = "made"},
                       [](int begin) {
                         otter::proc_lib::init_ack();
                         return counter::enter_loop({.name = "made"}, begin + 1);
                       },
                       41)
                       .value();
    report.equal("serves", otter::call("made", counter::read{}), 42);
    otter::stop(started);
    report.check("the name is free", !otter::whereis("made"));
    otter::trap_exit(true);
    auto wrong =
        otter::proc_lib::spawn_monitor([] { return counter::enter_loop({.name = "somebody"}, 1); });
    const std::string why = trace::end_of(wrong.ref);
    report.check("not its name: " + why, why.find("process_not_registered") != std::string::npos);
  });
}

TEST_CASE("a process that proc_lib did not start cannot become a server", "[proc_lib][PL-12]") {
  on_every_driver([](driver_report& report) {
    auto p = otter::spawn_monitor([] { (void)counter::enter_loop(1); });
    const std::string why = trace::end_of(p.ref);
    report.check(why, why.find("process_was_not_started_by_proc_lib") != std::string::npos);
  });
}

TEST_CASE("the initial call of a process is its class or its function, unless it says another",
          "[proc_lib][PL-1]") {
  on_every_driver([](driver_report& report) {
    auto const call_of = [](otter::pid p) {
      return *otter::process_info<std::string>(p, otter::info_item::initial_call);
    };
    struct waits {
      std::string say;
      void operator()() const {
        if (!say.empty()) otter::set_initial_call(say);
        otter::proc_lib::init_ack();
        otter::receive([](double) {});
      }
    };
    auto const server = counter::start_link(1).value();
    report.equal("a server", call_of(server.process()), otter::type_name<counter>());
    auto const plain = otter::proc_lib::start_link({}, waits{}).value();
    report.equal("a function", call_of(plain.process()), otter::type_name<waits>());
    auto const other = otter::proc_lib::start_link({}, waits{"something else"}).value();
    report.equal("as it says", call_of(other.process()), "something else");
  });
}
