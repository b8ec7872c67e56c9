// idle.cpp - a hundred thousand processes that wait for messages which do not come. bench/run looks
// from outside how much of a core they use, and how often a thread wakes up.

#include <otter/gen_server.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <thread>

#include "rows.hpp"

namespace bench {
namespace {

struct wake_up {};

class sleeper : public otter::gen_server<sleeper> {
 public:
  using accepts = otter::accepts<wake_up>;
  void handle_cast(wake_up) {}
};

}  // namespace

void idle(job const& j) {
  std::uint64_t const n = j.number("n", 100'000);
  otter::node node(node_for(j));
  node.run([&] {
    for (std::uint64_t i = 0; i < n; ++i) {
      if (is_free(j))
        otter::spawn([] { otter::receive([](wake_up) {}); });
      else
        sleeper::start().value();
    }
  });
  wait_until_told();
  std::_Exit(0);
}

}  // namespace bench
