#pragma once

// What the versions of the module "shop" and code_change_tests say to each other.

#include <otter/code.hpp>
#include <otter/pid.hpp>
#include <string>

namespace shops {

/// Which version a clerk is of, and where.
struct look {
  using reply = std::string;
};

/// (town): a supervisor.
using starter = otter::code::latest<otter::pid(std::string)>;

}  // namespace shops
