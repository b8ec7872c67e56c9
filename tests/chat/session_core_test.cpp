// One stream from header to end, as scripts: what a client sends, what the server answers.

#include "session_core.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "session_script.hpp"

using namespace std::chrono_literals;
using chat_test::client;
using chat_test::world;

namespace {

std::string const sasl = " xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";
std::string const features_before = "<stream:features><mechanisms" + sasl +
                                    "><mechanism>SCRAM-SHA-256</mechanism><mechanism>SCRAM-SHA-1</"
                                    "mechanism><mechanism>PLAIN</mechanism>"
                                    "</mechanisms></stream:features>";
std::string const features_after =
    "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
    "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session></stream:features>";

std::string failure(std::string const& condition) {
  return "<failure" + sasl + "><" + condition + "/></failure>";
}
std::string auth(std::string const& data, std::string const& mechanism = "PLAIN") {
  return "<auth" + sasl + " mechanism='" + mechanism + "'>" + data + "</auth>";
}
std::string response(std::string const& data) {
  return "<response" + sasl + ">" + data + "</response>";
}
std::string bind_iq(std::string const& inside, std::string const& id = "1") {
  return "<iq type='set' id='" + id + "'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>" + inside +
         "</bind></iq>";
}
bool ends_with(std::string const& text, std::string const& condition) {
  return text.find("<stream:error><" + condition + " ") != std::string::npos &&
         text.ends_with("</stream:error></stream:stream>[closed]");
}
bool says(std::string const& text, std::string const& part) {
  return text.find(part) != std::string::npos;
}
/// What a client answers to the ping in `text`.
std::string answer_to(std::string const& text, std::string const& type = "result") {
  constexpr std::string_view id = "id='otter-";
  auto const from = text.find(id);
  if (from == std::string::npos) return "<no-ping/>";
  auto const to = text.find('\'', from + id.size());
  return "<iq type='" + type + "' to='otter.test' " + text.substr(from, to + 1 - from) + "/>";
}

}  // namespace

TEST_CASE("a login goes header, SASL, header, bind", "[chat][session]") {
  world w;
  client c{w, 1};
  CHECK(c.open() == features_before);
  CHECK(c.send(auth(client::plain("alice", "pw"))) == "<success" + sasl + "/>");
  CHECK(c.open() == features_after);
  CHECK(c.headers == 2);
  CHECK(c.send(bind_iq("<resource>pond</resource>")) ==
        "<iq id='1' type='result'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
        "<jid>alice@otter.test/pond</jid></bind></iq>");
  CHECK(c.core().bound());
  CHECK(c.core().who().full() == "alice@otter.test/pond");
}

TEST_CASE("the reply header names both ends and has a fresh id each time", "[chat][session]") {
  world w;
  client c{w, 1};
  c.send(
      "<stream:stream to='otter.test' from='Alice@otter.test' version='1.0' xmlns='jabber:client' "
      "xmlns:stream='http://etherx.jabber.org/streams'>");
  auto const first = c.last_header;
  CHECK(says(first, " from='otter.test' id='"));
  CHECK(says(first, " to='alice@otter.test' version='1.0' xml:lang='en' xmlns='jabber:client'"));
  c.send(auth(client::plain("alice", "pw")));
  c.open();
  auto const id = [](std::string const& h) { return h.substr(h.find(" id='") + 5, 32); };
  CHECK(id(first) != id(c.last_header));
}

TEST_CASE("a header without `to` means the only domain there is", "[chat][session]") {
  world w;
  client c{w, 1};
  CHECK(c.send("<stream:stream version='1.0' xmlns='jabber:client' "
               "xmlns:stream='http://etherx.jabber.org/streams'>") == features_before);
}

