#pragma once

// process/terminate.hpp - the last word when a process must end and a noexcept function forbids it.
//
// The token that unwinds a process may only pass frames that let exceptions through. A call that
// may exit inside a destructor or another noexcept function, without a defer_exit guard, is an
// error of the program, and the language ends the program for it. Then at least it shall say which
// process, which function and what to do about it.

namespace otter::rts {

/// Installs the terminate handler in front of the program's own, unless it stands there. It speaks
/// only if the unwinding token is the reason, and always hands on. Called for each node, from any
/// thread.
void install_terminate_handler() noexcept;

}  // namespace otter::rts
