// More events than can be written: who logs waits, then events are dropped, and the log says so.

#include <catch2/catch.hpp>
#include <condition_variable>
#include <mutex>
#include <otter/blocking.hpp>
#include <otter/exit.hpp>
#include <otter/logger.hpp>
#include <otter/process_info.hpp>
#include <otter/simulation.hpp>
#include <otter/sys.hpp>
#include <string>

#include "logs.hpp"
#include "on_every_driver.hpp"
#include "trace.hpp"

using namespace std::chrono_literals;
using logs::paper_ptr;
namespace logger = otter::logger;
using logger::level;

namespace {

constexpr logger::module_log note{"test"};

/// Starts a logger with one handler that has these limits; it writes nothing until it is resumed.
paper_ptr start_held(logger::overload_limits limits) {
  auto const paper = std::make_shared<logs::paper>();
  auto handler = logs::on(paper);
  handler.overload = limits;
  logger::start_link({.level = level::debug, .handlers = {handler}}).value();
  otter::sys::suspend(logs::handler());
  return paper;
}

logger::overload_limits patient() { return logs::on({}).overload; }

void log_many(int n) {
  for (int i = 0; i != n; ++i) note.notice("event", {{"i", i}});
}

}  // namespace

TEST_CASE(
    "below sync_mode_qlen nobody waits for a handler; from there on one waits until it has "
    "written his event",
    "[logger][LOG-9]") {
  on_every_driver([](driver_report& report) {
    auto limits = patient();
    limits.sync_limit = otter::infinity;
    paper_ptr const paper = start_held(limits);
    log_many(10);  // would wait for ever
    report.equal("waiting events", logs::info_of().queued, 10u);
    auto const eleventh = otter::spawn_monitor([paper, me = otter::self()] {
      note.notice("the eleventh");
      trace::tell(me, std::to_string(paper->count("the eleventh")));
    });
    while (logs::info_of().queued != 11) otter::checkpoint();
    report.check("it waits", otter::is_alive(eleventh) && trace::mailbox_is_empty());
    otter::sys::resume(logs::handler());
    report.equal("it went on when its event was written", trace::next(), "1");
    report.equal("ends", trace::end_of(eleventh.ref), "normal");
    report.equal("all are there", paper->lines().size(), std::size_t{11});
  });
}

TEST_CASE("a handler that does not move is waited for once, then events are dropped and counted",
          "[logger][LOG-9]") {
  on_every_driver([](driver_report& report) {
    auto limits = patient();
    limits.drop_mode_qlen = 50;
    limits.sync_limit = 20ms;
    paper_ptr const paper = start_held(limits);
    log_many(120);
    auto const held = logs::info_of();
    report.equal("waiting", held.queued, 50u);
    report.equal("dropped", held.dropped, 70u);
    otter::sys::resume(logs::handler());
    report.check("removed", logger::remove_handler("paper"));  // so it says now what it lost
    report.equal("written", paper->count("event i="), std::size_t{50});
    report.equal("and said", paper->count("events were dropped"), std::size_t{1});
    report.equal("how many", paper->count("dropped=70"), std::size_t{1});
  });
}

TEST_CASE("a handler with more than flush_qlen events drops them all, and says how many",
          "[logger][LOG-9]") {
  on_every_driver([](driver_report& report) {
    auto limits = patient();
    limits.sync_mode_qlen = limits.drop_mode_qlen = 100'000;
    limits.flush_qlen = 30;
    paper_ptr const paper = start_held(limits);
    log_many(100);
    otter::sys::resume(logs::handler());
    logger::sync();
    report.equal("flushed", logs::info_of().flushed, 100u);
    note.notice("later");
    logger::sync();
    report.equal("it goes on", paper->count("later"), std::size_t{1});
    logger::remove_handler("paper");
    report.equal("none of them", paper->count("event i="), std::size_t{0});
    report.equal("and said", paper->count("to_catch_up=100"), std::size_t{1});
  });
}

