// Sockets whose worker's thread is stuck in user code.

#include <atomic>
#include <otter/link.hpp>

#include "tcp_support.hpp"

using namespace otter;
using namespace tcp_test;

namespace {

/// Sends back what comes, byte by byte, until the end.
void echo(tcp_socket s) {
  while (auto came = s.recv(1, long_time)) must(s.send(*came), "send");
}

}  // namespace

TEST_CASE("sockets go on while the thread that watched them is stuck in user code",
          "[io][TCP-27]") {
  struct setting {
    poller_kind poller;
    std::uint32_t direct;
  };
  auto const [poller, direct] =
      GENERATE(setting{poller_kind::epoll, 0}, setting{poller_kind::io_uring, 0},
               setting{poller_kind::epoll, 10}, setting{poller_kind::io_uring, 10});
  node_options options;
  options.workers = 1;
  options.stall_limit = 1ms;
  options.poller = poller;
  options.direct_connections = direct;
  options.on_event = [](node_event const&) {};  // of the stall
  node n(options);
  std::atomic<bool> over{false};
  int answers = 0;
  auto const reason = n.run([&] {
    // Watched by this thread, which the next process keeps for itself. The others go on by another.
    pair p = connect_pair();
    pid const server = spawn_link(echo, p.server);
    pid const client = spawn([&, home = self()] {
      for (int i = 0; i < 20; ++i) {
        must(p.client.send("x"), "send");
        if (show(p.client.recv(1, long_time)) == "'x'") ++answers;
      }
      over = true;
      otter::send(home, begun{});
    });
    monitor_ref const watched = monitor(client);
    spawn_link([&] {
      while (!over) {
      }
    });
    receive([](begun) {},
            when([=](down const& d) { return d.ref == watched; }, [&](down) { over = true; }));
    unlink(server);
    p.client.close();
  });
  CHECK(to_string(reason) == "normal");
  CHECK(answers == 20);
}
