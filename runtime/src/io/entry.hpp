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
  static process& calling(runtime_entry const& border, char const* what);
};

/// At the top of a function that is noexcept.
struct quiet_io_call {
  runtime_entry border;
  /// Null: not in a process, or the process was abandoned.
  process* self;

  quiet_io_call() noexcept : self(border.refused() ? nullptr : current_process_or_null()) {}
};

/// The port that a name is good for, locked; or nothing.
class held_port {
 public:
  held_port(process& self, detail::port_name name) noexcept;
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
node_marks* marks_of(process& self, detail::port_name name) noexcept;

/// When a limit from now is over, for wait_limit.
std::int64_t due_after(process& self, duration limit);

inline tl::unexpected<std::error_code> io_failure(tcp_errc e) {
  return tl::unexpected(make_error_code(e));
}
inline tl::unexpected<std::error_code> io_failure(int error) {
  return io_failure(static_cast<tcp_errc>(error));
}

}  // namespace otter::rts
