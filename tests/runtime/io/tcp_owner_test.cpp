// Who owns a socket: its end with the owner, and its way to another.

#include "tcp_support.hpp"

using namespace otter;
using namespace tcp_test;

TEST_CASE("a socket closes when its owner ends, before a monitor hears of that",
          "[io][TCP-16][P-18][L-13]") {
  everywhere({"down", "closed", "closed"}, [](notes& see) {
    auto l = must(tcp_listen(tcp_address::loopback(0)), "listen");
    auto const at = must(l.local_address(), "address");
    auto owner = spawn_monitor([me = self(), at] {
      tcp_socket s = must(tcp_connect(at, {}, long_time), "connect");
      otter::send(me, s);
      receive([](int) {});
    });
    tcp_socket server = must(tcp_accept(l, long_time), "accept");
    tcp_socket const theirs = receive([](tcp_socket s) { return s; });
    // So many that in simulation its death takes several turns, with the first down before the
    // last.
    for (int i = 0; i < 30; ++i) static_cast<void>(monitor(owner.process));
    otter::exit(owner.process, exit_reason::kill());
    receive([&](down const&) { see.add("down"); });
    see.add(show(theirs.send("x")));
    see.add(show(server.recv(0, long_time)));
  });
}

TEST_CASE("a socket's error reaches its owner as messages, never as an exit", "[io][TCP-16]") {
  everywhere({"closed", "alive"}, [](notes& see) {
    tcp_options server;
    server.active = active::on;
    tcp_options client;
    client.linger = duration::zero();
    pair p = connect_pair(server, client);
    p.client.close();
    see.add(next_message(p.server));
    see.add("alive");
  });
}

TEST_CASE("only the owner can give a socket away, and only to a living process", "[io][TCP-17]") {
  everywhere({"not_owner", "badarg", "ok", "not_owner", "closed"}, [](notes& see) {
    pair p = connect_pair();
    auto other = spawn_monitor([me = self(), s = p.server, &see] {
      see.add(show(s.controlling_process(self())));
      otter::send(me, 1);
      receive([](int) {});
    });
    receive([](int) {});
    auto dead = spawn_monitor([] {});
    receive(when([&](down const& d) { return d.ref == dead.ref; }, [](down const&) {}));
    see.add(show(p.server.controlling_process(dead.process)));
    see.add(show(p.server.controlling_process(other.process)));
    see.add(show(p.server.controlling_process(self())));
    otter::send(other.process, 1);
    receive([](down const&) {});
    see.add(show(p.server.send("x")));
  });
}

TEST_CASE("messages of a socket move to its new owner in order, others stay", "[io][TCP-17]") {
  everywhere({"data 'a\n'", "data 'b\n'", "data 'c\n'", "data 'd\n'", "mine 7"}, [](notes& see) {
    tcp_options server;
    server.active = active::on;
    server.packet = packet::line;
    pair p = connect_pair(server);
    must(p.client.send("a\nb\n"), "send");
    otter::send(self(), 7);
    // A receive that matches nothing of the socket's lets the data come into the mailbox.
    spawn_link([me = self()] {
      while (process_info<std::uint64_t>(me, info_item::message_queue_len).value_or(3) < 3) {
      }
      otter::send(me, 0.5);
    });
    receive([](double) {});
    pid const other = spawn_link([me = self(), s = p.server, &see] {
      for (int i = 0; i < 4; ++i) see.add(next_message(s));
      otter::send(me, std::string("done"));
    });
    must(p.server.controlling_process(other), "controlling_process");
    must(p.client.send("c\nd\n"), "send");
    receive([](std::string const&) {});
    receive([&](int n) { see.add("mine " + std::to_string(n)); });
  });
}

TEST_CASE("no byte is lost, doubled or overtaken while a socket changes owners under load",
          "[io][TCP-17]") {
  everywhere({"all of it, in order", "closed"}, [](notes& see) {
    struct baton {
      tcp_socket socket;
      std::string so_far;
      int hops;
    };
    static constexpr std::size_t size = 300'000;
    tcp_options server;
    server.active = active::on;
    server.buffer = 1000;
    pair p = connect_pair(server);
    spawn_link([s = p.client, me = self()] {
      std::string const all = numbered(size);
      for (std::size_t at = 0; at < all.size(); at += 1500) {
        must(s.send(std::string_view(all).substr(at, 1500)), "send");
      }
      must(s.shutdown_write(), "shutdown");
      otter::send(me, 1.5);
    });
    // Each runner takes a few pieces and hands the socket on.
    struct runner {
      static void run(pid home) {
        receive([&](baton b) {
          for (int i = 0; i < 3; ++i) {
            bool over = false;
            receive(when([&](tcp_data const& m) { return m.socket == b.socket; },
                         [&](tcp_data m) { b.so_far += m.bytes; }),
                    when([&](tcp_closed const& m) { return m.socket == b.socket; },
                         [&](tcp_closed) { over = true; }),
                    after(long_time, [&] { over = true; }));
            if (over) {
              otter::send(home, std::move(b.so_far));
              return;
            }
          }
          pid const next = spawn(&runner::run, home);
          tcp_socket const s = b.socket;
          ++b.hops;
          otter::send(next, std::move(b));
          // If the end lies in our mailbox already it moves as well. What was moved to us may have
          // come before the one who moved it has let go: until then we are no owner.
          auto r = s.controlling_process(next);
          while (!r && r.error() == tcp_errc::not_owner) {
            receive(after(0ms, [] {}));
            r = s.controlling_process(next);
          }
          if (!r && r.error() == tcp_errc::closed) {
            // Its last messages were delivered here: pass them on, as OTP programs must.
            for (bool more = true; more;)
              receive(when([&](tcp_data const& m) { return m.socket == s; },
                           [&](tcp_data m) { otter::send(next, std::move(m)); }),
                      when([&](tcp_closed const& m) { return m.socket == s; },
                           [&](tcp_closed m) {
                             otter::send(next, m);
                             more = false;
                           }),
                      after(0ms, [&] { more = false; }));
          }
        });
      }
    };
    pid const first = spawn(&runner::run, self());
    otter::send(first, baton{p.server, {}, 0});
    must(p.server.controlling_process(first), "controlling_process");
    receive([&](std::string const& got) {
      see.add(got == numbered(size) ? "all of it, in order"
                                    : "different, " + std::to_string(got.size()) + " bytes");
    });
    receive([](double) {});
    see.add(show(p.server.recv(0, 0ms)));
  });
}

TEST_CASE("a socket on its way to an owner that dies first is closed", "[io][TCP-16][TCP-17]") {
  everywhere({"down", "closed"}, [](notes& see) {
    pair p = connect_pair();
    auto other = spawn_monitor([] { receive([](int) {}); });
    must(p.server.controlling_process(other.process), "controlling_process");
    otter::exit(other.process, exit_reason::kill());
    receive([&](down const&) { see.add("down"); });
    see.add(show(p.client.recv(0, long_time)));
  });
}

TEST_CASE("a process killed while it receives leaves a socket that others can receive from",
          "[io][TCP-8]") {
  everywhere({"'x'"}, [](notes& see) {
    pair p = connect_pair();
    auto other = spawn_monitor([s = p.server, me = self()] {
      otter::send(me, 1);
      static_cast<void>(s.recv(0, infinity));
    });
    receive([](int) {});
    until_waiting(other.process);
    otter::exit(other.process, exit_reason::kill());
    receive([](down const&) {});
    must(p.client.send("x"), "send");
    see.add(show(p.server.recv(1, long_time)));
  });
}
