#pragma once

// scheduler/runnable.hpp - what a scheduler runs. The room above (process) derives from it; the
// scheduler itself knows nothing of processes.

#include <cstdint>

#include "stacks/stack.hpp"

namespace otter::rts {

class worker;

/// Priorities, most urgent first. `max` is the runtime's own work.
enum class priority_level : std::uint8_t { max, high, normal, low };

/// Something that is run in turns, at most one at a time.
///
/// Ownership: the scheduler never owns a runnable; between submit() and the start of the turn it
///            holds a pointer to it in exactly one queue.
/// Threads:   a runnable that nobody has submitted is touched by nobody. submit() is called by the
///            one who won the right to do so (for a process: who replaced the idle mark of its
///            inbox). `frames`, and the owner of that stack, are written only by the thread that
///            runs it, before it publishes that it waits, and read only by who won the word after
///            that.
/// Invariant: frames != nullptr  =>  their owner is the worker whose thread they are on, and only
///            that thread continues them.
class runnable {
 public:
  /// One turn. Called by a worker's loop directly on the worker's stack, in the runtime (not in
  /// user code). It may suspend in the middle (see suspend.hpp). When it returns, the runnable may
  /// already run elsewhere or be reused: the loop does not touch it again.
  virtual void run() noexcept = 0;

 protected:
  runnable() = default;
  ~runnable() = default;
  runnable(runnable const&) = delete;
  runnable& operator=(runnable const&) = delete;

 public:
  /// The thread that its frames are on, or null: any may run it.
  worker* home() const noexcept {
    return frames == nullptr ? nullptr : static_cast<worker*>(frames->owner);
  }
  runnable* queue_next = nullptr;  ///< link of the queue that holds it; the scheduler's
  stack* frames = nullptr;         ///< the suspended stack, or null between turns
  priority_level priority = priority_level::normal;
  bool measured = false;  ///< its stack is painted before each turn; never with a small one
  stack_class stack_kind = stack_class::small;  ///< class of stack that its turns want
  std::uint32_t stack_bytes = 0;                ///< how many, for stack_class::exact
};

}  // namespace otter::rts
