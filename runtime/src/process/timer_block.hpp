#pragma once

// process/timer_block.hpp - what a process asks to happen later.
//
// One kind of block serves all: the limit of a receive or call, the time-out of a behaviour,
// send_after. Blocks lie in a table, so that whoever holds a timer_ref finds the block by its
// index and sees by the generation whether it is still that timer.

#include <bit>
#include <cstdint>
#include <otter/duration.hpp>
#include <otter/pid.hpp>
#include <string>
#include <utility>

#include "base/stable_table.hpp"
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

/// What a timer is for is said by its flags, and decides what two of its words are:
///
///                 the word in place of a payload's type     the last word
///   of_body       token: for the event                      put_off_ns: when it is due by now, or
///   0 of_wait       limit: to be told, or null                - by_name       message: to be
///   delivered                  name: to whoever has it then none of them  message: to be
///   delivered, or null         list: of its receiver's
///
/// Ownership: of the table. While armed, the wheel of `home` holds it; when it fires it travels as
///            a signal of kind timer to the process that it is for, which gives it back.
/// Threads:   `word` any (see timers/wheel.hpp). limit, message to a pid, list, and of a body's
///            time-out also token and put_off_ns: the process that it is for (`target`). The rest
///            is constant from start to end.
struct timer_block : envelope, timer_node {
  static constexpr std::uint32_t in_no_list = UINT32_MAX;
  static constexpr std::uint32_t end_of_list = in_no_list - 1;
  /// Of a timer_list: two indices in the table.
  struct list_links {
    std::uint32_t next = end_of_list;
    std::uint32_t back = in_no_list;
  };

  explicit timer_block(std::uint32_t table_index) noexcept : table_next(0) {
    kind = signal_kind::timer;
    flags = from_table;
    bytes = table_index;
  }

  union {
    std::uint32_t table_next;
    list_links list;
    std::int64_t put_off_ns;
    std::string* name;
  };

  /// Its place in the table, where a message says how long it is.
  std::uint32_t index() const noexcept { return bytes; }

  std::uint64_t token() const noexcept { return std::bit_cast<std::uint64_t>(type); }
  wait_limit* limit() const noexcept { return std::bit_cast<wait_limit*>(type); }
  envelope* message() const noexcept { return std::bit_cast<envelope*>(type); }
  void set_token(std::uint64_t t) noexcept { type = std::bit_cast<type_descriptor const*>(t); }
  void set_limit(wait_limit* l) noexcept { type = std::bit_cast<type_descriptor const*>(l); }
  void set_message(envelope* m) noexcept { type = std::bit_cast<type_descriptor const*>(m); }
  envelope* take_message() noexcept {
    envelope* const m = message();
    type = nullptr;
    return m;
  }

  /// The one that reactive::start_timeout() sets. It has no message: its event is made when it
  /// fires, so that ten thousand servers that wait do not hold as many.
  bool is_of_body() const noexcept { return (flags & of_body) != 0; }
  bool is_of_wait() const noexcept { return (flags & of_wait) != 0; }
  bool is_for_name() const noexcept { return (flags & by_name) != 0; }
  bool has_message() const noexcept { return (flags & (of_body | of_wait)) == 0; }
};
static_assert(sizeof(timer_block) == 80,
              "each idle connection has one: a signal's head, a node of the wheel, a word");

/// The message timers that are for one process, for its death.
///
/// Ownership: of none. Threads: the process's.
class timer_list {
 public:
  using table = stable_table<timer_block>;

  static bool has(timer_block const& t) noexcept { return t.list.back != timer_block::in_no_list; }
  void add(table& all, timer_block& t) noexcept {
    t.list = {.next = first_, .back = timer_block::end_of_list};
    if (first_ != timer_block::end_of_list) all[first_].list.back = t.index();
    first_ = t.index();
  }
  /// It need not be in the list; then it is in none.
  void remove(table& all, timer_block& t) noexcept {
    if (!has(t)) return;
    auto const [next, back] = t.list;
    (back != timer_block::end_of_list ? all[back].list.next : first_) = next;
    if (next != timer_block::end_of_list) all[next].list.back = back;
    t.list = {};
  }
  /// Null if there is none.
  timer_block* take_first(table& all) noexcept {
    if (first_ == timer_block::end_of_list) return nullptr;
    timer_block& t = all[first_];
    first_ = std::exchange(t.list, {}).next;
    return &t;
  }

 private:
  std::uint32_t first_ = timer_block::end_of_list;
};

}  // namespace otter::rts
