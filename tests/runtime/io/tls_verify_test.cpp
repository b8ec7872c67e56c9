// Whom a client believes, and whom a server does: each refusal with its reason and what to do.

#include "tls_support.hpp"

using namespace otter;
using namespace tls_test;

namespace {

/// What became of a handshake, for either side: "ok", or reason and sentence.
std::string outcome(tls_result<tls_info> const& r) {
  return r ? "ok" : r.error().code.message() + ": " + r.error().text;
}

struct seen_by_both {
  std::string server, client;
};

seen_by_both handshake_of(tls_context const& server, tls_context const& client,
                          std::string const& name = "localhost") {
  seen_by_both seen;
  node n;
  auto const reason = n.run([&] {
    pair const p = connect_pair();
    auto const both = shake_hands(p, server, client, {name, long_time});
    seen.client = outcome(both.client);
    seen.server = outcome(both.server);
    // With TLS 1.3 a client is content before the server is.
    if (both.client && !both.server) {
      auto const r = p.client.recv(0, long_time);
      seen.client = r ? "data" : r.error().message();
    }
  });
  CHECK(to_string(reason) == "normal");
  CHECK(ports_left(n) == 0);
  return seen;
}

tls_context server_with(test_certificate const& c) {
  tls_server_options o;
  o.identities = {identity_of(c)};
  return server_context(o);
}

}  // namespace

TEST_CASE("a client refuses a certificate that proves nothing, and says why", "[io][tls][TCP-28]") {
  auto const& authority = otter_test::test_authority();
  auto const stranger = test_certificate::make({{"somebody's authority"}, {}, -1, 30, true});
  struct sample {
    test_certificate certificate;
    std::string reason, says;
  };
  std::vector<sample> const samples = {
      {test_certificate::make({{"localhost"}, {}, -30, -1}, &authority),
       "the peer's certificate has expired", "renew"},
      {test_certificate::make({{"localhost"}, {}, 2, 30}, &authority),
       "the peer's certificate is not valid yet", "clock"},
      {test_certificate::make({{"localhost"}}), "the peer's certificate is signed by itself only",
       "\"CN=localhost\""},
      {test_certificate::make({{"localhost"}}, &stranger),
       "the peer's certificate is signed by an authority that is not trusted",
       "\"CN=somebody's authority\""},
      {test_certificate::make({{"mail.example", "www.example"}}, &authority),
       "the peer's certificate is for another name",
       "is for mail.example, www.example, and not for localhost"},
  };
  auto const client = client_context();
  for (sample const& s : samples) {
    INFO(s.reason);
    seen_by_both const seen = handshake_of(server_with(s.certificate), client);
    CHECK_THAT(seen.client, Catch::StartsWith(s.reason));
    CHECK_THAT(seen.client, Catch::Contains(s.says));
    // The server hears of it, since the client tells.
    CHECK_THAT(seen.server, Catch::StartsWith("the peer has given up TLS"));
  }
}

TEST_CASE("a numeric address is looked for in the certificate, and not asked for by name",
          "[io][tls][TCP-28]") {
  auto const client = client_context();
  CHECK(handshake_of(server_context(), client, "127.0.0.1").client == "ok");
  CHECK_THAT(handshake_of(server_context(), client, "127.0.0.2").client,
             Catch::Contains("is for localhost, 127.0.0.1, and not for 127.0.0.2"));
  CHECK_THAT(handshake_of(server_context(), client, "::1").client, Catch::Contains("not for ::1"));
}

TEST_CASE("a client trusts the system's authorities unless it names others", "[io][tls][TCP-28]") {
  auto const system = tls_context::client();
  REQUIRE(system);
  CHECK_THAT(handshake_of(server_context(), *system).client,
             Catch::StartsWith("the peer's certificate is signed by an authority"));
}

TEST_CASE("verification that is off is told of and ends no handshake", "[io][tls][TCP-28]") {
  tls_client_options o;
  o.verification = tls_verification::none;
  auto const trusting = client_context(o);
  o.verification = tls_verification::chain_only;
  auto const any_name = client_context(o);
  auto verification = [](tls_context const& server, tls_context const& client,
                         std::string const& name) {
    std::string said;
    node n;
    static_cast<void>(n.run([&] {
      auto const both = shake_hands(connect_pair(), server, client, {name, long_time});
      said = both.client ? both.client->verification : outcome(both.client);
    }));
    return said;
  };
  auto const self_signed = server_with(test_certificate::make({{"localhost"}}));
  CHECK_THAT(verification(self_signed, trusting, "localhost"), Catch::Contains("by itself only"));
  CHECK_THAT(verification(server_context(), trusting, "other.example"),
             Catch::Contains("not for other.example"));
  CHECK(verification(server_context(), trusting, "localhost") == "ok");
  CHECK(verification(server_context(), any_name, "other.example") == "ok");
  CHECK_THAT(verification(self_signed, any_name, "other.example"),
             Catch::Contains("by itself only"));
}

