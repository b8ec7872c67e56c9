#pragma once

// timers/wheel.hpp - a core's timers: started by the core, cancelled by anybody, fired on time.
//
//   timer_node     one timer, embedded in whatever waits for it
//   timer_wheel    start(), cancel(), collect() what is due, next_due() to sleep until
//
// Eleven levels of 64 slots cut the 63 bits of a due time, in nanoseconds, into digits of six. A
// node hangs in the level of the highest digit in which it differs from the present, and moves
// down when the present arrives at its slot. So a slot of the lowest level is one nanosecond:
// nothing fires early, everything fires in the order of due times, and every int64 is within the
// horizon. Bit masks make an empty slot cost nothing, which is why so fine a tick is free.
//
// A cancelled timer is really gone, at once or at the home core's next collect(): a server whose
// every call has a time-out of a minute must not keep a minute's worth of them.
//
// Considered and refused:
//  - marking as cancelled and dropping when due (Go, CAF): see above;
//  - a coarse tick with a comparison in the last slot: what is not due yet must be looked at again
//    and again, and the order within a tick is the order of starting;
//  - a heap: log n cache misses for each start and cancel, with a million timers.

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "base/cache_line.hpp"
#include "base/treiber_stack.hpp"

namespace otter::rts {

class timer_wheel;

/// What a timer is up to: the lowest two bits of its word. Above them is the generation, which
/// counts the starts.
enum class timer_state : std::uint64_t {
  /// In no wheel; may be started. Fresh, or cancelled and released.
  idle = 0,
  /// In its home wheel. Any thread may cancel it, its home may fire it, and one of them wins.
  armed = 1,
  /// In no wheel; has fired; may be started again.
  fired = 2,
  /// Cancelled by another thread; belongs to its home until released there. Not to be started.
  cancelled = 3,
};

struct timer_link {
  timer_link* prev = nullptr;
  timer_link* next = nullptr;
};

/// Ownership: of whoever embeds it; must stay where it is from start() until it has fired, was
///            cancelled by its home's thread, or is released. Memory that cancel() may still read
///            with an old generation in hand must be type-stable (base/stable_table.hpp).
/// Threads:   links: the home's. The atomics: as labelled at timer_wheel.
struct timer_node : timer_link {
  std::atomic<std::int64_t> due_ns{0};
  std::atomic<std::uint64_t> word{0};  // generation << 2 | timer_state
  /// Armed: the wheel that it is in. From a foreign cancel until the release it is on its way
  /// there: the next node on the same way.
  std::atomic<void*> home{nullptr};

  [[nodiscard]] timer_state state() const noexcept {
    return static_cast<timer_state>(word.load(std::memory_order_acquire) & 3);
  }
  [[nodiscard]] std::uint64_t generation() const noexcept {
    return word.load(std::memory_order_relaxed) >> 2;
  }
};

/// Ownership: of no node. Outlives every node that was ever started in it, as far as anybody may
///            still cancel one.
/// Threads:   cancel() any; everything else the thread that holds the core.
/// Invariant: elapsed_ is never behind a due time that has not been collected, except within the
///            slot that is being cascaded. A node armed or cancelled-but-not-released hangs in the
///            slot that its due time and elapsed_ say, or is unlinked with next == nullptr.
/// Ordering:  [W1] start() publishes a node under its generation: whoever reads armed with that
///                 generation sees home and due_ns of this start.
///            [W2] home and due_ns may be rewritten (by a foreign cancel, by the next start) as
///                 soon as the word has left armed. Who reads such a later value sees, by the
///                 release and acquire on them, the word's change too: so its compare-exchange, or
///                 second look, fails, and what it has read is used for nothing.
///            [L1] (treiber_stack) carries a node from a foreign cancel to its home.
class timer_wheel {
 public:
  /// Called by a cancelling thread when many nodes (backlog_limit) wait for the home to release
  /// them, once until it does: a home that sleeps till a far due time should be woken. `whom` is
  /// what the wheel was made with.
  using backlog_hook = void (*)(void* whom) noexcept;
  static constexpr std::uint32_t backlog_limit = 1024;

  /// `now_ns`: where time begins. Due times are never negative in practice; such are due at once.
  explicit timer_wheel(std::int64_t now_ns, backlog_hook on_backlog = nullptr,
                       void* whom = nullptr) noexcept;
  timer_wheel(timer_wheel const&) = delete;
  timer_wheel& operator=(timer_wheel const&) = delete;

  /// Arms an idle or fired node. A due time in the past is fine. Returns the new generation. O(1).
  /// Of timers with the same due time the one started first fires first, unless a collect() that
  /// ended at its maximum lies between the two starts.
  std::uint64_t start(timer_node& node, std::int64_t due_ns) noexcept {
    node.home.store(this, std::memory_order_release);      // [W2]
    node.due_ns.store(due_ns, std::memory_order_release);  // [W2]
    place(node, due_ns);
    ++size_;
    std::uint64_t const next =
        (node.word.load(std::memory_order_relaxed) | state_mask) + 1 + bits(timer_state::armed);
    node.word.store(next, std::memory_order_release);  // [W1]
    return next >> 2;
  }

