// What is logged, who gets it, and what a log never does to those who log.

#include <catch2/catch.hpp>
#include <ostream>
#include <otter/blocking.hpp>
#include <otter/exit.hpp>
#include <otter/logger.hpp>
#include <otter/name.hpp>
#include <otter/process_info.hpp>
#include <otter/simulation.hpp>
#include <otter/supervisor.hpp>
#include <stdexcept>
#include <string>
#include <variant>

#include "logs.hpp"
#include "on_every_driver.hpp"
#include "trace.hpp"

using namespace std::chrono_literals;
using logs::paper_ptr;
using logs::value_in;
namespace logger = otter::logger;
using logger::level;

namespace logger_test {

constexpr logger::module_log note{"test.one"};
constexpr logger::module_log other{"test.two"};

struct password {
  std::string text;
  using otter_sensitive = void;
};
struct account {
  std::string name;
  password secret;
};
/// Cannot be printed.
struct broken {
  friend std::ostream& operator<<(std::ostream&, broken const&) {
    throw std::runtime_error("not printable");
  }
};

}  // namespace logger_test

using logger_test::note;
using logger_test::other;

TEST_CASE("an event has a level, a module, a text and typed values, and says who logged it where",
          "[logger][LOG-1]") {
  on_every_driver([](driver_report& report) {
    paper_ptr const paper = logs::start();
    auto const before = otter::system_time();
    std::string const name = "eve";
    char const* const nothing = nullptr;
    note.warning("something", {{"text", name},
                               {"literal", "a b"},
                               {"int", -3},
                               {"unsigned", std::uint64_t{1} << 63},
                               {"double", 0.5},
                               {"bool", true},
                               {"null", nothing},
                               {"pid", otter::self()},
                               {"duration", 20ms},
                               {"lazy", [] { return 7; }}});
    report.check("written", logger::sync());
    auto const events = paper->events();
    report.equal("events", events.size(), std::size_t{1});
    if (events.size() != 1) return;
    auto const& e = events.front();
    report.check("level", e.level == level::warning);
    report.equal("module", e.module, "test.one");
    report.equal("text", e.text, "something");
    report.check("process", e.process == otter::self());
    report.check("time", e.time >= before && e.time <= otter::system_time());
    report.equal("file", e.file, "logger_test.cpp");
    report.check("line", e.line != 0);
    using values = std::vector<logger::named_value>;
    report.check("values", e.fields == values{{"text", "eve"},
                                              {"literal", "a b"},
                                              {"int", std::int64_t{-3}},
                                              {"unsigned", std::uint64_t{1} << 63},
                                              {"double", 0.5},
                                              {"bool", true},
                                              {"null", "null"},
                                              {"pid", to_string(otter::self())},
                                              {"duration", "20ms"},
                                              {"lazy", std::int64_t{7}}});
  });
}

TEST_CASE("levels choose, for all, for a module and for a handler, before anything is printed",
          "[logger][LOG-1]") {
  on_every_driver([](driver_report& report) {
    int printed = 0;
    auto const ask = [&printed] { return ++printed; };
    report.check("by default", note.allows(level::notice) && !note.allows(level::info));
    paper_ptr const paper = logs::start(level::warning);
    note.notice("no", {{"n", ask}});
    report.equal("not printed", printed, 0);
    note.warning("yes", {{"n", ask}});
    logger::set_module_level("test.one", level::debug);
    note.debug("yes too", {{"n", ask}});
    other.notice("not the other", {{"n", ask}});
    logger::set_module_level("test.two", level::error);
    other.warning("less of the other", {{"n", ask}});
    logger::unset_module_level("test.two");
    other.warning("the other again", {{"n", ask}});
    logger::unset_module_level("test.one");
    note.debug("no more", {{"n", ask}});
    logger::set_level(level::debug);
    note.debug("all", {{"n", ask}});
    report.check("a handler may want less", logger::set_handler_level("paper", level::error));
    note.warning("too little", {});
    report.check("there is no such handler", !logger::set_handler_level("none", level::error));
    logger::sync();
    auto const lines = paper->lines();
    std::vector<std::string> const expected = {
        "warning test.one: yes n=1", "debug test.one: yes too n=2",
        "warning test.two: the other again n=3", "debug test.one: all n=4"};
    report.check("lines", lines == expected);
    report.equal("printed", printed, 4);
  });
}

