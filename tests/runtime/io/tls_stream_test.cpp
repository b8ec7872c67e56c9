// The TLS of one connection, alone: two streams, or one and OpenSSL itself, and the bytes between
// them, cut, changed and repeated at will.

#include "io/tls_stream.hpp"

#include <malloc.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cstdio>
#include <functional>
#include <random>

#include "io/port.hpp"
#include "tls_support.hpp"

using namespace otter;
using namespace tls_test;
using rts::tls_stream;
using got = tls_stream::got;

namespace {

std::unique_ptr<tls_stream> stream_of(tls_context const& c, std::string name = {}) {
  return std::make_unique<tls_stream>(rts::tls_access::data(c)->settings(), std::move(name));
}

/// Both ends of one connection.
struct two_streams {
  std::unique_ptr<tls_stream> server, client;
  got at_server = got::nothing, at_client = got::nothing;

  two_streams(tls_context const& s, tls_context const& c, std::string const& name = "localhost")
      : server(stream_of(s)), client(stream_of(c, name)) {}

  /// Carries what they say, in pieces of `most` bytes, until nobody says anything any more.
  void shake_hands(std::size_t most = SIZE_MAX,
                   std::function<void(std::string&)> const& to_server = {}) {
    at_client = client->handshake({});
    for (;;) {
      std::string up = std::exchange(client->out(), {}), down = std::exchange(server->out(), {});
      if (up.empty() && down.empty()) return;
      if (to_server && !up.empty()) to_server(up);
      feed(*server, at_server, up, most);
      feed(*client, at_client, down, most);
    }
  }

  static void feed(tls_stream& to, got& state, std::string_view bytes, std::size_t most) {
    while (!bytes.empty()) {
      std::string_view const piece = bytes.substr(0, most);
      bytes.remove_prefix(piece.size());
      if (!to.established()) {
        state = to.handshake(piece);
      } else {
        char none[1];
        std::size_t n = 0;
        state = to.read(piece, none, sizeof none, n) == got::failed ? got::failed : got::bytes;
      }
    }
  }
};

/// All that `s` has to read, once `bytes` have come in pieces.
std::string read_all(tls_stream& s, std::string_view bytes, std::size_t most = SIZE_MAX,
                     std::size_t room = 1000) {
  std::string all, into(room, '\0');
  do {
    std::string_view piece = bytes.substr(0, most);
    bytes.remove_prefix(piece.size());
    do {
      std::size_t n = 0;
      got const g = s.read(piece, into.data(), room, n);
      piece = {};
      all.append(into, 0, n);
      if (g == got::end) return all + " then end";
      if (g == got::failed) return all + " then " + rts::code_of(s.error()).message();
    } while (s.has_more());
  } while (!bytes.empty());
  return all;
}

/// OpenSSL as a client, with nothing of ours in between: for what our client would never do.
class plain_openssl {
 public:
  explicit plain_openssl(int most_version) {
    context_.reset(::SSL_CTX_new(::TLS_client_method()));
    SSL_CTX_set_max_proto_version(context_.get(), most_version);
    SSL_CTX_set_min_proto_version(context_.get(), 0);
    ::SSL_CTX_set_security_level(context_.get(), 0);
    ssl_.reset(::SSL_new(context_.get()));
    in_ = ::BIO_new(::BIO_s_mem());
    out_ = ::BIO_new(::BIO_s_mem());
    ::SSL_set_bio(ssl_.get(), in_, out_);
    ::SSL_set_connect_state(ssl_.get());
  }
  SSL* get() const noexcept { return ssl_.get(); }
  void hear(std::string& bytes) {
    if (!bytes.empty()) ::BIO_write(in_, bytes.data(), static_cast<int>(bytes.size()));
    bytes.clear();
  }
  std::string said() {
    std::string all(static_cast<std::size_t>(BIO_ctrl_pending(out_)), '\0');
    if (!all.empty()) ::BIO_read(out_, all.data(), static_cast<int>(all.size()));
    return all;
  }
  void shake_hands(tls_stream& server) {
    for (int i = 0; i < 10; ++i) {
      ::SSL_do_handshake(get());
      std::string const up = said();
      if (!server.established()) server.handshake(up);
      hear(server.out());
    }
  }

