#include "upgrade_guard.hpp"

#include <otter/message.hpp>
#include <otter/monitor.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <utility>

#include "upgrade_sweep.hpp"

namespace otter::detail {

namespace {

struct watch_over_these {
  std::vector<pid> processes;
};
struct forget_all {};

void guard(pid upgrader) {
  monitor_ref const watch = monitor(upgrader);
  std::vector<std::vector<pid>> lists;
  for (bool over = false; !over;)
    receive([&](watch_over_these w) { lists.push_back(std::move(w.processes)); },
            [&](forget_all) { lists.clear(); },
            when([&](down const& d) { return d.ref == watch; },
                 [&](down const& d) {
                   over = true;
                   if (d.reason == exit_kind::normal) lists.clear();
                 }));
  for (auto const& list : lists)
    for (pid const p : list) let_go(p);
}

}  // namespace

upgrade_guard::upgrade_guard()
    : guard_(spawn(spawn_options{.label = "upgrade guard"}, [whom = self()] { guard(whom); })) {}

void upgrade_guard::watch_over(std::vector<pid> processes) const {
  otter::send(guard_, watch_over_these{std::move(processes)});
}

void upgrade_guard::forget() const { otter::send(guard_, forget_all{}); }

}  // namespace otter::detail
