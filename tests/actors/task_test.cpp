// Tasks: functions in processes of their own, and their results.

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <otter/link.hpp>
#include <otter/process_info.hpp>
#include <otter/task.hpp>
#include <otter/timer.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "process_support.hpp"
#include "trace.hpp"

using namespace trace;
using otter::exit_reason;
using otter_test::driver_report;
using otter_test::on_every_driver;
using process_test::errc_of;

namespace task_test {

struct go {
  int value;
};

/// A task that waits until it is told its result.
int told() {
  return otter::receive([](go g) { return g.value; });
}

/// A task that fails once it is told.
int fails_when_told() {
  otter::receive([](go) {});
  throw std::runtime_error("boom");
}

std::size_t links() {
  return otter::process_info<std::vector<otter::pid>>(otter::self(), otter::info_item::links)
      ->size();
}
std::size_t monitors() {
  return otter::process_info<std::vector<otter::monitored>>(otter::self(),
                                                            otter::info_item::monitors)
      ->size();
}
/// Nothing of a task is left at the caller.
bool nothing_is_left() { return links() == 0 && monitors() == 0 && mailbox_is_empty(); }

template <class T>
std::string text_of(std::optional<otter::task_result<T>> const& result) {
  if (!result) return "nothing";
  return *result ? fmt::format("{}", **result) : to_string(result->error());
}

bool is_boom(exit_reason const& reason) {
  return reason == otter::exit_kind::error && reason.text() == "boom";
}

}  // namespace task_test

using namespace task_test;

TEST_CASE("async runs a function in a process of its own, and await gives its result",
          "[task][TK-1]") {
  on_every_driver([](driver_report& report) {
    auto t = otter::async([](std::unique_ptr<int> n) { return *n + 1; }, std::make_unique<int>(41));
    report.equal("with an argument that moves", t.await(patience), 42);
    auto who = otter::async([] { return otter::self(); });
    const otter::pid process = who.process();
    report.check("another process", who.await(patience) == process && process != otter::self());
    auto labelled =
        otter::async({.label = "sum"}, [] { return otter::proc_lib::get_label(otter::self()); });
    report.equal("with options", labelled.await(patience), std::string("sum"));
    otter::async([] {}).await(patience);
    report.check("nothing is left", nothing_is_left());
  });
}

TEST_CASE("a running task is linked to its owner and monitored by it", "[task][TK-1]") {
  on_every_driver([](driver_report& report) {
    auto t = otter::async(told);
    report.check("linked and monitored", links() == 1 && monitors() == 1);
    report.check("still running", static_cast<bool>(t));
    otter::send(t.process(), go{3});
    report.equal("result", t.await(patience), 3);
    report.check("given", !t && nothing_is_left());
  });
}

TEST_CASE("a task is awaited by its owner, and once", "[task][TK-1]") {
  on_every_driver([](driver_report& report) {
    auto mine = otter::async([] { return 1; });
    mine.await(patience);
    report.equal("again", errc_of([&] { mine.await(); }), std::string("badarg"));
    auto other = otter::async(told);
    const otter::pid process = other.process();
    const otter::pid me = otter::self();
    otter::spawn([me, t = std::move(other)]() mutable {
      std::string all = errc_of([&] { t.await(); });
      all += " " + errc_of([&] { t.yield(); });
      all += " " + errc_of([&] { t.shutdown(); });
      all += " " + errc_of([&] { t.ignore(); });
      tell(me, all);
    });
    report.equal("by another", next(), std::string("badarg badarg badarg badarg"));
    otter::unlink(process);
    otter::exit(process, exit_reason::kill());
  });
}

TEST_CASE("what a task's function holds is gone when its result is there", "[task][TK-1]") {
  on_every_driver([](driver_report& report) {
    auto held = std::make_shared<int>(1);
    auto t = otter::async([held](std::shared_ptr<int> const& more) { return *held + *more; }, held);
    report.equal("result", t.await(patience), 2);
    report.equal("holders", held.use_count(), 1L);
  });
}

TEST_CASE("a task that fails takes its owner with it", "[task][TK-2]") {
  on_every_driver([](driver_report& report) {
    auto owner = otter::spawn_monitor([] {
      auto t = otter::async(fails_when_told);
      otter::send(t.process(), go{});
      t.await(patience);
    });
    exit_reason const end = otter::receive([](otter::down d) { return d.reason; });
    report.check("its reason", is_boom(end));
    report.check("the owner has ended", !otter::is_alive(owner));
    report.check("the failure is reported", report.count_events("boom") >= 1);
  });
}