TEST_CASE("SCRAM runs inside the stream", "[chat][session]") {
  world w;
  client c{w, 1};
  c.open();
  auto const challenge = c.send(auth(chat::base64_encode("n,,n=alice,r=abc"), "SCRAM-SHA-256"));
  CHECK(says(challenge, "<challenge" + sasl + ">"));
  // The client's half, as in RFC 5802.
  auto const& key = w.accounts.at("alice").sha256;
  auto const server_first =
      "r=abcserver,s=" + chat::base64_encode(key.salt) + ",i=" + std::to_string(key.iterations);
  CHECK(says(challenge, chat::base64_encode(server_first)));
  auto const salted =
      run(chat::pbkdf2_job{chat::hash_type::sha256, chat::secret{"pw"}, key.salt, key.iterations});
  auto const client_key = chat::hmac(chat::hash_type::sha256, salted.view(), "Client Key");
  auto const without_proof = std::string{"c=biws,r=abcserver"};
  auto const signature =
      chat::hmac(chat::hash_type::sha256, chat::digest(chat::hash_type::sha256, client_key),
                 "n=alice,r=abc," + server_first + "," + without_proof);
  std::string proof;
  for (std::size_t i = 0; i < client_key.size(); ++i)
    proof += static_cast<char>(client_key[i] ^ signature[i]);
  auto const answer =
      c.send(response(chat::base64_encode(without_proof + ",p=" + chat::base64_encode(proof))));
  CHECK(says(answer, "<success" + sasl + ">"));
  CHECK(c.core().who().full() == "alice@otter.test");
}

TEST_CASE("a failed login may be tried again, but not without end", "[chat][session]") {
  world w;
  client c{w, 1};
  c.open();
  for (int i = 0; i < 4; ++i)
    CHECK(c.send(auth(client::plain("alice", "no"))) == failure("not-authorized"));
  SECTION("the fifth try may still succeed") {
    CHECK(c.send(auth(client::plain("alice", "pw"))) == "<success" + sasl + "/>");
  }
  SECTION("the fifth failure closes") {
    auto const last = c.send(auth(client::plain("alice", "no")));
    CHECK(last.starts_with(failure("not-authorized")));
    CHECK(ends_with(last, "policy-violation"));
  }
}

TEST_CASE("each SASL mistake has its answer", "[chat][session]") {
  world w;
  client c{w, 1};
  c.open();
  SECTION("bad base64") { CHECK(c.send(auth("!!!")) == failure("incorrect-encoding")); }
  SECTION("white space in base64") {
    CHECK(c.send(auth("AGFs aWNl")) == failure("incorrect-encoding"));
  }
  SECTION("unknown mechanism") { CHECK(c.send(auth("", "X")) == failure("invalid-mechanism")); }
  SECTION("no mechanism") { CHECK(c.send("<auth" + sasl + "/>") == failure("invalid-mechanism")); }
  SECTION("one NUL") {
    CHECK(c.send(auth(chat::base64_encode("abc"))) == failure("malformed-request"));
  }
  SECTION("four NULs") {
    CHECK(c.send(auth(chat::base64_encode(std::string("\0alice\0pw\0\0", 11)))) ==
          failure("malformed-request"));
  }
  SECTION("an equals sign is an empty response") {
    CHECK(c.send(auth("=")) == failure("malformed-request"));
  }
  SECTION("another's authzid") {
    CHECK(c.send(auth(chat::base64_encode(std::string("bob@otter.test\0alice\0pw", 23)))) ==
          failure("invalid-authzid"));
  }
  SECTION("a response that nobody asked for") {
    CHECK(c.send(response("=")) == failure("malformed-request"));
  }
  SECTION("abort") {
    CHECK(c.send(auth("")) == "<challenge" + sasl + "/>");
    CHECK(c.send("<abort" + sasl + "/>") == failure("aborted"));
    CHECK(c.send(auth(client::plain("alice", "pw"))) == "<success" + sasl + "/>");
  }
  SECTION("a second auth while one runs") {
    CHECK(c.send(auth("")) == "<challenge" + sasl + "/>");
    CHECK(c.send(auth(client::plain("alice", "pw"))) == failure("malformed-request"));
    CHECK(c.send(response(client::plain("alice", "pw"))) == failure("malformed-request"));
  }
  SECTION("PLAIN in two steps") {
    CHECK(c.send(auth("")) == "<challenge" + sasl + "/>");
    CHECK(c.send(response(client::plain("alice", "pw"))) == "<success" + sasl + "/>");
  }
  SECTION("the store does not answer") {
    w.store_works = false;
    CHECK(c.send(auth(client::plain("alice", "pw"))) == failure("temporary-auth-failure"));
    w.store_works = true;
    w.derivation_works = false;
    CHECK(c.send(auth(client::plain("alice", "pw"))) == failure("temporary-auth-failure"));
  }
}

