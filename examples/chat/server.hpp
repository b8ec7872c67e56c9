#pragma once

// server.hpp - the whole server as one supervision tree.
//
//   chat_server    what all processes of it share; constant while the node lives
//   run_server()   the process at the top: starts the log and the tree, and ends with the tree
//
// The tree is drawn in README.md. Its strategy is rest_for_one: what was started later leans on
// what was started earlier, so it is started again with it.

#include <optional>
#include <otter/logger.hpp>
#include <otter/pid.hpp>
#include <otter/tcp_address.hpp>
#include <string>

#include "config.hpp"
#include "session_settings.hpp"

namespace chat {

/// Ownership: the program's; it outlives the node.
struct chat_server {
  chat_config config;
  session_settings sessions;
  std::string session_module;  // file of the module with the sessions
  /// None: the log is what its node makes of it.
  std::optional<otter::logger::options> log{};
};

/// What run_server() sends to who started it.
struct server_started {
  otter::tcp_address address;  // where clients can connect
};

/// Runs the server until it is told to shut down. If it cannot start, because the module is not
/// loaded for example, or its supervisor gives up, the calling process ends with the reason.
///
/// Called from: a process of its own. Blocks: for the life of the server. Exits: may.
void run_server(chat_server const& server, otter::pid starter);

}  // namespace chat
