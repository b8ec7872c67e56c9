// 20: TLS - a connection that begins in plain text and is protected from one line on.
//
// STARTTLS, as XMPP, SMTP and others have it: the client asks, the server agrees, and both shake
// hands on the connection that they have. The socket stays the one that it was. The handshake is
// made by the process of the connection, and has a limit.
//
// Verification is on. This certificate is signed by itself, so the client must be told to trust it.
//
// Try: leave out `authorities`, or ask for another name than "localhost", and read the reason.

#include <fmt/format.h>

#include <otter/node.hpp>
#include <otter/spawn.hpp>
#include <otter/tls.hpp>

using namespace std::chrono_literals;

void serve(otter::tcp_listener listener, otter::tls_context const& context) {
  otter::tcp_socket const socket = otter::tcp_accept(listener).value();
  if (socket.recv() != "starttls\n") return;
  socket.send("go ahead\n");
  if (!otter::tls_handshake(socket, context, {.limit = 10s})) return;  // the client says why
  while (auto const line = socket.recv()) socket.send(fmt::format("you said: {}", *line));
}

void talk(otter::tcp_address server, otter::tls_context const& context) {
  auto const socket = otter::tcp_connect(server, {.packet = otter::packet::line}).value();
  socket.send("starttls\n");
  fmt::print("in plain text: {}", socket.recv().value());
  auto const tls =
      otter::tls_handshake(socket, context, {.server_name = "localhost", .limit = 10s});
  if (!tls) return fmt::print("client: {}\n", tls.error());
  fmt::print("{} with {}, verification: {}\n", tls->version, tls->peer_subject, tls->verification);
  socket.send("hello\n");
  fmt::print("protected: {}", socket.recv().value());
}

int main() {
  auto const identity = otter::tls_identity::self_signed({"localhost"}).value();
  auto const for_server = otter::tls_context::server({.identities = {identity}}).value();
  auto const for_client = otter::tls_context::client({.authorities = identity.chain()}).value();
  auto const for_strangers = otter::tls_context::client().value();

  return otter::run([&] {
    auto const listener =
        otter::tcp_listen(otter::tcp_address::loopback(0), {.packet = otter::packet::line}).value();
    for (auto const& client : {for_client, for_strangers}) {
      otter::spawn_link([&] { serve(listener, for_server); });
      talk(listener.local_address().value(), client);
    }
  });
}
