// skynet.cpp - a tree of processes with a million leaves: each starts ten children, and gives the
// sum of what they say to its parent. How long until the root knows its sum?

#include <otter/message.hpp>
#include <otter/reactive.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>

#include "rows.hpp"

namespace bench {
namespace {

struct sum {
  std::uint64_t value;
};

constexpr std::uint64_t fan_out = 10;

class branch final : public otter::reactive {
 public:
  branch(otter::pid parent, std::uint64_t first, std::uint64_t leaves)
      : parent_(parent), first_(first), leaves_(leaves) {}

  void start() override {
    if (leaves_ == 1) {
      otter::send(parent_, sum{first_});
      return stop(otter::exit_reason::normal());
    }
    std::uint64_t const share = leaves_ / fan_out;
    for (std::uint64_t i = 0; i < fan_out; ++i) {
      otter::spawn_reactive({},
                            otter::make_reactive<branch>(otter::self(), first_ + i * share, share));
    }
  }
  void handle(otter::event& e) override {
    total_ += e.get_if<sum>()->value;
    if (++heard_ < fan_out) return;
    otter::send(parent_, sum{total_});
    stop(otter::exit_reason::normal());
  }

 private:
  otter::pid parent_;
  std::uint64_t first_;
  std::uint64_t leaves_;
  std::uint64_t total_ = 0;
  std::uint64_t heard_ = 0;
};

void branch_function(otter::pid parent, std::uint64_t first, std::uint64_t leaves) {
  if (leaves == 1) return otter::send(parent, sum{first});
  std::uint64_t const share = leaves / fan_out;
  for (std::uint64_t i = 0; i < fan_out; ++i)
    otter::spawn(branch_function, otter::self(), first + i * share, share);
  std::uint64_t total = 0;
  for (std::uint64_t i = 0; i < fan_out; ++i)
    total += otter::receive([](sum s) { return s.value; });
  otter::send(parent, sum{total});
}

}  // namespace

void skynet(job const& j) {
  std::uint64_t const leaves = j.number("n", 1'000'000);
  in_node(j, [&] {
    auto const tree = [&](std::uint64_t n) {
      if (is_free(j))
        otter::spawn(branch_function, otter::self(), std::uint64_t{0}, n);
      else
        otter::spawn_reactive({}, otter::make_reactive<branch>(otter::self(), 0, n));
      std::uint64_t const total = otter::receive([](sum s) { return s.value; });
      if (total != n * (n - 1) / 2) std::abort();
    };
    tree(leaves / 10);
    stopwatch watch;
    watch.start();
    tree(leaves);
    watch.stop();
    print_result("skynet", watch.ns() / 1e6, "ms");
  });
}

}  // namespace bench
