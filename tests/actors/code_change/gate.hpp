#pragma once

// What the versions of the module "gate" and code_change_tests say to each other.

#include <memory>
#include <otter/code.hpp>
#include <otter/pid.hpp>
#include <string>

namespace gating {

/// Counted by an open gate; a locked one postpones it.
struct push {};
/// Goes to that state.
struct go_to {
  std::string state;
};
/// Is answered when the gate is open: a locked one postpones it.
struct pass {
  using reply = std::string;
};
/// Is answered by release.
struct hold {
  using reply = std::string;
};
struct release {};
/// Something that can only be moved.
struct keep {
  std::unique_ptr<std::string> what;
};
/// After an hour the gate locks itself, and after two it rings.
struct be_careful {};
/// Rings after that hour; the name says whose.
struct ring {};
/// Another callback module takes over, and gives back at the next push.
struct disguise {};
/// All that there is to be seen, whatever the version.
struct look {
  using reply = std::string;
};

using starter = otter::code::latest<otter::pid(int)>;

}  // namespace gating