TEST_CASE("data glued behind a login is never acted upon", "[chat][session]") {
  world w;
  client c{w, 1};
  c.open();
  SECTION("a complete element, success") {
    auto const answer = c.send(auth(client::plain("alice", "pw")) + "<presence/>");
    CHECK(ends_with(answer, "policy-violation"));
  }
  SECTION("half an element, success") {
    CHECK(ends_with(c.send(auth(client::plain("alice", "pw")) + "<pres"), "policy-violation"));
  }
  SECTION("while the key is being derived") {
    c.answering = false;
    CHECK(c.send(auth(client::plain("alice", "pw"))).empty());
    CHECK(c.core().waiting());
    CHECK(ends_with(c.send("<presence/>"), "policy-violation"));
    CHECK(
        c.with([&](auto& s, auto& out) { s.on_credentials(std::nullopt, c.now(), out); }).empty());
  }
  SECTION("white space is harmless") {
    CHECK(c.send(auth(client::plain("alice", "pw")) + "\n") == "<success" + sasl + "/>");
    CHECK(c.open() == features_after);
  }
}

TEST_CASE("STARTTLS is refused while there is no TLS, and glued data dies with it",
          "[chat][session]") {
  world w;
  client c{w, 1};
  c.open();
  CHECK(c.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" +
               auth(client::plain("alice", "pw"))) ==
        "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>[closed]");
}

TEST_CASE("a resource is taken as asked, or made up", "[chat][session]") {
  world w;
  auto const start = [](client& c) {
    c.open();
    c.send(auth(client::plain("alice", "pw")));
    c.open();
  };
  client c{w, 1};
  start(c);
  SECTION("made up: 64 random bits") {
    auto const answer = c.send(bind_iq(""));
    CHECK(says(answer, "<jid>alice@otter.test/"));
    CHECK(c.core().who().resource().size() == 16);
    client d{w, 2};
    start(d);
    d.send(bind_iq("<required/>"));  // as libstrophe does
    CHECK(d.core().bound());
    CHECK(d.core().who() != c.core().who());
  }
  SECTION("prepared") {
    c.send(bind_iq("<resource>my\xc2\xa0pond</resource>"));
    CHECK(c.core().who().resource() == "my pond");
  }
  SECTION("one that cannot be is refused, and another may be asked for") {
    CHECK(says(c.send(bind_iq("<resource>a\xe2\x80\x8b</resource>")), "<bad-request "));
    CHECK(says(c.send(bind_iq("<resource>" + std::string(1024, 'a') + "</resource>")),
               "<bad-request "));
    CHECK(says(c.send(bind_iq("<resource>pond</resource>")), "type='result'"));
  }
  SECTION("an iq without id is refused") {
    CHECK(says(c.send("<iq type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"),
               "<bad-request "));
  }
  SECTION("a second bind is not allowed") {
    c.send(bind_iq("<resource>pond</resource>"));
    CHECK(says(c.send(bind_iq("<resource>bank</resource>")), "<not-allowed "));
  }
  SECTION("too many resources") {
    w.settings.limits.resources = 1;
    c.send(bind_iq("<resource>pond</resource>"));
    client d{w, 2};
    start(d);
    CHECK(says(d.send(bind_iq("<resource>bank</resource>")),
               "<error type='wait'><resource-constraint "));
    CHECK(d.core().who().full() == "alice@otter.test");
    // The name that is bound already may still be taken over.
    CHECK(says(d.send(bind_iq("<resource>pond</resource>")), "type='result'"));
  }
}

TEST_CASE("a new connection takes the resource and the old one ends with conflict",
          "[chat][session]") {
  world w;
  client old{w, 1};
  old.log_in("alice", "pond");
  old.send("<presence/>");
  client fresh{w, 2};
  fresh.log_in("alice", "pond");
  CHECK(ends_with(old.take(), "conflict"));
  CHECK(fresh.core().bound());
  CHECK(w.table.is_bound(fresh.core().who()));
}