TEST_CASE("a server that asks for certificates knows its clients", "[io][tls][TCP-28]") {
  auto const& authority = otter_test::test_authority();
  tls_server_options s;
  s.client_authorities = authority.certificate;
  s.client_certificate = tls_client_certificate::require;
  s.identities = {identity_of(otter_test::test_localhost())};
  auto const requires_one = server_context(s);
  s.client_certificate = tls_client_certificate::ask;
  auto const asks = server_context(s);

  tls_client_options c;
  auto const nobody = client_context(c);
  c.identity = identity_of(test_certificate::make({{"alice"}}, &authority));
  auto const alice = client_context(c);
  c.identity = identity_of(test_certificate::make({{"mallory"}}));
  auto const mallory = client_context(c);

  auto subject_at = [](tls_context const& server, tls_context const& client) {
    std::string said;
    node n;
    static_cast<void>(n.run([&] {
      // Twice: a session that is resumed has the same client.
      for (int i = 0; i < 2; ++i) {
        pair const p = connect_pair();
        auto const both = shake_hands(p, server, client);
        if (!both.server) return static_cast<void>(said += outcome(both.server));
        must(p.server.send("x"), "send");
        must(p.client.recv(1, long_time), "recv");
        said += "'" + both.server->peer_subject + "' " + both.server->verification +
                (both.server->resumed ? " resumed" : ", ");
      }
    }));
    return said;
  };
  CHECK(subject_at(requires_one, alice) == "'CN=alice' ok, 'CN=alice' ok resumed");
  CHECK(subject_at(asks, alice) == "'CN=alice' ok, 'CN=alice' ok resumed");
  CHECK(subject_at(asks, nobody) == "'' , ''  resumed");
  auto const none = handshake_of(requires_one, nobody);
  CHECK_THAT(none.server, Catch::StartsWith("the peer has shown no certificate"));
  CHECK(none.client == "the peer has given up TLS");
  for (tls_context const& server : {requires_one, asks}) {
    auto const refused = handshake_of(server, mallory);
    CHECK_THAT(refused.server, Catch::StartsWith("the peer's certificate is signed by itself"));
    CHECK_THAT(refused.server, Catch::Contains("\"CN=mallory\""));
    CHECK(refused.client == "the peer has given up TLS");
  }
}

TEST_CASE("a certificate signed by itself is believed by who was given it", "[io][tls][TCP-28]") {
  auto const identity = tls_identity::self_signed({"chat.example", "127.0.0.1"});
  REQUIRE(identity);
  tls_server_options s;
  s.identities = {*identity};
  auto const server = server_context(s);
  tls_client_options c;
  c.authorities = identity->chain();
  auto const told_of_it = client_context(c);
  CHECK(handshake_of(server, told_of_it, "chat.example").client == "ok");
  CHECK(handshake_of(server, told_of_it, "127.0.0.1").client == "ok");
  CHECK_THAT(handshake_of(server, told_of_it, "mail.example").client,
             Catch::Contains("is for chat.example, 127.0.0.1, and not for mail.example"));
  CHECK_THAT(handshake_of(server, client_context(), "chat.example").client,
             Catch::Contains("by itself only"));
  CHECK(identity->chain().find("PRIVATE") == std::string::npos);
  CHECK(tls_identity().chain().empty());
  // A name cannot bring in others.
  CHECK(tls_identity::self_signed({"a,DNS:b"}).error() == tls_errc::bad_identity);
}

TEST_CASE("an identity that cannot be used is refused with the reason", "[io][tls][TCP-28]") {
  auto const one = test_certificate::make({}), other = test_certificate::make({});
  auto refused = [](std::string const& chain, std::string const& key) {
    auto const made = tls_identity::from_pem(chain, key);
    return made ? std::string("made") : made.error().text;
  };
  CHECK(refused(one.certificate, one.key) == "made");
  CHECK_THAT(refused(one.certificate, other.key), Catch::Contains("does not belong"));
  CHECK_THAT(refused("", one.key), Catch::Contains("no certificate"));
  CHECK_THAT(refused(one.certificate, ""), Catch::Contains("cannot read the private key"));
  CHECK_THAT(refused(one.key, one.key), Catch::Contains("no certificate"));
  std::string broken = one.certificate;
  broken[broken.size() / 2] = '!';
  CHECK_THAT(refused(broken, one.key), Catch::Contains("cannot read the certificate chain"));
  // A key with a password does not make anybody ask for it at the terminal.
  std::string const locked =
      "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"
      "00112233445566778899AABBCCDDEEFF\n\nAAAAAAAAAAAAAAAAAAAAAA==\n-----END RSA PRIVATE "
      "KEY-----\n";
  CHECK_THAT(refused(one.certificate, locked), Catch::Contains("have no password"));
  auto const nowhere = tls_identity::from_files("/nonexistent/chain.pem", "/nonexistent/key.pem");
  REQUIRE(!nowhere);
  CHECK(nowhere.error() == tls_errc::bad_identity);
  CHECK_THAT(nowhere.error().text, Catch::Contains("/nonexistent/chain.pem"));
  // Nothing of a key is in a text.
  for (std::string const& text : {refused(one.certificate, other.key), refused(one.key, one.key)})
    CHECK(text.find(one.key.substr(30, 20)) == std::string::npos);
  tls_client_options c;
  c.authorities = "no certificate";
  auto const untrusting = tls_context::client(c);
  REQUIRE(!untrusting);
  CHECK(untrusting.error() == tls_errc::bad_trust);
}
