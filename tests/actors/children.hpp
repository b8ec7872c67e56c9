#pragma once

// children.hpp - children for the tests of supervisors. Each tells the test when it starts and,
// if it traps exits, when it is stopped.

#include <atomic>
#include <memory>
#include <otter/child_spec.hpp>
#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <otter/process_info.hpp>
#include <otter/supervisor.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "trace.hpp"

namespace children {

using otter::child_spec;
using otter::exit_reason;
using otter::restart_type;

enum class manner {
  polite,    // traps exits, tells when it is stopped
  silent,    // traps exits, tells nothing
  plain,     // ends by the exit signal
  stubborn,  // does not stop: waits for ever in terminate
};

class child : public otter::gen_server<child> {
 public:
  struct crash {};
  struct leave {
    exit_reason reason;
  };
  struct who {
    using reply = otter::pid;
  };
  using accepts = otter::accepts<crash, leave, who>;

  child(otter::pid test, std::string id, manner m) : test_(test), id_(std::move(id)), manner_(m) {
    otter::trap_exit(m != manner::plain);
    if (m != manner::silent) trace::tell(test_, "start " + id_);
  }
  void handle_cast(crash) { throw std::runtime_error("crash of " + id_); }
  otter::outcome handle_cast(leave l) { return stop(l.reason); }
  otter::pid handle_call(who) { return otter::self(); }
  void terminate(exit_reason const&) {
    if (manner_ == manner::polite) trace::tell(test_, "stop " + id_);
    if (manner_ == manner::stubborn) otter::receive([](double) {});
  }

 private:
  otter::pid test_;
  std::string id_;
  manner manner_;
};

/// A child that tells `test` what happens to it.
inline child_spec spec(otter::pid test, std::string id,
                       restart_type restart = restart_type::permanent, manner m = manner::polite) {
  auto start = [test, id, m] { return child::start_link(test, id, m); };
  return {.id = std::move(id), .start = std::move(start), .restart = restart};
}

/// How often a start fails before it succeeds; shared by the starts of one child.
using failures = std::shared_ptr<std::atomic<int>>;
inline child_spec failing_spec(otter::pid test, std::string id, failures left) {
  auto start = [test, id, left]() -> tl::expected<otter::pid, otter::start_error> {
    if (left->load() > 0) {
      left->fetch_sub(1);
      trace::tell(test, "fail " + id);
      throw std::runtime_error("not yet");
    }
    return child::start_link(test, id, manner::polite);
  };
  return {.id = std::move(id), .start = std::move(start)};
}

/// The process of a child, or none.
template <class Supervisor>
otter::pid process_of(Supervisor const& sup, std::string_view id) {
  for (auto const& c : otter::supervisor::which_children(sup))
    if (c.id == id) return c.process;
  return {};
}

/// Lets a child crash, and waits until it has.
inline void crash(otter::pid process) {
  auto watch = otter::monitor(process);
  otter::cast(process, child::crash{});
  trace::end_of(watch);
}
inline void leave(otter::pid process, exit_reason reason) {
  auto watch = otter::monitor(process);
  otter::cast(process, child::leave{std::move(reason)});
  trace::end_of(watch);
}

/// The next `n` traces, joined by commas.
inline std::string next(int n) {
  std::string all;
  for (int i = 0; i != n; ++i) all += (i == 0 ? "" : ", ") + trace::next();
  return all;
}

/// For operations that must not fail here: the scenario ends if one does.
template <class Expected>
void must_succeed(Expected const& result) {
  if (!result.has_value()) throw std::runtime_error("an operation of the supervisor failed");
}

}  // namespace children
