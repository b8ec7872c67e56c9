// Very many processes at once.

#include <algorithm>
#include <otter/exit.hpp>
#include <otter/message.hpp>
#include <otter/monitor.hpp>
#include <otter/process_info.hpp>
#include <otter/reactive.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <span>
#include <vector>

#include "stress.hpp"

namespace {

struct ping {
  otter::pid from;
};
struct pong {
  int value;
};
struct finish {};

class counter final : public otter::reactive {
 public:
  explicit counter(int value) : value_(value) {}
  void start() override {}
  void handle(otter::event& what) override {
    if (ping* p = what.get_if<ping>()) otter::send(p->from, pong{value_++});
    if (what.get_if<finish>() != nullptr) stop(otter::exit_reason::normal());
  }

 private:
  int value_;
};

}  // namespace

TEST_CASE("a million behaviour processes live at once, and each answers", "[stress]") {
  int const count = stress::sized(20'000, 1'000'000);
  unsigned const workers = GENERATE(from_range(stress::worker_counts()));
  std::size_t before = 0, alive = 0;
  std::vector<otter::pid>
      all;  // one for all rounds: what it leaves in an allocator is no process's
  all.reserve(static_cast<std::size_t>(count));
  long long sum = 0;
  // How many messages pile up is the load's own affair, and differs with who runs when: so many at
  // most, or a round's peak would say nothing about what the runtime keeps.
  using batch = std::span<otter::pid const>;
  auto const in_batches = [&](auto with) {
    constexpr std::size_t most = 20'000;
    for (std::size_t from = 0; from < all.size(); from += most)
      with(batch(all).subspan(from, std::min(most, all.size() - from)));
  };
  auto const round = [&] {
    bool const first = alive == 0;
    before = stress::resident_kib();
    all.clear();
    for (int i = 0; i < count; ++i)
      all.push_back(otter::spawn_reactive({}, otter::make_reactive<counter>(i)));
    std::size_t const idle = stress::resident_kib();
    if (first) alive = otter::processes().size();  // once: the list takes memory, too
    sum = 0;
    in_batches([&](batch some) {
      for (otter::pid p : some) otter::send(p, ping{otter::self()});
      for (std::size_t i = 0; i < some.size(); ++i) otter::receive([&](pong p) { sum += p.value; });
    });
    if (first && stress::full_sizes()) {
      auto const each = [&](std::size_t kib) {
        return (kib - before) * 1024 / static_cast<std::size_t>(count);
      };
      fmt::print("  {} processes, {} bytes each, {} with what their messages left\n", alive,
                 each(idle), each(stress::resident_kib()));
    }
    in_batches([](batch some) {
      for (otter::pid p : some) otter::monitor(p);
      for (otter::pid p : some) otter::send(p, finish{});
      for (std::size_t i = 0; i < some.size(); ++i) otter::receive([](otter::down const&) {});
    });
  };
  // In some of the rounds it is another worker that spawns.
  stress::rounds("a million processes", {.workers = workers, .rounds = stress::sized(2, 5)}, round);
  CHECK(alive > static_cast<std::size_t>(count));
  CHECK(sum == static_cast<long long>(count) * (count - 1) / 2);
}
