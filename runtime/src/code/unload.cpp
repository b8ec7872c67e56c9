#include "code/unload.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <otter/blocking.hpp>

#include "code/code_table.hpp"
#include "code/reachability.hpp"
#include "process/process.hpp"
#include "process/process_system.hpp"

namespace otter {
namespace rts {

std::vector<code::unload_result> unload_purged(code_table& modules, std::string_view module,
                                               duration limit) {
  std::vector<code::unload_result> results;
  std::vector<module_version*> const versions = modules.purged(module);
  if (versions.empty()) return results;
  for (code::purged_version& v : modules.describe_purged(module))
    results.push_back({std::move(v.version), false, {}});
  process& self = current_process();
  process_system& system = self.system();
  std::uint64_t const finder = self.bits();
  modules.await_removal(versions);

  auto holders =
      blocking([&] { return find_holders(system, modules, versions, finder, limit.count()); });
  std::vector<std::unique_ptr<module_version>> taken;
  std::vector<std::size_t> which;
  for (std::size_t i = 0; i < versions.size(); ++i) {
    std::unique_ptr<module_version> removed;
    if (holders[i].empty()) {
      removed = modules.remove(*versions[i]);
      if (removed == nullptr)
        holders[i].push_back({code::holder_kind::busy,
                              {},
                              1,
                              "a value of another version of its types was converted meanwhile"});
    }
    if (removed != nullptr) {
      taken.push_back(std::move(removed));
      which.push_back(i);
    } else {
      modules.note_holders(*versions[i], holders[i]);
      results[i].held_by = std::move(holders[i]);
    }
  }
  // Nobody has an address there, so nobody comes by one while the workers run again.
  std::vector<bool> const gone = blocking([&] {
    std::vector<bool> unmapped;
    for (auto& v : taken) unmapped.push_back(v->code.unmap());
    return unmapped;
  });
  for (std::size_t n = 0; n < which.size(); ++n) {
    code::unload_result& r = results[which[n]];
    r.unmapped = gone[n];
    if (!gone[n])
      r.held_by.push_back({code::holder_kind::loader,
                           {},
                           1,
                           "the dynamic loader keeps it: another library needs it, or a "
                           "thread_local of it has a destructor"});
    system.report({node_event::kind::code, self.self_pid(),
                   fmt::format("module {} {} is {}", r.version.name, r.version.version,
                               gone[n] ? "unmapped" : "kept by the dynamic loader")});
  }
  return results;
}

}  // namespace rts

std::string_view code::to_string(holder_kind what) noexcept {
  constexpr std::string_view names[] = {
      "frames",    "state", "message", "request", "timer",  "dictionary", "monitor", "exit_reason",
      "exception", "job",   "module",  "table",   "memory", "busy",       "loader"};
  static_assert(std::size(names) == static_cast<std::size_t>(holder_kind::loader) + 1);
  auto const n = static_cast<std::size_t>(what);
  return n < std::size(names) ? names[n] : "?";
}

}  // namespace otter
