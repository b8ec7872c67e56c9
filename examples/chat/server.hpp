#pragma once

// server.hpp - the whole server as one supervision tree.
//
//   chat_server    what all processes of it share; constant while the node lives
//   run_server()   the process at the top: starts the tree, and ends with it
//
// The tree is drawn in README.md. Its strategy is rest_for_one: what was started later leans on
// what was started earlier, so it is started again with it.

#include <functional>
#include <otter/tcp_address.hpp>
#include <string>

#include "config.hpp"
#include "session_core.hpp"

namespace chat {

/// Ownership: the program's; it outlives the node.
struct chat_server {
  chat_config config;
  session_settings sessions;
  /// Told once: where clients can connect, or why they cannot.
  std::function<void(otter::tcp_address)> on_started = {};
  std::function<void(std::string)> on_failed = {};
};

/// Runs the server until it is told to shut down, or its supervisor gives up: that is thrown.
/// Called from: a process of its own.
void run_server(chat_server const& server);

}  // namespace chat
