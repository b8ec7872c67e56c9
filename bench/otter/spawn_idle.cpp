// spawn_idle.cpp - how long does it take to start a process that then waits, and what does it take
// up?
//
// behaviour: a gen_server with an int, started by a dynamic supervisor and ready to serve, bytes
// all included: process, mailbox, table slot, the supervisor's entry. free: a function in a
// receive.

#include <otter/dynamic_supervisor.hpp>
#include <otter/gen_server.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>

#include "rows.hpp"

namespace bench {
namespace {

class holder : public otter::gen_server<holder> {
 public:
  struct read {
    using reply = int;
  };
  using accepts = otter::accepts<read>;

  explicit holder(int value) : value_(value) {}
  int handle_call(read) { return value_; }

 private:
  int value_;
};

struct wake_up {};
struct here {};

void supervised(std::uint64_t n) {
  auto const supervisor = otter::dynamic_supervisor::start_link().value();
  otter::child_spec const spec{.start = [] { return holder::start_link(7); },
                               .restart = otter::restart_type::temporary};
  for (std::uint64_t i = 0; i < n; ++i) {
    if (!otter::dynamic_supervisor::start_child(supervisor, spec)) std::abort();
  }
}

void functions(std::uint64_t n) {
  otter::pid const parent = otter::self();
  for (std::uint64_t left = n; left > 0;) {
    std::uint64_t const now = std::min<std::uint64_t>(100, left);
    for (std::uint64_t i = 0; i < now; ++i) {
      otter::spawn([parent] {
        otter::send(parent, here{});
        otter::receive([](wake_up) {});
      });
    }
    for (std::uint64_t i = 0; i < now; ++i) otter::receive([](here) {});
    left -= now;
  }
}

}  // namespace

void spawn_idle(job const& j) {
  std::uint64_t const n = j.number("n", 1'000'000);
  in_node(j, [&] {
    (is_free(j) ? functions : supervised)(1000);
    double const before = resident_bytes();
    stopwatch watch;
    watch.start();
    (is_free(j) ? functions : supervised)(n);
    watch.stop();
    double const bytes = (resident_bytes() - before) / static_cast<double>(n);
    print_time("spawn_idle", watch, n);
    print_result("idle_bytes", bytes, "B");
    std::fflush(stdout);
    std::_Exit(0);  // a million processes need not be stopped one by one
  });
}

}  // namespace bench