TEST_CASE("questions to the server and to the own account are answered", "[chat][session]") {
  world w;
  client c{w, 1};
  c.log_in("alice", "pond");
  auto const iq = [&](std::string const& to, std::string const& payload,
                      std::string const& type = "get") {
    return c.send("<iq type='" + type + "' id='7'" + (to.empty() ? "" : " to='" + to + "'") + ">" +
                  payload + "</iq>");
  };
  std::string const result =
      "<iq type='result' id='7' from='otter.test' to='alice@otter.test/pond'";
  std::string const own = "<iq type='result' id='7' to='alice@otter.test/pond'";
  CHECK(iq("otter.test", "<ping xmlns='urn:xmpp:ping'/>") == result + "/>");
  CHECK(iq("", "<ping xmlns='urn:xmpp:ping'/>") == own + "/>");
  CHECK(says(iq("alice@otter.test", "<ping xmlns='urn:xmpp:ping'/>"),
             "type='result' id='7' from='alice@otter.test'"));
  auto const info = iq("otter.test", "<query xmlns='http://jabber.org/protocol/disco#info'/>");
  CHECK(says(info, "<identity category='server' type='im' name='otter'/>"));
  for (auto const* feature :
       {"http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/disco#items",
        "urn:xmpp:ping", "jabber:iq:version", "msgoffline", "urn:xmpp:time"})
    CHECK(says(info, "<feature var='" + std::string{feature} + "'/>"));
  CHECK(says(iq("", "<query xmlns='http://jabber.org/protocol/disco#info'/>"),
             "<identity category='account' type='registered'/>"));
  CHECK(iq("otter.test", "<query xmlns='http://jabber.org/protocol/disco#items'/>") ==
        result + "><query xmlns='http://jabber.org/protocol/disco#items'/></iq>");
  CHECK(says(iq("otter.test", "<query xmlns='http://jabber.org/protocol/disco#info' node='x'/>"),
             "<item-not-found "));
  CHECK(says(iq("otter.test", "<query xmlns='jabber:iq:version'/>"), "<name>otter chat</name>"));
  w.settings.time_of_day = [] { return std::int64_t{1158008053}; };  // XEP-0202's own example
  CHECK(iq("otter.test", "<time xmlns='urn:xmpp:time'/>") ==
        result +
            "><time xmlns='urn:xmpp:time'><tzo>+00:00</tzo><utc>2006-09-11T20:54:13Z</utc>"
            "</time></iq>");
  CHECK(says(iq("", "<time xmlns='urn:xmpp:time'/>"), "<service-unavailable "));
  CHECK(iq("", "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>", "set") == own + "/>");
  CHECK(iq("", "<query xmlns='jabber:iq:roster'/>") ==
        own + "><query xmlns='jabber:iq:roster'/></iq>");
  CHECK(says(iq("", "<query xmlns='urn:unknown'/>"), "<error type='cancel'><service-unavailable "));
  CHECK(says(iq("otter.test/x", "<ping xmlns='urn:xmpp:ping'/>"), "<service-unavailable "));
  CHECK(says(iq("bob@otter.test", "<ping xmlns='urn:xmpp:ping'/>"), "<service-unavailable "));
  CHECK(says(iq("nobody@otter.test", "<ping xmlns='urn:xmpp:ping'/>"), "<service-unavailable "));
  CHECK(says(iq("other.test", "<ping xmlns='urn:xmpp:ping'/>"), "<remote-server-not-found "));
}

TEST_CASE("an id comes back as it was, odd characters included", "[chat][session]") {
  world w;
  client c{w, 1};
  c.log_in("alice", "pond");
  CHECK(says(c.send("<iq type='get' id=\"&lt;&amp;'&quot;&#x1F9A6; \" to='otter.test'><ping "
                    "xmlns='urn:xmpp:ping'/></iq>"),
             "id='&lt;&amp;&apos;&quot;\xf0\x9f\xa6\xa6 '"));
}

TEST_CASE("presence is echoed and told to the own resources", "[chat][session]") {
  world w;
  client pond{w, 1};
  client bank{w, 2};
  pond.log_in("alice", "pond");
  bank.log_in("alice", "bank");
  CHECK(pond.send("<presence><show>away</show></presence>") ==
        "<presence to='alice@otter.test/pond' "
        "from='alice@otter.test/pond'><show>away</show></presence>");
  CHECK(bank.take().empty());
  CHECK(bank.send("<presence/>") ==
        "<presence to='alice@otter.test/bank' from='alice@otter.test/bank'/>"
        "<presence to='alice@otter.test/bank' "
        "from='alice@otter.test/pond'><show>away</show></presence>");
  CHECK(pond.take() == "<presence to='alice@otter.test/pond' from='alice@otter.test/bank'/>");
  bank.with([](auto& s, auto& out) { s.on_connection_lost(out); });
  CHECK(pond.take() ==
        "<presence to='alice@otter.test/pond' from='alice@otter.test/bank' type='unavailable'/>");
}

