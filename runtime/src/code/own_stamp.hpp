#pragma once

// code/own_stamp.hpp - the headers that this runtime was compiled against; own_stamp.cpp is
// generated.

#include <otter/detail/abi_stamp.hpp>

namespace otter::rts {

extern const char own_stamp[];

}  // namespace otter::rts