 private:
  rts::openssl_ptr<SSL_CTX> context_;
  rts::openssl_ptr<SSL> ssl_;
  BIO* in_ = nullptr;
  BIO* out_ = nullptr;
};

std::size_t heap() { return ::mallinfo2().uordblks; }

constexpr bool heap_is_counted =
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    false;
#else
    true;
#endif

}  // namespace

TEST_CASE("a handshake and what follows it may come in any pieces", "[io][tls][TCP-28]") {
  auto const server = server_context();
  auto const client = client_context();
  std::string const text = numbered(50'000);
  for (std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{1000}, SIZE_MAX}) {
    INFO("pieces of " << piece);
    two_streams both(server, client);
    both.shake_hands(piece);
    REQUIRE(both.server->established());
    REQUIRE(both.client->established());
    std::string wire;
    for (std::string_view rest = text; !rest.empty();) {
      CHECK(both.client->write(rest.substr(0, tls_stream::most_at_once)));
      rest.remove_prefix(std::min(rest.size(), tls_stream::most_at_once));
      wire += std::exchange(both.client->out(), {});
    }
    CHECK(read_all(*both.server, wire, piece, piece == 1 ? 3 : 1000) == text);
    both.client->say_farewell();
    CHECK(read_all(*both.server, both.client->out()) == " then end");
  }
}