TEST_CASE("await of a failed task makes an owner that traps exits exit with the reason",
          "[task][TK-2]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    auto t = otter::async(fails_when_told);
    otter::send(t.process(), go{});
    exit_reason why;
    try {
      t.await(patience);
    } catch (otter::process_exit const& e) {
      why = e.reason();
    }
    report.check("a failed call", why == otter::exit_kind::call_failed);
    report.check("its cause", is_boom(why.cause()));
    report.check("it names the await", why.text().find("await of task") != std::string::npos);
    report.check("nothing is left", nothing_is_left());
    auto leaves = otter::async([] { otter::exit(exit_reason::normal()); });
    report.equal("a normal end is no result", failure_of([&] { leaves.await(patience); }),
                 std::string("normal"));
  });
}

TEST_CASE("await that is late makes the caller exit, which ends the task by its link",
          "[task][TK-2]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto owner = otter::spawn_monitor([me] {
      auto t = otter::async(told);
      otter::send(me, t.process());
      t.await(2ms);
    });
    const auto task = otter::monitor(otter::receive([](otter::pid p) { return p; }));
    exit_reason const end =
        otter::receive(otter::when([&](otter::down const& d) { return d.ref == owner.ref; },
                                   [](otter::down d) { return d.reason; }));
    report.check("the caller exits",
                 end == otter::exit_kind::call_failed && end.cause() == otter::exit_kind::timeout);
    const std::string task_end = end_of(task);
    report.check("so does the task", task_end == to_string(end) || task_end == "noproc");
  });
}

TEST_CASE("await that is late does not end the task by itself", "[task][TK-2]") {
  on_every_driver([](driver_report& report) {
    auto t = otter::async(told);
    const auto before = otter::node_clock::now();
    report.equal("late", failure_of([&] { t.await(2ms); }), std::string("timeout"));
    report.check("not early", otter::node_clock::now() - before >= 2ms);
    report.check("the task lives, and is linked", otter::is_alive(t.process()) && links() == 1);
    const auto watch = otter::monitor(t.process());
    otter::send(t.process(), go{1});
    report.equal("it ends by itself", end_of(watch), std::string("normal"));
    report.check("its result does not come", mailbox_is_empty());
  });
}

TEST_CASE("a handle that is destroyed gives the result up", "[task][TK-1]") {
  on_every_driver([](driver_report& report) {
    otter::pid process;
    {
      auto early = otter::async(told);
      process = early.process();
    }
    report.check("it runs on, linked", otter::is_alive(process) && links() == 1);
    auto watch = otter::monitor(process);
    otter::send(process, go{1});
    report.equal("and ends", end_of(watch), std::string("normal"));
    {
      auto done = otter::async([] { return 1; });
      watch = otter::monitor(done.process());
      end_of(watch);
    }
    report.check("no message is left", mailbox_is_empty());
  });
}

TEST_CASE("yield looks for a result and may look again", "[task][TK-3]") {
  on_every_driver([](driver_report& report) {
    auto t = otter::async(told);
    report.equal("still running", text_of(t.yield(0s)), std::string("nothing"));
    report.equal("and again", text_of(t.yield(1ms)), std::string("nothing"));
    otter::send(t.process(), go{7});
    report.equal("there", text_of(t.yield(patience)), std::string("7"));
    report.equal("it was given", errc_of([&] { t.yield(0s); }), std::string("badarg"));
    otter::trap_exit(true);
    auto bad = otter::async([]() -> int { otter::exit(exit_reason::of("no")); });
    report.equal("a failure", text_of(bad.yield(patience)), text(exit_reason::of("no")));
    report.check("nothing is left", nothing_is_left());
  });
}

TEST_CASE("shutdown gives a result that was there, or ends the task and gives none",
          "[task][TK-3]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    auto done = otter::async([] { return 5; });
    end_of(otter::monitor(done.process()));
    report.equal("it was there", text_of(done.shutdown()), std::string("5"));
    auto failed = otter::async([]() -> int { otter::exit(exit_reason::of("no")); });
    end_of(otter::monitor(failed.process()));
    report.equal("it had ended", text_of(failed.shutdown()), text(exit_reason::of("no")));
    for (otter::shutdown_limit limit : {otter::shutdown_limit{}, otter::brutal_kill}) {
      auto running = otter::async(told);
      const otter::pid process = running.process();
      report.equal("told to end", text_of(running.shutdown(limit)), std::string("nothing"));
      report.check("it has ended", !otter::is_alive(process) && !running);
    }
    report.check("nothing is left", nothing_is_left());
  });
}

