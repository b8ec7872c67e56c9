// one_to_many.cpp - how fast does one process hand out messages to sixty others?
//
// Nothing but the runtime holds the sender back; the peak of memory says how well it does.

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
struct expect {
  std::uint64_t count;
};
struct all_here {};

class receiver : public otter::gen_server<receiver> {
 public:
  using accepts = otter::accepts<expect, item>;
  explicit receiver(otter::pid tell) : tell_(tell) {}
  void handle_cast(expect e) { left_ = e.count; }
  void handle_cast(item i) {
    sum_ += i.value;
    if (--left_ == 0) otter::send(tell_, all_here{});
  }

 private:
  std::uint64_t left_ = 0;
  std::uint64_t sum_ = 0;
  otter::pid tell_;
};

struct hand_out {
  std::vector<otter::pid> const* to;
  std::uint64_t each;
};

class sender : public otter::gen_server<sender> {
 public:
  using accepts = otter::accepts<hand_out>;
  void handle_cast(hand_out h) {
    for (std::uint64_t i = 0; i < h.each; ++i) {
      for (otter::pid const p : *h.to) otter::cast(p, item{i});
    }
  }
};

void receiver_function(otter::pid tell) {
  while (true) {
    std::uint64_t const count = otter::receive([](expect e) { return e.count; });
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < count; ++i) sum += otter::receive([](item m) { return m.value; });
    keep(sum);
    otter::send(tell, all_here{});
  }
}

void sender_function() {
  while (true) {
    otter::receive([](hand_out h) {
      for (std::uint64_t i = 0; i < h.each; ++i) {
        for (otter::pid const p : *h.to) otter::send(p, item{i});
      }
    });
  }
}

}  // namespace

void one_to_many(job const& j) {
  std::uint64_t const receivers = j.number("receivers", 60);
  std::uint64_t const each = j.number("n", 200'000);
  in_node(j, [&] {
    std::vector<otter::pid> to;
    for (std::uint64_t i = 0; i < receivers; ++i) {
      to.push_back(is_free(j) ? otter::spawn(receiver_function, otter::self())
                              : receiver::start(otter::self()).value().process());
    }
    otter::pid const from =
        is_free(j) ? otter::spawn(sender_function) : sender::start().value().process();
    auto const round = [&](std::uint64_t count) {
      for (otter::pid const p : to) {
        if (is_free(j))
          otter::send(p, expect{count});
        else
          otter::cast(p, expect{count});
      }
      if (is_free(j))
        otter::send(from, hand_out{&to, count});
      else
        otter::cast(from, hand_out{&to, count});
      for (std::uint64_t i = 0; i < receivers; ++i) otter::receive([](all_here) {});
    };
    round(each / 10);
    stopwatch watch;
    watch.start();
    round(each);
    watch.stop();
    otter::exit(from, otter::exit_reason::kill());
    for (otter::pid const p : to) otter::exit(p, otter::exit_reason::kill());
    print_throughput("one_to_many", watch, each * receivers);
  });
}

}  // namespace bench