TEST_CASE("an idle TLS connection holds its keys and no buffers", "[io][tls][TCP-27]") {
  auto const server = server_context();
  auto const client = client_context();
  constexpr int count = 50;
  std::vector<std::unique_ptr<tls_stream>> servers, clients;
  std::string const text = numbered(16'000);
  auto open_one = [&] {
    two_streams both(server, client);
    both.shake_hands();
    // Records have come whole and in pieces, and gone.
    both.server->write(text);
    std::string const down = std::exchange(both.server->out(), {});
    both.client->write(text);
    std::string const up = std::exchange(both.client->out(), {});
    bool const came =
        read_all(*both.client, down, 1000) == text && read_all(*both.server, up, 1000) == text;
    servers.push_back(std::move(both.server));
    clients.push_back(std::move(both.client));
    return came;
  };
  for (int i = 0; i < 10; ++i) REQUIRE(open_one());
  std::size_t const before = heap();
  for (int i = 0; i < count; ++i) REQUIRE(open_one());
  std::size_t const both = heap() - before;
  clients.resize(10);
  std::size_t const servers_alone = heap() - before;
  std::printf("an idle TLS connection: %.1f KB for a server, %.1f KB for a client\n",
              static_cast<double>(servers_alone) / count / 1000,
              static_cast<double>(both - servers_alone) / count / 1000);
  if (heap_is_counted) {
    CHECK(servers_alone / count < 16'000);
    CHECK((both - servers_alone) / count < 20'000);
  }
}

TEST_CASE("a record that has begun costs what has come of it", "[io][tls][TCP-27]") {
  two_streams both(server_context(), client_context());
  both.shake_hands();
  both.client->write(numbered(16'000));
  std::string const wire = std::exchange(both.client->out(), {});
  std::size_t const before = heap();
  CHECK(read_all(*both.server, std::string_view(wire).substr(0, 100)).empty());
  if (heap_is_counted) CHECK(heap() - before < 1000);
  CHECK(read_all(*both.server, std::string_view(wire).substr(100)) == numbered(16'000));
}

TEST_CASE("what is not TLS is said to be not TLS, with its first bytes", "[io][tls][TCP-28]") {
  auto const server = server_context();
  auto const client = client_context();
  struct sample {
    std::string bytes, shown;
  };
  for (sample const& s :
       {sample{"GET / HTTP/1.1\r\n", "GET / HTTP/1.1"},
        sample{"<stream:stream ", "<stream:stream "},
        sample{std::string("\x80\x2e\x01\x00\x02", 5), "\\x80.\\x01\\x00\\x02"},
        sample{std::string("\x16\x03\x01\xff\xff", 5), "\\x16\\x03\\x01\\xff\\xff"},
        sample{"220 ready\r\n", "220 ready"}}) {
    INFO(s.shown);
    for (bool as_server : {true, false}) {
      auto const one = as_server ? stream_of(server) : stream_of(client, "localhost");
      CHECK(one->handshake(s.bytes) == got::failed);
      CHECK(one->error() == static_cast<int>(tls_errc::not_tls));
      CHECK_THAT(one->why(), Catch::Contains(s.shown));
      // It stays so.
      CHECK(one->handshake("more") == got::failed);
    }
  }
}

TEST_CASE("only TLS 1.2 and 1.3 are spoken", "[io][tls][TCP-28]") {
  auto const server = server_context();
  for (int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    auto const s = stream_of(server);
    plain_openssl old(version);
    old.shake_hands(*s);
    CHECK_FALSE(s->established());
    CHECK(s->error() == static_cast<int>(tls_errc::version));
  }
  auto const s = stream_of(server);
  plain_openssl recent(TLS1_2_VERSION);
  recent.shake_hands(*s);
  CHECK(s->established());
  // Of two contexts that have no version in common, each side says so.
  tls_server_options only_old;
  only_old.max_version = tls_version::tls1_2;
  tls_client_options only_new;
  only_new.min_version = tls_version::tls1_3;
  two_streams both(server_context(only_old), client_context(only_new));
  both.shake_hands();
  CHECK(both.server->error() == static_cast<int>(tls_errc::version));
  CHECK(both.client->error() == static_cast<int>(tls_errc::alert));
  CHECK_THAT(both.client->why(), Catch::Contains("protocol version"));
}

TEST_CASE("a client without a cipher of the server's is refused", "[io][tls][TCP-28]") {
  auto const s = stream_of(server_context());
  plain_openssl old(TLS1_2_VERSION);
  REQUIRE(::SSL_set_cipher_list(old.get(), "AES128-SHA") == 1);
  old.shake_hands(*s);
  CHECK_FALSE(s->established());
  CHECK(s->error() == static_cast<int>(tls_errc::no_shared_cipher));
}

TEST_CASE("a handshake that is weakened on its way fails", "[io][tls][TCP-28]") {
  // Somebody hides that the client knows TLS 1.3, so the server falls back to 1.2.
  two_streams both(server_context(), client_context());
  bool changed = false;
  both.shake_hands(SIZE_MAX, [&](std::string& hello) {
    auto const at = hello.find(std::string("\x00\x2b\x00\x05\x04\x03\x04\x03\x03", 9));
    if (changed || at == std::string::npos) return;
    hello[at] = '\x7f';  // an extension that nobody knows
    changed = true;
  });
  REQUIRE(changed);
  CHECK_FALSE(both.client->established());
  CHECK(both.client->error() == static_cast<int>(tls_errc::downgrade));
  CHECK_FALSE(both.server->established());
}

TEST_CASE("bytes that were changed on their way end the connection", "[io][tls][TCP-30]") {
  auto const server = server_context();
  auto const client = client_context();
  std::mt19937 random(17);
  for (int i = 0; i < 100; ++i) {
    two_streams both(server, client);
    both.shake_hands();
    both.client->write("hello");
    std::string wire = std::exchange(both.client->out(), {});
    both.client->write("again");
    std::string const behind = both.client->out();
    std::size_t const at = random() % wire.size();
    wire[at] = static_cast<char>(wire[at] ^ (1 << random() % 8));
    // A length that has grown swallows what is behind it; nothing of it is given to the user.
    std::string const seen = read_all(*both.server, wire + behind);
    INFO("byte " << at << ": " << seen);
    CHECK((seen.empty() || seen.substr(0, 6) == " then "));
  }
}

TEST_CASE("a client that begins the handshake anew is refused, and the connection goes on",
          "[io][tls][TCP-28]") {
  auto const s = stream_of(server_context());
  plain_openssl client(TLS1_2_VERSION);
  client.shake_hands(*s);
  REQUIRE(s->established());
  REQUIRE(::SSL_renegotiate(client.get()) == 1);
  ::SSL_do_handshake(client.get());
  CHECK(read_all(*s, client.said()).empty());
  // The answer is an alert; OpenSSL as a client then gives up.
  CHECK_FALSE(s->out().empty());
  client.hear(s->out());
  CHECK(::SSL_do_handshake(client.get()) == -1);
  CHECK_THAT(rts::take_openssl_errors(), Catch::Contains("no renegotiation"));
}

TEST_CASE("a peer that sends records without content is ended", "[io][tls][TCP-28]") {
  auto const s = stream_of(server_context());
  plain_openssl client(TLS1_3_VERSION);
  client.shake_hands(*s);
  REQUIRE(s->established());
  std::string seen;
  int sent = 0;
  for (; seen.empty() && sent < 100'000; ++sent) {
    REQUIRE(::SSL_key_update(client.get(), SSL_KEY_UPDATE_NOT_REQUESTED) == 1);
    ::SSL_do_handshake(client.get());
    seen = read_all(*s, client.said());
  }
  CHECK(seen == " then the peer demands answers and does not read them");
  CHECK(sent < 10'000);
}

TEST_CASE("a peer that makes us answer and does not read is ended", "[io][tls][TCP-28]") {
  auto const server = server_context();
  in_simulation({"error " + to_string(tls_errc::flood), "closed"}, [&](notes& seen) {
    pair const p = connect_pair();
    pid const other = spawn_link([=] {
      receive([](begun) {});
      plain_openssl c(TLS1_3_VERSION);
      while (::SSL_do_handshake(c.get()) != 1) {
        must(p.client.send(c.said()), "send");
        std::string came = must(p.client.recv(0, long_time), "recv");
        c.hear(came);
      }
      do {
        ::SSL_key_update(c.get(), SSL_KEY_UPDATE_REQUESTED);
        ::SSL_do_handshake(c.get());
      } while (p.client.send(c.said()));
      receive(after(infinity, [] {}));
    });
    must(p.client.controlling_process(other), "controlling_process");
    otter::send(other, begun{});
    must_tls(tls_handshake(p.server, server, {"", long_time}), "handshake");
    must(p.server.set_active(active::on), "set_active");
    for (int i = 0; i < 2; ++i) seen.add(next_message(p.server));
  });
}

TEST_CASE("both ends export the same keying material, and no other connection does",
          "[io][tls][TCP-28]") {
  auto const server = server_context();
  auto const client = client_context();
  auto exported = [](tls_stream const& s, std::string_view label) {
    std::vector<std::byte> bytes(32);
    REQUIRE(s.export_key_material(label, bytes));
    return bytes;
  };
  two_streams one(server, client), two(server, client);
  one.shake_hands();
  two.shake_hands();
  auto const binding = exported(*one.server, "EXPORTER-Channel-Binding");
  CHECK(binding == exported(*one.client, "EXPORTER-Channel-Binding"));
  CHECK(binding != exported(*one.client, "another label"));
  CHECK(binding != exported(*two.server, "EXPORTER-Channel-Binding"));
  CHECK(binding != std::vector<std::byte>(32));
}

TEST_CASE("any cut of a handshake, and any garbage behind it, is an end and no crash",
          "[io][tls][TCP-28]") {
  auto const server = server_context();
  auto const client = client_context();
  std::mt19937 random(42);
  // What each side hears in a good handshake.
  std::string to_server, to_client;
  {
    two_streams both(server, client);
    both.client->handshake({});
    for (int i = 0; i < 3; ++i) {
      std::string const up = std::exchange(both.client->out(), {});
      to_server += up;
      if (!both.server->established()) both.server->handshake(up);
      std::string const down = std::exchange(both.server->out(), {});
      to_client += down;
      if (!both.client->established()) both.client->handshake(down);
    }
  }
  REQUIRE(to_server.size() > 300);
  REQUIRE(to_client.size() > 500);
  for (bool as_server : {true, false}) {
    std::string const& good = as_server ? to_server : to_client;
    for (std::size_t cut = 0; cut < good.size(); cut += 1 + random() % 23) {
      auto const one = as_server ? stream_of(server) : stream_of(client, "localhost");
      if (!as_server) one->handshake({});
      // A recorded handshake is another connection's: it never gets through.
      got g = one->handshake(std::string_view(good).substr(0, cut));
      std::string garbage(1 + random() % 200, '\0');
      for (char& c : garbage) c = static_cast<char>(random());
      if (g == got::nothing) g = one->handshake(garbage);
      CHECK(g != got::bytes);
      CHECK_FALSE(one->established());
    }
  }
}
