#pragma once

// application_master.hpp - the process that starts one application, leads its processes, and stops
// it.
//
//   otter::detail::spawn_application_master()   starts one, below the caller
//   otter::detail::application_began, application_failed, application_ended
//                                               what it tells the controller
//   otter::detail::env_changed                  what it is asked
//   otter::detail::kill_group()                 ends all processes of an application
//
// It runs the program's code in start() and stop(), and so may take long or hang; the controller
// never waits for it but at the end of the node, and then within a limit.

#include <memory>
#include <otter/exit_reason.hpp>
#include <otter/pid.hpp>
#include <tl/expected.hpp>
#include <vector>

#include "application_table.hpp"

namespace otter::detail {

struct application_began {
  pid master;
  pid top;
};
struct application_failed {
  pid master;
  exit_reason why;
};
/// It has stopped; none of its processes is left but the master, which ends now.
struct application_ended {
  pid master;
  exit_reason reason;
};

/// Its application's environment has become another one. The answer: why config_change() failed.
struct env_changed {
  using reply = tl::expected<void, exit_reason>;
  env_change change;
};

/// What a master is to run.
struct application_plan {
  spec_ptr spec;
  std::vector<spec_ptr> included;  // all, those of others too, in the order of their phases
  pid controller;
  std::shared_ptr<application_table> table;
};

/// Called from: the controller. Blocks: never. Exits: may.
pid spawn_application_master(application_plan plan);

/// Kills all processes whose group leader is `leader`, but not itself, and waits until none is
/// left, also of those that they start meanwhile (APP-13). Ends in any case: one that does not obey
/// is given up by the node. Called from: a process. Blocks: until then. Exits: may.
void kill_group(pid leader);

/// A report at level error: `application "shop": ` and `text`. Never throws.
void report_application(std::string_view application, std::string_view text,
                        exit_reason const& why) noexcept;

}  // namespace otter::detail
