#pragma once

// What the greeter understands, whatever its version: shared by the module and the program.

#include <otter/code.hpp>
#include <otter/pid.hpp>
#include <otter/start.hpp>
#include <string>
#include <tl/expected.hpp>

struct greet {
  using reply = std::string;
  std::string name;
};

using start_greeter = otter::code::latest<tl::expected<otter::pid, otter::start_error>()>;
