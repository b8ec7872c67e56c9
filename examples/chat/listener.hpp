#pragma once

// listener.hpp - the process that owns the listening socket, and those who accept from it.
//
// Each acceptor waits for a connection, starts a session process for it and hands the socket over.
// There are several, so that connections spread over the workers. How many an address may have is
// counted by `connections`.
//
// What can go wrong between accept and `begin`: the acceptor owns the socket until it has given it
// away, so if either of them ends, or the listener, the socket closes with its owner. A session
// that is never told `begin` ends when no stream header has come in time.

#include <memory>
#include <otter/gen_server.hpp>
#include <otter/pid.hpp>
#include <otter/server_ref.hpp>
#include <otter/tcp.hpp>

#include "config.hpp"
#include "connections.hpp"
#include "session_border.hpp"

namespace chat {

/// Ownership: of the listening socket and, by links, of the acceptors. Threads: its own process.
class listener : public otter::gen_server<listener> {
 public:
  /// Where it listens.
  struct address {
    using reply = otter::tcp_address;
  };
  using accepts = otter::accepts<address>;

  /// Listens, and starts the acceptors. `sessions` is their sessions' supervisor.
  /// Throws: std::system_error if the address cannot be had.
  listener(chat_config const& config, std::shared_ptr<session_context const> context,
           otter::server_ref<connections> counter, otter::pid sessions);

  otter::tcp_address handle_call(address) const { return address_; }

 private:
  otter::tcp_listener socket_;
  otter::tcp_address address_;
};

}  // namespace chat
