// call_long_mailbox.cpp - how much more does an answer cost when half a million other messages
// wait?
//
// what=call: a gen_server's call. what=receive: a request and its answer by hand, waited for with
// receive_from() a mark. The figure is the ratio to the same with an empty mailbox.

#include <otter/alias.hpp>
#include <otter/gen_server.hpp>
#include <otter/message.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>

#include "rows.hpp"

namespace bench {
namespace {

struct unrelated {
  std::uint64_t value;
};
struct ask {
  otter::pid from;
  otter::ref mark;
};
struct answer {
  otter::ref mark;
};

class echo : public otter::gen_server<echo> {
 public:
  struct same {
    int value;
    using reply = int;
  };
  using accepts = otter::accepts<same, ask>;
  int handle_call(same s) { return s.value; }
  void handle_info(ask a) { otter::send(a.from, answer{a.mark}); }
};

void by_call(otter::server_ref<echo> server) { keep(otter::call(server, echo::same{1})); }

void by_hand(otter::server_ref<echo> server) {
  otter::ref const mark = otter::make_ref();
  otter::send(server, ask{otter::self(), mark});
  otter::receive_from(mark,
                      otter::when([&](answer const& a) { return a.mark == mark; }, [](answer) {}));
}

}  // namespace

void call_long_mailbox(job const& j) {
  std::uint64_t const waiting = j.number("waiting", 500'000);
  std::uint64_t const n = j.number("n", 200'000);
  auto const once = j.text("what", "call") == "receive" ? by_hand : by_call;
  in_node(j, [&] {
    auto const server = echo::start().value();
    auto const round = [&](std::uint64_t times) {
      stopwatch watch;
      watch.start();
      for (std::uint64_t i = 0; i < times; ++i) once(server);
      watch.stop();
      return watch.ns() / static_cast<double>(times);
    };
    round(n / 10);
    double const empty = round(n);
    for (std::uint64_t i = 0; i < waiting; ++i) otter::send(otter::self(), unrelated{i});
    round(n / 10);
    double const full = round(n);
    otter::stop(server);
    print_result("call_long_mailbox", full / empty, "ratio");
  });
}

}  // namespace bench
