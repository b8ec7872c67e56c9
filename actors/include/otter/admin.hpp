#pragma once

// otter/admin.hpp - looking at the modules of a running node, and upgrading them, from a shell.
//
//   otter::admin::start_link()   listens on a Unix socket for who may administer the node
//   otter::admin::options        where, and what is allowed
//
//     otter::child_spec{.id = "admin", .start = [] {
//       return otter::admin::start_link({.socket = "/run/shop/admin.socket",
//                                        .read_plan = otter::upgrade::read_plan_file});
//     }}
//
//     $ otter_upgrade --socket /run/shop/admin.socket --modules
//     $ otter_upgrade --socket /run/shop/admin.socket --dry-run next.toml
//     $ otter_upgrade --socket /run/shop/admin.socket next.toml
//
// Who can connect can run any code in this program, with an upgrade: so the socket is a file that
// only the program's own user (and root) may use. Put it into a folder that nobody else can write.
//
// What is spoken: a request is one line of at most 4,095 bytes. The answer is lines that begin with
// a blank, as they come about, and at the end `ok`, or `error: ` and why. Then the next request may
// follow.
//
//     modules                     what is loaded
//     upgrade PLAN                applies the plan in that file, a path that begins with /
//     upgrade --dry-run PLAN      checks it
//     help                        these lines
//
// What is no request, or too long, is answered with an error; too long, or nothing within the idle
// limit, ends the connection. An upgrade goes on when its client goes away.

#include <functional>
#include <otter/duration.hpp>
#include <otter/start.hpp>
#include <otter/upgrade.hpp>
#include <string>
#include <tl/expected.hpp>

namespace otter::admin {

struct options {
  /// The file of the socket. One that is left of a program that has crashed is replaced; one at
  /// which somebody answers is not.
  std::string socket{};
  /// Reads the file that `upgrade` names: upgrade::read_plan_file(), or a function of the program's
  /// own, on a thread of the pool; what it throws is the answer. Empty: there are no upgrades.
  std::function<upgrade::plan(std::string const& file)> read_plan{};
  /// Of upgrades; `progress` is not used.
  otter::upgrade::options upgrade{};
  duration idle_limit = std::chrono::seconds(60);
  /// So many clients are served at once; others wait.
  std::size_t clients = 4;
};

/// Starts it, linked to the caller: for a child_spec. It ends, and the file is gone, with what
/// ends its process.
///
/// Called from: a process. Blocks: until it listens. Exits: may.
/// Returns an error: failed, with a reason that says why it cannot listen, and what to do.
[[nodiscard]] tl::expected<pid, start_error> start_link(options how);

}  // namespace otter::admin
