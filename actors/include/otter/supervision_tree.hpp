#pragma once

// otter/supervision_tree.hpp - looking at a supervisor and at all that is below it.
//
//   otter::supervision_tree()   asks the supervisors of a tree, and makes a value of the answers
//   otter::supervised           one place of the tree, and those below it
//   otter::to_string()          as text
//
//     std::puts(to_string(otter::supervision_tree("top")).c_str());
//
//     "top" <0.3.0>, one_for_one supervisor
//     |-- store: "store" <0.4.0>, permanent worker          (in UTF-8, with the lines of `tree`)
//     |-- sessions: <0.5.0>, dynamic supervisor, permanent
//     |   |-- <0.8.0>, temporary worker
//     |   `-- and 99999 more
//     |-- feed: permanent worker, restarting
//     `-- rooms: <0.6.0>, permanent supervisor, has not said what is below it: timeout
//
// Only supervisors are asked, all of a level at once and each as soon as its own supervisor has
// answered. So a worker that is stuck is shown like any other, and a supervisor that is stuck hides
// what is below it, and nothing else. The answers are of different moments: the tree lives on.

#include <chrono>
#include <cstddef>
#include <optional>
#include <otter/child_spec.hpp>
#include <otter/exit_reason.hpp>
#include <otter/gen.hpp>
#include <otter/pid.hpp>
#include <otter/server_ref.hpp>
#include <string>
#include <vector>

namespace otter {

enum class child_state : unsigned char {
  running,
  restarting,  ///< its restart failed and is tried again, or waits for its back-off
  stopped,     ///< it is known, and does not run
};

/// One place of a supervision tree.
struct supervised {
  std::string id{};    ///< empty for the root, and for children of a dynamic_supervisor
  pid process{};       ///< none unless it runs
  std::string name{};  ///< registered on the node; empty: none
  child_type type = child_type::worker;
  std::optional<restart_type> restart{};  ///< none for the root
  child_state state = child_state::running;

  std::string kind{};                  ///< of a supervisor that has answered, for people
  std::vector<supervised> children{};  ///< of a supervisor that has answered; in start order
  std::size_t left_out = 0;            ///< more children, which were not asked for
  /// Why a supervisor has not said what is below it: timeout, noproc, unknown_request if it is none
  /// of otter's, calling_self if the caller is that supervisor.
  std::optional<exit_reason> unknown{};
};

/// As lines, without a line break at the end.
[[nodiscard]] std::string to_string(supervised const& tree);

struct supervision_tree_options {
  duration limit = default_call_limit;  ///< for all answers together
  std::size_t most_children = 100;      ///< of each supervisor; the others are counted
};

namespace detail {
supervised ask_supervision_tree(target const& root, supervision_tree_options const& options);
}  // namespace detail

/// The tree below `root`, at most 64 levels deep. A root that has ended, or is no supervisor, is no
/// error: `unknown` says so.
///
/// Called from: a process, or an attached thread. Blocks: until all have answered, at most for the
/// limit. Exits: may. Throws: error(timeout_value); std::bad_alloc.
template <server_address Address>
supervised supervision_tree(Address const& root, supervision_tree_options const& options = {}) {
  return detail::ask_supervision_tree(detail::locate(root), options);
}

}  // namespace otter
