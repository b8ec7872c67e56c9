// Messages that wait: which ones, and how they are marked.

#include "offline.hpp"

#include <catch2/catch.hpp>
#include <string>

using chat::xml_element;

namespace {
xml_element message() { return xml_element{"message", chat::ns::client}; }
xml_element of(char const* name, char const* space) { return xml_element{name, space}; }
constexpr auto states = "http://jabber.org/protocol/chatstates";
constexpr auto hints = "urn:xmpp:hints";
}  // namespace

TEST_CASE("a message with content is worth keeping, a chat state alone is not", "[chat][offline]") {
  CHECK(chat::worth_keeping(message().add(of("body", "jabber:client"))));
  CHECK(chat::worth_keeping(message().add(of("encrypted", "urn:e")).add(of("active", states))));
  CHECK_FALSE(chat::worth_keeping(message()));
  CHECK_FALSE(chat::worth_keeping(message().add(of("composing", states))));
  CHECK_FALSE(chat::worth_keeping(
      message().add(of("composing", states)).add(of("thread", "jabber:client"))));
}

TEST_CASE("the sender's hints decide", "[chat][offline]") {
  CHECK_FALSE(
      chat::worth_keeping(message().add(of("body", "jabber:client")).add(of("no-store", hints))));
  CHECK_FALSE(chat::worth_keeping(
      message().add(of("body", "jabber:client")).add(of("no-permanent-store", hints))));
  CHECK(chat::worth_keeping(message().add(of("composing", states)).add(of("store", hints))));
}

TEST_CASE("a kept message says when it came", "[chat][offline]") {
  CHECK(chat::with_delay({1, 0, "<message><body>x</body></message>"}, "otter.test") ==
        "<message><body>x</body><delay xmlns='urn:xmpp:delay' from='otter.test' "
        "stamp='1970-01-01T00:00:00Z'/></message>");
  CHECK_THROWS_WITH(chat::with_delay({7, 0, "<message/>"}, "otter.test"),
                    "offline message 7 does not end in </message> (10 bytes)");
}

TEST_CASE("time stamps are UTC by the calendar", "[chat][offline]") {
  CHECK(chat::utc_stamp(951782400) == "2000-02-29T00:00:00Z");
  CHECK(chat::utc_stamp(1767225599) == "2025-12-31T23:59:59Z");
  CHECK(chat::utc_stamp(4107542400) == "2100-03-01T00:00:00Z");
  CHECK(chat::utc_stamp(-1) == "1969-12-31T23:59:59Z");
}
