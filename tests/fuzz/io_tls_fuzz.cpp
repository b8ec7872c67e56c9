// libFuzzer program for the TLS of a connection; see run. The first byte of an input chooses what
// the rest is: what a server hears first, what a client hears behind its hello, or what happens to
// an established connection: who writes how much, and what becomes of it on the way.

#define OPENSSL_SUPPRESS_DEPRECATED  // RAND_METHOD
#include <openssl/rand.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "io/tls_stream.hpp"

namespace {

using namespace otter;
using rts::tls_stream;
using got = tls_stream::got;

void require(bool holds) {
  if (!holds) std::abort();
}

// Chance is the same each time, so that an input does the same each time.
std::uint64_t chance = 1;
int next_bytes(unsigned char* into, int n) {
  for (int i = 0; i < n; ++i) {
    chance = chance * 6364136223846793005U + 1442695040888963407U;
    into[i] = static_cast<unsigned char>(chance >> 56);
  }
  return 1;
}
int ready() { return 1; }

struct contexts {
  tls_context server, client;

  contexts() {
    static RAND_METHOD const same = {nullptr, next_bytes, nullptr, nullptr, next_bytes, ready};
    ::RAND_set_rand_method(&same);
    auto const identity = tls_identity::self_signed({"localhost"}).value();
    tls_server_options s;
    s.identities = {identity};
    s.protocols = {"fuzz"};
    server = tls_context::server(s).value();
    tls_client_options c;
    c.authorities = identity.chain();
    c.protocols = {"fuzz"};
    c.sessions = 0;
    client = tls_context::client(c).value();
  }
};

tls_stream fresh(tls_context const& c, char const* name) {
  return tls_stream(rts::tls_access::data(c)->settings(), name);
}

/// Strangers' bytes, in pieces as the first of them says. No handshake comes of them.
void stranger(tls_stream& to, std::string_view bytes) {
  if (bytes.empty()) return;
  std::size_t const piece = 1 + static_cast<unsigned char>(bytes.front()) * 4U;
  bytes.remove_prefix(1);
  got state = got::nothing;
  while (!bytes.empty() && state == got::nothing) {
    state = to.handshake(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(bytes.size(), piece));
    require(to.out().size() < 65536);
  }
  require(!to.established());
  require((state == got::failed) == (to.error() != 0));
}

/// One direction of an established connection.
struct direction {
  tls_stream& from;
  tls_stream& to;
  std::string wire;
  std::string sent, received;
  bool over = false;

  void hear(std::size_t bytes, std::size_t room) {
    std::string const came = wire.substr(0, bytes);
    wire.erase(0, came.size());
    std::string into(room, '\0');
    std::string_view rest = came;
    do {
      std::size_t n = 0;
      got const g = to.read(rest, into.data(), room, n);
      rest = {};
      received.append(into, 0, n);
      over = over || g == got::failed || g == got::end;
    } while (!over && to.has_more());
    // Whatever became of the bytes: what is read is what was written, from the beginning on.
    require(received.size() <= sent.size());
    require(sent.compare(0, received.size(), received) == 0);
  }
};

void established(contexts const& all, std::string_view script) {
  tls_stream server = fresh(all.server, ""), client = fresh(all.client, "localhost");
  client.handshake({});
  server.handshake(std::exchange(client.out(), {}));
  client.handshake(std::exchange(server.out(), {}));
  server.handshake(std::exchange(client.out(), {}));
  require(server.established() && client.established());
  direction up{client, server, {}, {}, {}}, down{server, client, {}, {}, {}};
  bool whole = true;
  for (std::size_t i = 0; i + 2 < script.size(); i += 3) {
    auto const byte = [&](std::size_t at) { return static_cast<unsigned char>(script[i + at]); };
    direction& d = (byte(0) & 1) != 0 ? up : down;
    std::size_t const number = byte(1) + 256U * byte(2);
    d.wire += std::exchange(d.from.out(), {});
    switch (byte(0) >> 1 & 7) {
      case 0:
      case 1: {
        std::string const text(std::min<std::size_t>(number, tls_stream::most_at_once),
                               static_cast<char>('a' + i % 26));
        if (!text.empty() && d.from.write(text)) d.sent += text;
        break;
      }
      case 2:
      case 3:
        if (!d.over) d.hear(number, 1 + byte(2) * 16U);
        break;
      case 4:  // a bit is changed
        if (d.wire.empty()) break;
        d.wire[number % d.wire.size()] = static_cast<char>(d.wire[number % d.wire.size()] ^ 1);
        whole = false;
        break;
      case 5:  // some are lost
        d.wire.erase(0, number % 64);
        whole = false;
        break;
      case 6:  // a record comes twice
        d.wire += d.wire.substr(0, number);
        whole = whole && d.wire.empty();
        break;
      case 7:
        d.from.say_farewell();
        break;
    }
  }
  for (direction* d : {&up, &down}) {
    d->wire += std::exchange(d->from.out(), {});
    if (!d->over) d->hear(d->wire.size(), 5000);
    if (whole) require(d->received == d->sent && d->to.error() == 0);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  static contexts const all;
  chance = 1;
  if (size == 0) return 0;
  std::string_view const rest(reinterpret_cast<char const*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0: {
      tls_stream server = fresh(all.server, "");
      stranger(server, rest);
      break;
    }
    case 1: {
      tls_stream client = fresh(all.client, "localhost");
      require(client.handshake({}) == got::nothing);
      client.out().clear();
      stranger(client, rest);
      break;
    }
    default:
      established(all, rest);
  }
  return 0;
}
