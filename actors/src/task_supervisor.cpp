// Tasks below a supervisor.

#include <fmt/format.h>

#include <memory>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/link.hpp>
#include <otter/monitor.hpp>
#include <otter/spawn.hpp>
#include <otter/task_supervisor.hpp>

#include "task_go.hpp"

namespace otter::detail {
namespace {

/// Ends a task that its owner could not take over: it waits for its owner, who lives.
struct kill_unless_taken {
  pid process;
  bool taken = false;
  ~kill_unless_taken() {
    if (taken) return;
    try {
      otter::exit(process, exit_reason::kill());
    } catch (std::exception const&) {
      // No memory for the signal: the task waits until its owner ends.
    }
  }
};

}  // namespace

child_result<pid> start_task_child(target const& sup, reactive_ptr body) {
  // A temporary child is started once, so that a start that gives its body away is enough.
  auto once = std::make_shared<reactive_ptr>(std::move(body));
  return dynamic_start_child(
      sup, {.start = [once]() -> tl::expected<pid, start_error> {
              spawn_options const linked{.link = true};
              static_cast<task_body&>(**once).come_from(origin_of_spawned(linked));
              return spawn_reactive(linked, std::move(*once)).process;
            },
            .restart = restart_type::temporary});
}

task_core start_supervised_task(target const& sup, reactive_ptr body, bool linked,
                                task_reply_type const& reply) {
  child_result<pid> const child = start_task_child(sup, std::move(body));
  if (!child)
    throw error(errc::system_limit, fmt::format("cannot start a task below {}: {}", sup.process,
                                                to_string(child.error())));
  kill_unless_taken guard{*child};
  task_core task(*child, monitor(*child, alias_mode::reply_demonitor), linked, reply);
  guard.taken = true;
  if (linked) {
    try {
      otter::link(*child);
    } catch (error const& e) {
      // Its supervisor has ended it meanwhile. The `down` says so, and await() with it.
      if (e.code() != errc::noproc) throw;
    }
  }
  return release_task(std::move(task));
}

}  // namespace otter::detail

namespace otter {

start_result<task_supervisor> task_supervisor::start_link(dynamic_flags flags,
                                                          start_options const& options) {
  auto started = dynamic_supervisor::start_link(flags, options);
  if (!started) return tl::unexpected<start_error>(std::move(started.error()));
  return server_ref<task_supervisor>(started->process());
}

}  // namespace otter
