#pragma once

// stacks/guard.hpp - what lies below a stack, so that running over its end is noticed.
//
//   guard_size()       bytes below each stack: one page
//   best_guard()       the best kind on this machine, probed once
//   install_guard()    guards one stack, with `wish` or the next worse kind that works
//   remove_guards()    gives back the budget of a slab's protections before it is unmapped
//   canary_intact()    for stacks guarded so
//
// In order of preference:
//   marker      MADV_GUARD_INSTALL (Linux 6.13): lives in the page table, so that a million guarded
//               stacks remain one mapping. A kernel or emulator may accept the advice and ignore
//               it, hence the probe looks whether the page is really closed. Not under Valgrind,
//               which does not know it and dies of a closed page that it believes open.
//   protection  mprotect: two mappings per stack, and vm.max_map_count (65530 by default) is for
//   the
//               whole program, so a budget leaves an eighth of it to others.
//   canary      one cache line of a pattern under the stack, compared at each switch away. Nothing
//               stops the overflow; the page below takes the damage of the first 4 KiB.

#include <cstddef>

#include "stacks/stack.hpp"

namespace otter::rts {

std::size_t guard_size() noexcept;
guard_kind best_guard() noexcept;

/// Guards the page at `page`. Returns what it became. Never worse than a canary.
guard_kind install_guard(std::byte* page, guard_kind wish) noexcept;

/// `count` guards of kind `protection` are about to be unmapped.
void release_protections(std::size_t count) noexcept;

/// True while the line under `low` is as install_guard() left it.
bool canary_intact(std::byte const* low) noexcept;

/// vm.max_map_count, or its default where it cannot be read.
std::size_t max_map_count() noexcept;

}  // namespace otter::rts
