// Streams of tasks: one for each element of a range, so many at a time.

#include <atomic>
#include <catch2/catch.hpp>
#include <cstddef>
#include <iterator>
#include <memory>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/link.hpp>
#include <otter/process_info.hpp>
#include <otter/task.hpp>
#include <otter/timer.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "on_every_driver.hpp"
#include "trace.hpp"

using namespace trace;
using otter::exit_reason;
using otter_test::driver_report;
using otter_test::on_every_driver;

namespace task_stream_test {

struct ready {
  int element;
  otter::pid task;
};
struct go {};

/// The task of an element: says that it runs, and goes on when it may.
auto waits_for(otter::pid director) {
  return [director](int element) {
    otter::send(director, ready{element, otter::self()});
    otter::receive([](go) {});
    return element;
  };
}

/// Lets the tasks of `order` end in that order, once all of them run.
otter::pid director(std::vector<int> order) {
  return otter::spawn_link([order = std::move(order)] {
    std::vector<ready> all;
    while (all.size() != order.size()) otter::receive([&](ready r) { all.push_back(r); });
    for (int element : order)
      for (ready const& r : all)
        if (r.element == element) {
          const auto watch = otter::monitor(r.task);
          otter::send(r.task, go{});
          end_of(watch);
        }
  });
}

bool nothing_is_left() {
  return mailbox_is_empty() && otter::process_info<std::vector<otter::monitored>>(
                                   otter::self(), otter::info_item::monitors)
                                   ->empty();
}

/// 0, 1, 2, ... without end; tells how many were read.
struct numbers {
  struct iterator {
    int n = 0;
    int* read = nullptr;
    int operator*() const {
      *read = n + 1;
      return n;
    }
    iterator& operator++() {
      ++n;
      return *this;
    }
    bool operator==(std::default_sentinel_t) const { return false; }
  };
  int* read;
  iterator begin() const { return {0, read}; }
  std::default_sentinel_t end() const { return {}; }
};

template <class Result>
std::string text_of(Result const& result) {
  if (!result) return "nothing";
  return *result ? fmt::format("{}", **result) : to_string(result->error());
}

}  // namespace task_stream_test

using namespace task_stream_test;

TEST_CASE("a stream gives the results in the order of its input", "[task][TK-5]") {
  on_every_driver([](driver_report& report) {
    std::string all;
    for (auto const& result :
         otter::async_stream(std::vector<int>{1, 2, 3, 4}, waits_for(director({4, 2, 3, 1})),
                             {.max_concurrency = 4, .timeout = otter::infinity}))
      all += fmt::format("{} ", result.value());
    report.equal("results", all, std::string("1 2 3 4 "));
    auto none = otter::async_stream(std::vector<int>{}, [](int) {});
    report.check("of nothing nothing", !none.next() && !none.next());
    report.check("nothing is left", nothing_is_left());
  });
}

TEST_CASE("a stream that is not ordered gives the results as they come", "[task][TK-5]") {
  on_every_driver([](driver_report& report) {
    std::string all;
    std::vector<int> const input{1, 2, 3, 4};
    for (auto const& result :
         otter::async_stream(input, waits_for(director({4, 2, 3, 1})),
                             {.max_concurrency = 4, .ordered = false, .timeout = otter::infinity}))
      all += fmt::format("{} ", result.value());
    report.equal("results", all, std::string("4 2 3 1 "));
    report.check("nothing is left", nothing_is_left());
  });
}

TEST_CASE("a stream runs no more tasks at once than it may", "[task][TK-5]") {
  on_every_driver([](driver_report& report) {
    // Lets two go whenever two are there: so there must be two at a time.
    const otter::pid pairs = otter::spawn_link([] {
      for (;;) {
        auto const next_ready = [] { return otter::receive([](ready r) { return r.task; }); };
        const otter::pid one = next_ready();
        const otter::pid two = next_ready();
        otter::send(one, go{});
        otter::send(two, go{});
      }
    });
    auto running = std::make_shared<std::atomic<int>>(0);
    auto most = std::make_shared<std::atomic<int>>(0);
    auto const counted = [=, wait = waits_for(pairs)](int n) {
      const int now = ++*running;
      int seen = *most;
      while (seen < now && !most->compare_exchange_weak(seen, now)) {
      }
      wait(n);
      --*running;
    };
    int results = 0;
    for (auto const& result : otter::async_stream(std::vector<int>(8), counted,
                                                  {.max_concurrency = 2, .timeout = patience}))
      results += result.has_value() ? 1 : 0;
    report.equal("results", results, 8);
    report.equal("at once", most->load(), 2);
    otter::unlink(pairs);
    otter::exit(pairs, exit_reason::kill());
  });
}

