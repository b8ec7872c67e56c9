// Listening, accepting and connecting.

#include <otter/link.hpp>
#include <otter/timer.hpp>

#include "io/ports.hpp"
#include "io/simulated_network.hpp"
#include "process/process_system.hpp"
#include "tcp_support.hpp"

using namespace otter;
using namespace tcp_test;

namespace {

/// Of the simulation in which the caller is a process.
rts::simulated_network& network_here() {
  return static_cast<rts::simulated_network&>(rts::io_state::of(*rts::here::now().system).net());
}

}  // namespace

TEST_CASE("accept gives the calling process a socket with the listener's options",
          "[io][TCP-18][TCP-19]") {
  everywhere({"mine", "data 'x\n'", "nothing"}, [](notes& see) {
    tcp_options o;
    o.active = active::once;
    o.packet = packet::line;
    pair p = connect_pair(o);
    see.add(p.server.owner() == self() ? "mine" : "not mine");
    must(p.client.send("x\ny\n"), "send");
    see.add(next_message(p.server));
    see.add(next_message(p.server, 20ms));
  });
}

TEST_CASE("accept ends with timeout, and the listener goes on", "[io][TCP-18]") {
  everywhere({"timeout", "timeout", "ok"}, [](notes& see) {
    auto l = must(tcp_listen(tcp_address::loopback(0)), "listen");
    see.add(show(tcp_accept(l, 0ms)));
    see.add(show(tcp_accept(l, 20ms)));
    [[maybe_unused]] auto c =
        must(tcp_connect(must(l.local_address(), "address"), {}, long_time), "connect");
    see.add(show(tcp_accept(l, long_time)));
  });
}

TEST_CASE("processes that wait in accept are served in the order of their coming", "[io][TCP-18]") {
  everywhere({"0", "1", "2", "3", "4"}, [](notes& see) {
    auto l = must(tcp_listen(tcp_address::loopback(0)), "listen");
    auto const at = must(l.local_address(), "address");
    for (int n = 0; n < 5; ++n) {
      spawn_waiting([l, n, me = self()] {
        must(tcp_accept(l, long_time), "accept");
        otter::send(me, n);
      });
    }
    for (int n = 0; n < 5; ++n) {
      must(tcp_connect(at, {}, long_time), "connect");
      receive([&](int who) { see.add(std::to_string(who)); });
    }
  });
}

TEST_CASE("a waiting acceptor that is killed leaves its connection to the next", "[io][TCP-18]") {
  everywhere({"accepted"}, [](notes& see) {
    auto l = must(tcp_listen(tcp_address::loopback(0)), "listen");
    auto const at = must(l.local_address(), "address");
    pid const first = spawn_waiting([l] { static_cast<void>(tcp_accept(l, infinity)); });
    unlink(first);
    monitor_ref const end = monitor(first);
    spawn_waiting([l, me = self()] {
      must(tcp_accept(l, long_time), "accept");
      otter::send(me, 1);
    });
    otter::exit(first, exit_reason::kill());
    auto c = must(tcp_connect(at, {}, long_time), "connect");
    receive(when([&](down const& d) { return d.ref == end; }, [](down const&) {}));
    // The first may have taken it with it, if it accepted before it heard of its end.
    bool accepted = false;
    while (!accepted) {
      receive([&](int) { accepted = true; }, after(50ms));
      if (!accepted) c = must(tcp_connect(at, {}, long_time), "connect");
    }
    see.add("accepted");
  });
}

TEST_CASE("closing a listener gives closed to all who wait, and to who comes later",
          "[io][TCP-18]") {
  everywhere({"closed", "closed", "closed", "closed"}, [](notes& see) {
    auto l = must(tcp_listen(tcp_address::loopback(0)), "listen");
    for (int n = 0; n < 3; ++n)
      spawn_waiting([l, me = self()] { otter::send(me, show(tcp_accept(l, infinity))); });
    l.close();
    for (int n = 0; n < 3; ++n) receive([&](std::string const& s) { see.add(s); });
    see.add(show(tcp_accept(l, infinity)));
  });
}

TEST_CASE("a listener closes with its owner", "[io][TCP-16][TCP-18]") {
  everywhere({"closed", "econnrefused"}, [](notes& see) {
    auto owner = spawn_monitor([me = self()] {
      auto l = must(tcp_listen(tcp_address::loopback(0)), "listen");
      otter::send(me, std::pair(l, must(l.local_address(), "address")));
      receive([](int) {});
    });
    auto [l, at] = receive([](std::pair<tcp_listener, tcp_address> const& p) { return p; });
    otter::send(owner.process, 1);
    receive([](down const&) {});
    see.add(show(tcp_accept(l, infinity)));
    see.add(show(tcp_connect(at, {}, long_time)));
  });
}

