#pragma once

// process/signal_queue.hpp - signals that wait in order, for lists that are mostly empty.

#include <otter/detail/envelope.hpp>

namespace otter::rts {

using detail::envelope;

/// First in, first out, in one word: a process has several of them, and a million processes wait.
///
/// Ownership: of nothing; what is left over is forgotten.
/// Threads:   one at a time.
/// Invariant: the list is a circle through envelope::next; last_->next is the oldest.
class signal_queue {
 public:
  bool empty() const noexcept { return last_ == nullptr; }

  void append(envelope* e) noexcept {
    if (last_ == nullptr) {
      e->next = e;
    } else {
      e->next = last_->next;
      last_->next = e;
    }
    last_ = e;
  }

  /// The oldest, or null.
  envelope* front() const noexcept { return last_ == nullptr ? nullptr : last_->next; }
  /// The same, and takes it out.
  envelope* pop() noexcept {
    if (last_ == nullptr) return nullptr;
    envelope* const oldest = last_->next;
    if (oldest == last_)
      last_ = nullptr;
    else
      last_->next = oldest->next;
    return oldest;
  }

 private:
  envelope* last_ = nullptr;
};

}  // namespace otter::rts
