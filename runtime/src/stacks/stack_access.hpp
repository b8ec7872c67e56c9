#pragma once

// stacks/stack_access.hpp - this room's key to the private part of a stack.

#include "stacks/stack.hpp"

namespace otter::rts {

struct stack_access {
  static void place(stack& s, std::byte* low, std::byte* high, stack_slab* slab, stack_class kind,
                    guard_kind guard) noexcept {
    s.low_ = low;
    s.high_ = high;
    s.slab_ = slab;
    s.kind_ = kind;
    s.guard_ = guard;
    s.deepest_ = high;
  }
  static stack_slab* slab(stack const& s) noexcept { return s.slab_; }

  static void*& context(stack& s) noexcept { return s.context_; }
  static void*& thread(stack& s) noexcept { return s.thread_; }
  static void*& caught(stack& s) noexcept { return s.caught_; }
  static unsigned int& uncaught(stack& s) noexcept { return s.uncaught_; }
  static unsigned int& valgrind_id(stack& s) noexcept { return s.valgrind_id_; }
  static std::byte*& deepest(stack& s) noexcept { return s.deepest_; }
  static std::byte* deepest(stack const& s) noexcept { return s.deepest_; }
  static std::byte*& left_at(stack& s) noexcept { return s.left_at_; }
  static std::byte* left_at(stack const& s) noexcept { return s.left_at_; }
  static bool& painted(stack& s) noexcept { return s.painted_; }
  static bool painted(stack const& s) noexcept { return s.painted_; }
  static stack_entry& entry(stack& s) noexcept { return s.entry_; }
  static void*& argument(stack& s) noexcept { return s.argument_; }
  static void*& fake_stack(stack& s) noexcept { return s.fake_stack_; }
  static void*& fiber(stack& s) noexcept { return s.fiber_; }
};

}  // namespace otter::rts
