// Upgrades: the process in which one runs, and what is checked before anybody notices. The steps
// are those of runtime/doc/code_loading.md, "Plans".

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <otter/code.hpp>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/message.hpp>
#include <otter/monitor.hpp>
#include <otter/name.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/upgrade.hpp>
#include <utility>

#include "report.hpp"
#include "upgrade_move.hpp"
#include "upgrade_order.hpp"

namespace otter {
namespace detail {

namespace {

using upgrade::module_report;
using upgrade::module_step;
using upgrade::need;
using upgrade::options;
using upgrade::plan;
using upgrade::report;
using state = module_report::state_type;

constexpr char const* server_name = "upgrade_server";

enum class errand : bool { check, apply };

/// One upgrade. Threads: the process that upgrades.
class upgrading {
 public:
  upgrading(plan const& p, options const& how, report& out)
      : plan_(p), run_{how, out, upgrade_guard()}, out_(out) {}

  void run(errand what) {
    go(what);
    for (group_move const& g : groups_) code::discard(g.set());  // what has not become current
  }

 private:
  void go(errand what) {
    if (!prepare()) return;
    if (what == errand::check) {
      for (module_report& m : out_.modules) {
        m.state = state::checked;
        m.processes = code::users(m.name).size();
      }
    } else if (!move_all()) {
      return;
    }
    out_.done = true;
  }

  bool refuse(std::string why) {
    out_.refusals.push_back(std::move(why));
    return false;
  }

  /// Everything that can be asked before anything changes.
  bool prepare() {
    auto const order = order_of(plan_);
    if (!order) return refuse(order.error());
    if (order->empty()) return refuse("the plan has no modules");
    for (std::size_t const i : *order) {
      module_step const& step = plan_.modules[i];
      auto const current = code::which(step.name);
      out_.modules.push_back(
          {.name = step.name, .from = current ? current->version : std::string(), .to = step.to});
    }
    bool good = true;
    for (std::size_t at = 0; at < order->size(); ++at)
      good = check_versions(plan_.modules[(*order)[at]], out_.modules[at]) && good;
    if (!good) return false;
    std::size_t next_report = 0;
    for (auto const& group : groups_of(plan_, *order)) {
      std::vector<group_move::member> members;
      for (std::size_t const i : group)
        members.push_back({&plan_.modules[i], &out_.modules[next_report++]});
      if (!prepare_group(std::move(members))) return false;
    }
    run_.say(fmt::format("checked: {} modules can be loaded", out_.modules.size()));
    for (group_move& g : groups_)
      if (auto why = g.try_out()) return refuse(std::move(*why));
    for (module_report const& m : out_.modules)
      if (m.tried != 0)
        run_.say(fmt::format("checked: {} processes of {} can go to {}", m.tried, m.name, m.to));
    return true;
  }

  bool check_versions(module_step const& step, module_report const& now) {
    if (now.from == step.to && !now.from.empty() &&
        std::find(step.from.begin(), step.from.end(), step.to) == step.from.end())
      return refuse(fmt::format("module {}: version {} is current already", step.name, step.to));
    if (!step.from.empty() &&
        std::find(step.from.begin(), step.from.end(), now.from) == step.from.end())
      return refuse(fmt::format(
          "module {}: the plan comes from version {}, and {}", step.name,
          fmt::join(step.from, " or "),
          now.from.empty() ? "it is not loaded" : fmt::format("{} is current", now.from)));
    for (need const& n : step.depends_on)
      if (auto why = missing(n); !why.empty())
        return refuse(fmt::format("module {} depends on {}", step.name, why));
    auto const old = code::which_old(step.name);
    if (old && !now.from.empty() && step.purge == upgrade::purge_type::soft && old->processes != 0)
      return refuse(
          fmt::format("module {}: {} processes still use version {}, which is old already, and "
                      "would be killed: bring them to version {} first, or say purge = \"brutal\"",
                      step.name, old->processes, old->version, now.from));
    return true;
  }

