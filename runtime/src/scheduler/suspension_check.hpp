#pragma once

// scheduler/suspension_check.hpp - a place where a checker may look at each suspension. See
// mutex_check.cpp, which is the only one and linked in the `dev` preset.

namespace otter::rts {

/// Called just before the running turn leaves its stack, on its thread.
using suspension_check = void (*)() noexcept;

/// Null, or the check. Written before main() by the checker that is linked; constant afterwards.
extern suspension_check at_suspension;

}  // namespace otter::rts
