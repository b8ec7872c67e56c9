// Work that would stop a worker runs on the blocking pool.

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <otter/blocking.hpp>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/monitor.hpp>
#include <otter/process_info.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <thread>
#include <vector>

#include "process_support.hpp"

using namespace process_test;

namespace {

/// Waits on the pool until the promise's other side has been set.
void await(std::shared_future<void> f) {
  otter::blocking([&] { f.wait(); });
}

struct response {
  otter::detail::response_state state;
  otter::detail::response what;
};
response response_to(otter::request_id id, otter::duration limit, bool abandon) {
  response r;
  r.state = otter::detail::wait_response(id, limit, abandon, r.what);
  return r;
}
int number_in(response& r) { return *static_cast<int*>(r.what.reply->payload()); }

using otter::detail::response_state;

}  // namespace

TEST_CASE("blocking gives values that can only be moved, and nothing", "[blocking]") {
  on_every_driver([](driver_report& report) {
    auto const p = otter::blocking([] { return std::make_unique<int>(7); });
    report.equal("moved", *p, 7);
    int there = 0;
    otter::blocking([&] { there = 1; });
    report.equal("it may refer to the caller's stack", there, 1);
  });
}

TEST_CASE("a function on the pool is in no process", "[blocking]") {
  on_every_driver([](driver_report& report) {
    std::string const code = otter::blocking([] {
      try {
        otter::receive([](int) {});
      } catch (otter::error const& e) {
        return std::string(to_string(e.code()));
      }
      return std::string("none");
    });
    // In simulation it runs on the caller's thread, which must make no difference.
    report.equal("receive", code, std::string("not_in_process"));
  });
}

TEST_CASE("under no_suspend blocking is refused", "[blocking]") {
  on_every_driver([](driver_report& report) {
    bool refused = false;
    bool ran = false;
    {
      otter::no_suspend guard;
      try {
        otter::blocking([&] { ran = true; });
      } catch (otter::error const& e) {
        refused = e.code() == otter::errc::would_suspend;
      }
    }
    report.check("would_suspend", refused);
    report.check("it did not run", !ran);
  });
}

TEST_CASE("a worker goes on while a process waits for the pool", "[blocking]") {
  otter::node node({.workers = 1});
  std::promise<void> release;
  std::shared_future<void> const released = release.get_future().share();
  node.run([&] {
    otter::spawned waiting = otter::spawn_monitor([&] { await(released); });
    // On the one worker this runs only if that one does not hold it.
    otter::spawned other = otter::spawn_monitor([&] { release.set_value(); });
    end_of(other.ref);
    end_of(waiting.ref);
  });
  CHECK(released.wait_for(0s) == std::future_status::ready);
}

TEST_CASE("a kill acts when the function has returned", "[blocking]") {
  otter::node node({.workers = 2});
  std::promise<void> begin, release;
  std::shared_future<void> const begun = begin.get_future().share();
  std::shared_future<void> const released = release.get_future().share();
  bool returned = false;
  bool went_on = false;
  bool dead_for_the_killer = false;
  bool ended_early = false;
  std::string reason;
  node.run([&] {
    otter::spawned p = otter::spawn_monitor([&] {
      otter::blocking([&] {
        begin.set_value();
        released.wait();
        returned = true;
      });
      went_on = true;
    });
    await(begun);
    otter::exit(p, exit_reason::kill());
    dead_for_the_killer = !otter::is_alive(p);
    ended_early = otter::receive([](otter::down const&) { return true; },
                                 otter::after(2ms, [] { return false; }));
    release.set_value();
    reason = end_of(p.ref);
  });
  CHECK(dead_for_the_killer);
  CHECK_FALSE(ended_early);
  CHECK(returned);
  CHECK_FALSE(went_on);
  CHECK(reason == to_string(exit_reason::killed()));
}

