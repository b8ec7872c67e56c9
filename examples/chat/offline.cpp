#include "offline.hpp"

#include <fmt/format.h>

#include <stdexcept>

namespace chat {

bool worth_keeping(xml_element const& message) {
  constexpr std::string_view hints = "urn:xmpp:hints";
  if (message.child("no-store", hints) != nullptr ||
      message.child("no-permanent-store", hints) != nullptr)
    return false;
  if (message.child("store", hints) != nullptr) return true;
  for (auto const& node : message.nodes()) {
    if (node.is_text()) continue;
    auto const& e = node.element;
    bool const beside_the_point = e.ns() == "http://jabber.org/protocol/chatstates" ||
                                  e.ns() == hints || e.is("thread", ns::client);
    if (!beside_the_point) return true;
  }
  return false;
}

std::string utc_stamp(std::int64_t seconds) {
  // Civil date from days (Howard Hinnant's algorithm): no locale, no time zone, no static buffer.
  std::int64_t days = seconds / 86400;
  std::int64_t rest = seconds % 86400;
  if (rest < 0) {
    rest += 86400;
    --days;
  }
  days += 719468;
  std::int64_t const era = (days >= 0 ? days : days - 146096) / 146097;
  std::int64_t const doe = days - era * 146097;
  std::int64_t const yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  std::int64_t const doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  std::int64_t const mp = (5 * doy + 2) / 153;
  std::int64_t const day = doy - (153 * mp + 2) / 5 + 1;
  std::int64_t const month = mp < 10 ? mp + 3 : mp - 9;
  std::int64_t const year = yoe + era * 400 + (month <= 2 ? 1 : 0);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", year, month, day, rest / 3600,
                     rest / 60 % 60, rest % 60);
}

std::string with_delay(offline_message const& message, std::string_view domain) {
  constexpr std::string_view end = "</message>";
  std::string_view const xml = message.xml;
  if (!xml.ends_with(end))
    throw std::runtime_error(fmt::format("offline message {} does not end in </message> ({} bytes)",
                                         message.id, xml.size()));
  xml_element delay{"delay", "urn:xmpp:delay"};
  delay.set("from", domain).set("stamp", utc_stamp(message.stamp));
  std::string out{xml.substr(0, xml.size() - end.size())};
  serialise(out, delay);
  out += end;
  return out;
}

}  // namespace chat
