#pragma once

// What the versions of the modules "lamp" and "desk" and upgrade_tests say to each other. The types
// are of external linkage, and so the same in all of them.

#include <otter/code.hpp>
#include <otter/pid.hpp>
#include <otter/start.hpp>
#include <string>
#include <tl/expected.hpp>

namespace lamps {

struct add {
  int by;
};
/// "version: value".
struct look {
  using reply = std::string;
};
/// It tells `whom`, and is stuck in the middle of this until it gets go_on.
struct get_stuck {
  otter::pid whom;
};
struct stuck {};
struct go_on {};
/// It starts so many others of its own version, one with each message, and sends them to `whom`.
struct start_more {
  int count;
  otter::pid whom;
};

using started = tl::expected<otter::pid, otter::start_error>;
using starter = otter::code::latest<started(int)>;
/// A process that runs a function of the module and takes no system messages, until go_on.
using plain_starter = otter::code::latest<otter::pid()>;

}  // namespace lamps
