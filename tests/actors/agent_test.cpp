// Agents: processes that hold a value.

#include <catch2/catch.hpp>
#include <memory>
#include <otter/agent.hpp>
#include <otter/exit.hpp>
#include <otter/supervisor.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "on_every_driver.hpp"
#include "trace.hpp"

using namespace trace;
using otter_test::driver_report;
using otter_test::on_every_driver;

using numbers = otter::agent<std::vector<int>>;
using counter = otter::agent<int>;

namespace agent_test {
int read(otter::server_ref<counter> agent) {
  return counter::get(
      agent, [](int const& n) { return n; }, patience);
}
}  // namespace agent_test

using namespace agent_test;

TEST_CASE("an agent keeps a value that its functions read and change", "[agent][AG-1]") {
  on_every_driver([](driver_report& report) {
    auto agent = counter::start_link([] { return 1; }).value();
    report.equal("get", read(agent), 1);
    counter::update(
        agent, [](int& n) { n += 1; }, patience);
    counter::update(
        agent, [](int n) { return n * 10; }, patience);
    report.equal("updated", read(agent), 20);
    counter::cast(agent, [](int& n) { ++n; });
    report.equal("cast", read(agent), 21);
    report.equal("old value",
                 counter::get_and_update(
                     agent, [](int& n) { return std::exchange(n, 5); }, patience),
                 21);
    report.equal("new value", read(agent), 5);
  });
}

TEST_CASE("the functions of an agent are moved to it and run there, in the order of their coming",
          "[agent][AG-1]") {
  on_every_driver([](driver_report& report) {
    auto agent = numbers::start({.name = "numbers"}, [] { return std::vector<int>{}; }).value();
    for (int i = 0; i != 5; ++i)
      numbers::cast(agent,
                    [p = std::make_unique<int>(i)](std::vector<int>& v) { v.push_back(*p); });
    auto all = numbers::get(
        "numbers", [](std::vector<int> const& v) { return v; }, patience);
    report.check("in order", all == std::vector<int>{0, 1, 2, 3, 4});
    const otter::pid ran_in = numbers::get(
        agent, [](std::vector<int> const&) { return otter::self(); }, patience);
    report.check("in the agent", ran_in == agent.process());
    otter::stop(agent);
  });
}

TEST_CASE("an exception in a function of an agent ends it, and its caller exits", "[agent][AG-1]") {
  on_every_driver([](driver_report& report) {
    auto agent = counter::start([] { return 1; }).value();
    const auto watch = otter::monitor(agent);
    const std::string why = failure_of([&] {
      counter::update(
          agent, [](int&) { throw std::runtime_error("boom"); }, patience);
    });
    report.check("the caller hears why", why.find("boom") != std::string::npos);
    report.check("the agent ends", end_of(watch).find("boom") != std::string::npos);
    report.equal("it is gone", failure_of([&] { read(agent); }), std::string("noproc"));
    auto failed = counter::start([]() -> int { throw std::runtime_error("no"); });
    report.check("a start that throws fails", !failed.has_value());
  });
}

TEST_CASE("who asks an agent waits no longer than its limit", "[agent][AG-1]") {
  on_every_driver([](driver_report& report) {
    struct go {};
    auto agent = counter::start([] { return 1; }).value();
    counter::cast(agent, [](int& n) {
      otter::receive([](go) {});
      n = 7;
    });
    report.equal("late", failure_of([&] {
                   counter::update(
                       agent, [](int& n) { ++n; }, 2ms);
                 }),
                 std::string("timeout"));
    otter::send(agent.process(), go{});
    report.equal("it was done all the same", read(agent), 8);
    report.check("no answer is left", mailbox_is_empty());
    otter::stop(agent);
  });
}

TEST_CASE("a supervisor starts an agent again, with its first value", "[agent][AG-1]") {
  on_every_driver([](driver_report& report) {
    auto sup =
        otter::supervisor::start_link(
            {},
            {{.id = "counter",
              .start = [] { return counter::start_link({.name = "counter"}, [] { return 1; }); }}})
            .value();
    counter::update(
        "counter", [](int& n) { n = 9; }, patience);
    const auto watch = otter::monitor(otter::whereis("counter"));
    counter::cast("counter", [](int&) { otter::exit(otter::exit_reason::of("boom")); });
    end_of(watch);
    otter::supervisor::which_children(sup);  // it has dealt with the end when it answers
    report.equal("again",
                 counter::get(
                     "counter", [](int const& n) { return n; }, patience),
                 1);
  });
}
