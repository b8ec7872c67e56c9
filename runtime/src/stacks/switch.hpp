#pragma once

// stacks/switch.hpp - leaving one stack and continuing on another.
//
//   make_context()   prepares a stack on which nothing has run
//   switch_to()      suspends here, continues there
//   discard_context() forgets what waits on a stack, so that any thread may start on it anew
//   thread_stack     stands for the stack that the OS gave to this thread
//
// Contexts are symmetric: nobody is anybody's caller, and a context that has been started is never
// made again but only continued. Nothing is unwound here.

#include "stacks/stack.hpp"

namespace otter::rts {

/// The next switch to `s` calls entry(argument) at the top of it.
///
/// `s` must have no context (stack::has_context()). If `entry` returns, the program aborts.
///
/// Called from: the thread that will switch to `s`. Blocks: never.
void make_context(stack& s, stack_entry entry, void* argument) noexcept;

/// Suspends the running code in `from`, whose stack it is running on, and continues `to`. Returns
/// when somebody switches back to `from`.
///
/// Travels with the stack: registers, floating-point control words, the exceptions that are being
/// thrown or handled (so one may switch inside a catch block). Belongs to the thread, and may have
/// changed on return: errno, and every thread_local that other code on this thread writes.
///
/// Aborts with a message if `to` has no context, if it is suspended on another OS thread, or if
/// `from` turns out to have overflowed.
///
/// Called from: code running on `from`. Blocks: no, but returns late. Throws: never.
void switch_to(stack& from, stack& to) noexcept;

/// Forgets the frames suspended on `s` without unwinding them: it is as if never used. Frames to
/// which this is done must hold nothing that has a destructor: a scheduling loop's are so.
///
/// Called from: the thread that `s` was suspended on. Blocks: never.
void discard_context(stack& s) noexcept;

/// The OS thread's own stack, as something to switch away from and to come back to.
///
/// Construct it on the thread that it stands for and destroy it there, while running on that very
/// stack. Not for pools.
class thread_stack : public stack {
 public:
  thread_stack() noexcept;
  ~thread_stack();
};

}  // namespace otter::rts
