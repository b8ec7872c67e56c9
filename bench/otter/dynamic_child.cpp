// dynamic_child.cpp - what does it cost a dynamic supervisor to start a child and to stop it,
// beside so many others? It must not depend on how many there are.

#include <cstdlib>
#include <otter/dynamic_supervisor.hpp>
#include <otter/gen_server.hpp>

#include "rows.hpp"

namespace bench {
namespace {

class idler : public otter::gen_server<idler> {
 public:
  using accepts = otter::accepts<>;
};

}  // namespace

void dynamic_child(job const& j) {
  std::uint64_t const n = j.number("n", 100'000);
  std::uint64_t const siblings = j.number("siblings", 100'000);
  in_node(j, [&] {
    auto const supervisor = otter::dynamic_supervisor::start_link().value();
    otter::child_spec const spec{.start = [] { return idler::start_link(); },
                                 .restart = otter::restart_type::temporary};
    auto const start = [&] {
      auto const child = otter::dynamic_supervisor::start_child(supervisor, spec);
      if (!child) std::abort();
      return *child;
    };
    auto const start_and_stop = [&](std::uint64_t times) {
      for (std::uint64_t i = 0; i < times; ++i)
        if (!otter::dynamic_supervisor::terminate_child(supervisor, start())) std::abort();
    };
    for (std::uint64_t i = 0; i < siblings; ++i) start();
    start_and_stop(n / 10);
    stopwatch watch;
    watch.start();
    start_and_stop(n);
    watch.stop();
    print_time("dynamic_child", watch, n);
    std::fflush(stdout);
    std::_Exit(0);  // the siblings need not be stopped one by one
  });
}

}  // namespace bench
