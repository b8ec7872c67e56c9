#pragma once

// scheduler/claim.hpp - the word that says whether a thread still has its core.
//
// A worker is a thread plus a core. While the thread is in the runtime nobody may take the core;
// while it is in user code the watchdog may. One word per thread decides, not one per core: a
// word in the core would look the same again once another thread holds that core, and the old
// thread would believe that it still did (ABA).
//
//   from \ by        the thread: leave()   the thread: enter()     the watchdog: take()
//   in runtime       in user, next stretch -                       refused
//   in user          -                     in runtime              lost, if it is this stretch
//   lost             -                     refused                 refused
//
// From `lost` only hold() leads back, called by the thread itself once it was given a core.

#include <atomic>
#include <cstdint>

namespace otter::rts {

/// Threads:   leave(), enter(), hold(), mine() the thread it belongs to; look() and take() the
///            watchdog.
/// Ordering:  [C1] everything that the thread did with its core before it left comes before what
///            the next holder does: leave() releases, a successful take() acquires, and the core
///            is passed on under the driver's mutex. enter() needs no more than acquire: if it
///            succeeds, nobody has had the core in between.
class claim {
 public:
  enum class state : std::uint64_t { lost = 0, in_runtime = 1, in_user = 2 };

  /// One stretch of user code: no two have equal values.
  using stretch = std::uint64_t;

  static state state_of(stretch s) noexcept { return static_cast<state>(s & 3); }

  /// Runtime -> user code. A thread without a core (its runnable has been abandoned) stays lost.
  void leave() noexcept {
    if (state_of(mine_) == state::lost) [[unlikely]]
      return;
    mine_ = (mine_ & ~std::uint64_t{3}) + 4 + static_cast<std::uint64_t>(state::in_user);
    word_.store(mine_, std::memory_order_release);  // [C1]
  }

  /// User code -> runtime. False if the core was taken meanwhile.
  bool enter() noexcept {
    std::uint64_t expected = mine_;
    std::uint64_t const wanted =
        (mine_ & ~std::uint64_t{3}) | static_cast<std::uint64_t>(state::in_runtime);
    // A thread that is lost already expects the word that it finds: it must not succeed.
    if (state_of(expected) == state::lost) [[unlikely]]
      return false;
    bool const held = word_.compare_exchange_strong(expected, wanted, std::memory_order_acquire,
                                                    std::memory_order_acquire);  // [C1]
    mine_ = held ? wanted : expected;
    return held;
  }

  /// The thread has a core (again) and is in the runtime.
  void hold() noexcept {
    mine_ = (mine_ & ~std::uint64_t{3}) | static_cast<std::uint64_t>(state::in_runtime);
    word_.store(mine_, std::memory_order_relaxed);  // the watchdog takes only what is in user code
  }
  /// The thread gives its core away itself, from the runtime.
  void drop() noexcept {
    mine_ &= ~std::uint64_t{3};
    word_.store(mine_, std::memory_order_relaxed);  // the core travels under the driver's mutex
  }

  stretch look() const noexcept { return word_.load(std::memory_order_relaxed); }

  /// Takes the core of a thread that is still in stretch `s` of user code.
  bool take(stretch s) noexcept {
    return state_of(s) == state::in_user &&
           word_.compare_exchange_strong(s, s & ~std::uint64_t{3}, std::memory_order_acquire,
                                         std::memory_order_relaxed);  // [C1]
  }

 private:
  std::atomic<std::uint64_t> word_{0};  // stretch number in the high bits, state in the low two
  std::uint64_t mine_ = 0;              // what the thread wrote last
};

}  // namespace otter::rts
