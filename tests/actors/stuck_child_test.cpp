// Supervisors of children that cannot be stopped: what they look after goes on without them.

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <otter/attached_thread.hpp>
#include <otter/dynamic_supervisor.hpp>
#include <otter/exit.hpp>
#include <otter/name.hpp>
#include <otter/node.hpp>
#include <otter/supervisor.hpp>
#include <string>

#include "children.hpp"

using namespace std::chrono_literals;
using namespace children;
using otter::supervisor;

namespace {

/// Where a process stays until the test lets it go: in a loop, or in a system call.
enum class place { loop, system_call };

std::atomic<bool> let_go{false};
int pipe_to_read = -1;

void stay_in(place where) {
  if (where == place::loop) {
    while (!let_go.load(std::memory_order_acquire)) {
    }
    return;
  }
  char c = 0;
  while (::read(pipe_to_read, &c, 1) < 0) {
  }
}

/// A server that can be brought to run for ever.
class runner : public otter::gen_server<runner> {
 public:
  struct run {
    place where;
  };
  struct ping {
    using reply = otter::pid;
  };
  using accepts = otter::accepts<run, ping>;

  explicit runner(otter::pid test) : test_(test) { otter::trap_exit(true); }
  void handle_cast(run r) {
    trace::tell(test_, "runs");
    stay_in(r.where);
  }
  otter::pid handle_call(ping) { return otter::self(); }

 private:
  otter::pid test_;
};

child_spec runner_spec(otter::pid test) {
  return {.id = "runner",
          .start = [test] { return runner::start_link({.name = "runner"}, test); },
          .shutdown = 10ms};
}

/// A child that does as it is told. Its start stands in this file because of what it leaks: with
/// the first start a supervisor remembers its ancestors, which a given-up sibling shares for ever.
child_spec other_spec(otter::pid test, std::string id) {
  auto start = [test, id] { return child::start_link(test, id, manner::polite); };
  return {.id = std::move(id), .start = std::move(start)};
}

/// One worker, so that all of them are on the thread that is stuck.
struct stuck_node {
  stuck_node() : node({.workers = 1, .kill_limit = 20ms, .on_event = [](auto const&) {}}) {
    let_go = false;
    REQUIRE(::pipe2(ends_.data(), O_CLOEXEC) == 0);
    pipe_to_read = ends_[0];
  }
  ~stuck_node() {
    let_go = true;
    ::close(ends_[1]);  // whoever reads comes out
    node.stop();
    ::close(ends_[0]);
  }

 private:
  std::array<int, 2> ends_{};

 public:
  otter::node node;
};

void make_it_run(place where = place::loop) {
  otter::cast("runner", runner::run{where});
  REQUIRE(trace::next() == "runs");
}

/// So many processes wait in the middle of a function: on the thread that will be stuck.
void let_wait(int how_many) {
  for (int i = 0; i < how_many; ++i)
    otter::spawn([test = otter::self()] {
      trace::tell(test, "waits");
      otter::receive([](double) {});
    });
  for (int i = 0; i < how_many; ++i)
    if (trace::next() != "waits") FAIL("no process waits");
}

}  // namespace

TEST_CASE("a child that reaches no safe point is given up, and its supervisor goes on",
          "[supervisor][abandon][SUP-26]") {
  place const where = GENERATE(place::loop, place::system_call);
  stuck_node n;
  otter::attached_thread me(n.node);
  let_wait(1000);
  otter::trap_exit(true);
  otter::pid const test = otter::self();
  auto sup = supervisor::start_link({}, {runner_spec(test), other_spec(test, "other")}).value();
  REQUIRE(trace::next() == "start other");
  make_it_run(where);
  otter::pid const stuck = otter::whereis("runner");

  CHECK(supervisor::terminate_child(sup, "runner").has_value());
  CHECK_FALSE(otter::is_alive(stuck));
  CHECK(supervisor::count_children(sup).active == 1);
  // The name is free, so the child can be started again while the old one still runs.
  CHECK(supervisor::restart_child(sup, "runner").has_value());
  CHECK(otter::call("runner", runner::ping{}) != stuck);
  CHECK(n.node.statistics().abandoned == 1);

  otter::stop(sup, exit_reason::shutdown());
  CHECK(trace::next() == "stop other");
}

TEST_CASE("a child that was killed and given up is restarted", "[supervisor][abandon]") {
  stuck_node n;
  otter::attached_thread me(n.node);
  otter::trap_exit(true);
  auto sup = supervisor::start_link({}, {runner_spec(otter::self())}).value();
  make_it_run();
  otter::pid const stuck = otter::whereis("runner");
  auto const watch = otter::monitor(stuck);
  otter::exit(stuck, exit_reason::kill());
  CHECK(trace::end_of(watch) == "killed");
  // The answer of which_children() comes after the restart.
  otter::pid const again = process_of(sup, "runner");
  CHECK(again != stuck);
  CHECK(otter::call(again, runner::ping{}) == again);
  otter::stop(sup, exit_reason::shutdown());
}

TEST_CASE("a supervisor stops though a child does not", "[supervisor][abandon]") {
  place const where = GENERATE(place::loop, place::system_call);
  stuck_node n;
  otter::attached_thread me(n.node);
  let_wait(1000);
  otter::trap_exit(true);
  otter::pid const test = otter::self();
  auto sup = supervisor::start_link({}, {other_spec(test, "first"), runner_spec(test)}).value();
  REQUIRE(trace::next() == "start first");
  make_it_run(where);
  otter::stop(sup, exit_reason::shutdown());
  CHECK_FALSE(otter::is_alive(sup));
  CHECK(trace::next() == "stop first");
  CHECK_FALSE(otter::whereis("runner"));
}
