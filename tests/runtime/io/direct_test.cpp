// Accepted connections that are no descriptors: node_options::direct_connections.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>

#include "forked.hpp"
#include "io/direct_table.hpp"
#include "tcp_support.hpp"

using namespace otter;
using namespace tcp_test;
using otter::rts::testing::forked;
using otter::rts::testing::say;

namespace {

/// True, and a warning, where the kernel cannot do what these tests are about.
bool refused_here() {
  std::string const why = rts::why_no_direct_tables();
  if (why.empty()) return false;
  WARN("skipped: " << why);
  SUCCEED();
  return true;
}

constexpr std::size_t connections_of_a_client = 1000;

/// An OS process that connects a thousand times to the port that it reads from `port_from`, asks
/// something on each of them, and ends with 0 if all were answered.
pid_t fork_client(int port_from) {
  pid_t const child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  if (::read(port_from, &to.sin_port, sizeof to.sin_port) != sizeof to.sin_port) ::_exit(1);
  std::array<int, connections_of_a_client> sockets{};
  for (int& s : sockets) {
    s = ::socket(AF_INET, SOCK_STREAM, 0);
    if (::connect(s, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) ::_exit(2);
  }
  for (std::size_t i = 0; i < sockets.size(); ++i)
    if (::send(sockets[i], &i, sizeof i, MSG_NOSIGNAL) != sizeof i) ::_exit(3);
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    std::size_t answer = 0;
    if (::recv(sockets[i], &answer, sizeof answer, MSG_WAITALL) != sizeof answer) ::_exit(4);
    if (answer != i) ::_exit(5);
  }
  ::_exit(0);
}

/// Accepts `count` connections, holds them all, and then gives each its first eight bytes back.
void hold_and_answer(tcp_listener l, std::size_t count) {
  std::vector<tcp_socket> held;
  for (std::size_t i = 0; i < count; ++i) held.push_back(must(tcp_accept(l, long_time), "accept"));
  for (tcp_socket s : held) must(s.send(must(s.recv(8, long_time), "recv")), "send");
  for (tcp_socket s : held)
    if (auto end = s.recv(1, long_time); end || end.error() != tcp_errc::closed)
      throw std::runtime_error("no end");
}

void hold_two_thousand(poller_kind poller) {
  int ports[2];
  if (::pipe(ports) != 0) ::_exit(97);
  std::array<pid_t, 2> clients{};
  for (pid_t& c : clients) c = fork_client(ports[0]);
  rlimit const few{256, 256};
  ::setrlimit(RLIMIT_NOFILE, &few);
  node_options options;
  options.workers = 2;
  options.poller = poller;
  options.direct_connections = 2000;
  options.on_event = [](node_event const& e) {
    // How long the machine kept a worker waiting is not what this is about.
    if (e.what != node_event::kind::stall) say(e.text + "\n");
  };
  node n(options);
  auto const reason = n.run([&] {
    auto l = must(tcp_listen(tcp_address::loopback(0), {.backlog = 2048}), "listen");
    constexpr std::size_t acceptors = 4;
    std::vector<monitor_ref> running;
    for (std::size_t i = 0; i < acceptors; ++i) {
      pid const p =
          spawn_link([l] { hold_and_answer(l, 2 * connections_of_a_client / acceptors); });
      running.push_back(monitor(p));
    }
    std::uint16_t const port = ::htons(must(l.local_address(), "address").port);
    for (std::size_t i = 0; i < clients.size(); ++i)
      if (::write(ports[1], &port, sizeof port) != sizeof port) throw std::runtime_error("pipe");
    for (std::size_t i = 0; i < acceptors; ++i) receive([](down) {});
  });
  if (!reason.is_normal_exit()) {
    say(to_string(reason) + "\n");
    ::_exit(1);
  }
  for (pid_t c : clients) {
    int status = 0;
    if (::waitpid(c, &status, 0) != c || status != 0) {
      say("client: " + std::to_string(WEXITSTATUS(status)) + "\n");
      ::_exit(2);
    }
  }
}

}  // namespace

TEST_CASE("a node holds and answers more connections than it may have descriptors, if asked for",
          "[io][direct]") {
  if (refused_here()) return;
  auto const poller = GENERATE(poller_kind::epoll, poller_kind::io_uring);
  std::fflush(nullptr);
  auto const child = forked([&] { hold_two_thousand(poller); });
  INFO(child.output);
  CHECK(child.with_code(0));
  CHECK(child.output.empty());
}

TEST_CASE("when the tables are full accepting pauses, is reported once, and passes",
          "[io][TCP-20]") {
  if (refused_here()) return;
  node_options options;
  options.workers = 1;
  options.direct_connections = 3;
  std::atomic<int> reports{0};
  options.on_event = [&](node_event const& e) {
    if (e.text.find("room for 3 (node_options::direct_connections)") != std::string::npos)
      ++reports;
  };
  node n(options);
  std::string seen;
  auto const reason = n.run([&] {
    auto l = must(tcp_listen(tcp_address::loopback(0)), "listen");
    auto const at = must(l.local_address(), "address");
    std::vector<tcp_socket> clients, servers;
    for (int i = 0; i < 4; ++i) clients.push_back(must(tcp_connect(at, {}, long_time), "connect"));
    for (int i = 0; i < 3; ++i) servers.push_back(must(tcp_accept(l, long_time), "accept"));
    seen = show(tcp_accept(l, long_time));
    if (seen != make_error_code(tcp_errc::emfile).message()) return;  // the fourth may be lost
    servers[1].close();
    must(clients[3].send("waited"), "send");
    auto const last = must(tcp_accept(l, long_time), "accept");
    seen += ", " + show(last.recv(6, long_time));
  });
  CHECK(to_string(reason) == "normal");
  CHECK(seen == make_error_code(tcp_errc::emfile).message() + ", 'waited'");
  CHECK(reports == 1);
  CHECK(ports_left(n) == 0);
}

TEST_CASE("a connection in a table has addresses and options as any other", "[io][direct]") {
  if (refused_here()) return;
  node n({.workers = 1, .direct_connections = 10});
  lines seen;
  auto const reason = n.run([&] {
    pair p = connect_pair();
    auto same = [](tcp_result<tcp_address> const& a, tcp_result<tcp_address> const& b) {
      return a && b && *a == *b ? "the same" : "different";
    };
    seen.push_back(same(p.server.peer_address(), p.client.local_address()));
    seen.push_back(same(p.server.local_address(), p.client.peer_address()));
    seen.push_back(show(p.server.set_nodelay(true)));
    seen.push_back(show(p.server.set_keepalive(true)));
    must(p.server.shutdown_write(), "shutdown");
    seen.push_back(show(p.client.recv(0, long_time)));
  });
  CHECK(to_string(reason) == "normal");
  CHECK(seen ==
        lines{"the same", "the same", "ok", "ok", make_error_code(tcp_errc::closed).message()});
}
