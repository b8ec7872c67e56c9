#pragma once

// What the modules "sums" of code_tests and the tests say to each other.

#include <otter/code.hpp>
#include <otter/pid.hpp>
#include <string>

namespace sums {

/// From a step of `tick`, or from a process that a module has started.
struct report {
  otter::pid from;
  std::string version;
};
struct go_on {};

using tick = otter::code::latest<otter::code::next_call(otter::pid)>;

}  // namespace sums
