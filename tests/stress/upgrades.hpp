#pragma once

// What the module "meter" of the upgrade stress and who uses it say to each other.

#include <otter/code.hpp>
#include <otter/pid.hpp>
#include <otter/start.hpp>

namespace metering {

struct add {
  int by = 0;
};
struct look {
  using reply = long;
};
/// The server's own timer: each one starts the next.
struct tick {};

using started = tl::expected<otter::pid, otter::start_error>;
using starter = otter::code::latest<started()>;

}  // namespace metering
