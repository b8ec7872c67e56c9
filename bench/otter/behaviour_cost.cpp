// behaviour_cost.cpp - what do the behaviours cost beside the bare means that they are made of?
//
//   call_cost     a call to a gen_server : a message to a reactive and one back
//   cast_cost     a cast to a gen_server : a message of that size to a reactive
//   statem_cost   an event of a gen_statem : a cast to a gen_server
//
// Ratios, from turns of one program: each of the five does a share of the work, again and again,
// and the ratio is the median of those within a turn. The asking side is a function in all of them.

#include <algorithm>
#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <otter/gen_statem.hpp>
#include <otter/message.hpp>
#include <otter/reactive.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <utility>
#include <vector>

#include "rows.hpp"

namespace bench {
namespace {

constexpr std::uint64_t batch = 100;  // one-way messages before the receiver says that it has them
constexpr std::uint64_t turns = 11;

struct item {
  std::uint64_t value;
};
struct all_here {};
struct question {
  otter::pid from;
  std::uint64_t value;
};
struct answer {
  std::uint64_t value;
};
struct add {
  std::uint64_t value;
  using reply = std::uint64_t;
};

/// What every receiver does with an item.
class tally {
 public:
  explicit tally(otter::pid tell) : tell_(tell) {}
  void take(item const& i) {
    keep(i.value);
    if (++seen_ % batch == 0) otter::send(tell_, all_here{});
  }

 private:
  otter::pid tell_;
  std::uint64_t seen_ = 0;
};

class bare final : public otter::reactive {
 public:
  explicit bare(otter::pid tell) : tally_(tell) {}
  void start() override {}
  void handle(otter::event& e) override {
    if (auto const* i = e.get_if<item>())
      tally_.take(*i);
    else if (auto const* q = e.get_if<question>())
      otter::send(q->from, answer{q->value + 1});
  }

 private:
  tally tally_;
};

class server : public otter::gen_server<server> {
 public:
  using accepts = otter::accepts<item, add>;
  explicit server(otter::pid tell) : tally_(tell) {}
  void handle_cast(item i) { tally_.take(i); }
  std::uint64_t handle_call(add a) { return a.value + 1; }

 private:
  tally tally_;
};

class machine : public otter::gen_statem<machine> {
 public:
  struct on {};
  using state = otter::states<on>;
  using accepts = otter::accepts<item>;
  explicit machine(otter::pid tell) : tally_(tell) {}
  void handle_event(on&, item i) { tally_.take(i); }

 private:
  tally tally_;
};

template <class Operation>
double time_of(std::uint64_t n, Operation operation) {
  stopwatch watch;
  watch.start();
  for (std::uint64_t i = 0; i < n; ++i) operation(i);
  watch.stop();
  return watch.ns();
}

/// Sends without an answer, but not more than a batch ahead.
template <class Send>
double time_of_sends(std::uint64_t n, Send give) {
  return time_of(n / batch, [&](std::uint64_t) {
    for (std::uint64_t i = 0; i < batch; ++i) give(item{i});
    otter::receive([](all_here) {});
  });
}

void print_ratio(char const* bench, std::vector<double> ratios) {
  std::sort(ratios.begin(), ratios.end());
  print_result(bench, percentile(ratios, 0.5), "x");
}

}  // namespace

void behaviour_cost(job const& j) {
  std::uint64_t const share = j.number("n", 1'000'000) / turns;
  in_node(j, [&] {
    otter::pid const me = otter::self();
    otter::pid const raw = otter::spawn_reactive({}, otter::make_reactive<bare>(me)).process;
    auto const served = server::start(me).value();
    auto const states = machine::start(me).value();

    std::vector<double> call, cast, statem;
    for (std::uint64_t turn = 0; turn <= turns; ++turn) {
      double const questions = time_of(share, [&](std::uint64_t i) {
        otter::send(raw, question{me, i});
        keep(otter::receive([](answer a) { return a.value; }));
      });
      double const calls =
          time_of(share, [&](std::uint64_t i) { keep(otter::call(served, add{i})); });
      double const sends = time_of_sends(share, [&](item i) { otter::send(raw, i); });
      double const casts = time_of_sends(share, [&](item i) { otter::cast(served, i); });
      double const events = time_of_sends(share, [&](item i) { otter::cast(states, i); });
      if (turn == 0) continue;  // cold
      call.push_back(calls / questions);
      cast.push_back(casts / sends);
      statem.push_back(events / casts);
    }
    print_ratio("call_cost", std::move(call));
    print_ratio("cast_cost", std::move(cast));
    print_ratio("statem_cost", std::move(statem));
    otter::stop(states);
    otter::stop(served);
    otter::exit(raw, otter::exit_reason::kill());
  });
}

}  // namespace bench
