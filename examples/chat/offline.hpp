#pragma once

// offline.hpp - which messages wait for a user who is away, and how they say so later
// (XEP-0160, XEP-0203, XEP-0334).

#include <cstdint>
#include <string>
#include <string_view>

#include "xml_element.hpp"

namespace chat {

/// False for chat states alone, for nothing at all, and where the sender asks not to store.
[[nodiscard]] bool worth_keeping(xml_element const& message);

/// One message out of the store.
struct offline_message {
  std::int64_t id = 0;
  std::int64_t stamp = 0;  // seconds since 1970, UTC: when it was kept
  std::string xml;
};

/// `2026-06-01T12:00:00Z` (XEP-0082).
[[nodiscard]] std::string utc_stamp(std::int64_t seconds);

/// The message with `<delay/>` as its last child. `xml` is ours: it ends in `</message>`.
[[nodiscard]] std::string with_delay(offline_message const& message, std::string_view domain);

}  // namespace chat
