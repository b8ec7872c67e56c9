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
//
// Every call into the runtime enters, and hardly any stretch is ever taken. So the two sides have a
// word each, and the watchdog pays for the order between them (base/asymmetric_barrier.hpp):
//
//   1. take() writes into its word which stretch it wants.
//   2. It makes every core run a barrier, then reads the thread's word: still that stretch? Then
//      it is taken, else the wish is withdrawn; its word says which.
//   3. enter() writes `in runtime` into the thread's word, then reads the watchdog's. If that wants
//      just the stretch that has ended, it waits for the answer, which is some microseconds away.
//
// By [A1] not both miss each other: the watchdog reads that the thread has entered, or the thread
// that its stretch is wanted, or both; and in all three they act on the answer.

#include <atomic>
#include <cstdint>
#include <thread>

#include "base/asymmetric_barrier.hpp"
#include "base/cache_line.hpp"

namespace otter::rts {

/// Threads:   leave(), enter(), hold(), drop() the thread it belongs to; look() and take() the
///            watchdog. word_ is written by the thread alone, wanted_ by the watchdog alone.
/// Ordering:  [C1] everything that the thread did with its core before it left comes before what
///            the next holder does: leave() releases, a successful take() acquires, and the core
///            is passed on under the driver's mutex. A thread that is refused does nothing with
///            the core: it needs no order with who has it.
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
    mine_ += 5;                                     // in_runtime -> in_user of the next stretch
    word_.store(mine_, std::memory_order_release);  // [C1]
  }

  /// User code -> runtime. False if the core was taken meanwhile.
  bool enter() noexcept {
    stretch const ended = mine_;
    if (!announce()) [[unlikely]]
      return false;
    if (wanted_.load(std::memory_order_seq_cst) / 4 != ended / 4) [[likely]]  // [A1]
      return true;
    return await_answer(ended);
  }

  /// The thread has a core (again) and is in the runtime.
  void hold() noexcept {
    mine_ = in_state(mine_, state::in_runtime);
    word_.store(mine_, std::memory_order_relaxed);  // the watchdog takes only what is in user code
  }
  /// The thread gives its core away itself, from the runtime.
  void drop() noexcept {
    mine_ = in_state(mine_, state::lost);
    word_.store(mine_, std::memory_order_relaxed);  // the core travels under the driver's mutex
  }

  stretch look() const noexcept {
    stretch const s = word_.load(std::memory_order_relaxed);
    return is_taken(s) ? in_state(s, state::lost) : s;
  }

  /// Takes the core of a thread that is still in stretch `s` of user code.
  bool take(stretch s) noexcept {
    if (!want(s)) return false;
    barrier_for_all();  // [A1]
    return decide(s);
  }

  // --- enter() and take() in steps, for the test that walks through all interleavings ---

  /// False if the thread has no core to enter with.
  bool announce() noexcept {
    if (state_of(mine_) == state::lost) [[unlikely]]
      return false;
    mine_ -= 1;                        // in_user -> in_runtime
    store_before_loads(word_, mine_);  // [A1]
    return true;
  }
  enum class answer : std::uint8_t { held, refused, not_yet };
  /// After announce().
  answer answered(stretch ended) noexcept {
    stretch const wanted = wanted_.load(std::memory_order_seq_cst);  // [A1]
    if (wanted == ended) return answer::not_yet;
    if (wanted != taken(ended)) return answer::held;
    drop();
    return answer::refused;
  }
  bool want(stretch s) noexcept {
    if (state_of(s) != state::in_user || is_taken(s)) return false;
    wanted_.store(s, std::memory_order_seq_cst);  // [A1]
    return true;
  }
  bool decide(stretch s) noexcept {
    bool const still = word_.load(std::memory_order_seq_cst) == s;  // [A1] [C1]
    wanted_.store(still ? taken(s) : 0, std::memory_order_release);
    return still;
  }

 private:
  static stretch in_state(stretch s, state what) noexcept {
    return (s & ~stretch{3}) | static_cast<stretch>(what);
  }
  /// What wanted_ holds once `s` is taken: until the next wish, but no stretch comes twice.
  static stretch taken(stretch s) noexcept { return s | 3; }
  bool is_taken(stretch s) const noexcept {
    return state_of(s) == state::in_user && wanted_.load(std::memory_order_relaxed) == taken(s);
  }

  OTTER_COLD bool await_answer(stretch ended) noexcept {
    for (;;) {
      switch (answered(ended)) {
        case answer::held:
          return true;
        case answer::refused:
          return false;
        case answer::not_yet:
          std::this_thread::yield();
      }
    }
  }

  std::atomic<stretch> word_{0};  // stretch number in the high bits, state in the low two
  stretch mine_ = 0;              // what the thread wrote last
  std::atomic<stretch> wanted_{0};
};

}  // namespace otter::rts
