#pragma once

// scheduler/turn_loop.hpp - running turns on lent stacks. Both drivers use it.
//
// The story, in the words of doc/scheduler.md ("Stacks are lent"):
//
//   1. A loop frame lies at the bottom of every pool stack. It asks the driver for the next
//      runnable and runs it right there.
//   2. A runnable that suspends keeps the stack, loop frame and all; the thread goes on in the
//      loop frame of its reserve stack.
//   3. To continue a suspended runnable the loop switches to its stack. Once there, the loop's own
//      stack is put away: as the reserve, or into the pool.
//   4. When the continued turn ends, it returns into the loop frame below it.
//   5. A runnable that wants a larger stack runs in an activation frame on one; at the end of its
//      turn that frame puts its own stack away and goes back to the reserve.
//
// Nothing with a destructor lives in a loop or activation frame: the source forgets such frames.

#include "scheduler/runnable.hpp"
#include "stacks/stack_pool.hpp"
#include "stacks/switch.hpp"

namespace otter::rts {

/// Gives the next runnable, with everything set for its turn, or null to leave the loop.
using next_turn = runnable* (*)(void* driver) noexcept;

/// Ownership: of the stacks of one OS thread, through its pool.
/// Threads:   the thread that calls run().
/// Invariant: while anything but a loop frame runs, reserve_ holds a small stack, or reserve() is
///            called before the next suspension.
class turn_loop {
 public:
  turn_loop(stack_source& source, next_turn next, void* driver) noexcept;
  turn_loop(turn_loop const&) = delete;
  turn_loop& operator=(turn_loop const&) = delete;
  ~turn_loop() = default;

  /// From the thread's own stack: runs turns until the driver gives null. Throws std::bad_alloc if
  /// there is no memory for the first stack.
  void run();

  /// Makes sure that suspend() has a stack to go on with. Throws: std::bad_alloc.
  void reserve() {
    if (reserve_ == nullptr) reserve_ = pool_.take(stack_class::small);
  }
  /// The stack that is running now.
  stack* here() const noexcept { return here_; }

  /// Leaves the running stack, which somebody has noted in a runnable, for the reserve. Returns
  /// when the loop continues that runnable.
  void suspend() noexcept;

  /// Leaves the running stack for good, frames and all.
  [[noreturn]] void desert();

  std::size_t pooled() const noexcept { return pool_.size(stack_class::small); }

  /// For the frames at the bottom of stacks.
  struct frames;

 private:
  void go_to(stack& to) noexcept;
  void arrive() noexcept;
  void prepare(stack& s, stack_entry entry) noexcept;
  void activate(runnable& r) noexcept;

  stack_pool pool_;
  next_turn const next_;
  void* const driver_;
  stack* here_ = nullptr;
  stack* reserve_ = nullptr;
  stack* left_ = nullptr;          // the stack just left, to be put away by whoever arrives
  stack* outside_ = nullptr;       // the thread's own stack, while run() runs
  runnable* activated_ = nullptr;  // for the activation frame switched to
};

/// The loop of this OS thread. Never inlined: the compiler would keep the address of the
/// thread-local across a switch.
turn_loop* current_turn_loop() noexcept;

}  // namespace otter::rts
