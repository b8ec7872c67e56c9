// timer_set_cancel.cpp - what does it cost to set a timer and to cancel it, when a million are
// pending?
//
// A million timers are set, due in 60 seconds and more, then all are cancelled: in the order of
// their setting. Fails if one is left, so none may just be marked.

#include <otter/receive.hpp>
#include <otter/timer.hpp>

#include "rows.hpp"

namespace bench {
namespace {

struct tick {
  std::uint64_t value;
};

}  // namespace

void timer_set_cancel(job const& j) {
  using namespace std::chrono_literals;
  std::uint64_t const n = j.number("n", 1'000'000);
  otter::node node(node_for(j));
  auto const measured = [&] {
    std::vector<otter::timer_ref> timers(n);
    auto const round = [&](std::uint64_t count) {
      for (std::uint64_t i = 0; i < count; ++i) {
        timers[i] = otter::send_after(60s + std::chrono::microseconds(i % 60'000'000),
                                      otter::self(), tick{i});
      }
      for (std::uint64_t i = 0; i < count; ++i) {
        if (!otter::cancel_timer(timers[i])) std::abort();
      }
      // A cancel may travel to the worker that has the timer: it counts until the timer is gone.
      for (int i = 0; node.statistics().timers != 0; ++i) {
        if (i == 10'000) {
          std::fprintf(stderr, "%zu timers are left\n", node.statistics().timers);
          std::exit(1);
        }
        otter::receive(otter::after(1ms));
      }
    };
    round(n / 10);
    stopwatch watch;
    watch.start();
    round(n);
    watch.stop();
    print_time("timer_set_cancel", watch, n);
  };
  if (node.run(measured) != otter::exit_reason::normal()) std::exit(1);
}

}  // namespace bench
