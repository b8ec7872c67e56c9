// instructions.cpp - sending and receiving, each for itself, for bench/instructions: a round trip
// does both, and says not which of them has grown. And what a call is compared with (call_cost).

#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <otter/message.hpp>
#include <otter/reactive.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>

#include "rows.hpp"

namespace bench {
namespace {

struct item {
  std::uint64_t value;
};
struct all_here {};

struct question {
  otter::pid from;
  int by;
};
struct answer {
  int sum;
};

/// What call's server does, without being one.
class bare_counter final : public otter::reactive {
 public:
  void start() override {}
  void handle(otter::event& e) override {
    if (auto const* q = e.get_if<question>()) otter::send(q->from, answer{value_ += q->by});
  }

 private:
  int value_ = 0;
};

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

/// The bare means of which a call of a function is made: a message to a reactive, and one back.
void question_only(job const& j) {
  std::uint64_t const n = j.number("n", 10'000);
  in_node(j, [&] {
    otter::pid const to = otter::spawn_reactive({}, otter::make_reactive<bare_counter>()).process;
    stopwatch watch;
    auto const ask_often = [&](std::uint64_t count) {
      for (std::uint64_t i = 0; i < count; ++i) {
        otter::send(to, question{otter::self(), 1});
        keep(otter::receive([](answer a) { return a.sum; }));
      }
    };
    ask_often(n / 10);
    watch.start();
    ask_often(n);
    watch.stop();
    otter::exit(to, otter::exit_reason::kill());
    print_time("question_only", watch, n);
  });
}

}  // namespace bench
