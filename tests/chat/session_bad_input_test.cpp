// What a hostile or broken client sends, and how the stream answers or ends.

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "session_script.hpp"

using namespace std::string_literals;
using chat_test::client;
using chat_test::world;

namespace {

bool ends_with(std::string const& text, std::string const& condition) {
  return text.find("<stream:error><" + condition + " ") != std::string::npos &&
         text.ends_with("</stream:error></stream:stream>[closed]");
}
bool says(std::string const& text, std::string const& part) {
  return text.find(part) != std::string::npos;
}

struct row {
  std::string input;
  std::string condition;
};

}  // namespace

TEST_CASE("bytes that open no stream are answered by a header and the reason",
          "[chat][bad-input]") {
  std::string const ns = " xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'";
  for (auto const& [input, condition] : std::vector<row>{
           {"GET / HTTP/1.1\r\n\r\n", "not-well-formed"},
           {"\x16\x03\x01\x02", "not-well-formed"},
           {"<foo/>", "invalid-namespace"},
           {"<stream>", "invalid-namespace"},
           {"<stream:foo version='1.0'" + ns + ">", "bad-format"},
           {"<s:stream version='1.0' xmlns='jabber:client' xmlns:s='urn:x'>", "invalid-namespace"},
           {"<stream:stream version='1.0' xmlns='jabber:server' "
            "xmlns:stream='http://etherx.jabber.org/streams'>",
            "invalid-namespace"},
           {"<stream:stream version='1.0' xmlns:stream='http://etherx.jabber.org/streams'>",
            "invalid-namespace"},
           {"<stream:stream" + ns + ">", "unsupported-version"},
           {"<stream:stream version='0.9'" + ns + ">", "unsupported-version"},
           {"<stream:stream version='x'" + ns + ">", "unsupported-version"},
           {"<stream:stream version='1'" + ns + ">", "unsupported-version"},
           {"<stream:stream version='1.0' to='other.test'" + ns + ">", "host-unknown"},
           {"<stream:stream version='1.0' to='alice@otter.test'" + ns + ">", "host-unknown"},
           {"<stream:stream version='1.0' to='@'" + ns + ">", "improper-addressing"},
           {"<?xml version='1.0' encoding='iso-8859-1'?>", "unsupported-encoding"},
           {"<!DOCTYPE x>", "restricted-xml"},
           {"<!-- x -->", "restricted-xml"},
           {"<stream:stream a='" + std::string(9000, 'x'), "policy-violation"},
       }) {
    INFO(input);
    world w;
    client c{w, 1};
    CHECK(ends_with(c.send(input), condition));
    CHECK(c.headers == 1);
    CHECK(c.core().closed());
    CHECK(c.send("<presence/>").empty());
  }
}

TEST_CASE("a later version and a prefixed content namespace are fine", "[chat][bad-input]") {
  world w;
  client c{w, 1};
  CHECK(says(c.send("<stream:stream version='1.1' xmlns='jabber:client' "
                    "xmlns:stream='http://etherx.jabber.org/streams'>"),
             "<mechanisms"));
  client d{w, 2};
  CHECK(says(d.send("<stream version='2.0' xmlns='http://etherx.jabber.org/streams' "
                    "xmlns:c='jabber:client'>"),
             "<mechanisms"));
  CHECK(ends_with(d.send("<c:presence/>"), "not-authorized"));
}

TEST_CASE("before the login only SASL is listened to", "[chat][bad-input]") {
  for (auto const& [input, condition] : std::vector<row>{
           {"<message to='bob@otter.test'><body>x</body></message>", "not-authorized"},
           {"<presence/>", "not-authorized"},
           {"<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
            "not-authorized"},
           {"<foo/>", "unsupported-stanza-type"},
           {"<foo xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", "unsupported-stanza-type"},
           {"<message xmlns='urn:x'/>", "unsupported-stanza-type"},
           {"text", "bad-format"},
           {"<message><body>" + std::string(8192, 'x'), "policy-violation"},
       }) {
    INFO(input);
    world w;
    client c{w, 1};
    c.open();
    CHECK(ends_with(c.send(input), condition));
  }
}

TEST_CASE("between login and bind only the bind is listened to", "[chat][bad-input]") {
  for (auto const& [input, condition] : std::vector<row>{
           {"<presence/>", "not-authorized"},
           {"<message/>", "not-authorized"},
           {"<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>", "not-authorized"},
           {"<iq type='get' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
            "not-authorized"},
           {"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>",
            "unsupported-stanza-type"},
       }) {
    INFO(input);
    world w;
    client c{w, 1};
    c.open();
    c.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" +
           client::plain("alice", "pw") + "</auth>");
    c.open();
    CHECK(ends_with(c.send(input), condition));
  }
}

