#pragma once

// limits.hpp - how much one client may ask of the server (RFC 6120, section 13.12).

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "rate_limit.hpp"
#include "xml_stream.hpp"

namespace chat {

struct chat_limits {
  xml_limits xml;                                 // after authentication
  std::size_t element_bytes_before_login = 8192;  // replaces xml.element_bytes until then
  std::chrono::seconds header_time{10};           // from accept to the stream header
  std::chrono::seconds login_time{30};            // from accept to authenticated
  std::chrono::seconds element_time{60};          // from the first byte of an element to its last
  std::chrono::seconds idle_time{300};            // silence before the server asks
  std::chrono::seconds answer_time{60};           // and how long it waits for any sign of life
  std::chrono::seconds close_time{5};             // for the peer to answer our closing tag
  std::uint32_t login_attempts = 5;               // failed ones per stream
  std::uint32_t resources = 10;                   // per account
  std::uint32_t connections_per_address = 200;
  rate_limit failed_logins{1, 20};         // per address; more than that, and answers wait
  rate_limit bytes{262144, 1048576};       // read per connection
  rate_limit stanzas{500, 2000};           // likewise
  std::size_t send_queue_bytes = 1048576;  // unsent per connection before it is cut
  std::uint32_t offline_messages = 1000;   // per account
  std::size_t offline_bytes = 4194304;     // per account
};

/// The limits of the parser before the user is known.
[[nodiscard]] inline xml_limits before_login(chat_limits const& limits) noexcept {
  auto out = limits.xml;
  out.element_bytes = limits.element_bytes_before_login;
  return out;
}

}  // namespace chat