TEST_CASE("no more functions run at once than the pool has threads", "[blocking]") {
  otter::node node({.workers = 2, .blocking_threads = 2});
  std::atomic<int> now{0};
  std::atomic<int> most{0};
  std::atomic<int> done{0};
  node.run([&] {
    std::vector<otter::spawned> all;
    for (int i = 0; i < 8; ++i)
      all.push_back(otter::spawn_monitor([&] {
        otter::blocking([&] {
          int const running = ++now;
          int seen = most;
          while (seen < running && !most.compare_exchange_weak(seen, running)) {
          }
          // The first two wait for each other: both threads are used.
          while (most < 2) std::this_thread::yield();
          --now;
          ++done;
        });
      }));
    for (otter::spawned const& p : all) end_of(p.ref);
  });
  CHECK(most == 2);
  CHECK(done == 8);
}

TEST_CASE("offload answers with the value, or with the exception", "[blocking]") {
  on_every_driver([](driver_report& report) {
    otter::request_id good = otter::offload([] { return 42; });
    otter::request_id bad = otter::offload([]() -> int { throw std::runtime_error("no"); });
    response second = response_to(bad, otter::infinity, false);
    response first = response_to(good, otter::infinity, false);
    report.check("value", first.what.reply && number_in(first) == 42);
    report.check("exception", !second.what.reply);
    report.equal("which", to_string(second.what.why), std::string("std::runtime_error(\"no\")"));
    response again = response_to(good, 0s, false);
    report.check("answered once", again.state == response_state::unknown);
  });
}

TEST_CASE("waiting for an offloaded function has a limit, and may be repeated", "[blocking]") {
  otter::node node({.workers = 2});
  std::promise<void> release;
  std::shared_future<void> const released = release.get_future().share();
  response_state first{}, second{};
  int value = 0;
  node.run([&] {
    otter::request_id id = otter::offload([released] {
      released.wait();
      return 5;
    });
    first = response_to(id, 1ms, false).state;
    release.set_value();
    response r = response_to(id, otter::infinity, false);
    second = r.state;
    value = number_in(r);
  });
  CHECK(first == response_state::late);
  CHECK(second == response_state::ready);
  CHECK(value == 5);
}

TEST_CASE("an abandoned function's value is dropped and destroyed", "[blocking]") {
  otter::node node({.workers = 2});
  std::promise<void> release;
  std::shared_future<void> const released = release.get_future().share();
  auto const witness = std::make_shared<int>(1);
  std::uint64_t waiting = 99;
  node.run([&] {
    otter::request_id id = otter::offload([released, witness] {
      released.wait();
      return witness;
    });
    response_to(id, 0s, true);  // late, and given up
    release.set_value();
    // It is destroyed on the pool or when it comes.
    while (witness.use_count() > 1) {
      otter::receive([](int) {}, otter::after(100us));
    }
    waiting =
        *otter::process_info<std::uint64_t>(otter::self(), otter::info_item::message_queue_len);
  });
  CHECK(waiting == 0);
  CHECK(witness.use_count() == 1);
}

TEST_CASE("a process that offloads can be killed, and the value is destroyed", "[blocking]") {
  otter::node node({.workers = 2});
  std::promise<void> begin, release;
  std::shared_future<void> const begun = begin.get_future().share();
  std::shared_future<void> const released = release.get_future().share();
  auto const witness = std::make_shared<int>(1);
  std::string reason;
  node.run([&] {
    otter::spawned p = otter::spawn_monitor([&] {
      otter::request_id id = otter::offload([&begin, released, witness] {
        begin.set_value();
        released.wait();
        return witness;
      });
      response_to(id, otter::infinity, false);
    });
    await(begun);
    otter::exit(p, exit_reason::kill());
    reason = end_of(p.ref);  // before the function has returned
    release.set_value();
  });
  CHECK(reason == to_string(exit_reason::killed()));
  node.stop();  // waits for the pool
  CHECK(witness.use_count() == 1);
}