TEST_CASE("shutdown kills a task that takes too long to end", "[task][TK-3]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    const auto stubborn = [me] {
      otter::trap_exit(true);
      tell(me, "traps");
      return otter::receive([](go g) { return g.value; });
    };
    auto t = otter::async(stubborn);
    next();
    report.equal("killed", text_of(t.shutdown(2ms)), std::string("killed"));
    auto polite = otter::async([me] {
      otter::trap_exit(true);
      tell(me, "traps");
      return otter::receive([](otter::exited) { return 9; });
    });
    next();
    report.equal("one that answers", text_of(polite.shutdown(patience)), std::string("9"));
    report.check("nothing is left", nothing_is_left());
  });
}

TEST_CASE("await_many gives the values in the order of the tasks", "[task][TK-4]") {
  on_every_driver([](driver_report& report) {
    std::vector<otter::task<int>> tasks;
    for (int i = 0; i != 4; ++i) tasks.push_back(otter::async(told));
    for (int i = 4; i-- != 0;) otter::send(tasks[static_cast<std::size_t>(i)].process(), go{i});
    const std::vector<int> values = otter::await_many(std::move(tasks), patience);
    report.check("in order", values == std::vector<int>{0, 1, 2, 3});
    report.check("nothing is left", nothing_is_left());
    std::vector<otter::task<void>> silent;
    silent.push_back(otter::async([] {}));
    otter::await_many(std::move(silent), patience);
    report.check("none at all", otter::await_many(std::vector<otter::task<int>>{}, 0s).empty());
  });
}

TEST_CASE("await_many makes its caller exit when one fails or the time is over", "[task][TK-4]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    std::vector<otter::task<int>> tasks;
    tasks.push_back(otter::async(told));
    tasks.push_back(otter::async(fails_when_told));
    const otter::pid runs = tasks[0].process();
    otter::send(tasks[1].process(), go{});
    exit_reason why;
    try {
      otter::await_many(std::move(tasks), otter::infinity);
    } catch (otter::process_exit const& e) {
      why = e.reason();
    }
    report.check("at once, with the reason", is_boom(why.cause()));
    report.check("the other runs on, linked", otter::is_alive(runs) && links() == 1);
    otter::unlink(runs);
    otter::exit(runs, exit_reason::kill());

    std::vector<otter::task<int>> late;
    late.push_back(otter::async(told));
    late.push_back(otter::async([] { return 1; }));
    report.equal("late", failure_of([&] { otter::await_many(std::move(late), 2ms); }),
                 std::string("timeout"));
  });
}

TEST_CASE("yield_many has one deadline for all, and those that run may be asked again",
          "[task][TK-4]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    std::vector<otter::task<int>> tasks;
    tasks.push_back(otter::async(told));
    tasks.push_back(otter::async(told));
    tasks.push_back(otter::async([]() -> int { otter::exit(exit_reason::of("no")); }));
    end_of(otter::monitor(tasks[2].process()));
    otter::send(tasks[1].process(), go{1});
    end_of(otter::monitor(tasks[1].process()));
    const auto results = otter::yield_many(tasks, 2ms);
    report.equal("runs", text_of(results[0]), std::string("nothing"));
    report.equal("value", text_of(results[1]), std::string("1"));
    report.equal("failure", text_of(results[2]), text(exit_reason::of("no")));
    report.check("one runs still", tasks[0] && !tasks[1] && !tasks[2]);
    otter::send(tasks[0].process(), go{0});
    report.equal("asked again", tasks[0].await(patience), 0);
    report.check("nothing is left", nothing_is_left());
  });
}

TEST_CASE("an ignored task runs on without its owner", "[task][TK-4]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto t = otter::async([me] {
      tell(me, fmt::format("told {}", told()));
      throw std::runtime_error("boom");
    });
    const otter::pid process = t.process();
    report.check("nothing yet", !t.ignore().has_value());
    report.check("not linked, not monitored", nothing_is_left());
    const auto watch = otter::monitor(process);
    otter::send(process, go{1});
    report.equal("it runs on", next(), std::string("told 1"));
    report.check("its failure is its own", end_of(watch).find("boom") != std::string::npos);

    auto done = otter::async([] { return 2; });
    end_of(otter::monitor(done.process()));
    report.equal("what was there", text_of(done.ignore()), std::string("2"));
    report.check("nothing is left", nothing_is_left());
  });
}
