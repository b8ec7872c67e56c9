#pragma once

// What the light understands, whatever its version: shared by the module and the program.

#include <otter/code.hpp>
#include <otter/pid.hpp>
#include <otter/start.hpp>
#include <string>
#include <tl/expected.hpp>

struct flash {
  using reply = std::string;
};

using start_light = otter::code::latest<tl::expected<otter::pid, otter::start_error>()>;
