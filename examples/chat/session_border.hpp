#pragma once

// session_border.hpp - what the server and the module with its sessions know of each other.
//
//   session_context    what all sessions share
//   to_session::...    the messages that a session understands
//   start_session      how one is started, in the newest version of the module
//
// The behaviour of a session is in the module "chat_session", which can be replaced while the
// server runs; everything here is in both, and cannot. So a module is loaded only where all headers
// that both include are the same: border_stamp() is made of them (border_stamp.cmake).

#include <memory>
#include <otter/code.hpp>
#include <otter/pid.hpp>
#include <otter/server_ref.hpp>
#include <otter/tcp.hpp>
#include <string>
#include <string_view>

#include "session_settings.hpp"
#include "stanza.hpp"

namespace chat {

class accounts;
class router;

/// The same for all sessions of one listener; constant.
struct session_context {
  session_settings const* settings = nullptr;
  otter::server_ref<chat::accounts> accounts;
  otter::server_ref<chat::router> router;
  bool fault_injection = false;
};

namespace to_session {

/// The socket is yours now.
struct begin {};
/// A stanza for the client, as it is to be written.
struct delivery {
  std::string xml;
};
/// A stanza that must not be lost: if the client has left meanwhile, the router gets it back.
struct entrusted {
  stanza what;
};
/// Another connection has taken the resource.
struct replaced {};

}  // namespace to_session

inline constexpr char session_module[] = "chat_session";

/// Starts a session for a connection, linked to the calling process. It reads nothing before it is
/// told `begin`, and owns the socket from then on.
using start_session =
    otter::code::latest<otter::pid(std::shared_ptr<session_context const>, otter::tcp_socket)>;

/// Of the headers that this program was compiled with.
[[nodiscard]] std::string_view border_stamp() noexcept;

}  // namespace chat
