#pragma once

// What the versions of the module "counter" and code_change_tests say to each other. The types are
// of external linkage, and so the same in all of them.

#include <cstdint>
#include <memory>
#include <otter/code.hpp>
#include <otter/pid.hpp>
#include <otter/start.hpp>
#include <string>
#include <tl/expected.hpp>

namespace counting {

struct add {
  int by;
};
/// All that there is to be seen of the state, whatever the version.
struct look {
  using reply = std::string;
};
/// Is not answered before release comes.
struct hold {
  using reply = std::string;
};
struct release {};
/// A value that can only be moved.
struct keep {
  std::unique_ptr<std::string> secret;
};
struct tick {};
/// A tick comes after an hour.
struct set_alarm {};

/// What version 6 is to be told when a server comes to it.
struct new_unit {
  std::string name;
};

using started = tl::expected<otter::pid, otter::start_error>;
using starter = otter::code::latest<started(int)>;

}  // namespace counting
