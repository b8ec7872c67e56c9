// Supervisors of children that cannot be stopped: what they look after goes on without them.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <mutex>
#include <otter/attached_thread.hpp>
#include <otter/blocking.hpp>
#include <otter/dynamic_supervisor.hpp>
#include <otter/exit.hpp>
#include <otter/name.hpp>
#include <otter/node.hpp>
#include <otter/proc_lib.hpp>
#include <otter/supervisor.hpp>
#include <string>
#include <thread>
#include <vector>

#include "children.hpp"

using namespace std::chrono_literals;
using namespace children;
using otter::supervisor;

namespace {

std::atomic<bool> let_go{false};
std::atomic<int> closed_when_let_go{-1};  // a descriptor, of which nothing can be read before

std::atomic<int> readers{0};

enum class place { loop, system_call, job };

void stay_in_a_loop() {
  while (!let_go.load(std::memory_order_acquire)) {
  }
}
void stay_in_a_system_call() {
  char c = 0;
  readers.fetch_add(1, std::memory_order_relaxed);
  while (!let_go.load(std::memory_order_acquire) && ::read(closed_when_let_go, &c, 1) < 0) {
  }
  readers.fetch_sub(1, std::memory_order_release);
}
void stay(place where) {
  if (where == place::loop) return stay_in_a_loop();
  if (where == place::system_call) return stay_in_a_system_call();
  otter::blocking(stay_in_a_system_call);
}

/// A server that can be brought to run for ever.
class runner : public otter::gen_server<runner> {
 public:
  struct run {
    place where = place::loop;
  };
  struct ping {
    using reply = otter::pid;
  };
  using accepts = otter::accepts<run, ping>;

  explicit runner(otter::pid test) : test_(test) { otter::trap_exit(true); }
  void handle_cast(run r) {
    trace::tell(test_, "runs");
    stay(r.where);
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
class stuck_node {
 public:
  stuck_node()
      : node({.workers = 1, .kill_limit = 20ms, .on_event = [this](otter::node_event const& e) {
                if (e.what != otter::node_event::kind::process_abandoned) return;
                std::lock_guard lock(mutex_);
                given_up_.push_back(e);
              }}) {
    let_go = false;
    REQUIRE(::pipe2(ends_.data(), O_CLOEXEC) == 0);
    closed_when_let_go = ends_[0];
  }
  ~stuck_node() {
    let_go = true;
    ::close(ends_[1]);  // who reads comes out
    while (readers.load(std::memory_order_acquire) != 0) std::this_thread::yield();
    ::close(ends_[0]);
  }
  /// What was said of `process` when it was given up; empty: nothing.
  std::string report_of(otter::pid process) const {
    std::lock_guard lock(mutex_);
    auto const e =
        std::find_if(given_up_.begin(), given_up_.end(),
                     [&](otter::node_event const& one) { return one.process == process; });
    return e != given_up_.end() ? e->text : std::string();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<otter::node_event> given_up_;
  std::array<int, 2> ends_{};

 public:
  otter::node node;
};

void make_it_run(place where = place::loop) {
  otter::cast("runner", runner::run{where});
  REQUIRE(trace::next() == "runs");
}

/// A child that waits in a function, and so has frames on the thread that it was started on.
child_spec waiting_spec() {
  return {.start =
              [] {
                return otter::proc_lib::start_link(otter::start_options{}, [] {
                  otter::proc_lib::init_ack();
                  otter::receive([](double) {});
                });
              },
          .restart = otter::restart_type::temporary,
          .shutdown = 10ms};
}

}  // namespace

TEST_CASE("a child that reaches no safe point is given up, and its supervisor goes on",
          "[supervisor][abandon][SUP-26]") {
  stuck_node n;
  otter::attached_thread me(n.node);
  otter::trap_exit(true);
  otter::pid const test = otter::self();
  auto sup = supervisor::start_link({}, {runner_spec(test), other_spec(test, "other")}).value();
  REQUIRE(trace::next() == "start other");
  make_it_run();
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
  stuck_node n;
  otter::attached_thread me(n.node);
  otter::trap_exit(true);
  otter::pid const test = otter::self();
  auto sup = supervisor::start_link({}, {other_spec(test, "first"), runner_spec(test)}).value();
  REQUIRE(trace::next() == "start first");
  make_it_run();
  otter::stop(sup, exit_reason::shutdown());
  CHECK_FALSE(otter::is_alive(sup));
  CHECK(trace::next() == "stop first");
  CHECK_FALSE(otter::whereis("runner"));
}

TEST_CASE("a supervisor goes on without a child that stays anywhere, with 1,000 on its thread",
          "[supervisor][abandon][SUP-26]") {
  auto const where = GENERATE(place::loop, place::system_call, place::job);
  stuck_node n;
  otter::attached_thread me(n.node);
  otter::trap_exit(true);
  constexpr std::size_t waiting = 1000;
  auto others = otter::dynamic_supervisor::start_link().value();
  std::vector<otter::pid> all;
  for (std::size_t i = 0; i != waiting; ++i)
    all.push_back(otter::dynamic_supervisor::start_child(others, waiting_spec()).value());
  auto sup = supervisor::start_link({}, {runner_spec(otter::self())}).value();
  make_it_run(where);
  otter::pid const stuck = otter::whereis("runner");

  CHECK(supervisor::terminate_child(sup, "runner").has_value());
  CHECK_FALSE(otter::is_alive(stuck));
  CHECK(supervisor::restart_child(sup, "runner").has_value());
  CHECK(otter::call("runner", runner::ping{}) != stuck);
  // The report names it, and says where it waits; who runs is asked for that by a signal, if the
  // node wants it (process/abandon_test).
  std::string const report = n.report_of(stuck);
  CHECK(report.find("> runner") != std::string::npos);
  if (where == place::job) CHECK(std::count(report.begin(), report.end(), '\n') > 5);

  // Those that wait behind it cannot stop either; their supervisor stops all the same.
  otter::stop(others, exit_reason::shutdown());
  CHECK(std::none_of(all.begin(), all.end(), [](otter::pid p) { return otter::is_alive(p); }));
  otter::stop(sup, exit_reason::shutdown());
}
