#pragma once

// process/spawn.hpp - starting a process, for the rooms above.

#include <otter/spawn.hpp>

#include "process/process_system.hpp"
#include "process/signals.hpp"

namespace otter::rts {

/// What few spawns want.
struct spawn_extras {
  spawn_signal* request = nullptr;  ///< a spawn request: taken over unless it throws
  envelope* tag = nullptr;          ///< of the monitor: likewise
  detail::down_maker make = nullptr;
  bool for_start = false;  ///< the child can end the monitor: end_start_monitor()
};

/// Starts a process. `parent` is null for one that is started from outside; then `local` and
/// `memory` are what the system lends foreign threads, under its mutex. Throws as otter::spawn().
spawned spawn_process(process_system& system, local_state& local, slab& memory, process* parent,
                      spawn_options const& options, reactive_ptr body,
                      spawn_extras const& extras = {});

/// Throws: error(badarg).
void check_name(std::string_view name);
void register_process(process_system& system, std::string_view name, pid who);

}  // namespace otter::rts
