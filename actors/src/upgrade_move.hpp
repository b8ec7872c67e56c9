#pragma once

// upgrade_move.hpp - one group of a plan's modules, and their processes, to the next versions and
// back.
//
//   otter::detail::upgrade_run    what all groups of an upgrade share
//   otter::detail::group_move     one group; code_loading.md, "Plans", steps 4 to 8

#include <cstddef>
#include <optional>
#include <otter/code.hpp>
#include <otter/pid.hpp>
#include <otter/upgrade.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "upgrade_guard.hpp"
#include "upgrade_sweep.hpp"

namespace otter::detail {

struct upgrade_run {
  upgrade::options const& how;
  upgrade::report& out;
  upgrade_guard guard;
  /// They have not answered, or cannot go back, and are not asked again.
  std::unordered_set<pid> left_out{};

  void say(std::string_view line) const {
    if (how.progress) how.progress(line);
  }
  /// A line of the report, if `module` has not had its share.
  void note(std::string const& module, std::string text);
  std::unordered_map<std::string, std::size_t> notes{};  // how many each module has had
};

/// Threads: the process that upgrades.
class group_move {
 public:
  struct member {
    upgrade::module_step const* step;
    upgrade::module_report* report;
  };
  group_move(upgrade_run& run, std::vector<member> members, code::prepared set)
      : run_(run), members_(std::move(members)), set_(std::move(set)), pauses_(members_.size()) {}

  /// Asks processes whether they could go: nothing changes. Why not, if one could not.
  std::optional<std::string> try_out();
  /// Why it does not go; then everything of it is as it was.
  std::optional<std::string> up();
  /// Back, when another group does not go.
  void down();
  [[nodiscard]] code::prepared const& set() const noexcept { return set_; }

 private:
  enum class way : bool { up, down };

  bool together() const noexcept {
    return members_.front().step->mode == upgrade::mode_type::together;
  }
  std::optional<std::string> load();
  void restore();
  void take_back();
  void purge_later_versions();

  std::optional<std::string> change_all(way to);
  std::optional<std::string> change_round(std::size_t i, std::vector<pid> users, way to);
  std::optional<std::string> hear(std::size_t i, swept const& s, way to);
  std::vector<pid> next_users(std::size_t i);

  void hold_users();
  void hold(std::size_t i, std::vector<pid> const& users);
  void let_all_go();
  void count_pauses();

  upgrade_run& run_;
  std::vector<member> const members_;
  code::prepared const set_;
  std::vector<std::vector<duration>> pauses_;                        // of each member's processes
  std::unordered_set<pid> asked_;                                    // on this way
  std::vector<std::pair<pid, upgrade::module_step const*>> silent_;  // at the trial
  struct held {
    std::size_t member;
    node_clock::time_point since;
    bool changed = false;
  };
  std::unordered_map<pid, held> held_;
  std::vector<pid> held_in_order_;
};

}  // namespace otter::detail
