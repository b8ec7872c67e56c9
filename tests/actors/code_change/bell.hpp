#pragma once

// What the versions of the module "bell" and code_change_tests say to each other.

#include <otter/code.hpp>
#include <otter/pid.hpp>
#include <string>

namespace bells {

struct ring {
  int loud;
};
/// An event: each handler says to that process what it is and has heard.
struct tell {
  otter::pid to;
};
struct told {
  std::string text;
};

/// (manager, id): a bell, or a gong, of the current version is added there.
using adder = otter::code::latest<void(otter::pid, std::string)>;

}  // namespace bells
