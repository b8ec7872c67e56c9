#pragma once

// otter/alias.hpp - a destination that can be switched off.
//
//   otter::alias()     makes a ref that delivers to the calling process while it is active
//   otter::unalias()   ends it
//
// Sent to like a pid: send(alias, message). Once it is inactive, what is sent through it is
// dropped before it reaches the mailbox, so that late replies never pollute it (AL-8).

#include <otter/monitor.hpp>
#include <otter/ref.hpp>

namespace otter {

/// Makes an alias of the calling process. `mode` is explicit_unalias or reply (AL-2).
///
/// Called from: a process, or an attached thread. Blocks: never. Exits: never.
/// Throws: std::bad_alloc; error(badarg) for another mode.
alias_ref alias(alias_mode mode = alias_mode::explicit_unalias);

/// Ends an alias. True if it was active and the caller's (AL-4). Messages queued already stay.
///
/// Called from: the process that made it. Blocks: never. Exits: never. Throws: never.
bool unalias(alias_ref name) noexcept;

/// A fresh ref of the calling process. A receive_from(ref, ...) made with it does not look at
/// messages that were already in the mailbox when the ref was made (MB-11, MB-12).
///
/// Called from: a process, or an attached thread. Blocks: never. Throws: never.
ref make_ref() noexcept;

}  // namespace otter