TEST_CASE("as many modules as there is room for have a level of their own", "[logger][LOG-1]") {
  on_every_driver([](driver_report& report) {
    for (int i = 0; i != 64; ++i) logger::set_module_level("m" + std::to_string(i), level::debug);
    logger::set_module_level("m63", level::error);  // it has one already
    std::string why = "none";
    try {
      logger::set_module_level("one more", level::debug);
    } catch (otter::error const& e) {
      why = to_string(e.code());
    }
    report.equal("refused", why, "system_limit");
    constexpr logger::module_log last{"m63"};
    report.check("the last", last.allows(level::error) && !last.allows(level::warning));
  });
}

TEST_CASE("a filter logs, stops or leaves it to the next; it may be asked for one handler",
          "[logger][LOG-1]") {
  on_every_driver([](driver_report& report) {
    paper_ptr const paper = logs::start();
    auto const second = std::make_shared<logs::paper>();
    report.check("a second handler", logger::add_handler(logs::on(second, "second")).has_value());
    using logger::verdict;
    auto const by_text = [](std::string text, verdict v) -> logger::filter {
      return [text, v](logger::event const& e) { return e.text == text ? v : verdict::ignore; };
    };
    report.check("one", logger::add_filter({"keep", by_text("a", verdict::log)}));
    report.check("two", logger::add_filter({"stop", [](auto const& e) {
                                              return e.text < "c" ? verdict::stop : verdict::ignore;
                                            }}));
    report.check("same name", !logger::add_filter({"stop", by_text("d", verdict::stop)}));
    report.check("of a handler", logger::add_filter({"d", by_text("d", verdict::stop)}, "second"));
    report.check("of no handler", !logger::add_filter({"d", by_text("d", verdict::stop)}, "third"));
    for (char const* text : {"a", "b", "c", "d"}) note.notice(text);
    report.check("removed", logger::remove_filter("stop"));
    report.check("once", !logger::remove_filter("stop"));
    note.notice("b");
    logger::sync();
    std::string all, some;
    for (auto const& e : paper->events()) all += e.text;
    for (auto const& e : second->events()) some += e.text;
    report.equal("the first", all, "acdb");
    report.equal("the second", some, "acb");
  });
}

TEST_CASE("values of a masked type are never written, nor what is deep in others",
          "[logger][LOG-1]") {
  on_every_driver([](driver_report& report) {
    paper_ptr const paper = logs::start();
    logger_test::password const secret{"hunter2"};
    note.error("a login", {{"password", secret},
                           {"account", logger_test::account{"eve", {"hunter2"}}},
                           {"once", logger::masked("hunter2")}});
    logger::sync();
    report.equal("lines", paper->lines().size(), std::size_t{1});
    report.equal("none of them", paper->count("hunter2"), std::size_t{0});
    report.equal("masks",
                 value_in(paper->event_with("a login"), "password") +
                     value_in(paper->event_with("a login"), "once"),
                 "******");
  });
}

TEST_CASE("an event is bounded, whatever is logged", "[logger][LOG-1]") {
  on_every_driver([](driver_report& report) {
    paper_ptr const paper = logs::start();
    std::string const large(1'000'000, 'x');
    note.error(large, {{"a", large}, {"b", large}, {"c", large}, {"d", large}, {"e", large}});
    std::vector<std::vector<std::string>> const deep(300, std::vector<std::string>(300, "y"));
    note.error("deep", {{"all", deep}});
    logger::sync();
    for (auto const& e : paper->events()) {
      std::size_t size = e.text.size();
      for (auto const& f : e.fields) size += f.name.size() + logger::to_string(f.what).size();
      report.check("size " + std::to_string(size), size <= logger::max_event + 64);
    }
    report.equal("both", paper->lines().size(), std::size_t{2});
  });
}

TEST_CASE("a job of blocking logs for its process, on any node", "[logger][LOG-1]") {
  on_every_driver([](driver_report& report) {
    paper_ptr const paper = logs::start();
    otter::blocking([] { note.notice("from a job"); });
    logger::sync();
    report.equal("written", paper->count("from a job"), std::size_t{1});
    report.check("whose", paper->event_with("from a job").process == otter::self());
  });
}

TEST_CASE("every node has a log of its own", "[logger][LOG-1]") {
  otter::node one({.workers = 1}), two({.workers = 1});
  bool at_one = false, at_two = true;
  one.run([&] {
    logger::set_level(level::debug);
    at_one = note.allows(level::debug);
  });
  two.run([&] { at_two = note.allows(level::debug); });
  CHECK(at_one);
  CHECK_FALSE(at_two);
  CHECK_FALSE(note.allows(level::info));  // no node at all: what is notable goes to stderr
}

