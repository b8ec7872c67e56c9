#pragma once

// otter/attached_thread.hpp - a plain thread takes part in a node.
//
//   otter::attached_thread   while it lives, the calling thread has a pid and a mailbox: it can
//                            spawn, send, link, monitor, call and receive
//
// A foreign event loop waits on event_fd() and then drains the mailbox with receive(...,
// after(0s)).

#include <memory>
#include <otter/node.hpp>
#include <otter/pid.hpp>

namespace otter {

/// Gives the constructing thread a pid on `n`. One per thread; must be destroyed on it, before
/// the node. A thread waits by blocking itself; nothing else differs from a process, except that
/// it cannot be killed: an exit signal makes the next receive or call throw process_exit.
class attached_thread {
 public:
  explicit attached_thread(node& n);
  ~attached_thread();
  attached_thread(attached_thread const&) = delete;
  attached_thread& operator=(attached_thread const&) = delete;

  pid self() const noexcept { return self_; }
  /// A descriptor that is readable while signals have come that the thread has not taken in; owned
  /// by this object. The next receive takes in all of them, so a loop receives until nothing is
  /// left: what it leaves in the mailbox does not make the descriptor readable again.
  int event_fd();

 private:
  pid self_;
  void* state_;
};

}  // namespace otter
