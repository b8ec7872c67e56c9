#pragma once

// otter/dynamic_supervisor.hpp - a supervisor of very many children that come and go.
//
//   otter::dynamic_supervisor   the operations, all static
//   otter::dynamic_flags        how many restarts are too many, and how many children
//
// It starts without children. They are named by their pids, have no order, and are restarted each
// for itself. To start or stop one costs the same with ten children and with a hundred thousand.
// When it ends it tells all of them at once, and each has its own shutdown_limit from then on.
// Arguments are what a child's start captures: it knows no others (DS-3).
//
// For a few children that belong together, see otter/supervisor.hpp.

#include <chrono>
#include <cstddef>
#include <limits>
#include <otter/child_spec.hpp>
#include <otter/gen.hpp>
#include <otter/restart_backoff.hpp>
#include <otter/server_ref.hpp>
#include <otter/start.hpp>
#include <vector>

namespace otter {

struct dynamic_flags {
  unsigned intensity = 3;  ///< so many restarts within `period`, of all children together
  duration period = std::chrono::seconds(5);
  /// Those that are restarting count too (DS-2).
  std::size_t max_children = std::numeric_limits<std::size_t>::max();
  restart_backoff backoff{};  ///< of each child for itself
};

namespace detail {
child_result<pid> dynamic_start_child(target const& to, child_spec spec);
child_result<void> dynamic_terminate_child(target const& to, pid child);
std::vector<child_info> dynamic_which_children(target const& to);
child_count dynamic_count_children(target const& to);
}  // namespace detail

/// All operations wait without limit for its answer; they throw as otter::call() if it ends
/// meanwhile. Called from: a process, or an attached thread.
class dynamic_supervisor {
 public:
  static start_result<dynamic_supervisor> start_link(dynamic_flags flags = {},
                                                     start_options const& options = {});

  /// Starts a child; `spec.id` is not used. No process: the start said `ignored`, and nothing is
  /// kept. What a temporary child's start holds is released when it runs.
  template <server_address Address>
  static child_result<pid> start_child(Address const& sup, child_spec spec) {
    return detail::dynamic_start_child(detail::locate(sup), std::move(spec));
  }
  /// Stops a child and forgets it. One that has just ended is no error; a process that is no child
  /// is `not_found` (SUP-37). A child that is restarting is named by the process that it was last:
  /// its restart is taken back (SUP-24).
  template <server_address Address>
  static child_result<void> terminate_child(Address const& sup, pid child) {
    return detail::dynamic_terminate_child(detail::locate(sup), child);
  }
  /// All children, in no order.
  template <server_address Address>
  static std::vector<child_info> which_children(Address const& sup) {
    return detail::dynamic_which_children(detail::locate(sup));
  }
  template <server_address Address>
  static child_count count_children(Address const& sup) {
    return detail::dynamic_count_children(detail::locate(sup));
  }
};

}  // namespace otter