TEST_CASE("no more than burst_limit_max_count events are written within a window",
          "[logger][LOG-9]") {
  on_every_driver([](driver_report& report) {
    auto const paper = std::make_shared<logs::paper>();
    auto handler = logs::on(paper);
    handler.overload.burst_limit_enable = true;
    handler.overload.burst_limit_window_time = 1h;
    logger::start_link({.level = level::debug, .handlers = {handler}}).value();
    log_many(700);
    logger::sync();
    report.equal("written", paper->lines().size(), std::size_t{500});
    report.equal("dropped", logs::info_of().burst, 200u);
    logger::remove_handler("paper");
    report.equal("said", paper->count("since_too_many_came=200"), std::size_t{1});
  });
}

TEST_CASE(
    "when the window of a burst is over, what was dropped is told and events are written "
    "again",
    "[logger][LOG-9]") {
  // Virtual time only: an hour has to pass.
  for (std::uint64_t seed = 1; seed != 6; ++seed) {
    auto const paper = std::make_shared<logs::paper>();
    otter::simulation simulation(seed);
    auto const result = simulation.run([&] {
      auto handler = logs::on(paper);
      handler.overload.burst_limit_enable = true;
      handler.overload.burst_limit_window_time = 1h;
      logger::start_link({.level = level::debug, .handlers = {handler}}).value();
      log_many(600);
      otter::receive(otter::after(2h));
      note.notice("later");
      logger::sync();
    });
    CHECK(result.finished);
    CHECK(paper->count("event i=") == 500);
    CHECK(paper->count("dropped=100") == 1);
    CHECK(paper->count("later") == 1);
  }
}

TEST_CASE("who may not wait is not made to: in no_suspend, in an ending process, in a handler",
          "[logger][LOG-9]") {
  on_every_driver([](driver_report& report) {
    auto limits = patient();
    limits.sync_limit = otter::infinity;
    start_held(limits);
    log_many(10);
    {
      otter::no_suspend guard;
      note.notice("not here");
    }
    struct logs_at_end {
      ~logs_at_end() { note.notice("nor here"); }
    };
    auto const killed = otter::spawn_monitor([me = otter::self()] {
      logs_at_end at_end;
      trace::tell(me, "begun");
      otter::receive([](double) {});
    });
    report.equal("begun", trace::next(), "begun");
    otter::exit(killed.process, otter::exit_reason::kill());
    report.equal("it ends", trace::end_of(killed.ref), "killed");
    report.equal("both are there", logs::info_of().queued, 12u);
    otter::sys::resume(logs::handler());
  });
}

TEST_CASE("a device that hangs holds up nobody: processes run on, and the node stops in time",
          "[logger][LOG-9]") {
  /// Writes when it is allowed to.
  struct gate {
    std::mutex mutex;
    std::condition_variable changed;
    bool open = false;
    bool hangs = false;
  };
  struct stuck final : logger::device {
    explicit stuck(std::shared_ptr<gate> g) : at(std::move(g)) {}
    void write(std::span<logger::line const>) override {
      std::unique_lock lock(at->mutex);
      at->hangs = true;
      at->changed.notify_all();
      at->changed.wait(lock, [this] { return at->open; });
    }
    std::shared_ptr<gate> at;
  };
  auto const at = std::make_shared<gate>();
  int answers = 0;
  logger::handler_info seen{};
  otter::node node({.workers = 1, .on_event = [](otter::node_event const&) {}});
  node.run([&] {
    auto handler = logs::on(std::make_shared<logs::paper>());
    handler.overload = {};  // as they are by default
    handler.open = [at] { return std::make_unique<stuck>(at); };
    logger::start_link({.level = level::debug, .handlers = {handler}}).value();
    note.notice("the one that hangs");
    otter::blocking([&] {
      std::unique_lock lock(at->mutex);
      at->changed.wait(lock, [&] { return at->hangs; });
    });
    std::vector<otter::monitor_ref> all;
    for (int p = 0; p != 4; ++p) all.push_back(otter::spawn_monitor([] { log_many(200); }).ref);
    for (auto const ref : all) trace::end_of(ref);
    for (int i = 0; i != 100; ++i) {
      otter::send(otter::self(), i);
      answers += otter::receive([](int) { return 1; });
    }
    seen = logs::info_of();
    std::lock_guard lock(at->mutex);
    at->open = true;
    at->changed.notify_all();
  });
  CHECK(answers == 100);
  CHECK(seen.queued == 200);
  CHECK(seen.dropped == 600);
  CHECK(node.stop().empty());
}