TEST_CASE("connecting where nobody listens is refused", "[io][TCP-21]") {
  everywhere({"econnrefused", "econnrefused"}, [](notes& see) {
    auto l = must(tcp_listen(tcp_address::loopback(0)), "listen");
    auto const at = must(l.local_address(), "address");
    l.close();
    see.add(show(tcp_connect(at, {}, long_time)));
    see.add(show(tcp_connect("127.0.0.1", at.port, {}, long_time)));
  });
}

TEST_CASE("an address in use is refused", "[io][TCP-18]") {
  everywhere({"eaddrinuse"}, [](notes& see) {
    auto l = must(tcp_listen(tcp_address::loopback(0)), "listen");
    see.add(show(tcp_listen(must(l.local_address(), "address"))));
  });
}

TEST_CASE("names are resolved, and a name without an address is an error", "[io][TCP-21]") {
  everywhere({"ok", "nxdomain"}, [](notes& see) {
    auto l = must(tcp_listen(tcp_address::loopback(0)), "listen");
    see.add(show(tcp_connect("localhost", must(l.local_address(), "address").port, {}, long_time)));
    see.add(show(tcp_connect("", 80, {}, long_time)));
  });
}

TEST_CASE("a name gives its addresses, a number itself", "[io][TCP-21]") {
  everywhere({"[::1]:80 127.0.0.1:80", "192.0.2.7:443", "nxdomain"}, [](notes& see) {
    std::string all;
    for (tcp_address const& a : must(resolve("localhost", 80, long_time), "resolve"))
      all += (all.empty() ? "" : " ") + to_string(a);
    see.add(all);
    see.add(to_string(must(resolve("192.0.2.7", 443), "resolve").at(0)));
    see.add(show(resolve(std::string_view("a\0b", 3), 80)));
  });
}

TEST_CASE("all addresses of a name are tried, though the first one answers nothing",
          "[io][TCP-21]") {
  // Simulated only: the second address of localhost listens, the first one swallows what comes.
  in_simulation({"ok, and not at once", "timeout"}, [](notes& see) {
    auto l = must(tcp_listen(tcp_address::loopback(0)), "listen");
    std::uint16_t const port = must(l.local_address(), "address").port;
    network_here().swallow_connections_to(*tcp_address::parse("::1", port));
    auto const begin = node_clock::now();
    auto const c = tcp_connect("localhost", port, {}, 10s);
    auto const took = node_clock::now() - begin;
    see.add(show(c) + (took >= 5s && took < 10s ? ", and not at once" : ", at the wrong time"));
    network_here().swallow_connections_to(must(l.local_address(), "address"));
    see.add(show(tcp_connect("localhost", port, {}, 10s)));
  });
}

TEST_CASE("localhost is this machine, with or without a file that says so", "[io][TCP-21]") {
  everywhere({"ok", "ok", "ok"}, [](notes& see) {
    auto l = must(tcp_listen(tcp_address::loopback(0)), "listen");
    std::uint16_t const port = must(l.local_address(), "address").port;
    for (char const* name : {"LocalHost", "localhost.", "db.localhost"})
      see.add(show(tcp_connect(name, port, {}, long_time)));
  });
}

TEST_CASE("both ends know their addresses", "[io][TCP-21]") {
  everywhere({"they agree", "closed"}, [](notes& see) {
    pair p = connect_pair();
    bool const agree =
        must(p.server.peer_address(), "peer") == must(p.client.local_address(), "local") &&
        must(p.client.peer_address(), "peer").port ==
            must(p.listener.local_address(), "local").port;
    see.add(agree ? "they agree" : "they differ");
    p.server.close();
    see.add(show(p.server.peer_address()));
  });
}

TEST_CASE("addresses are written and read as people do", "[io][TCP-21]") {
  CHECK(to_string(tcp_address::loopback(5222)) == "127.0.0.1:5222");
  CHECK(to_string(*tcp_address::parse("::1", 80)) == "[::1]:80");
  CHECK(to_string(tcp_address::local("/run/chat")) == "unix:/run/chat");
  CHECK(to_string(tcp_address::abstract("chat")) == "unix:@chat");
  CHECK(to_string(tcp_address::local({})) == "unix:");
  CHECK(tcp_address::local("chat") != tcp_address::abstract("chat"));
  CHECK_FALSE(tcp_address::parse("localhost", 80));
  CHECK_FALSE(tcp_address::parse("127.0.0.1.2", 80));
  CHECK(tcp_address::parse("127.9.9.9", 80)->is_loopback());
  CHECK(tcp_address::parse("::1", 80)->is_loopback());
  CHECK_FALSE(tcp_address::any(1).is_loopback());
}
