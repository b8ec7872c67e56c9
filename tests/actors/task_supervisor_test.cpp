// Tasks that belong to a supervision tree.

#include <catch2/catch.hpp>
#include <memory>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <otter/proc_lib.hpp>
#include <otter/process_info.hpp>
#include <otter/task_supervisor.hpp>
#include <stdexcept>
#include <string>

#include "on_every_driver.hpp"
#include "trace.hpp"

using namespace trace;
using otter::exit_reason;
using otter::task_supervisor;
using otter_test::driver_report;
using otter_test::on_every_driver;

namespace task_supervisor_test {

struct go {
  int value;
};
int told() {
  return otter::receive([](go g) { return g.value; });
}

std::size_t links() {
  return otter::process_info<std::vector<otter::pid>>(otter::self(), otter::info_item::links)
      ->size();
}

/// Has its work done by tasks, and does not wait for them.
class asker : public otter::gen_server<asker> {
 public:
  struct ask {
    int value;
  };
  using accepts = otter::accepts<ask, otter::task_reply<int>>;

  asker(otter::pid test, otter::pid sup) : test_(test), sup_(sup) {}
  void handle_cast(ask a) {
    task_ = task_supervisor::async_nolink(sup_, [n = a.value]() -> int {
      if (n < 0) otter::exit(exit_reason::of("negative"));
      return n + 1;
    });
  }
  void handle_info(otter::task_reply<int> r) {
    tell(test_, fmt::format("{} {}", r.task == task_.ref(), r.value));
  }
  void handle_info(otter::down d) {
    tell(test_, fmt::format("{} {}", d.ref == task_.ref(), d.reason));
  }

 private:
  otter::pid test_;
  otter::pid sup_;
  otter::task<int> task_;
};

}  // namespace task_supervisor_test

using namespace task_supervisor_test;

TEST_CASE("a supervised task is a temporary child, and runs without anybody waiting",
          "[task_supervisor][TK-6]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = task_supervisor::start_link({}, {.name = "tasks"}).value();
    auto child = task_supervisor::start_child(
        "tasks",
        [me](std::unique_ptr<int> n) {
          tell(me, otter::proc_lib::ancestors().front());
          throw std::runtime_error(std::to_string(*n + told()));
        },
        std::make_unique<int>(1));
    report.equal("below its supervisor", next(), std::string("tasks"));
    auto const all = otter::dynamic_supervisor::which_children(sup);
    report.check("a temporary child", all.size() == 1 && all[0].process == *child &&
                                          all[0].restart == otter::restart_type::temporary);
    const auto watch = otter::monitor(*child);
    otter::send(*child, go{2});
    report.check("it fails alone", end_of(watch).find("3") != std::string::npos);
    report.equal("it is not started again", otter::dynamic_supervisor::count_children(sup).specs,
                 std::size_t{0});
  });
}

TEST_CASE("a supervised task that is awaited is linked to its owner", "[task_supervisor][TK-6]") {
  on_every_driver([](driver_report& report) {
    auto sup = task_supervisor::start_link().value();
    auto t = task_supervisor::async(sup, told);
    report.equal("links: supervisor and task", links(), std::size_t{2});
    otter::send(t.process(), go{4});
    report.equal("result", t.await(patience), 4);
    auto owner = otter::spawn_monitor([sup] {
      auto fails = task_supervisor::async(sup, [] { otter::exit(exit_reason::of("no")); });
      fails.await(patience);
    });
    report.equal("a failure takes the owner with it", end_of(owner.ref),
                 text(exit_reason::of("no")));
    report.check("and not the supervisor", otter::is_alive(sup));
    report.check("nothing is left", mailbox_is_empty() && links() == 1);
  });
}

TEST_CASE("a supervised task that is not linked fails for itself", "[task_supervisor][TK-6]") {
  on_every_driver([](driver_report& report) {
    auto sup = task_supervisor::start_link().value();
    auto t = task_supervisor::async_nolink(sup, [] { throw std::runtime_error("boom"); });
    auto const failed = t.yield(patience);
    report.check("a result", failed && !*failed && failed->error().text() == "boom");
    auto good = task_supervisor::async_nolink(sup, [] { return 3; });
    report.equal("value", good.await(patience), 3);
    report.check("nothing is left", mailbox_is_empty() && links() == 1);
  });
}

TEST_CASE("a server that does not wait for its tasks gets a reply or a down of each",
          "[task_supervisor][TK-6]") {
  on_every_driver([](driver_report& report) {
    auto sup = task_supervisor::start_link().value();
    auto server = asker::start_link(otter::self(), sup.process()).value();
    otter::cast(server, asker::ask{1});
    report.equal("reply", next(), std::string("true 2"));
    otter::cast(server, asker::ask{-1});
    report.equal("down", next(), "true " + text(exit_reason::of("negative")));
    otter::stop(server);
    report.check("one message each", mailbox_is_empty());
  });
}

TEST_CASE(
    "a supervised task ends with its supervisor, and not with an owner that it is not linked to",
    "[task_supervisor][TK-6]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto sup = task_supervisor::start_link().value();
    auto owner = otter::spawn_monitor([me, sup] {
      auto t = task_supervisor::async_nolink(sup, [me] {
        tell(me, "runs");
        told();
      });
      otter::send(me, t.process());
      told();
    });
    const otter::pid task = otter::receive([](otter::pid p) { return p; });
    next();
    otter::exit(owner.process, exit_reason::kill());
    end_of(owner.ref);
    report.check("its owner has ended", otter::is_alive(task));
    const auto watch = otter::monitor(task);
    otter::stop(sup);
    report.equal("its supervisor", end_of(watch), std::string("shutdown"));
  });
}

TEST_CASE("a supervisor of tasks that is full refuses another", "[task_supervisor][TK-6]") {
  on_every_driver([](driver_report& report) {
    auto sup = task_supervisor::start_link({.max_children = 1}).value();
    auto first = task_supervisor::async(sup, told);
    std::string refused;
    try {
      task_supervisor::async(sup, told).await();
    } catch (otter::error const& e) {
      refused = to_string(e.code());
    }
    report.equal("a task", refused, std::string("system_limit"));
    auto child = task_supervisor::start_child(sup, told);
    report.check("a child", !child && child.error().what == otter::child_error::kind::max_children);
    report.check("the first is shut down", !first.shutdown().has_value());
  });
}