  /// What is wrong with a need; nothing, if it will be there.
  std::string missing(need const& n) const {
    auto const planned = std::find_if(plan_.modules.begin(), plan_.modules.end(),
                                      [&](module_step const& s) { return s.name == n.module; });
    std::string version;
    if (planned != plan_.modules.end()) {
      version = planned->to;
    } else if (auto const current = code::which(n.module)) {
      version = current->version;
    } else {
      return fmt::format("{}, which is neither loaded nor in the plan", n.module);
    }
    if (n.version.empty() || n.version == version) return {};
    return fmt::format("{} {}, and it {} {}", n.module, n.version,
                       planned != plan_.modules.end() ? "will be" : "is", version);
  }

  bool prepare_group(std::vector<group_move::member> members) {
    std::vector<std::string> files;
    for (auto const& m : members) files.push_back(m.step->file);
    auto set = code::prepare_loading(files);
    if (!set) return refuse(set.error().text);
    for (std::size_t i = 0; i < members.size(); ++i) {
      module_step const& step = *members[i].step;
      code::module_info const& found = set->modules()[i];
      if (found.name != step.name || found.version != step.to)
        return refuse(fmt::format("{}: is module {} {}, and the plan says {} {}", step.file,
                                  found.name, found.version, step.name, step.to));
    }
    groups_.emplace_back(run_, std::move(members), std::move(*set));
    return true;
  }

  /// All groups go, or those that went come back, the last one first.
  bool move_all() {
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      auto why = groups_[i].up();
      if (!why) continue;
      refuse(std::move(*why));
      while (i-- > 0) groups_[i].down();
      return false;
    }
    return true;
  }

  plan const& plan_;
  upgrade_run run_;
  report& out_;
  std::deque<group_move> groups_;
};

struct begin_upgrade {
  alias_ref answer_to;
};
struct upgrade_over {
  alias_ref answer_to;
  report result;
};

report run_here(plan const& p, options const& how, errand what) {
  report result;
  result.application = p.application;
  auto const begin = node_clock::now();
  upgrading(p, how, result).run(what);
  result.took = node_clock::now() - begin;
  if (what == errand::apply)
    log_report(result.done ? logger::level::notice : logger::level::error,
               fmt::format("upgrade{}{} {}", p.application.empty() ? "" : " of ", p.application,
                           result.done ? "is applied" : "is refused"),
               {{"upgrade", to_string(result)}});
  return result;
}

report refused(plan const& p, std::string why) {
  report result;
  result.application = p.application;
  result.refusals.push_back(std::move(why));
  return result;
}

report run_upgrade(plan const& p, options const& how, errand what) {
  if (how.window == 0) throw error(errc::badarg, "upgrade: a window of 0 processes");
  duration const limit = checked_limit(how.limit);
  options checked = how;
  checked.limit = limit;
  spawned server;
  try {
    server = spawn(spawn_options{.monitor = alias_mode::demonitor, .name = server_name},
                   [p, checked, what] {
                     receive([&](begin_upgrade b) {
                       report result = run_here(p, checked, what);
                       otter::send(b.answer_to, upgrade_over{b.answer_to, std::move(result)});
                     });
                   });
  } catch (error const& e) {
    if (e.code() != errc::badarg) throw;
    return refused(p, "another upgrade is going on");
  }
  alias_ref const answer_to(server.ref);
  otter::send(server.process, begin_upgrade{answer_to});
  // Until its end, so that the name is free for the next one.
  std::optional<report> result;
  for (bool over = false; !over;)
    receive_from(server.ref,
                 when([&](upgrade_over const& o) { return o.answer_to == answer_to; },
                      [&](upgrade_over o) { result = std::move(o.result); }),
                 when([&](down const& d) { return d.ref == server.ref; },
                      [&](down d) {
                        over = true;
                        if (!result)
                          result =
                              refused(p, fmt::format("the process that upgrades has ended in the "
                                                     "middle of it: {}; see code::all_loaded()",
                                                     d.reason));
                      }));
  return std::move(*result);
}

}  // namespace
}  // namespace detail

namespace upgrade {

report check(plan const& what, options const& how) {
  return detail::run_upgrade(what, how, detail::errand::check);
}

report apply(plan const& what, options const& how) {
  return detail::run_upgrade(what, how, detail::errand::apply);
}

}  // namespace upgrade
}  // namespace otter