  /// True exactly if the node was armed in this generation, and now never fires. `mine` is the
  /// wheel of the core that the caller holds, or nullptr. If `mine` is the node's home, the node is
  /// idle at once and the caller's; else it stays its home's until collect() there has released it.
  /// `due_ns`, if asked for, receives the time at which it would have fired. Any thread. O(1).
  static bool cancel(timer_node& node, std::uint64_t generation, timer_wheel* mine,
                     std::int64_t* due_ns = nullptr) noexcept {
    std::uint64_t armed = generation << 2 | bits(timer_state::armed);
    if (node.word.load(std::memory_order_acquire) != armed) return false;  // [W1]
    void* const home = node.home.load(std::memory_order_acquire);          // [W2]
    std::uint64_t const after =
        generation << 2 | bits(home == mine ? timer_state::idle : timer_state::cancelled);
    // Our own thread cannot be firing it now, but another may be cancelling it.
    if (!node.word.compare_exchange_strong(armed, after, std::memory_order_acq_rel,
                                           std::memory_order_relaxed)) {
      return false;
    }
    // The winner alone may touch the node, until it hands it on.
    if (due_ns != nullptr) *due_ns = node.due_ns.load(std::memory_order_relaxed);
    if (home == mine) [[likely]] {
      unlink(node);
      --mine->size_;
    } else {
      static_cast<timer_wheel*>(home)->hand_in(node);
    }
    return true;
  }

  /// The same for a node that nobody but the calling thread may be cancelling, such as the one that
  /// a process embeds for its own time-outs: at home it does without the locked instruction, which
  /// is half of the price.
  static bool cancel_own(timer_node& node, std::uint64_t generation, timer_wheel* mine,
                         std::int64_t* due_ns = nullptr) noexcept {
    // Relaxed: at home this thread has started it and alone could have fired it; otherwise the
    // thread has what it knows of the node from whoever ran on it before.
    if (node.home.load(std::memory_order_relaxed) != mine || mine == nullptr)
      return cancel(node, generation, mine, due_ns);
    if (node.word.load(std::memory_order_relaxed) != (generation << 2 | bits(timer_state::armed))) {
      return false;
    }
    node.word.store(generation << 2 | bits(timer_state::idle), std::memory_order_release);  // [W2]
    if (due_ns != nullptr) *due_ns = node.due_ns.load(std::memory_order_relaxed);
    unlink(node);
    --mine->size_;
    return true;
  }

  /// When the owner must call collect() again: never later than the earliest due time (the time of
  /// the last collect() if that is past), INT64_MAX if there is none. Exact unless more than
  /// `exact_scan` timers share the slot of the earliest; then it may be the start of that slot. In
  /// the past if collect() stopped at its maximum.
  [[nodiscard]] std::int64_t next_due() const noexcept;

  /// Fires what is due at `now_ns`, in the order of due times, and releases what other threads have
  /// cancelled: `handler.fire(timer_node&)`, `handler.release(timer_node&)`. Either may start and
  /// cancel timers, the same one too, and end the node's life. Each node fired, released or moved
  /// down counts one towards `max`; whether work is left is what next_due() says. Returns how many
  /// were fired.
  template <class Handler>
  std::size_t collect(std::int64_t now_ns, std::size_t max, Handler&& handler) {
    std::size_t fired = 0;
    while (timer_node* const node = take_released(max)) handler.release(*node);
    while (timer_node* const node = take_due(now_ns, max)) {
      ++fired;
      handler.fire(*node);
    }
    return fired;
  }

  /// Nodes in the wheel: armed, or cancelled elsewhere and not released yet.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  static constexpr unsigned digit_bits = 6;
  static constexpr unsigned slots_per_level = 1u << digit_bits;
  static constexpr unsigned levels = 11;
  static constexpr std::uint64_t state_mask = 3;
  static constexpr int exact_scan = 32;

  struct position {
    unsigned level;
    unsigned slot;
  };

  static constexpr std::uint64_t bits(timer_state state) noexcept {
    return static_cast<std::uint64_t>(state);
  }

  void place(timer_node& node, std::int64_t due_ns) noexcept {
    std::uint64_t const key = static_cast<std::uint64_t>(due_ns < elapsed_ ? elapsed_ : due_ns);
    std::uint64_t const difference = key ^ static_cast<std::uint64_t>(elapsed_);
    unsigned const level = static_cast<unsigned>(std::bit_width(difference | 1) - 1) / digit_bits;
    auto const slot = static_cast<unsigned>(key >> (level * digit_bits)) & (slots_per_level - 1);
    occupied_[level] |= std::uint64_t{1} << slot;
    occupied_levels_ |= 1u << level;
    timer_link& list = slots_[level * slots_per_level + slot];
    node.prev = list.prev;
    node.next = &list;
    list.prev->next = &node;
    list.prev = &node;
  }

  /// Leaves the slot's bit behind: whoever looks for the earliest clears it. That keeps cancel from
  /// having to know the slot.
  static void unlink(timer_node& node) noexcept {
    node.prev->next = node.next;
    node.next->prev = node.prev;
  }

  /// The first slot with a node in it; false if there is none.
  bool earliest(position& found) const noexcept;
  [[nodiscard]] std::int64_t start_of(position at) const noexcept;
  timer_node* take_due(std::int64_t now_ns, std::size_t& work) noexcept;
  timer_node* take_released(std::size_t& work) noexcept;
  OTTER_NOINLINE void hand_in(timer_node& node) noexcept;

  // --- the core's ---
  std::int64_t elapsed_;
  std::size_t size_ = 0;
  timer_node* released_ = nullptr;  // taken from remote_, not yet handed out
  unsigned cascading_level_ = 0;    // not 0: the slot of elapsed_ at this level is half moved down
  // A bit may be set without a node in the slot, never the other way round.
  mutable std::uint32_t occupied_levels_ = 0;
  mutable std::array<std::uint64_t, levels> occupied_{};
  std::array<timer_link, levels * slots_per_level> slots_;  // sentinels of circular lists
  backlog_hook const on_backlog_;
  void* const whom_;

  // --- any thread ---
  using way_home = treiber_stack<timer_node, &timer_node::home>;
  alignas(cache_line) way_home remote_;
  std::atomic<std::uint32_t> backlog_{0};  // a hint; orders nothing
};

}  // namespace otter::rts
