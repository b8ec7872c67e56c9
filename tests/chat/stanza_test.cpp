// Stanzas on their way, and the errors that answer them.

#include "stanza.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "stanza_error.hpp"
#include "stream_error.hpp"

using chat::jid;
using chat::stanza_class;
using chat::stanza_condition;
using chat::xml_element;

namespace {
jid const alice = jid::parse("alice@otter.test/pond").value();
jid const bob = jid::parse("bob@otter.test").value();
xml_element of(char const* name, char const* type) {
  xml_element e{name, chat::ns::client};
  if (type != nullptr) e.set("type", type);
  return e;
}
}  // namespace

TEST_CASE("a stanza is classified by name and type", "[chat][stanza]") {
  CHECK(classify(of("message", nullptr)) == stanza_class::message_normal);
  CHECK(classify(of("message", "chat")) == stanza_class::message_normal);
  CHECK(classify(of("message", "strange")) == stanza_class::message_normal);
  CHECK(classify(of("message", "error")) == stanza_class::message_error);
  CHECK(classify(of("presence", nullptr)) == stanza_class::presence);
  CHECK(classify(of("presence", "subscribe")) == stanza_class::presence_managing);
  CHECK_FALSE(classify(of("presence", "strange")));
  CHECK(classify(of("iq", "get")) == stanza_class::iq_request);
  CHECK(classify(of("iq", "error")) == stanza_class::iq_response);
  CHECK_FALSE(classify(of("iq", nullptr)));
  CHECK_FALSE(classify(xml_element{"message", "urn:x"}));
}

TEST_CASE("the sender's full address is stamped on what leaves", "[chat][stanza]") {
  auto e = of("message", "chat");
  e.set("id", "&'<").set("from", "alice@otter.test").set("to", "BOB@otter.test");
  e.add(xml_element{"body", chat::ns::client}.add_text("hi"));
  auto const s = make_stanza(std::move(e), alice, bob);
  CHECK(s.id == "&'<");
  CHECK(s.keep_offline);
  CHECK(
      s.xml ==
      "<message type='chat' id='&amp;&apos;&lt;' from='alice@otter.test/pond' to='bob@otter.test'>"
      "<body>hi</body></message>");
}

TEST_CASE("an error swaps the addresses, keeps the id and names its type", "[chat][stanza]") {
  auto e = of("iq", "get");
  e.set("id", "7'");
  auto const s = make_stanza(std::move(e), alice, bob);
  CHECK(error_reply(s, stanza_condition::service_unavailable) ==
        "<iq type='error' id='7&apos;' from='bob@otter.test' to='alice@otter.test/pond'>"
        "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
        "</error></iq>");
}

TEST_CASE("an error or a result is never answered", "[chat][stanza]") {
  for (auto const* type : {"result", "error"}) {
    CHECK_FALSE(error_reply(make_stanza(of("iq", type), alice, bob), stanza_condition::gone));
  }
  CHECK_FALSE(error_reply(make_stanza(of("message", "error"), alice, bob), stanza_condition::gone));
  CHECK_FALSE(
      error_reply(make_stanza(of("presence", nullptr), alice, bob), stanza_condition::gone));
}

TEST_CASE("each condition has the type that RFC 6120 gives it", "[chat][stanza]") {
  CHECK(type_of(stanza_condition::conflict) == "cancel");
  CHECK(type_of(stanza_condition::remote_server_not_found) == "cancel");
  CHECK(type_of(stanza_condition::bad_request) == "modify");
  CHECK(type_of(stanza_condition::jid_malformed) == "modify");
  CHECK(type_of(stanza_condition::forbidden) == "auth");
  CHECK(type_of(stanza_condition::resource_constraint) == "wait");
}

TEST_CASE("a presence is addressed to each receiver in turn", "[chat][stanza]") {
  CHECK(chat::addressed_to("<presence from='a'/>", bob) ==
        "<presence to='bob@otter.test' from='a'/>");
  CHECK(chat::addressed_to("<presence/>", bob) == "<presence to='bob@otter.test'/>");
  CHECK(chat::addressed_to("<presence><x/></presence>", bob) ==
        "<presence to='bob@otter.test'><x/></presence>");
}

TEST_CASE("a stream error carries one condition and an optional text", "[chat][stanza]") {
  CHECK(
      stream_error_xml(chat::stream_condition::restricted_xml) ==
      "<stream:error><restricted-xml xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>");
  CHECK(stream_error_xml(chat::stream_condition::conflict, "a<b") ==
        "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
        "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams' "
        "xml:lang='en'>a&lt;b</text></stream:error>");
}