TEST_CASE("a stream may run as many tasks as the node has workers, if it is not told",
          "[task][TK-5]") {
  on_every_driver([](driver_report& report) {
    int read = 0;
    const otter::pid me = otter::self();
    auto stream = otter::async_stream(numbers{&read},
                                      [me](int n) {
                                        if (n == 0) return;
                                        tell(me, "runs");
                                        otter::receive([](go) {});
                                      },
                                      {.ordered = false, .timeout = otter::infinity});
    stream.next();
    report.equal("read", read, static_cast<int>(otter::schedulers()) + 1);
  });
}

TEST_CASE("a stream reads its input as slots become free, and kills what runs when it is left",
          "[task][TK-5]") {
  on_every_driver([](driver_report& report) {
    int read = 0;
    const otter::pid me = otter::self();
    std::vector<otter::pid> tasks;
    {
      auto stream = otter::async_stream(numbers{&read},
                                        [me](int n) {
                                          otter::send(me, ready{n, otter::self()});
                                          if (n != 0) otter::receive([](go) {});
                                          return n;
                                        },
                                        {.max_concurrency = 2, .timeout = otter::infinity});
      report.equal("read before it is asked", read, 0);
      report.equal("the first", text_of(stream.next()), std::string("0"));
      report.equal("read for it, and for the slot that it left", read, 3);
      while (tasks.size() != 3) otter::receive([&](ready r) { tasks.push_back(r.task); });
    }
    for (otter::pid task : tasks) report.check("killed", !otter::is_alive(task));
    report.check("nothing is left", nothing_is_left());
  });
}

TEST_CASE("a task of a stream that takes too long is killed, or makes the caller exit",
          "[task][TK-5]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    const auto stuck = [me](int n) {
      otter::send(me, ready{n, otter::self()});
      otter::receive([](go) {});
      return n;
    };
    std::string all;
    for (auto const& result : otter::async_stream(
             std::vector<int>{1, 2, 3}, stuck,
             {.max_concurrency = 2, .timeout = 2ms, .on_timeout = otter::on_timeout::kill_task}))
      all += text_of(std::optional(result)) + " ";
    report.equal("killed", all, std::string("timeout timeout timeout "));
    report.equal("late", failure_of([&] {
                   const auto silent = [](int) { otter::receive([](go) {}); };
                   otter::async_stream(std::vector<int>{4}, silent, {.timeout = 2ms}).next();
                 }),
                 std::string("timeout"));
    // One that was killed before its first turn has not said that it ran.
    while (otter::receive(
        [&](ready r) {
          report.check("it has ended", !otter::is_alive(r.task));
          return true;
        },
        otter::after(0s, [] { return false; })))
      continue;
    report.check("nothing is left", nothing_is_left());
  });
}

TEST_CASE("a task of a stream that fails is a result if the caller traps exits, else its end",
          "[task][TK-5]") {
  on_every_driver([](driver_report& report) {
    const auto half = [](int n) {
      if (n % 2 == 1) otter::exit(exit_reason::of("odd"));
      return n / 2;
    };
    auto owner = otter::spawn_monitor([half] {
      for ([[maybe_unused]] auto const& result : otter::async_stream(std::vector<int>{2, 1}, half))
        continue;
    });
    report.equal("its end", end_of(owner.ref), text(exit_reason::of("odd")));

    otter::trap_exit(true);
    std::string all;
    for (auto const& result : otter::async_stream(std::vector<int>{2, 1, 4}, half))
      all += text_of(std::optional(result)) + " ";
    report.equal("results", all, "1 " + text(exit_reason::of("odd")) + " 2 ");
    report.check("nothing is left", nothing_is_left());
  });
}

TEST_CASE("a stream is asked by the process that made it", "[task][TK-5]") {
  on_every_driver([](driver_report& report) {
    auto stream = otter::async_stream(std::vector<int>{1}, [](int n) { return n; });
    const otter::pid me = otter::self();
    otter::spawn([me, &stream] {
      try {
        stream.next();
      } catch (otter::error const& e) {
        tell(me, otter::to_string(e.code()));
      }
    });
    report.equal("by another", next(), std::string("badarg"));
    report.equal("by its own", text_of(stream.next()), std::string("1"));
  });
}
