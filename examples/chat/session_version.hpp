#pragma once

// session_version.hpp - which version of the module "chat_session" this is.
//
// The newest is the one that is shipped. The tests build the one before it, and one that no server
// can be brought to, of the same sources:
//
//   1   as 2, without counting stanzas (session::state::received) and without the time (XEP-0202)
//   2   what is shipped
//   3   broken: it counts stanzas in a number that busy sessions have outgrown

#include <cstdint>

#ifndef CHAT_SESSION_VERSION
#define CHAT_SESSION_VERSION 2
#endif

namespace chat {

#if CHAT_SESSION_VERSION == 3
using session_count = std::uint8_t;
#else
using session_count = std::uint32_t;
#endif

}  // namespace chat
