// many_to_one.cpp - how many messages does one process take in that twenty others send to?
//
// mailbox=unbounded: nothing but the runtime holds the senders back. mailbox=bounded: the
// receiver's mailbox has a limit of 1000, and senders wait. The peak of memory is part of the
// answer.

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
struct go {
  otter::pid to;
  std::uint64_t count;
};

class sink : public otter::gen_server<sink> {
 public:
  using accepts = otter::accepts<item>;
  sink(std::uint64_t expected, otter::pid tell) : left_(expected), tell_(tell) {}
  void handle_cast(item i) {
    sum_ += i.value;
    if (--left_ == 0) otter::send(tell_, all_here{});
  }

 private:
  std::uint64_t left_;
  std::uint64_t sum_ = 0;
  otter::pid tell_;
};

class source : public otter::gen_server<source> {
 public:
  using accepts = otter::accepts<go>;
  void handle_cast(go g) {
    for (std::uint64_t i = 0; i < g.count; ++i) otter::cast(g.to, item{i});
  }
};

void sink_function(std::uint64_t expected, otter::pid tell) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < expected; ++i)
    sum += otter::receive([](item m) { return m.value; });
  keep(sum);
  otter::send(tell, all_here{});
}

void source_function() {
  while (true) {
    otter::receive([](go g) {
      for (std::uint64_t i = 0; i < g.count; ++i) otter::send(g.to, item{i});
    });
  }
}

}  // namespace

void many_to_one(job const& j) {
  std::uint64_t const senders = j.number("senders", 20);
  std::uint64_t const each = j.number("n", 200'000);
  otter::spawn_options receiver;
  if (j.text("mailbox", "unbounded") == "bounded")
    receiver.max_mailbox = {1000, otter::overflow::block};
  in_node(j, [&] {
    std::vector<otter::pid> sources;
    for (std::uint64_t i = 0; i < senders; ++i) {
      sources.push_back(is_free(j) ? otter::spawn(source_function)
                                   : source::start().value().process());
    }
    auto const round = [&](std::uint64_t count) {
      otter::pid const to =
          is_free(j)
              ? otter::spawn(receiver, sink_function, count * senders, otter::self()).process
              : sink::start({.spawn = receiver}, count * senders, otter::self()).value().process();
      for (otter::pid const s : sources) {
        if (is_free(j))
          otter::send(s, go{to, count});
        else
          otter::cast(s, go{to, count});
      }
      otter::receive([](all_here) {});
      otter::exit(to, otter::exit_reason::kill());
    };
    round(each / 10);
    stopwatch watch;
    watch.start();
    round(each);
    watch.stop();
    for (otter::pid const s : sources) otter::exit(s, otter::exit_reason::kill());
    print_throughput("many_to_one", watch, each * senders);
  });
}

}  // namespace bench
