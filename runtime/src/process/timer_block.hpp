#pragma once

// process/timer_block.hpp - what a process asks to happen later.
//
// One kind of block serves all: the limit of a receive or call, the time-out of a behaviour,
// send_after. Blocks lie in a table, so that whoever holds a timer_ref finds the block by its
// index and sees by the generation whether it is still that timer.

#include <cstdint>
#include <otter/duration.hpp>
#include <otter/pid.hpp>
#include <string>

#include "process/signals.hpp"
#include "scheduler/scheduler.hpp"
#include "timers/wheel.hpp"

namespace otter::rts {

class process;
class process_system;
struct timer_block;

/// A wait that may run out of time; lives on the stack of the one who waits.
///
/// One of a second or more is deferred (scheduler.hpp): the moment at which it is over is open
/// until the worker looks at its clock, and most waits have ended before.
struct wait_limit : deferred_timer {
  bool expired = false;

  /// Over at `due` of the driver's clock; INT64_MAX: never.
  explicit wait_limit(std::int64_t due) noexcept : due_ns_(due) {}
  /// Over when `self` has waited for so long.
  wait_limit(process& self, duration limit) noexcept;
  ~wait_limit() {
    if (is_deferred()) unlist();
    if (timer_ != nullptr) stop();
  }
  wait_limit(wait_limit const&) = delete;
  wait_limit& operator=(wait_limit const&) = delete;

  bool is_endless() const noexcept { return due_ns_ == INT64_MAX && open_ns_ == 0; }
  /// When it is over. If that is open, decides it: from now on.
  std::int64_t due(process& self) noexcept;
  /// Whether it is over by the clock.
  bool is_over(process& self) noexcept;
  /// The limit is another from now on. Only before the first wait.
  void set_due(std::int64_t due) noexcept { due_ns_ = due; }

  /// Before `self` sleeps: makes sure that it is woken. Throws: error(system_limit).
  void start(process& self, worker& on) {
    if (timer_ == nullptr && !is_deferred() && !is_endless()) start_first(self, on);
  }
  /// The worker has read its clock. False: there is no timer now.
  bool start_deferred(std::int64_t now_ns) noexcept;

 private:
  void start_first(process& self, worker& on);
  void arm(timer_block& t, std::uint64_t whom) noexcept;
  void stop() noexcept;

  std::int64_t due_ns_ = INT64_MAX;
  std::int64_t open_ns_ = 0;  // not 0: what due_ns_ is to be after a reading of the clock to come
  std::uint64_t whom_ = 0;    // deferred: bits of who waits
  timer_block* timer_ = nullptr;
};

/// Ownership: of the table. While armed, the wheel of `home` holds it; when it fires it travels as
///            a signal of kind timer to the process that it is for, which gives it back.
/// Threads:   `word` any (see timers/wheel.hpp). limit, message, list links, and of a body's
///            time-out also token and put_off_ns: the process that it is for (`target`). The rest
///            is constant from start to end.
struct timer_block : envelope, timer_node {
  explicit timer_block(std::uint32_t table_index) noexcept : index(table_index) {
    kind = signal_kind::timer;
    flags = from_table;
  }

  std::uint32_t index;
  std::uint32_t table_next = 0;
  union {
    wait_limit* limit = nullptr;  ///< to be told, or null
    std::uint64_t token;          ///< of a body's time-out, for its event
  };
  envelope* message = nullptr;  ///< to be delivered, or null
  union {
    std::string* name = nullptr;  ///< deliver to whoever has this name then
    std::int64_t put_off_ns;      ///< of a body's time-out: when it is due by now, or 0
  };
  timer_block* list_next = nullptr;   ///< the receiver's list of message timers, for its death
  timer_block** list_back = nullptr;  ///< what points at this one; null: in no list

  /// The one that reactive::start_timeout() sets. It has no message: its event is made when it
  /// fires, so that ten thousand servers that wait do not hold as many.
  bool is_of_body() const noexcept { return (flags & of_body) != 0; }
  bool is_for_name() const noexcept { return !is_of_body() && name != nullptr; }
};
static_assert(sizeof(timer_block) == 2 * cache_line, "with a million timers each line is a miss");

}  // namespace otter::rts
