// scheduler/turn_loop.cpp - loop frames, activation frames, and the switches between them.

#include "scheduler/turn_loop.hpp"

#include <cstdlib>

#include "base/cache_line.hpp"
#include "stacks/depth.hpp"

namespace otter::rts {
namespace {

thread_local turn_loop* this_loop = nullptr;

}  // namespace

OTTER_NOINLINE turn_loop* current_turn_loop() noexcept {
  asm volatile("");  // keeps gcc from merging two calls into one
  return this_loop;
}

struct turn_loop::frames {
  /// Turns until this stack is left by the loop itself, which returns after the switch back.
  OTTER_NOINLINE static void turns(turn_loop& l) noexcept {
    for (;;) {
      runnable* const r = l.next_(l.driver_);
      if (r == nullptr) {
        l.left_ = l.here_;
        l.go_to(*l.outside_);
        return;
      }
      if (r->frames != nullptr) {
        stack& theirs = *r->frames;
        r->frames = nullptr;
        l.left_ = l.here_;
        l.go_to(theirs);
        return;
      }
      if (r->stack_kind == stack_class::small) [[likely]] {
        r->run();  // frames never change threads, so `l` is still this thread's
        continue;
      }
      l.activate(*r);
      return;
    }
  }

  static void loop(void*) noexcept {
    for (;;) {
      turn_loop& l = *current_turn_loop();
      l.arrive();
      turns(l);
    }
  }

  static void activation(void*) noexcept {
    for (;;) {
      turn_loop& l = *current_turn_loop();
      l.arrive();
      runnable* const r = l.activated_;
      l.activated_ = nullptr;
      if (r->measured) paint(*l.here_);
      r->run();
      // *r may be gone. The reserve is there: whoever brought us here, to start or to continue,
      // came from a loop stack, which arrive() made the reserve if there was none.
      stack& back = *l.reserve_;
      l.reserve_ = nullptr;
      l.left_ = l.here_;
      l.go_to(back);
    }
  }
};

turn_loop::turn_loop(stack_source& source, next_turn next, void* driver) noexcept
    : pool_(source), next_(next), driver_(driver) {}

void turn_loop::run() {
  turn_loop* const outer = this_loop;
  stack* const first = pool_.take(stack_class::small);
  thread_stack own;
  this_loop = this;
  outside_ = &own;
  here_ = &own;
  prepare(*first, &frames::loop);
  go_to(*first);
  arrive();
  outside_ = nullptr;
  here_ = nullptr;
  if (reserve_ != nullptr) {
    pool_.put(reserve_);
    reserve_ = nullptr;
  }
  pool_.release_all();  // on the thread that used them
  this_loop = outer;
}

void turn_loop::suspend() noexcept {
  stack& other = *reserve_;
  reserve_ = nullptr;
  prepare(other, &frames::loop);
  go_to(other);
  arrive();  // frames never change threads, so this is still the loop of this one
}

void turn_loop::desert() {
  reserve();
  stack& other = *reserve_;
  reserve_ = nullptr;
  prepare(other, &frames::loop);
  go_to(other);
  std::abort();  // nobody knows this stack any more
}

void turn_loop::prepare(stack& s, stack_entry entry) noexcept {
  if (!s.has_context()) make_context(s, entry, nullptr);
}

void turn_loop::go_to(stack& to) noexcept {
  stack& from = *here_;
  here_ = &to;
  switch_to(from, to);
}

/// Puts away the stack that was left on the way here: only now does nothing run on it any more.
void turn_loop::arrive() noexcept {
  stack* const s = left_;
  if (s == nullptr) return;
  left_ = nullptr;
  if (reserve_ == nullptr && s->kind() == stack_class::small) {
    reserve_ = s;
  } else {
    pool_.put(s);
  }
}

/// Runs `r` on a stack of the class that it wants.
void turn_loop::activate(runnable& r) noexcept {
  stack* s = nullptr;
  try {
    s = pool_.take(r.stack_kind, r.stack_bytes);
  } catch (std::bad_alloc const&) {
    // No memory for a large stack: the next size that the thread has is the loop's own. To run
    // there is better than to end the node; an overflow would hit the guard.
    r.run();
    return;
  }
  prepare(*s, &frames::activation);
  activated_ = &r;
  left_ = here_;
  go_to(*s);
}

}  // namespace otter::rts
