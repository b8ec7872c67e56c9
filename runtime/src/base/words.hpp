#pragma once

// base/words.hpp - looking for addresses in memory that may be anybody's.

#include <cstddef>
#include <cstdint>

namespace otter::rts {

/// The first aligned word from `at` on that is an address in [low, high); `end` if there is none.
/// What is poisoned is read too, and what somebody else is writing: then it finds what was there
/// before or what is there after.
///
/// Called from: any thread. Blocks: never. Throws: never.
std::byte const* find_address(std::byte const* at, std::byte const* end, std::uintptr_t low,
                              std::uintptr_t high) noexcept;

/// The word there, likewise.
std::uintptr_t word_at(std::byte const* at) noexcept;

}  // namespace otter::rts
