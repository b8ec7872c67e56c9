#pragma once

// What the tests of processes share: how another process ended, what waits in one's own mailbox.

#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/monitor.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <string>
#include <utility>

#include "on_every_driver.hpp"

namespace process_test {

using namespace std::chrono_literals;
using otter::exit_reason;
using otter_test::driver_report;
using otter_test::on_every_driver;

/// "Go on", to a process that waits for it.
struct go {};

struct number {
  int n;
};

/// How the process that `ref` watches ends. Waits for it.
inline std::string end_of(otter::monitor_ref ref) {
  return otter::receive(otter::when([ref](otter::down const& d) { return d.ref == ref; },
                                    [](otter::down d) { return to_string(d.reason); }));
}

/// The next number in the caller's mailbox, or -1 if none waits there.
inline int next_number() {
  return otter::receive([](number x) { return x.n; }, otter::after(0s, [] { return -1; }));
}

/// The reason in the next `exited` message of the caller's mailbox, or "none".
inline std::string next_exited() {
  return otter::receive([](otter::exited e) { return to_string(e.reason); },
                        otter::after(0s, [] { return std::string("none"); }));
}

/// How many messages of that type wait; takes them.
template <class Message>
int take_all() {
  int n = 0;
  while (
      otter::receive([](Message const&) { return true; }, otter::after(0s, [] { return false; })))
    ++n;
  return n;
}

/// Which rule `f` broke, or "none".
template <class F>
std::string errc_of(F f) {
  try {
    f();
  } catch (otter::error const& e) {
    return to_string(e.code());
  }
  return "none";
}

/// A process that the caller watches and that waits for `go`.
inline otter::spawned waiter(bool traps = false) {
  return otter::spawn_monitor([traps] {
    otter::trap_exit(traps);
    otter::receive([](go) {});
  });
}

/// A watched process that runs `body()`; returns once it has begun, so that an exit signal finds
/// it inside.
template <class Body>
otter::spawned started(Body body) {
  otter::spawned const p = otter::spawn_monitor([me = otter::self(), body = std::move(body)] {
    otter::send(me, go{});
    body();
  });
  otter::receive([](go) {});
  return p;
}

/// Sends `message` when it is destroyed.
template <class Message>
class sends_at_end {
 public:
  sends_at_end(otter::pid to, Message message) : to_(to), message_(std::move(message)) {}
  ~sends_at_end() {
    otter::defer_exit guard;
    otter::send(to_, std::move(message_));
  }
  sends_at_end(sends_at_end const&) = delete;
  sends_at_end& operator=(sends_at_end const&) = delete;

 private:
  otter::pid to_;
  Message message_;
};

}  // namespace process_test
