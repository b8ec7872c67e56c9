// instructions.cpp - sending and receiving, each for itself, for bench/instructions: a round trip
// does both, and says not which of them has grown.

#include <otter/gen_server.hpp>
#include <otter/message.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>

#include "rows.hpp"

namespace bench {
namespace {

struct item {
  std::uint64_t value;
};
struct all_here {};

constexpr std::uint64_t batch = 100;  // well within a turn's budget: nobody else runs meanwhile

class sink : public otter::gen_server<sink> {
 public:
  using accepts = otter::accepts<item>;
  explicit sink(otter::pid tell) : tell_(tell) {}
  void handle_info(item) {
    if (++seen_ % batch == 0) otter::send(tell_, all_here{});
  }

 private:
  otter::pid tell_;
  std::uint64_t seen_ = 0;
};

}  // namespace

/// Only the sends are counted, a hundred at a time to a gen_server that waits.
void send_only(job const& j) {
  std::uint64_t const n = j.number("n", 10'000);
  in_node(j, [&] {
    auto const to = sink::start(otter::self()).value();
    stopwatch watch;
    auto const round = [&](std::uint64_t count, stopwatch* w) {
      for (std::uint64_t done = 0; done < count; done += batch) {
        if (w != nullptr) w->start();
        for (std::uint64_t i = 0; i < batch; ++i) otter::send(to, item{i});
        if (w != nullptr) w->stop();
        otter::receive([](all_here) {});
      }
    };
    round(n, nullptr);
    round(n, &watch);
    otter::stop(to);
    print_time("send_only", watch, n);
  });
}

/// Only the receives are counted: a function takes a hundred messages that are there.
void receive_only(job const& j) {
  std::uint64_t const n = j.number("n", 10'000);
  in_node(j, [&] {
    stopwatch watch;
    auto const round = [&](std::uint64_t count, stopwatch* w) {
      for (std::uint64_t done = 0; done < count; done += batch) {
        for (std::uint64_t i = 0; i < batch; ++i) otter::send(otter::self(), item{i});
        if (w != nullptr) w->start();
        for (std::uint64_t i = 0; i < batch; ++i)
          keep(otter::receive([](item m) { return m.value; }));
        if (w != nullptr) w->stop();
      }
    };
    round(n, nullptr);
    round(n, &watch);
    print_time("receive_only", watch, n);
  });
}

}  // namespace bench
