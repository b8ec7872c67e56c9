// all_to_all.cpp - a hundred and twenty processes ping all the others in turn, each with one ping
// under way: round trips when there is always somebody else to run.

#include <memory>
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
struct played {};
using members = std::vector<otter::pid>;
struct play {
  members const* all;
  std::uint64_t own;
  std::uint64_t pings;
  otter::pid tell;
};

class member : public otter::gen_server<member> {
 public:
  using accepts = otter::accepts<play, ping, pong>;

  void handle_cast(play p) {
    game_ = p;
    next_ = p.own;
    serve();
  }
  void handle_info(ping p) { otter::send(p.from, pong{}); }
  void handle_info(pong) {
    if (--game_.pings > 0)
      serve();
    else
      otter::send(game_.tell, played{});
  }

 private:
  void serve() {
    if (++next_ == game_.all->size()) next_ = 0;
    if (next_ == game_.own && ++next_ == game_.all->size()) next_ = 0;
    otter::send((*game_.all)[next_], ping{otter::self()});
  }
  play game_{};
  std::uint64_t next_ = 0;
};

void member_function() {
  play game{};
  std::uint64_t next = 0;
  auto const serve = [&] {
    if (++next == game.all->size()) next = 0;
    if (next == game.own && ++next == game.all->size()) next = 0;
    otter::send((*game.all)[next], ping{otter::self()});
  };
  while (true) {
    otter::receive(
        [&](play p) {
          game = p;
          next = p.own;
          serve();
        },
        [](ping p) { otter::send(p.from, pong{}); },
        [&](pong) {
          if (--game.pings > 0)
            serve();
          else
            otter::send(game.tell, played{});
        });
  }
}

}  // namespace

void all_to_all(job const& j) {
  std::uint64_t const size = j.number("size", 120);
  std::uint64_t const each = j.number("n", 10'000);
  in_node(j, [&] {
    members all;
    for (std::uint64_t i = 0; i < size; ++i)
      all.push_back(is_free(j) ? otter::spawn(member_function) : member::start().value().process());
    auto const round = [&](std::uint64_t pings) {
      for (std::uint64_t i = 0; i < size; ++i) {
        play const p{&all, i, pings, otter::self()};
        if (is_free(j))
          otter::send(all[i], p);
        else
          otter::cast(all[i], p);
      }
      for (std::uint64_t i = 0; i < size; ++i) otter::receive([](played) {});
    };
    round(each / 10);
    stopwatch watch;
    watch.start();
    round(each);
    watch.stop();
    for (otter::pid const p : all) otter::exit(p, otter::exit_reason::kill());
    print_time("all_to_all", watch, each * size);
  });
}

}  // namespace bench
