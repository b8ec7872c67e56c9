// timer_lateness.cpp - how late do timers fire, when a hundred thousand are due within two seconds?
//
// They are spread evenly over 0.5 to 2.5 s from their setting. Fails if one comes early.

#include <otter/gen_server.hpp>
#include <otter/receive.hpp>
#include <otter/timer.hpp>

#include "rows.hpp"

namespace bench {
namespace {

struct due {
  std::int64_t at;  // now_ns()
};
struct all_fired {};

/// What the receiver has seen. Touched by the receiver, and when it has told by whoever waits.
struct lateness {
  std::uint64_t expected;
  otter::pid tell;
  std::vector<std::int64_t> late = {};

  void add(due d) {
    late.push_back(now_ns() - d.at);
    if (late.size() == expected) otter::send(tell, all_fired{});
  }
};

class clockmaker : public otter::gen_server<clockmaker> {
 public:
  using accepts = otter::accepts<due>;
  explicit clockmaker(lateness* seen) : seen_(*seen) {}
  void handle_info(due d) { seen_.add(d); }

 private:
  lateness& seen_;
};

}  // namespace

void timer_lateness(job const& j) {
  using std::chrono::nanoseconds;
  std::uint64_t const n = j.number("n", 100'000);
  in_node(j, [&] {
    lateness seen{n, otter::self()};
    seen.late.reserve(n);
    otter::pid const receiver = is_free(j) ? otter::spawn([&seen] {
      while (true) otter::receive([&](due d) { seen.add(d); });
    })
                                           : clockmaker::start(&seen).value().process();
    std::int64_t const begin = now_ns();
    for (std::uint64_t i = 0; i < n; ++i) {
      auto const at =
          begin + 500'000'000 + static_cast<std::int64_t>(2'000'000'000.0 / double(n) * double(i));
      otter::send_after(nanoseconds(std::max<std::int64_t>(0, at - now_ns())), receiver, due{at});
    }
    otter::receive([](all_fired) {});
    otter::exit(receiver, otter::exit_reason::kill());
    std::sort(seen.late.begin(), seen.late.end());
    if (seen.late.front() < 0) {
      std::fprintf(stderr, "a timer was %lld ns early\n",
                   -static_cast<long long>(seen.late.front()));
      std::exit(1);
    }
    print_result("timer_lateness_p50", double(percentile(seen.late, 0.50)) / 1e3, "us");
    print_result("timer_lateness_p99", double(percentile(seen.late, 0.99)) / 1e3, "us");
  });
}

}  // namespace bench
