// 04: one process per connection, written as if there were only that one.
//
// accept, recv and send wait, and only the process that calls them does: no callbacks, no
// coroutines. A socket belongs to a process and closes when that ends, however it ends.
//
// Try: run it with a port (example_04_echo_server 7007) and talk to it: nc 127.0.0.1 7007

#include <fmt/format.h>

#include <cstdlib>
#include <otter/node.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/tcp.hpp>

struct your_socket {
  otter::tcp_socket socket;
};

void connection() {
  otter::tcp_socket const socket = otter::receive([](your_socket s) { return s.socket; });
  while (auto const line = socket.recv()) socket.send(fmt::format("you said: {}", *line));
}

void acceptor(otter::tcp_listener listener) {
  while (auto const socket = otter::tcp_accept(listener)) {
    otter::pid const p = otter::spawn(connection);
    if (socket->controlling_process(p)) otter::send(p, your_socket{*socket});
  }
}

/// The port that the operating system chose, if `port` was 0.
otter::tcp_address start_server(std::uint16_t port) {
  auto const listener =
      otter::tcp_listen(otter::tcp_address::loopback(port), {.packet = otter::packet::line});
  for (int i = 0; i < 4; ++i) otter::spawn_link(acceptor, listener.value());
  return listener->local_address().value();
}

void client(otter::tcp_address server) {
  auto const socket = otter::tcp_connect(server, {.packet = otter::packet::line});
  for (char const* const line : {"hello\n", "good bye\n"}) {
    socket->send(line);
    fmt::print("{}", socket->recv().value());
  }
}

int main(int argc, char** argv) {
  return otter::run([&] {
    if (argc > 1) {
      auto const address = start_server(static_cast<std::uint16_t>(std::atoi(argv[1])));
      fmt::print("listening on {}; stop with Ctrl-C\n", to_string(address));
      otter::sleep_for(otter::infinity);
    }
    client(start_server(0));
  });
}
