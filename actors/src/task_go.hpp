#pragma once

// task_go.hpp - how the owner of a task tells it to begin.

#include <otter/detail/task_core.hpp>
#include <otter/ref.hpp>

namespace otter::detail {

/// The first message to a task. The alias is the owner's monitor: so one name serves both, and the
/// answer ends it.
struct task_go {
  alias_ref answer_to;
};

/// Tells it; if that cannot be done, the task is killed.
task_core release_task(task_core task);

}  // namespace otter::detail
