#pragma once

// readers.hpp - reading without a lock what somebody else changes: what a reader may still hold is
// freed when it has left.
//
//   otter::detail::reading              while one stands, nothing that it finds is freed
//   otter::detail::retired              what nobody can find any more, waiting to be freed
//   otter::detail::unread               what nobody reads any more, about to be freed
//   otter::detail::wait_for_readers()   returns when all who are reading now have left
//
// Readers count themselves in and out, each thread in one of a few counters. A writer first makes a
// thing unfindable. Who begins to read after that does not find it; so once each counter has been
// seen at zero, one now and another later, nobody holds the thing.
//
// Refused: counted pointers, since all who read one thing would write to one line; hazard pointers,
// which cost a store and a look back for each step of a search; a second set of counters, as Linux
// has it in SRCU, for threads that read without a pause: ours run processes between two reads.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <otter/detail/retirable.hpp>
#include <utility>

namespace otter::detail {

/// Threads:   one thread's, and short: it runs no code of a user and calls nothing that may wait.
/// Ordering:  [E1] seq_cst on both sides: a reader counts itself in, then loads a pointer; a writer
///            unlinks, then looks at the counter. One of the two sees the other. So every load of a
///            pointer that leads to a retirable, and every store that unlinks one, is seq_cst too.
///            [E2] a reader's last use happens before the free: its counting out meets the look.
class reading {
 public:
  reading() noexcept;
  ~reading();
  reading(reading const&) = delete;
  reading& operator=(reading const&) = delete;

 private:
  std::size_t const counter_;
};

/// Goes at its own end: so that what runs destructors of users runs them without a lock.
class unread {
 public:
  unread() = default;
  unread(unread&& other) noexcept
      : first_(std::exchange(other.first_, nullptr)),
        second_(std::exchange(other.second_, nullptr)) {}
  unread& operator=(unread other) noexcept {
    std::swap(first_, other.first_);
    std::swap(second_, other.second_);
    return *this;
  }
  ~unread() {
    dispose(first_);
    dispose(second_);
  }

 private:
  friend class retired;
  static void dispose(retirable* list) noexcept;

  retirable* first_ = nullptr;
  retirable* second_ = nullptr;
};

/// Ownership: of what was added. At its own end nobody may be reading any of it.
/// Threads:   one writer at a time.
/// Invariant: each counter that is not in unseen_ was at zero since waiting_ was filled.
class retired {
 public:
  retired() = default;
  ~retired();
  retired(retired const&) = delete;
  retired& operator=(retired const&) = delete;

  /// Takes over what no reader can find from now on.
  void add(std::unique_ptr<retirable> gone) noexcept;
  /// What nobody reads. What remains is found by a later call.
  [[nodiscard]] unread take_unread() noexcept;
  void free_unread() noexcept { static_cast<void>(take_unread()); }
  /// For who has made sure, or will before it goes, that nobody reads any of it.
  [[nodiscard]] unread take_all() noexcept;
  /// f(retirable const&) for all that waits. The writer's.
  template <class F>
  void each(F&& f) const {
    for (retirable const* const list : {fresh_, waiting_})
      for (retirable const* r = list; r != nullptr; r = r->next_) f(*r);
  }

 private:
  retirable* fresh_ = nullptr;    // added since waiting_ was filled
  retirable* waiting_ = nullptr;  // freed as soon as unseen_ is empty
  std::uint32_t unseen_ = 0;      // a bit for each counter
};

/// For what is changed so rarely that a writer may wait. Blocks its thread for the rest of the
/// longest read; the caller is not `reading`.
void wait_for_readers() noexcept;

}  // namespace otter::detail
