#pragma once

// poller/poll_ring.hpp - multishot polls in one io_uring: readiness for the poller, and for the
// sockets in a ring's own table.
//
// doc/io.md, "Two pollers", tells why it is as it is. In short: any thread may submit, under one
// lock, and each submission enters the kernel at once, so nothing lies in the submission queue.
// What completes is *collected* under the same lock into the sources themselves (events are or-ed
// together) and *delivered* from there outside of it. So completions never pile up, whoever
// collects them, and no memory is needed for it.

#include <liburing.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "poller/poller.hpp"

namespace otter::rts {

/// Ownership: of the ring and of its table. Not of the sources.
/// Threads:   add(), remove(), perform() and look() for any; deliver() for one at a time.
/// Invariant: armed_ of a source is true from the submission of its poll until the completion that
///            says that no more will follow is collected; until then the kernel may name the
///            source. Who is removed is armed, or listed, or released.
/// Ordering:  the lock's. [U1] what was done before remove() is seen by who is told released().
class poll_ring {
 public:
  /// `slots`: size of the table of direct descriptors; 0: none. Throws: std::system_error, where
  /// the kernel refuses.
  poll_ring(unsigned completions, unsigned slots);
  poll_ring(poll_ring const&) = delete;
  poll_ring& operator=(poll_ring const&) = delete;
  ~poll_ring();

  /// Events of `source.fd` are `source`'s from now on; in a ring that has a table the last
  /// slot_bits of it are a slot. Gives 0, or the errno with which the kernel refuses.
  int add(poll_source& source) noexcept;
  /// No more ready() begins; released() follows by deliver(). True: only if that is called
  /// anyway, the kernel will not bring anything that would ask for it.
  [[nodiscard]] bool remove(poll_source& source) noexcept;

  static constexpr int slot_bits = 20;  // the kernel's limit for a table

  struct told {
    unsigned events = 0;    ///< calls of ready()
    unsigned releases = 0;  ///< calls of released()
    bool more = false;      ///< and there is more to deliver
    bool any() const noexcept { return events + releases != 0; }
  };
  /// Calls ready() and released() for what has come, at most some hundred times.
  told deliver() noexcept;

  /// Until something has completed, for at most `limit_ns` (poller::no_limit: without one). It may
  /// come back for nothing.
  void wait(std::int64_t limit_ns) noexcept;
  /// The kernel has left work for a thread that enters it. A hint.
  bool wants_to_be_entered() const noexcept;
  void enter() noexcept;

  /// Sources that are not released yet.
  std::size_t sources() const noexcept { return sources_.load(std::memory_order_relaxed); }

  /// Submits what `prepare(io_uring_sqe&)` asks for, an operation that the kernel completes at once
  /// or refuses, and gives its result. True in `came`: completions of others were collected.
  template <class Prepare>
  int perform(Prepare prepare, bool& came) noexcept {
    std::lock_guard lock(mutex_);
    collect();
    bool const nothing_before = first_ == nullptr;
    prepare(next_entry());
    int const result = complete();
    came = nothing_before && first_ != nullptr;
    return result;
  }
  /// Submits what will complete some time and whose result nobody wants.
  template <class Prepare>
  void start(Prepare prepare) noexcept {
    std::lock_guard lock(mutex_);
    io_uring_sqe& entry = next_entry();
    prepare(entry);
    entry.user_data = tag_ignored;
    entry.flags |= IOSQE_CQE_SKIP_SUCCESS;
    static_cast<void>(submit());
  }

  /// `fd` is signalled when something completes, but for what perform() asks. Gives 0 or an errno.
  int signal(int fd) noexcept;

 private:
  static constexpr std::uint64_t tag_ignored = 0, tag_operation = 1;  // no source's address

  io_uring_sqe& next_entry() noexcept;
  int submit() noexcept;
  int complete() noexcept;
  int arm(poll_source& source) noexcept;
  void collect() noexcept;
  void list(poll_source& source) noexcept;

  io_uring ring_{};
  bool const has_table_;
  bool signals_ = false;                 // constant once it is used
  std::atomic<std::size_t> sources_{0};  // a hint for has_work()

  std::mutex mutex_;
  // --- guarded by it, as are came_, armed_, listed_ and next_ of the sources
  poll_source* first_ = nullptr;  // to be delivered, the oldest first
  poll_source* last_ = nullptr;
  poll_source* arming_ = nullptr;  // whose refusal is for arm(), not for the list
  int refusal_ = 0;
  int operation_result_ = 0;
  bool operation_over_ = false;
};

}  // namespace otter::rts
