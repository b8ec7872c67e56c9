#pragma once

// upgrade_support.hpp - a server whose sessions go from one version of their module to another.
//
//   session_file(n)    the module of version n: session_version.hpp says what each is
//   go_to(n)           brings the server there, or not: what the report says
//   ask_time(wire)     what a client sees of the version: `<utc>`, or an error
//   wait_until(...)    polls, in a process

#include <fmt/format.h>

#include <cstddef>
#include <otter/code.hpp>
#include <otter/name.hpp>
#include <otter/process_info.hpp>
#include <otter/sys.hpp>
#include <otter/upgrade.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>

#include "server_support.hpp"
#include "session_border.hpp"

namespace chat_test {

inline std::string session_file(int version) {
  return version == 2 ? std::string{CHAT_SESSION_MODULE}
                      : fmt::format("{}/chat_session-{}.so", CHAT_SESSION_OTHERS, version);
}

inline otter::upgrade::report go_to(int version, otter::upgrade::options how = {}) {
  otter::upgrade::plan next;
  next.application = "chat";
  next.modules.push_back(
      {.name = chat::session_module, .file = session_file(version), .to = std::to_string(version)});
  return otter::upgrade::apply(next, how);
}

/// The version that new sessions begin with.
inline std::string current_version() {
  auto const now = otter::code::which(chat::session_module);
  return now ? now->version : "none";
}

inline std::string ask_time(wire& client) {
  client.send("<iq type='get' id='t' to='localhost'><time xmlns='urn:xmpp:time'/></iq>");
  return client.until("</iq>");
}
inline bool knows_the_time(wire& client) {
  return ask_time(client).find("<utc>") != std::string::npos;
}

template <class Condition>
void wait_until(std::string_view what, Condition holds) {
  auto const end = otter::node_clock::now() + 10 * patience;
  while (!holds()) {
    if (otter::node_clock::now() > end)
      throw std::runtime_error(fmt::format("did not come about: {}", what));
    otter::receive(otter::after(1ms, [] {}));
  }
}

/// How many messages wait for a process of the server.
inline std::uint64_t waiting_for(char const* name) {
  auto const info =
      otter::process_info(otter::whereis(name), {otter::info_item::message_queue_len});
  return info ? std::get<std::uint64_t>((*info)[0].value) : 0;
}

}  // namespace chat_test
