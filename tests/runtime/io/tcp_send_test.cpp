// Sending: the queue, who waits for room, and how that ends.

#include <otter/system_monitor.hpp>

#include "tcp_support.hpp"

using namespace otter;
using namespace tcp_test;

namespace {

/// Sends until a send has to wait; what was sent is dropped by nobody. The sender runs in a
/// process of its own, and says how the send that waited ended.
std::pair<pid, monitor_ref> blocked_sender(tcp_socket s, notes& see) {
  auto made = spawn_monitor([s, &see, me = self()] {
    std::string const piece(100'000, 'x');
    for (;;) {
      auto r = s.send(piece);
      if (!r) {
        see.add(r.error().message());
        return;
      }
      otter::send(me, 1);
    }
  });
  // It waits, and no news for a while: nothing more goes out.
  bool news = true;
  while (news) {
    until_waiting(made.process);
    receive([](int) {}, after(100ms, [&] { news = false; }));
  }
  until_waiting(made.process);
  return {made.process, made.ref};
}

}  // namespace

TEST_CASE("a send returns once its bytes are queued, and waits above the watermark",
          "[io][TCP-22]") {
  everywhere({"queued above the watermark", "goes on", "empty"}, [](notes& see) {
    pair p = connect_pair();
    auto [sender, ref] = blocked_sender(p.client, see);
    auto const s = must(p.client.statistics(), "statistics");
    see.add(s.queued_bytes >= 8192 ? "queued above the watermark" : "not queued");
    // Room comes when the peer reads.
    bool went_on = false;
    while (!went_on) {
      must(p.server.recv(0, long_time), "recv");
      receive([&](int) { went_on = true; }, after(0ms));
    }
    see.add("goes on");
    otter::exit(sender, exit_reason::kill());
    receive(when([r = ref](down const& d) { return d.ref == r; }, [](down const&) {}));
    while (must(p.client.statistics(), "statistics").queued_bytes != 0)
      must(p.server.recv(0, long_time), "recv");
    see.add("empty");
  });
}

TEST_CASE("a sender that waits for its socket is told of to the system monitor", "[io][PI-17]") {
  everywhere({"busy port"}, [](notes& see) {
    pair p = connect_pair();
    system_monitor(self(), {.busy_port = true});
    auto const sender = blocked_sender(p.client, see);
    receive([&](system_event const& e) {
      bool const right = e.what == system_event::kind::busy_port && e.process == sender.first;
      see.add(right ? "busy port" : "something else");
    });
    otter::exit(sender.first, exit_reason::kill());
    receive([](down const&) {});
  });
}

TEST_CASE("a process blocked in send is killed at once, and others can send then", "[io][TCP-24]") {
  everywhere({"killed", "ok"}, [](notes& see) {
    pair p = connect_pair();
    auto [sender, ref] = blocked_sender(p.client, see);
    otter::exit(sender, exit_reason::kill());
    receive([&](down const& d) { see.add(to_string(d.reason)); });
    spawn_link([s = p.server] {
      while (s.recv(0, long_time)) {
      }
    });
    see.add(show(p.client.send("after")));
  });
}

TEST_CASE("a send that waits ends with closed when the socket is closed", "[io][TCP-24]") {
  everywhere({"closed"}, [](notes& see) {
    pair p = connect_pair();
    [[maybe_unused]] auto [sender, ref] = blocked_sender(p.client, see);
    p.client.close();
    receive([](down const&) {});
    p.server.close();
  });
}

TEST_CASE("a send that waits ends with closed when the peer goes", "[io][TCP-24]") {
  everywhere({"closed"}, [](notes& see) {
    tcp_options server;
    server.linger = duration::zero();
    pair p = connect_pair(server);
    [[maybe_unused]] auto [sender, ref] = blocked_sender(p.client, see);
    p.server.close();
    receive([](down const&) {});
  });
}

TEST_CASE("send_timeout ends a send that waits too long, and closes if asked to", "[io][TCP-23]") {
  everywhere({"timeout", "einval", "timeout", "closed"}, [](notes& see) {
    pair p = connect_pair();
    must(p.client.set_send_timeout(300ms), "send_timeout");
    {
      [[maybe_unused]] auto [sender, ref] = blocked_sender(p.client, see);
      receive([](down const&) {});
    }
    see.add(show(p.client.set_watermarks(1, 2)));
    p.client.close();
    p.server.close();

    pair q = connect_pair();
    must(q.client.set_send_timeout(300ms, true), "send_timeout");
    {
      [[maybe_unused]] auto [sender, ref] = blocked_sender(q.client, see);
      receive([](down const&) {});
    }
    see.add(show(q.client.send("x")));
    q.server.close();
  });
}

TEST_CASE("the bytes of one send stay together when many processes send", "[io][TCP-24]") {
  everywhere({"together", "40 of each"}, [](notes& see) {
    constexpr int senders = 8;
    constexpr int each = 40;
    constexpr std::size_t size = 5000;
    pair p = connect_pair();
    for (int n = 0; n < senders; ++n)
      spawn_link([s = p.client, n, me = self()] {
        std::string const piece(size, static_cast<char>('a' + n));
        for (int i = 0; i < each; ++i) must(s.send(piece), "send");
        otter::send(me, n);
      });
    std::vector<int> counts(senders);
    bool together = true;
    for (int i = 0; i < senders * each; ++i) {
      std::string const piece = must(p.server.recv(size, long_time), "recv");
      together = together && piece.find_first_not_of(piece[0]) == std::string::npos;
      ++counts[static_cast<std::size_t>(piece[0] - 'a')];
    }
    for (int n = 0; n < senders; ++n) receive([](int) {});
    see.add(together ? "together" : "torn");
    see.add(counts == std::vector<int>(senders, each) ? "40 of each" : "not of each");
  });
}

TEST_CASE("sends of one process arrive in their order", "[io][TCP-22]") {
  everywhere({"in order"}, [](notes& see) {
    std::string const all = numbered(400'000, 3);
    pair p = connect_pair();
    spawn_link([s = p.client, all, me = self()] {
      for (std::size_t at = 0; at < all.size(); at += 777)
        must(s.send(std::string_view(all).substr(at, 777)), "send");
      otter::send(me, 1);
    });
    see.add(receive_all(p.server, all.size()) == all ? "in order" : "not in order");
    receive([](int) {});
  });
}

TEST_CASE("a waiting send holds up nobody but its process", "[io][TCP-22]") {
  on_threads({"others run"}, [](notes& see) {
    pair p = connect_pair();
    auto [sender, ref] = blocked_sender(p.client, see);
    for (int i = 0; i < 100; ++i) {
      spawn([me = self()] { otter::send(me, 'x'); });
      receive([](char) {});
    }
    see.add("others run");
    otter::exit(sender, exit_reason::kill());
    receive([](down const&) {});
  });
}
