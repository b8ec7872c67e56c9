// The handshake: what both sides agree upon, and the socket that comes of it.

#include "tls_support.hpp"

using namespace otter;
using namespace tls_test;

TEST_CASE("after a handshake both ends send and receive as before", "[io][tls][TCP-28]") {
  auto const server = server_context();
  auto const client = client_context();
  everywhere({"TLSv1.3 TLSv1.3", "'to the server'", "'to the client'", "closed"}, [&](notes& seen) {
    pair const p = connect_pair();
    auto const both = shake_hands(p, server, client);
    if (!both.server || !both.client) {
      seen.add(both.server ? "" : both.server.error().message());
      seen.add(both.client ? "" : both.client.error().message());
      return;
    }
    seen.add(both.server->version + " " + both.client->version);
    must(p.client.send("to the server"), "send");
    seen.add(show(p.server.recv(13, long_time)));
    must(p.server.send("to the client"), "send");
    seen.add(show(p.client.recv(13, long_time)));
    p.server.close();
    seen.add(show(p.client.recv(0, long_time)));
  });
}
