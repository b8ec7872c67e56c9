// spawn_exit.cpp - how long does it take to start a process, let it end, and hear of its end?
//
// One process starts children linked to it, a hundred at a time, and waits for the `exited` of
// each. behaviour: the parent is a gen_server and the children are reactives. free: all are
// functions.

#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <otter/reactive.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>

#include "rows.hpp"

namespace bench {
namespace {

constexpr std::uint64_t batch = 100;

struct ends_at_once final : otter::reactive {
  void start() override { stop(otter::exit_reason::normal()); }
  void handle(otter::event&) override {}
};

class parent : public otter::gen_server<parent> {
 public:
  struct bear {
    std::uint64_t children;
    using reply = void;
  };
  using accepts = otter::accepts<bear>;

  parent() { otter::trap_exit(true); }

  otter::call_outcome<void> handle_call(bear b, otter::caller<bear> who) {
    left_ = b.children;
    who_ = who;
    spawn_batch();
    return noreply();
  }
  void handle_info(otter::exited) {
    if (--waiting_ > 0) return;
    if (left_ > 0)
      spawn_batch();
    else
      otter::reply(who_);
  }

 private:
  void spawn_batch() {
    waiting_ = std::min(batch, left_);
    left_ -= waiting_;
    for (std::uint64_t i = 0; i < waiting_; ++i)
      otter::spawn_reactive({.link = true}, otter::make_reactive<ends_at_once>());
  }

  std::uint64_t left_ = 0;
  std::uint64_t waiting_ = 0;
  otter::from who_;
};

void bear_functions(std::uint64_t children) {
  for (std::uint64_t left = children; left > 0;) {
    std::uint64_t const now = std::min(batch, left);
    for (std::uint64_t i = 0; i < now; ++i) otter::spawn_link([] {});
    for (std::uint64_t i = 0; i < now; ++i) otter::receive([](otter::exited) {});
    left -= now;
  }
}

}  // namespace

void spawn_exit(job const& j) {
  std::uint64_t const n = j.number("n", 1'000'000);
  in_node(j, [&] {
    stopwatch watch;
    if (is_free(j)) {
      otter::trap_exit(true);
      bear_functions(n / 10);
      watch.start();
      bear_functions(n);
      watch.stop();
    } else {
      auto const server = parent::start().value();
      otter::call(server, parent::bear{n / 10}, otter::infinity);
      watch.start();
      otter::call(server, parent::bear{n}, otter::infinity);
      watch.stop();
    }
    print_time("spawn_exit", watch, n);
  });
}

}  // namespace bench
