#pragma once

// otter/sys.hpp - looking at a running server, and holding it still.
//
//   otter::sys::suspend()      it keeps its messages and handles none, until
//   otter::sys::resume()       it goes on where it stopped
//   otter::sys::get_status()   a text: running or suspended, and its own format_status()
//
// A server answers between two callbacks, ahead of whatever waits in its mailbox, and also while it
// is suspended. To end a server, see otter::stop() in otter/gen.hpp.

#include <otter/duration.hpp>
#include <otter/gen.hpp>
#include <otter/server_ref.hpp>
#include <string>

namespace otter::detail {
void suspend_target(target const& to, duration limit);
void resume_target(target const& to, duration limit);
std::string status_target(target const& to, duration limit);
}  // namespace otter::detail

namespace otter::sys {

/// Stops the handling of messages. Suspended twice is suspended once.
///
/// Called from: a process, or an attached thread. Blocks: until it is done. Exits: may.
/// Throws: process_exit: noproc, timeout, or why the server ended meanwhile.
template <server_address Address>
void suspend(Address const& server, duration limit = default_call_limit) {
  detail::suspend_target(detail::locate(server), limit);
}

/// Lets the server handle messages again; those that came meanwhile first, in order.
template <server_address Address>
void resume(Address const& server, duration limit = default_call_limit) {
  detail::resume_target(detail::locate(server), limit);
}

/// What the server says of itself, for people.
template <server_address Address>
std::string get_status(Address const& server, duration limit = default_call_limit) {
  return detail::status_target(detail::locate(server), limit);
}

}  // namespace otter::sys
