#pragma once

// otter/upgrade_toml.hpp - plans of upgrades out of TOML files.
//
//   otter::upgrade::read_plan_file()   the plan in a file
//   otter::upgrade::read_plan()        the same of a text
//
//     application = "shop"            # for people
//
//     [[module]]                      # one for each, in the order in which they go
//     name = "store"
//     file = "store-2.so"             # beside the plan, unless it begins with /
//     from = "1"                      # or ["1", "1.1"]; without it, whatever is current
//     to = "2"
//
//     [[module]]
//     name = "shop"
//     file = "shop-2.so"
//     from = "1"
//     to = "2"
//     depends_on = ["store 2", "log"] # a module that goes first or is there, perhaps its version
//     mode = "together"               # hold all its processes meanwhile; else "one by one"
//     extra = "keep the old carts"    # what its hooks are told
//     purge = "brutal"                # kill who is two versions behind; else "soft": refuse
//
// For the library otter::toml, as otter/application_toml.hpp.

#include <otter/upgrade.hpp>
#include <string>
#include <string_view>

namespace otter::upgrade {

/// Nothing is believed: a key that a plan does not have, a value of the wrong kind, a module that
/// is there twice, modules that need each other in a circle are refused.
///
/// Called from: any thread; it reads the whole file, so in a process from a job of blocking().
/// Throws: std::runtime_error: `file:line: ` with the key and what is wrong there; or why it cannot
/// be read.
[[nodiscard]] plan read_plan_file(std::string const& file);
/// The same of a text; `file` is for errors, and module files are beside it.
[[nodiscard]] plan read_plan(std::string_view text, std::string_view file = "toml");

}  // namespace otter::upgrade