TEST_CASE("messages reach the other account, by bare and by full address", "[chat][session]") {
  world w;
  client alice{w, 1};
  client bob{w, 2};
  alice.log_in("alice", "pond");
  bob.log_in("bob", "raft");
  bob.send("<presence/>");
  CHECK(alice.send("<message to='bob@otter.test' type='chat' id='m1'><body>fish?</body></message>")
            .empty());
  CHECK(bob.take() ==
        "<message to='bob@otter.test' type='chat' id='m1' "
        "from='alice@otter.test/pond'><body>fish?</body></message>");
  alice.send("<message to='bob@otter.test/raft' from='alice@otter.test'><body>x</body></message>");
  CHECK(bob.take() ==
        "<message to='bob@otter.test/raft' from='alice@otter.test/pond'><body>x</body></message>");
  CHECK(says(alice.send("<message to='bob@otter.test' type='groupchat'><body>x</body></message>"),
             "<service-unavailable "));
  CHECK(says(alice.send("<message to='nobody@otter.test'><body>x</body></message>"),
             "<service-unavailable "));
  CHECK(says(alice.send("<message to='a@other.test'><body>x</body></message>"),
             "<remote-server-not-found "));
  CHECK(alice.send("<message to='otter.test'><body>x</body></message>").empty());
}

TEST_CASE("a message without `to` is a note to oneself", "[chat][session]") {
  world w;
  client c{w, 1};
  c.log_in("alice", "pond");
  c.send("<presence/>");
  CHECK(c.send("<message><body>x</body></message>") ==
        "<message from='alice@otter.test/pond' to='alice@otter.test'><body>x</body></message>");
}

TEST_CASE("iq goes from client to client and back", "[chat][session]") {
  world w;
  client alice{w, 1};
  client bob{w, 2};
  alice.log_in("alice", "pond");
  bob.log_in("bob", "raft");
  alice.send("<iq type='get' id='q' to='bob@otter.test/raft'><x xmlns='urn:x'/></iq>");
  CHECK(bob.take() ==
        "<iq type='get' id='q' to='bob@otter.test/raft' from='alice@otter.test/pond'><x "
        "xmlns='urn:x'/></iq>");
  bob.send("<iq type='result' id='q' to='alice@otter.test/pond'/>");
  CHECK(alice.take() ==
        "<iq type='result' id='q' to='alice@otter.test/pond' from='bob@otter.test/raft'/>");
  CHECK(says(alice.send("<iq type='get' id='q' to='bob@otter.test/gone'><x xmlns='urn:x'/></iq>"),
             "<service-unavailable "));
}

TEST_CASE(
    "waiting messages come at the first presence that wants them, once and before what is new",
    "[chat][session]") {
  world w;
  client alice{w, 1};
  alice.log_in("alice", "pond");
  for (int i = 1; i <= 2; ++i)
    alice.send("<message to='bob@otter.test'><body>" + std::to_string(i) + "</body></message>");
  CHECK(says(alice.send("<message to='bob@otter.test'><active "
                        "xmlns='http://jabber.org/protocol/chatstates'/></message>"),
             "<service-unavailable "));
  client bob{w, 2};
  bob.log_in("bob", "raft");
  CHECK_FALSE(says(bob.send("<presence><priority>-1</priority></presence>"), "<message"));
  auto const got = bob.send("<presence/>");
  CHECK(
      got.starts_with("<message to='bob@otter.test' "
                      "from='alice@otter.test/pond'><body>1</body><delay xmlns='urn:xmpp:delay' "
                      "from='otter.test' stamp='1970-01-01T00:00:00Z'/></message><message"));
  CHECK(says(got, "<body>2</body>"));
  CHECK_FALSE(says(bob.send("<presence><show>away</show></presence>"), "<message"));
  CHECK_FALSE(says(bob.send("<presence type='unavailable'/><presence/>"), "<message"));
}

