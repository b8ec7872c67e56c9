// 11: partitions - one server several times, and a key that says which of them serves.
//
// A shop counts what is sold. One counter would be where all sellers wait, so there are four; an
// article is always counted by the same one. One of them breaks and is started again.
//
// Try: more partitions; keys that are texts.

#include <cstdio>
#include <otter/gen_server.hpp>
#include <otter/monitor.hpp>
#include <otter/node.hpp>
#include <otter/partition_supervisor.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <vector>

namespace {

/// Counts what is sold.
class counter : public otter::gen_server<counter> {
 public:
  struct sold {
    using reply = void;
    int pieces;
  };
  struct total {
    using reply = int;
  };
  struct smash {};
  using accepts = otter::accepts<sold, total, smash>;

  void handle_call(sold s) { total_ += s.pieces; }
  int handle_call(total) { return total_; }
  otter::outcome handle_cast(smash) { return stop(otter::exit_reason::of("smashed")); }

 private:
  int total_ = 0;
};

inline const otter::partition_supervisor<counter> counters{"counters"};

/// Sells three pieces of each article.
void seller(int articles) {
  for (int article = 0; article != articles; ++article)
    otter::call(counters.via(article), counter::sold{3});
}

void show() {
  for (unsigned i = 0; i != counters.partitions(); ++i)
    std::printf("counter %u: %d\n", i, otter::call(counters.via(i), counter::total{}));
}

}  // namespace

int main() {
  otter::node_options quiet;
  quiet.on_event = [](otter::node_event const&) {};  // the crash report goes to stderr without it
  return otter::run(quiet, [] {
    counters.start_link({.start = [] { return counter::start_link(); }}, {.partitions = 4}).value();

    std::vector<otter::monitor_ref> sellers;
    for (int i = 0; i != 5; ++i) sellers.push_back(otter::spawn_monitor(seller, 10).ref);
    for (std::size_t i = 0; i != sellers.size(); ++i) otter::receive([](otter::down const&) {});
    show();

    auto const second = counters.via(1);
    otter::monitor(second);
    otter::cast(second, counter::smash{});
    otter::receive([](otter::down const& d) {
      std::printf("one of them is %s\n", to_string(d.reason).c_str());
    });
    counters.which_children();  // answered after the restart
    otter::call(second, counter::sold{1});
    show();
  });
}
