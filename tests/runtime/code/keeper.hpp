#pragma once

// What the module "keeper" of code_tests leaves with others, so that a version of it is held.

#include <cstdint>
#include <functional>
#include <otter/code.hpp>
#include <otter/monitor.hpp>
#include <otter/pid.hpp>
#include <otter/timer.hpp>

namespace keeper {

struct go_on {};

template <class Signature>
using call = otter::code::latest<Signature>;

/// An address of its code.
inline std::uintptr_t address() { return call<std::uintptr_t()>("keeper", "address")(); }

}  // namespace keeper
