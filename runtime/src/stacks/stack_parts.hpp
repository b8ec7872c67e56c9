#pragma once

// stacks/stack_parts.hpp - all memory in which frames that wait on a stack may keep an address.

#include <cstddef>
#include <functional>
#include <span>

#include "stacks/stack.hpp"

namespace otter::rts {

/// Calls look(memory) for what is suspended on `s`: its frames, registers that were saved with
/// them, variables that AddressSanitizer keeps elsewhere, and the heads of exceptions that are
/// being handled there. What an exception object holds is not seen.
///
/// Called from: who knows that nobody continues it. Throws: what `look` throws.
void each_part(stack const& s, std::function<void(std::span<std::byte const>)> const& look);

/// The same for frames of a stack that is none of ours: [from, end).
void each_part(std::span<std::byte const> frames,
               std::function<void(std::span<std::byte const>)> const& look);

/// Whether an exception is on its way there, in a destructor that waits. It is in no list, so what
/// it is cannot be seen.
bool exception_under_way(stack const& s) noexcept;

}  // namespace otter::rts