TEST_CASE("a client that does not fetch its waiting messages cannot make new ones pile up",
          "[chat][session]") {
  world w;
  w.settings.limits.send_queue_bytes = 2000;  // the echo of the presence waits, too
  client bob{w, 2};
  bob.log_in("bob", "raft");
  bob.answering = false;
  bob.send("<presence/>");
  bob.deliver(std::string(1000, 'x'));
  CHECK(bob.take().empty());
  bob.deliver(std::string(1000, 'x'));
  CHECK(says(bob.take(), "<policy-violation "));
  CHECK(bob.closed());
}
TEST_CASE("a delivery waits behind the waiting messages", "[chat][session]") {
  world w;
  client bob{w, 2};
  bob.log_in("bob", "raft");
  bob.answering = false;
  bob.send("<presence/>");
  bob.deliver("<message><body>new</body></message>");
  CHECK(bob.take().empty());
  bob.answering = true;
  auto const old = bob.with([&](auto& s, auto& out) {
    s.on_offline({{1, 0, "<message><body>old</body></message>"}}, bob.now(), out);
  });
  CHECK(
      old.starts_with("<message><body>old</body><delay xmlns='urn:xmpp:delay' from='otter.test' "
                      "stamp='1970-01-01T00:00:00Z'/></message><iq type='get' id='otter-"));
  CHECK(bob.send(answer_to(old)) ==
        "<presence to='bob@otter.test/raft' from='bob@otter.test/raft'/>"
        "<message><body>new</body></message>");
}

TEST_CASE("waiting messages are forgotten once the client has answered behind them, not before",
          "[chat][session]") {
  world w;
  auto& kept = w.offline["bob@otter.test"];
  kept = {{1, 0, "<message><body>one</body></message>"},
          {2, 0, "<message><body>two</body></message>"}};
  client bob{w, 2};
  bob.log_in("bob", "raft");
  auto const shown = bob.send("<presence/>");
  CHECK(says(shown, "<body>one</body>"));
  CHECK(says(shown, "<body>two</body>"));
  CHECK(kept.size() == 2);
  SECTION("an answer to something else is none") {
    bob.send("<iq type='result' id='otter-0' to='otter.test'/>");
    CHECK(kept.size() == 2);
  }
  SECTION("a connection that breaks leaves them where they are") {
    bob.with([](auto& s, auto& out) { s.on_connection_lost(out); });
    CHECK(kept.size() == 2);
  }
  SECTION("any answer will do, once") {
    auto const type = GENERATE("result", "error");
    auto const answer = answer_to(shown, type);
    CHECK(bob.send(answer) == "<presence to='bob@otter.test/raft' from='bob@otter.test/raft'/>");
    CHECK(kept.empty());
    kept.push_back({3, 0, "<message><body>three</body></message>"});
    CHECK(bob.send(answer).empty());
    CHECK(kept.size() == 1);
  }
  SECTION("a client that never answers is taken for gone") {
    bob.pass(59s);
    CHECK(bob.tick().empty());
    bob.send(" ");  // a sign of life is no answer
    bob.pass(1s);
    CHECK(says(bob.tick(), "<connection-timeout "));
    CHECK(bob.closed());
    CHECK(kept.size() == 2);
  }
}

TEST_CASE("what was entrusted to a stream that has ended is given back", "[chat][session]") {
  world w;
  client bob{w, 2};
  bob.log_in("bob", "raft");
  chat::stanza message;
  message.xml = "<message><body>precious</body></message>";
  SECTION("it came too late") {
    bob.send("</stream:stream>");
    bob.entrust(message);
    bob.deliver("<presence/>");
    CHECK(bob.given_back == std::vector<std::string>{message.xml});
  }
  SECTION("it was held behind waiting messages") {
    bob.answering = false;
    bob.send("<presence/>");
    bob.deliver("<presence from='x'/>");
    bob.entrust(message);
    bob.entrust(message);
    CHECK(bob.given_back.empty());
    bob.with([](auto& s, auto& out) { s.on_connection_lost(out); });
    CHECK(bob.given_back == std::vector<std::string>{message.xml, message.xml});
  }
  SECTION("not if it was written") {
    bob.entrust(message);
    CHECK(bob.take() == message.xml);
    bob.with([](auto& s, auto& out) { s.on_connection_lost(out); });
    CHECK(bob.given_back.empty());
  }
}

