#pragma once

// otter/fault.hpp - what a simulation can let happen at a safe point.
//
//   otter::fault           nothing, a kill, or an exception
//   otter::injected_fault  that exception
//
// See simulation_options::at_safe_point.

#include <stdexcept>

namespace otter {

enum class fault : unsigned char {
  none,
  kill,   ///< as if an untrappable kill had just arrived
  raise,  ///< injected_fault is thrown, unless the process may not be unwound here
};

/// What fault::raise throws.
class injected_fault : public std::runtime_error {
 public:
  injected_fault() : std::runtime_error("injected at a safe point") {}
};

}  // namespace otter
