#pragma once

// process/inbox.hpp - signals on their way to one process: one word that decides everything.

#include <atomic>
#include <otter/detail/envelope.hpp>

namespace otter::rts {

using detail::envelope;

/// The multi-producer queue of all signals to one process (P-22).
///
/// The word is one of:
///   empty    nothing waits, and the process runs or is in a run queue
///   idle     nothing waits, and the process waits: whoever replaces this makes it runnable
///   closed   the process is dead: a push fails, and the pusher does what the rule says
///   a chain  the newest signal, linked to older ones; the process runs or is in a run queue
///
/// Ownership: push() takes the signal over, unless it is refused; take_all() and close() hand the
///            whole chain to the caller.
/// Threads:   any may push(). Everything else: only who runs the process.
/// Invariant: a signal reachable from the word is completely written, and nobody writes to it
///            while it is in the chain. Idle is entered only from empty, by compare-exchange: so a
///            push between "nothing there" and "I wait" is never lost.
/// Ordering:  [I1] carries a signal from its sender to the receiver. [I2] carries the process
///            itself (home, frames, mailbox) from the turn that went idle to whoever wakes it.
class inbox {
 public:
  enum class pushed : unsigned char {
    queued,   ///< the process will see it
    woke,     ///< it was idle: the caller must make it runnable, because nobody else will
    refused,  ///< closed: the caller keeps the signal
  };

  pushed push(envelope* e) noexcept {
    envelope* head = word_.load(std::memory_order_relaxed);  // only a guess; the CAS checks it
    do {
      if (head == closed()) return pushed::refused;
      e->next = head == idle() ? nullptr : head;
      // [I1] release: *e becomes visible to take_all(). Every push is a read-modify-write and so
      // continues the release sequence; one acquire meets all pushes since the last take.
      // [I2] acquire: meets the release in go_idle().
    } while (!word_.compare_exchange_weak(head, e, std::memory_order_acq_rel,
                                          std::memory_order_relaxed));
    return head == idle() ? pushed::woke : pushed::queued;
  }

  /// Makes an idle process runnable without a signal: true if the caller must enqueue it.
  bool wake() noexcept {
    envelope* expected = idle();
    return word_.compare_exchange_strong(expected, nullptr, std::memory_order_acq_rel,  // [I2]
                                         std::memory_order_relaxed);
  }

  /// Is there an occupant that has not died? Old at once, unless the occupant itself asks.
  bool is_open() const noexcept { return word_.load(std::memory_order_relaxed) != closed(); }

  bool nothing_waits() const noexcept { return word_.load(std::memory_order_relaxed) == nullptr; }

  /// What waits, newest first, or null. It stays; others may push meanwhile, but nobody may take.
  envelope const* waiting() const noexcept {
    envelope const* const head = word_.load(std::memory_order_acquire);  // [I1]
    return head == idle() || head == closed() ? nullptr : head;
  }

  /// Removes everything and returns it newest first, or null: who goes through it anyway turns it
  /// round on the way.
  envelope* take_newest() noexcept {
    if (nothing_waits()) return nullptr;
    // [I1] acquire: meets the releases in push().
    return word_.exchange(nullptr, std::memory_order_acquire);
  }
  /// The same, oldest first.
  envelope* take_all() noexcept { return reversed(take_newest()); }

  /// From empty to idle; false if a signal has come. If it succeeds, this was the caller's last
  /// touch of the process: another worker may run it already.
  bool go_idle() noexcept {
    envelope* expected = nullptr;
    return word_.compare_exchange_strong(expected, idle(), std::memory_order_release,  // [I2]
                                         std::memory_order_relaxed);
  }

  /// No push succeeds any more. Returns what had come, oldest first.
  envelope* close() noexcept {
    return reversed(word_.exchange(closed(), std::memory_order_acq_rel));
  }

  /// A new occupant, its generation already written, is about to be enqueued.
  void open() noexcept { word_.store(nullptr, std::memory_order_release); }

 private:
  static envelope* idle() noexcept { return reinterpret_cast<envelope*>(std::uintptr_t{1}); }
  static envelope* closed() noexcept { return reinterpret_cast<envelope*>(std::uintptr_t{2}); }

  static envelope* reversed(envelope* chain) noexcept {
    envelope* oldest = nullptr;
    while (chain != nullptr) {
      envelope* next = chain->next;
      chain->next = oldest;
      oldest = chain;
      chain = next;
    }
    return oldest;
  }

  std::atomic<envelope*> word_{closed()};
};

}  // namespace otter::rts
