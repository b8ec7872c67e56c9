#pragma once

// io/waiter.hpp - a process that waits at a port: for input, for room, for a connection.
//
//   waiter        the entry in the port's list, and the notice that wakes the process
//   waiter_list   in order of arrival
//   wakes         waiters, and others, to be told once the port's lock is free again
//
// The notice may still lie in the process' mailbox when the wait is over (another wake-up came
// first, a kill). So a waiter is a block of its own, that the last of frame, waker and mailbox
// frees, and not a part of the waiting frame.

#include <atomic>
#include <otter/pid.hpp>
#include <utility>

#include "io/accept_gate.hpp"
#include "process/notice.hpp"

namespace otter::rts {

class port;

/// Ownership: counted: the waiting frame, a waker between its decision and post(), and the mailbox
///            in which the notice lies.
/// Threads:   next, listed: under the lock of the port. The rest any.
/// Invariant: flying_ is set from the decision to wake until the owner, or its closed inbox, has
///            given the notice back; one reference belongs to it.
class waiter final : public notice {
 public:
  explicit waiter(pid process) noexcept : process_(process) {}

  void expand(process&, message_sink&) noexcept override { landed(); }
  void refused() noexcept override { landed(); }

  /// Under the port's lock. True if the caller is to post it, with a reference in hand.
  bool take_off() noexcept {
    if (flying_.exchange(true, std::memory_order_acq_rel)) return false;
    references_.fetch_add(2, std::memory_order_relaxed);  // the flight's and the caller's
    return true;
  }
  /// Without a lock.
  void fly() noexcept {
    if (!post(process_)) landed();
    release();
  }
  /// The notice is out of all queues. More than once for one flight does no harm.
  void landed() noexcept {
    if (flying_.exchange(false, std::memory_order_acq_rel)) release();
  }
  void release() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  waiter* next = nullptr;
  waiter* wake_next = nullptr;
  bool listed = false;

 private:
  ~waiter() = default;

  pid const process_;
  std::atomic<int> references_{1};
  std::atomic<bool> flying_{false};
};

/// Threads:   under the lock of the port.
/// Invariant: a circle through waiter::next; last_->next came first.
class waiter_list {
 public:
  bool empty() const noexcept { return last_ == nullptr; }
  waiter* first() const noexcept { return last_ != nullptr ? last_->next : nullptr; }
  void append(waiter& w) noexcept {
    w.next = last_ != nullptr ? std::exchange(last_->next, &w) : &w;
    w.listed = true;
    last_ = &w;
  }
  /// `w` is in the list.
  void remove(waiter& w) noexcept {
    waiter* before = last_;
    while (before->next != &w) before = before->next;
    before->next = w.next;
    if (last_ == &w) last_ = before == &w ? nullptr : before;
    w.listed = false;
  }

 private:
  waiter* last_ = nullptr;
};

/// Declared before the lock, so that its destructor runs after the unlock.
class wakes {
 public:
  wakes() noexcept = default;
  wakes(wakes const&) = delete;
  wakes& operator=(wakes const&) = delete;
  ~wakes() {
    while (first_ != nullptr) {
      waiter& w = *std::exchange(first_, first_->wake_next);
      w.fly();
    }
    if (busy_ != nullptr) post_busy();
  }
  void add(waiter& w) noexcept {
    if (!w.take_off()) return;
    w.wake_next = nullptr;
    *last_ = &w;
    last_ = &w.wake_next;
  }

  /// A port that has something to tell of its queue; pinned.
  void add(port& busy) noexcept { busy_ = &busy; }
  bool has_port() const noexcept { return busy_ != nullptr; }
  /// A connection's place at its listener's gate.
  void add(gate_place place) noexcept { left_ = std::move(place); }

 private:
  void post_busy() noexcept;

  waiter* first_ = nullptr;
  waiter** last_ = &first_;
  port* busy_ = nullptr;
  gate_place left_;
};

}  // namespace otter::rts
