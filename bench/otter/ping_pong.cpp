// ping_pong.cpp - how long does a message and its answer take between two processes?

#include <otter/gen_server.hpp>
#include <otter/message.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>

#include "rows.hpp"

namespace bench {
namespace {

struct ping {
  otter::pid from;
};
struct pong {};
struct done {};
struct play {
  otter::pid against;
  std::uint64_t rounds;
  otter::pid tell;
};

class ponger : public otter::gen_server<ponger> {
 public:
  using accepts = otter::accepts<ping>;
  void handle_info(ping p) { otter::send(p.from, pong{}); }
};

class pinger : public otter::gen_server<pinger> {
 public:
  using accepts = otter::accepts<play, pong>;

  void handle_cast(play p) {
    game_ = p;
    serve();
  }
  void handle_info(pong) {
    if (--game_.rounds > 0)
      serve();
    else
      otter::send(game_.tell, done{});
  }

 private:
  void serve() { otter::send(game_.against, ping{otter::self()}); }
  play game_{};
};

void pong_function() {
  while (true) otter::receive([](ping p) { otter::send(p.from, pong{}); });
}

void ping_function() {
  while (true) {
    otter::receive([](play p) {
      for (std::uint64_t i = 0; i < p.rounds; ++i) {
        otter::send(p.against, ping{otter::self()});
        otter::receive([](pong) {});
      }
      otter::send(p.tell, done{});
    });
  }
}

}  // namespace

void ping_pong(job const& j) {
  std::uint64_t const n = j.number("n", 1'000'000);
  in_node(j, [&] {
    stopwatch watch;
    auto const measure = [&](auto begin) {
      begin(n / 10);
      otter::receive([](done) {});
      watch.start();
      begin(n);
      otter::receive([](done) {});
      watch.stop();
    };
    if (is_free(j)) {
      otter::pid const b = otter::spawn(pong_function);
      otter::pid const a = otter::spawn(ping_function);
      measure([&](std::uint64_t rounds) { otter::send(a, play{b, rounds, otter::self()}); });
      otter::exit(a, otter::exit_reason::kill());
      otter::exit(b, otter::exit_reason::kill());
    } else {
      auto const b = ponger::start().value();
      auto const a = pinger::start().value();
      measure([&](std::uint64_t rounds) { otter::cast(a, play{b, rounds, otter::self()}); });
      otter::stop(a);
      otter::stop(b);
    }
    print_time("ping_pong", watch, n);
  });
}

}  // namespace bench
