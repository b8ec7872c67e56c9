// fairness.cpp - how long do the round trips of a pair of processes take, beside others that never
// let go? There is one such per worker.
//
// spin=plain computes without ever calling the runtime, spin=checkpoint calls checkpoint() every
// few microseconds, spin=none is the same pair alone.

#include <atomic>
#include <otter/attached_thread.hpp>
#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <otter/message.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <thread>

#include "rows.hpp"

namespace bench {
namespace {

struct ping {
  otter::pid from;
};
struct pong {};
struct over {};

struct report {
  std::int64_t end;
  otter::pid tell;
  std::vector<std::int64_t> trips = {};
};

class ponger : public otter::gen_server<ponger> {
 public:
  using accepts = otter::accepts<ping>;
  void handle_info(ping p) { otter::send(p.from, pong{}); }
};

class pinger : public otter::gen_server<pinger> {
 public:
  struct begin {};
  using accepts = otter::accepts<begin, pong>;
  pinger(otter::pid against, report* out) : against_(against), out_(*out) {}

  void handle_cast(begin) { serve(); }
  void handle_info(pong) {
    std::int64_t const now = now_ns();
    out_.trips.push_back(now - served_);
    if (now < out_.end)
      serve();
    else
      otter::send(out_.tell, over{});
  }

 private:
  void serve() {
    served_ = now_ns();
    otter::send(against_, ping{otter::self()});
  }
  otter::pid against_;
  report& out_;
  std::int64_t served_ = 0;
};

void ping_function(otter::pid against, report* out) {
  std::int64_t served = 0;
  do {
    served = now_ns();
    otter::send(against, ping{otter::self()});
    otter::receive([](pong) {});
    out->trips.push_back(now_ns() - served);
  } while (served < out->end);
  otter::send(out->tell, over{});
}

void compute_for_a_while() {
  for (int i = 0; i < 1000; ++i) keep(i);
}

}  // namespace

void fairness(job const& j) {
  std::string const spin = j.text("spin", "plain");
  std::uint64_t const seconds = j.number("seconds", 3);
  std::int64_t const end = now_ns() + static_cast<std::int64_t>(seconds) * 1'000'000'000;
  otter::node node(node_for(j));
  std::atomic<unsigned> spinning{0};
  unsigned const spinners = spin == "none" ? 0 : j.workers();
  bool const plain = spin == "plain";
  for (unsigned i = 0; i < spinners; ++i) {
    node.spawn([&spinning, plain, end] {
      ++spinning;
      // A little longer than the pair, so that its last trip is no easier than the others.
      while (now_ns() < end + 100'000'000) {
        compute_for_a_while();
        if (!plain) otter::checkpoint();
      }
    });
  }
  while (spinning < spinners) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  otter::attached_thread here(node);  // no process of ours may wait on a thread that spins
  report out{end, otter::self()};
  out.trips.reserve(30'000'000);
  if (is_free(j)) {
    otter::pid const against = otter::spawn([] {
      while (true) otter::receive([](ping p) { otter::send(p.from, pong{}); });
    });
    otter::spawn(ping_function, against, &out);
  } else {
    otter::pid const against = ponger::start().value();
    otter::cast(pinger::start(against, &out).value(), pinger::begin{});
  }
  otter::receive([](over) {});
  std::sort(out.trips.begin(), out.trips.end());
  print_result("fairness_p50", double(percentile(out.trips, 0.50)) / 1e3, "us");
  print_result("fairness_p99", double(percentile(out.trips, 0.99)) / 1e3, "us");
  print_result("fairness_max", double(out.trips.back()) / 1e3, "us");
  std::fflush(stdout);
  std::_Exit(0);
}

}  // namespace bench