TEST_CASE("a bound stream ends at the first thing that breaks it", "[chat][bad-input]") {
  for (auto const& [input, condition] : std::vector<row>{
           {"<!-- hi -->", "restricted-xml"},
           {"<message>&undefined;</message>", "restricted-xml"},
           {"<message>&</message>", "not-well-formed"},
           {"<message><body></message>", "not-well-formed"},
           {"<message>\xff</message>", "not-well-formed"},
           {"<x:message/>", "bad-namespace-prefix"},
           {"<foo/>", "unsupported-stanza-type"},
           {"<enable xmlns='urn:xmpp:sm:3'/>", "unsupported-stanza-type"},
           {"hello", "bad-format"},
           {"<message from='bob@otter.test'/>", "invalid-from"},
           {"<presence from='alice@otter.test/other'/>", "invalid-from"},
           {"<iq type='get' id='1' from='alice@other.test'><x xmlns='urn:x'/></iq>",
            "invalid-from"},
           {"<message from='@@'/>", "invalid-from"},
           {"<message from=''/>", "invalid-from"},
           {"<message><body>" + std::string(70000, 'x'), "policy-violation"},
       }) {
    INFO(input);
    world w;
    client c{w, 1};
    c.log_in("alice", "pond");
    CHECK(ends_with(c.send(input), condition));
    CHECK(w.table.accounts() == 0);
  }
}

TEST_CASE("a bad stanza is answered and the stream goes on", "[chat][bad-input]") {
  world w;
  client c{w, 1};
  c.log_in("alice", "pond");
  for (auto const& [input, condition] : std::vector<row>{
           {"<message to='not a jid@@'><body>x</body></message>", "jid-malformed"},
           {"<message to='" + std::string(1024, 'a') + "@otter.test'/>", "jid-malformed"},
           {"<message to=''/>", "jid-malformed"},
           {"<presence to='@'/>", "jid-malformed"},
           {"<iq type='get' id='1' to='a@b@c'><x xmlns='urn:x'/></iq>", "jid-malformed"},
           {"<iq type='get'><x xmlns='urn:x'/></iq>", "bad-request"},
           {"<iq type='get' id=''><x xmlns='urn:x'/></iq>", "bad-request"},
           {"<iq type='get' id='1'/>", "bad-request"},
           {"<iq type='set' id='1'>text</iq>", "bad-request"},
           {"<iq type='get' id='1'><x xmlns='urn:x'/><y xmlns='urn:y'/></iq>", "bad-request"},
           {"<iq type='strange' id='1'><x xmlns='urn:x'/></iq>", "bad-request"},
           {"<iq id='1'><x xmlns='urn:x'/></iq>", "bad-request"},
           {"<presence><priority>999</priority></presence>", "bad-request"},
           {"<presence><priority>-129</priority></presence>", "bad-request"},
           {"<presence><priority>x</priority></presence>", "bad-request"},
           {"<presence><priority/></presence>", "bad-request"},
           {"<presence type='strange'/>", "bad-request"},
           {"<presence type='subscribe'/>", "bad-request"},
       }) {
    INFO(input);
    auto const answer = c.send(input);
    CHECK(says(answer, "type='error'"));
    CHECK(says(answer, "<" + condition + " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"));
    CHECK(says(answer, "to='alice@otter.test/pond'"));
  }
  CHECK(c.core().bound());
}

TEST_CASE("errors and results that nobody asked for are dropped without a reply",
          "[chat][bad-input]") {
  world w;
  client c{w, 1};
  c.log_in("alice", "pond");
  for (std::string const input :
       {"<iq type='result' id='1'/>", "<iq type='error' id='1' to='otter.test'/>",
        "<iq type='result' id='1' to='bob@otter.test'/>",
        "<iq type='result' id='1' to='bob@otter.test/gone'/>",
        "<iq type='error' to='a@other.test' id='1'/>", "<iq type='result'/>",
        "<message type='error' to='bob@otter.test'/>",
        "<message type='error' to='nobody@otter.test'/>", "<message type='error' to='@'/>",
        "<message type='error'/>", "<iq type='error' id='1' to='@'/>", "<presence type='error'/>",
        "<presence to='nobody@otter.test'/>", "<presence type='subscribe' to='bob@otter.test'/>",
        "<message type='headline' to='bob@otter.test'/>"}) {
    INFO(input);
    CHECK(c.send(input).empty());
  }
  CHECK(c.core().bound());
}

TEST_CASE("a priority at the edge of its range and an unknown show pass", "[chat][bad-input]") {
  world w;
  client c{w, 1};
  c.log_in("alice", "pond");
  CHECK(says(c.send("<presence><priority>127</priority></presence>"), "<priority>127</priority>"));
  CHECK(says(c.send("<presence><priority> -128 </priority></presence>"), "-128"));
  CHECK(says(c.send("<presence><show>strange</show></presence>"), "<show>strange</show>"));
}

TEST_CASE("five hundred stanzas in one read and one byte per read give the same",
          "[chat][bad-input]") {
  std::string many;
  for (int i = 0; i < 500; ++i)
    many += "<iq type='get' id='" + std::to_string(i) +
            "' to='otter.test'><ping xmlns='urn:xmpp:ping'/></iq>\n";
  world w;
  w.settings.limits.stanzas = {};
  client once{w, 1};
  client bytewise{w, 2};
  once.log_in("alice", "pond");
  bytewise.log_in("alice", "bank");
  auto whole = once.send(many);
  std::string pieces;
  for (char const ch : many) pieces += bytewise.send(std::string(1, ch));
  for (auto at = whole.find("/pond"); at != std::string::npos; at = whole.find("/pond"))
    whole.replace(at, 5, "/bank");
  CHECK(whole == pieces);
  CHECK(says(pieces, "id='499'"));
}
