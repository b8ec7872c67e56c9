// A process that waits while it holds a mutex, in a program that is linked with the check.

#include <condition_variable>
#include <mutex>
#include <otter/blocking.hpp>
#include <otter/node.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>

#include "forked.hpp"
#include "process_support.hpp"

using namespace process_test;
using otter::rts::testing::death;
using otter::rts::testing::forked;

namespace {

/// How a program ends whose process runs `body`.
template <class Body>
death of_node(Body body) {
  return forked([body] {
    otter::node node({.workers = 1, .on_event = [](otter::node_event const&) {}});
    node.run([body] {
      otter::spawned const p = otter::spawn(
          otter::spawn_options{.monitor = otter::alias_mode::none, .label = "holder"}, body);
      end_of(p.ref);
    });
  });
}

void wait_a_moment() { otter::sleep_for(1us); }

void check_named(death const& d) {
  INFO(d.output);
  CHECK(d.of_signal(SIGABRT));
  CHECK(d.said("otter: the mutex 0x"));
  CHECK(d.said("Unlock it before a call that can block. It was locked at\n"));
  CHECK(d.said("otter: this process is about to wait, and holds the mutex: process <"));
  CHECK(d.said("(holder)"));
}

}  // namespace

TEST_CASE("a process that waits while it holds a mutex is named, with both places", "[mutex]") {
  check_named(of_node([] {
    std::mutex m;
    std::lock_guard const held(m);
    wait_a_moment();
  }));
}

TEST_CASE("a mutex that was tried, timed or locked twice is held as well", "[mutex]") {
  check_named(of_node([] {
    std::mutex m;
    if (m.try_lock()) wait_a_moment();
  }));
  check_named(of_node([] {
    std::timed_mutex m;
    if (m.try_lock_for(1h)) wait_a_moment();
  }));
  check_named(of_node([] {
    std::recursive_mutex m;
    m.lock();
    m.lock();
    m.unlock();
    wait_a_moment();
  }));
}

TEST_CASE("what is unlocked in time, in any order, and locks of other threads are no matter",
          "[mutex]") {
  death const d = of_node([] {
    std::mutex a;
    std::mutex b;
    a.lock();
    b.lock();
    a.unlock();
    b.unlock();
    wait_a_moment();
    otter::blocking([&] {
      std::unique_lock lock(a);
      std::condition_variable().wait_for(lock, 1us);
    });
    wait_a_moment();
  });
  INFO(d.output);
  CHECK(d.with_code(0));
}
