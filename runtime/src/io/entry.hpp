#pragma once

// io/entry.hpp - how the public functions come in: the border, the calling process, the port behind
// a name, and a place to wait at it.

#include <cstdint>
#include <limits>
#include <otter/error.hpp>

#include "io/ports.hpp"
#include "process/process.hpp"
#include "process/process_system.hpp"
#include "scheduler/scheduler.hpp"

namespace otter::rts {

/// At the top of a function that may throw.
struct io_call {
  runtime_entry border;
  process& self;

  explicit io_call(char const* what) : self(calling(border, what)) {}

 private:
  static process& calling(runtime_entry const& border, char const* what) {
    here const at = here::now(border);
    if (border.refused() || at.self == nullptr || at.on == nullptr) [[unlikely]]
      refuse(border, what);
    return *at.self;
  }
  [[noreturn]] static void refuse(runtime_entry const& border, char const* what);
};

/// At the top of a function that is noexcept.
struct quiet_io_call {
  runtime_entry border;
  /// Null: not in a process, or the process was abandoned.
  process* self;

  quiet_io_call() noexcept : self(border.refused() ? nullptr : here::now(border).self) {}
};

/// The port that a name is good for, locked; or nothing.
class held_port {
 public:
  /// The block that the name is, or was, good for; or null.
  static port* find(process& self, detail::port_name name) noexcept {
    process_system& system = self.system();
    if (!name || port_access::node(name) != system.node_index()) return nullptr;
    return io_state::of_existing(system).at(port_access::index(name));
  }

  held_port(process& self, detail::port_name name) noexcept {
    port* const p = find(self, name);
    if (p == nullptr) return;
    lock_.lock(p->mutex());
    if (p->generation() != port_access::generation(name) || p->phase() == port_phase::free) {
      lock_.unlock();
      return;
    }
    p->adopt(self);
    port_ = p;
  }
  explicit operator bool() const noexcept { return port_ != nullptr; }
  port* operator->() const noexcept { return port_; }
  port& operator*() const noexcept { return *port_; }
  port_lock& lock() noexcept { return lock_; }

 private:
  port* port_ = nullptr;
  port_lock lock_;
};

/// One process waiting at one port.
///
/// Ownership: of one reference of the waiter. Threads: the process's.
class waiting_place {
 public:
  /// `what` names the call, for reports. Without the port's lock. Throws: std::bad_alloc.
  waiting_place(process& self, port& at, wait_place what);
  waiting_place(waiting_place const&) = delete;
  waiting_place& operator=(waiting_place const&) = delete;
  /// Leaves the list, and lets the next one look.
  ~waiting_place();

  waiter& entry() noexcept { return *waiter_; }
  /// Until woken (perhaps for nothing), or until the limit is over: then false. Exits: may.
  bool wait(wait_limit& limit);

 private:
  process& self_;
  port& port_;
  waiter* waiter_;
};

// What every kind of port has; in no process it is as if the name were void.

/// `resets`: with a reset, if the port's options say so.
void close_port(detail::port_name name, bool resets) noexcept;
tcp_result<tcp_address> local_address_of(detail::port_name name) noexcept;
pid owner_of(detail::port_name name) noexcept;

/// Gives a socket to another process (TCP-17): doc/io.md, "Who owns a socket". Exits: may.
tcp_result<void> give_away(process& self, detail::port_name socket, pid next);

/// The node's marks, after a look at the memory if it is time; null if `name` is none of this node.
/// Without the lock of any port.
inline node_marks* marks_of(process& self, detail::port_name name) noexcept {
  if (!name || port_access::node(name) != self.system().node_index()) return nullptr;
  node_marks& marks = io_state::of_existing(self.system()).marks();
  if (marks.watches_memory()) [[unlikely]]
    marks.sample(self.sched().now());
  return &marks;
}

/// When a limit from now is over, for wait_limit.
std::int64_t due_after(process& self, duration limit);

inline tl::unexpected<std::error_code> io_failure(tcp_errc e) {
  return tl::unexpected(make_error_code(e));
}
inline tl::unexpected<std::error_code> io_failure(int error) {
  return io_failure(static_cast<tcp_errc>(error));
}

}  // namespace otter::rts
