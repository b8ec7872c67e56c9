#pragma once

// session_settings.hpp - what all sessions of a server share, and what the router tells them.
//
//   session_settings        domain, limits, how logins are checked, the time of day
//   bind_outcome            whether a session has the address that it asked for
//   seconds_since_1970()    the system's clock

#include <chrono>
#include <cstdint>
#include <string>

#include "limits.hpp"
#include "sasl.hpp"

namespace chat {

using milliseconds = std::chrono::milliseconds;

/// UTC.
[[nodiscard]] inline std::int64_t seconds_since_1970() {
  using namespace std::chrono;
  return duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
}

/// Constant while the server runs.
struct session_settings {
  std::string domain;  // prepared
  chat_limits limits;
  sasl_policy sasl;
  std::int64_t (*time_of_day)() = seconds_since_1970;  // for people; nothing is timed by it
};

enum class bind_outcome : std::uint8_t { bound, too_many_resources, failed };

}  // namespace chat
