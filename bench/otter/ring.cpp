// ring.cpp - what does one hop of a message cost that travels through 503 processes?
//
// With one token there is never work for two; with a hundred there is.

#include <otter/gen_server.hpp>
#include <otter/message.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>

#include "rows.hpp"

namespace bench {
namespace {

struct token {
  std::uint64_t hops;  // still to do
};
struct next_is {
  otter::pid next;
};
struct finished {};

class station : public otter::gen_server<station> {
 public:
  using accepts = otter::accepts<next_is, token>;
  explicit station(otter::pid tell) : tell_(tell) {}
  void handle_cast(next_is n) { next_ = n.next; }
  void handle_info(token t) {
    if (t.hops == 0)
      otter::send(tell_, finished{});
    else
      otter::send(next_, token{t.hops - 1});
  }

 private:
  otter::pid tell_;
  otter::pid next_{};
};

void station_function(otter::pid tell) {
  otter::pid const next = otter::receive([](next_is n) { return n.next; });
  while (true) {
    otter::receive([&](token t) {
      if (t.hops == 0)
        otter::send(tell, finished{});
      else
        otter::send(next, token{t.hops - 1});
    });
  }
}

}  // namespace

void ring(job const& j) {
  std::uint64_t const n = j.number("n", 1'000'000);
  std::uint64_t const tokens = j.number("tokens", 1);
  std::uint64_t const size = j.number("size", 503);
  in_node(j, [&] {
    std::vector<otter::pid> stations;
    for (std::uint64_t i = 0; i < size; ++i) {
      stations.push_back(is_free(j) ? otter::spawn(station_function, otter::self())
                                    : station::start(otter::self()).value().process());
    }
    for (std::size_t i = 0; i < size; ++i) {
      otter::pid const next = stations[(i + 1) % size];
      if (is_free(j))
        otter::send(stations[i], next_is{next});
      else
        otter::cast(stations[i], next_is{next});
    }
    auto const lap = [&](std::uint64_t hops) {
      for (std::uint64_t t = 0; t < tokens; ++t)
        otter::send(stations[t * size / tokens], token{hops / tokens});
      for (std::uint64_t t = 0; t < tokens; ++t) otter::receive([](finished) {});
    };
    lap(n / 10);
    stopwatch watch;
    watch.start();
    lap(n);
    watch.stop();
    for (otter::pid const p : stations) otter::exit(p, otter::exit_reason::kill());
    print_time(tokens == 1 ? "ring_1" : "ring_100", watch, n);
  });
}

}  // namespace bench