TEST_CASE("a closing tag is answered and the resource is free again", "[chat][session]") {
  world w;
  client c{w, 1};
  c.log_in("alice", "pond");
  auto const who = c.core().who();
  CHECK(w.table.is_bound(who));
  CHECK(c.send("</stream:stream>") == "</stream:stream>[closed]");
  CHECK_FALSE(w.table.is_bound(who));
  CHECK(c.core().closed());
}

TEST_CASE("a shutdown ends the stream politely", "[chat][session]") {
  world w;
  client c{w, 1};
  SECTION("bound") {
    c.log_in("alice", "pond");
    CHECK(ends_with(c.with([](auto& s, auto& out) { s.on_shutdown(out); }), "system-shutdown"));
    CHECK(w.table.accounts() == 0);
  }
  SECTION("before the header: our header comes first") {
    CHECK(ends_with(c.with([](auto& s, auto& out) { s.on_shutdown(out); }), "system-shutdown"));
    CHECK(c.headers == 1);
  }
}

TEST_CASE("a silent client is closed at each deadline", "[chat][session]") {
  world w;
  client c{w, 1};
  SECTION("no header in 10 s") {
    CHECK(c.run_timers(9s).empty());
    CHECK(ends_with(c.run_timers(1s), "connection-timeout"));
    CHECK(c.headers == 1);
  }
  SECTION("no login in 30 s from accept, whatever is sent") {
    CHECK(c.run_timers(8s).empty());
    c.open();
    for (int i = 0; i < 4; ++i) {
      CHECK(c.run_timers(5s).empty());
      c.send(" ");
    }
    c.send("<au");
    CHECK(c.run_timers(1s).empty());
    CHECK(ends_with(c.run_timers(1s), "connection-timeout"));
  }
  SECTION("no bind") {
    c.open();
    c.send(auth(client::plain("alice", "pw")));
    CHECK(c.run_timers(29s).empty());
    CHECK(ends_with(c.run_timers(1s), "connection-timeout"));
  }
}

TEST_CASE("an idle client is asked, and closed if it does not answer", "[chat][session]") {
  world w;
  client c{w, 1};
  c.log_in("alice", "pond");
  CHECK(c.run_timers(299s).empty());
  auto const ping = c.run_timers(1s);
  CHECK(says(ping,
             "from='otter.test' to='alice@otter.test/pond'><ping xmlns='urn:xmpp:ping'/></iq>"));
  SECTION("no answer") {
    CHECK(c.run_timers(59s).empty());
    CHECK(ends_with(c.run_timers(1s), "connection-timeout"));
  }
  SECTION("any sign of life will do") {
    CHECK(c.run_timers(59s).empty());
    c.send(" ");
    CHECK(c.run_timers(299s).empty());
    CHECK(says(c.run_timers(1s), "urn:xmpp:ping"));
  }
}

TEST_CASE("an element that is never finished is waited for one minute", "[chat][session]") {
  world w;
  client c{w, 1};
  c.log_in("alice", "pond");
  c.send("<message>");
  for (int i = 0; i < 11; ++i) {
    CHECK(c.run_timers(5s).empty());
    c.send("x");
  }
  CHECK(ends_with(c.run_timers(5s), "connection-timeout"));
  client d{w, 2};
  d.log_in("bob", "raft");
  d.send("<message>");
  for (int i = 0; i < 40; ++i) {  // many elements cut in the middle are no slow element
    CHECK(d.run_timers(5s).empty());
    d.send("</message><message>");
  }
  CHECK_FALSE(d.closed());
}

TEST_CASE("a client that writes too fast is made to wait and loses nothing", "[chat][session]") {
  world w;
  w.settings.limits.stanzas = {10, 20};
  client c{w, 1};
  c.log_in("alice", "pond");
  std::string many;
  for (int i = 0; i < 50; ++i)
    many += "<iq type='get' id='p' to='otter.test'><ping xmlns='urn:xmpp:ping'/></iq>";
  auto const got = c.send(many);
  std::size_t answers = 0;
  for (auto at = got.find("<iq "); at != std::string::npos; at = got.find("<iq ", at + 1))
    ++answers;
  CHECK(answers == 50);
  CHECK(c.paused() > 2s);
}

TEST_CASE("a session that is bound and idle keeps little", "[chat][session]") {
  CHECK(sizeof(chat::session_state) <= 168);
}