TEST_CASE("without handlers what is logged is an event of the node", "[logger][LOG-1]") {
  on_every_driver([](driver_report& report) {
    note.error("nobody writes it", {{"why", "no handler"}});
    note.info("below the level");
    report.equal("events", report.count_events(otter::node_event::kind::report), std::size_t{1});
    report.equal("its text", report.count_events("nobody writes it why=\"no handler\""),
                 std::size_t{1});
    auto const paper = std::make_shared<logs::paper>();
    auto const logging = logger::start_link({.handlers = {logs::on(paper)}}).value();
    note.error("somebody writes it");
    logger::sync();
    report.equal("written", paper->count("somebody writes it"), std::size_t{1});
    report.equal("and not told", report.count_events("somebody"), std::size_t{0});
    otter::stop(logging);
    report.check("no handlers any more", logger::handlers().empty());
    note.error("nobody again");
    report.equal("told", report.count_events("nobody again"), std::size_t{1});
  });
}

TEST_CASE("a logger that is killed leaves its node without handlers, and can be started again",
          "[logger][LOG-10]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    logs::start();
    auto const watch = otter::monitor("logger");
    otter::exit(otter::whereis("logger"), otter::exit_reason::kill());
    trace::end_of(watch);
    report.check("none", logger::handlers().empty());
    note.error("nobody writes it");
    report.equal("told", report.count_events("nobody writes it"), std::size_t{1});
    paper_ptr const paper = logs::start();
    note.error("again");
    logger::sync();
    report.equal("written", paper->count("again"), std::size_t{1});
    report.check("one is enough",
                 logger::start_link().error().what == otter::start_error::kind::already_started);
  });
}

TEST_CASE("a logger that stops writes what it has, below a supervisor as the last",
          "[logger][LOG-9]") {
  struct child : otter::gen_server<child> {
    using accepts = otter::accepts<>;
    child() { otter::trap_exit(true); }
    void terminate(otter::exit_reason const&) { note.notice("a child stops"); }
  };
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    auto const paper = std::make_shared<logs::paper>();
    auto const sup =
        otter::supervisor::start_link(
            {}, {{.id = "log",
                  .start = [&] { return logger::start_link({.handlers = {logs::on(paper)}}); }},
                 {.id = "child", .start = [] { return child::start_link(); }}})
            .value();
    note.notice("before");
    otter::exit(sup, otter::exit_reason::shutdown());
    trace::end_of(sup.process());
    report.equal("before", paper->count("before"), std::size_t{1});
    report.equal("the child", paper->count("a child stops"), std::size_t{1});
  });
}

TEST_CASE("a filter that throws is removed, which is logged, and the event goes on",
          "[logger][LOG-10]") {
  on_every_driver([](driver_report& report) {
    paper_ptr const paper = logs::start();
    int asked = 0;
    auto const bad = [&asked](logger::event const&) -> logger::verdict {
      ++asked;
      throw std::runtime_error("bad filter");
    };
    report.check("for all", logger::add_filter({"bad", bad}));
    report.check("for one", logger::add_filter({"bad too", bad}, "paper"));
    note.error("first");
    int const asked_once = asked;
    note.error("second");
    logger::sync();
    report.equal("not asked again", asked, asked_once);
    report.equal("first", paper->count("first"), std::size_t{1});
    report.equal("second", paper->count("second"), std::size_t{1});
    report.equal("said", paper->count("a filter of the log has failed and is removed"),
                 std::size_t{2});
    report.equal("why", paper->count("bad filter"), std::size_t{2});
    report.check("gone",
                 !logger::remove_filter("bad") && !logger::remove_filter("bad too", "paper"));
  });
}

TEST_CASE("a filter that would wait is removed, and one that logs is not asked about that",
          "[logger][LOG-10]") {
  on_every_driver([](driver_report& report) {
    paper_ptr const paper = logs::start();
    logger::add_filter({"waits", [](logger::event const&) {
                          otter::receive([](double) {});
                          return logger::verdict::ignore;
                        }});
    logger::add_filter({"logs", [](logger::event const&) {
                          note.error("from the filter");
                          return logger::verdict::ignore;
                        }});
    note.error("first");
    logger::sync();
    report.equal("first", paper->count("first"), std::size_t{1});
    report.equal("said", paper->count("filter=waits") + paper->count("would_suspend"), 2u);
    report.equal("dropped", paper->count("from the filter"), std::size_t{0});
  });
}

