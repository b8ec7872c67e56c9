#pragma once

// listener.hpp - the process that owns the listening socket, and those who accept from it.
//
// Each acceptor waits for a connection, starts a session process for it and hands the socket over.
// There are several, so that connections spread over the workers. The listener itself counts
// connections per address: it watches the sessions, so a count cannot be forgotten. A listener that
// is started again begins to count anew, and the sessions of the one before go on uncounted.

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <otter/gen_server.hpp>
#include <otter/monitor.hpp>
#include <otter/pid.hpp>
#include <otter/tcp.hpp>
#include <unordered_map>

#include "config.hpp"
#include "session.hpp"

namespace chat {

/// Ownership: of the listening socket and, by links, of the acceptors. Threads: its own process.
class listener : public otter::gen_server<listener> {
 public:
  /// May another client connect from here? If so it counts, until watch() or release().
  struct admit {
    using reply = bool;
    otter::tcp_address from;
  };
  /// The one that was admitted is served by `session`: it counts until that ends.
  struct watch {
    otter::pid session;
    otter::tcp_address from;
  };
  /// Nothing came of it.
  struct release {
    otter::tcp_address from;
  };
  /// Where it listens.
  struct address {
    using reply = otter::tcp_address;
  };
  using accepts = otter::accepts<admit, watch, release, address>;

  /// Listens, and starts the acceptors. `sessions` is their sessions' supervisor.
  /// Throws: std::system_error if the address cannot be had.
  listener(chat_config const& config, std::shared_ptr<session_context const> context,
           otter::pid sessions);

  bool handle_call(admit m);
  otter::tcp_address handle_call(address) const { return address_; }
  void handle_cast(watch m);
  void handle_cast(release m);
  void handle_info(otter::down m);

 private:
  using host = std::array<std::uint8_t, 16>;
  void leave(host const& from);

  std::uint32_t per_address_;
  otter::tcp_listener socket_;
  otter::tcp_address address_;
  std::map<host, std::uint32_t> counts_;
  std::unordered_map<otter::pid, host> sessions_;
};

}  // namespace chat