TEST_CASE("a handler whose device or formatter throws is removed, which the others write",
          "[logger][LOG-10]") {
  struct full_disk final : logger::device {
    void write(std::span<logger::line const>) override { throw std::runtime_error("disk full"); }
  };
  on_every_driver([](driver_report& report) {
    paper_ptr const paper = logs::start();
    logger::handler_options bad;
    bad.id = "disk";
    bad.open = [] { return std::make_unique<full_disk>(); };
    report.check("added", logger::add_handler(bad).has_value());
    bad.id = "formatter";
    bad.open = [paper] { return std::make_unique<logs::paper_device>(paper); };
    bad.format = [](logger::event const&) -> std::string {
      throw std::runtime_error("bad format");
    };
    report.check("added too", logger::add_handler(bad).has_value());
    auto const one = otter::monitor(logs::handler("disk"));
    auto const two = otter::monitor(logs::handler("formatter"));
    note.error("an event");
    trace::end_of(one);
    trace::end_of(two);
    // The logger has heard of both ends when it answers: their signals came before this call.
    report.check("there is no such handler", !logger::remove_handler("none"));
    report.equal("left", logger::handlers().size(), std::size_t{1});
    logger::sync();
    report.equal("written", paper->count("error test.one: an event"), std::size_t{1});
    report.equal("said",
                 paper->count("error otter: a handler of the log has failed and is removed"),
                 std::size_t{2});
    report.check("why", paper->count("disk full") >= 1 && paper->count("bad format") >= 1);
  });
}

TEST_CASE("a value that cannot be printed says so, and its event is logged", "[logger][LOG-10]") {
  on_every_driver([](driver_report& report) {
    paper_ptr const paper = logs::start();
    note.error(
        "an event",
        {{"broken", logger_test::broken{}}, {"lazy", []() -> int { throw 1; }}, {"good", 1}});
    logger::sync();
    report.equal("written", paper->count("an event"), std::size_t{1});
    report.equal("the rest", paper->count("good=1"), std::size_t{1});
    report.check("the broken ones", paper->count("cannot be printed") == 1);
  });
}

TEST_CASE("a handler that cannot start says why, and the others go on", "[logger][LOG-10]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    logger::handler_options bad;
    bad.open = []() -> std::unique_ptr<logger::device> {
      throw std::runtime_error("no such disk");
    };
    auto const none = logger::start_link({.handlers = {bad}});
    report.check("refused",
                 !none && to_string(none.error()).find("no such disk") != std::string::npos);
    paper_ptr const paper = logs::start();
    auto const refused = logger::add_handler(bad);
    report.check("refused too",
                 !refused && to_string(refused.error()).find("no such disk") != std::string::npos);
    auto const twice = logger::add_handler(logs::on(paper));
    report.check("an id twice",
                 !twice && to_string(twice.error()).find("already_present") != std::string::npos);
    note.error("an event");
    logger::sync();
    report.equal("written", paper->count("an event"), std::size_t{1});
  });
}

TEST_CASE("what a device logs does not come back to it", "[logger][LOG-10]") {
  struct talker final : logger::device {
    explicit talker(paper_ptr p) : to(std::move(p)) {}
    void write(std::span<logger::line const> lines) override {
      note.error("written by the device");
      for (auto const& l : lines) to->add_line(l.text);
    }
    paper_ptr to;
  };
  on_every_driver([](driver_report& report) {
    paper_ptr const paper = logs::start();
    auto const loud = std::make_shared<logs::paper>();
    auto handler = logs::on(loud, "loud");
    handler.open = [loud] { return std::make_unique<talker>(loud); };
    report.check("added", logger::add_handler(handler).has_value());
    note.error("an event");
    logger::sync();
    logger::sync();
    report.equal("its own lines", loud->lines().size(), std::size_t{1});
    report.equal("the other's", paper->count("written by the device"), std::size_t{1});
  });
}

TEST_CASE("a simulation that logs has one digest for one seed", "[logger][LOG-1]") {
  auto const digest = [](std::uint64_t seed, std::vector<std::string>& lines) {
    auto const paper = std::make_shared<logs::paper>();
    otter::simulation_options options;
    options.node.on_event = [](otter::node_event const&) {};
    otter::simulation simulation(seed, options);
    auto const result = simulation.run([&] {
      auto handler = logs::on(paper);
      handler.format = logger::json_format();
      logger::start_link({.level = level::debug, .handlers = {handler}}).value();
      std::vector<otter::monitor_ref> ends;
      for (int i = 0; i != 20; ++i)
        ends.push_back(otter::spawn_monitor([i] {
                         for (int n = 0; n != i; ++n) note.debug("counts", {{"i", i}, {"n", n}});
                         if (i % 5 == 0) throw std::runtime_error("five");
                       }).ref);
      for (auto const end : ends) trace::end_of(end);
      logger::sync();
    });
    CHECK(result.finished);
    lines = paper->lines();
    return result.digest;
  };
  std::vector<std::string> first, second, other_seed;
  CHECK(digest(7, first) == digest(7, second));
  CHECK(first.size() > 190);
  CHECK(first == second);
  CHECK(digest(8, other_seed) != digest(7, second));
}
