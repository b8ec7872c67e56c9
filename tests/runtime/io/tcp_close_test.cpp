// How connections end: half, whole, with a reset, with data still on its way.

#include "tcp_support.hpp"

using namespace otter;
using namespace tcp_test;

TEST_CASE("the peer's end of sending closes both directions", "[io][TCP-11]") {
  everywhere({"closed", "closed"}, [](notes& see) {
    pair p = connect_pair();
    must(p.client.shutdown_write(), "shutdown");
    see.add(show(p.server.recv(0, long_time)));
    see.add(show(p.server.send("x")));
  });
}

TEST_CASE("without exit_on_close, sending goes on when the peer has ended its side",
          "[io][TCP-11]") {
  everywhere({"'question'", "closed", "ok", "'answer'", "closed"}, [](notes& see) {
    tcp_options o;
    o.exit_on_close = false;
    pair p = connect_pair(o);
    must(p.client.send("question"), "send");
    must(p.client.shutdown_write(), "shutdown");
    see.add(show(p.server.recv(8, long_time)));
    see.add(show(p.server.recv(0, long_time)));
    see.add(show(p.server.send("answer")));
    p.server.close();
    see.add(show(p.client.recv(6, long_time)));
    see.add(show(p.client.recv(0, long_time)));
  });
}

TEST_CASE("without exit_on_close an active owner hears the end and can still send",
          "[io][TCP-11]") {
  everywhere({"q", "closed", "ok", "'a'", "einval"}, [](notes& see) {
    tcp_options o;
    o.exit_on_close = false;
    o.active = active::on;
    pair p = connect_pair(o);
    must(p.client.send("q"), "send");
    must(p.client.shutdown_write(), "shutdown");
    see.add(gather(p.server, 1));
    see.add(next_message(p.server));
    see.add(show(p.server.send("a")));
    see.add(show(p.client.recv(1, long_time)));
    see.add(show(p.server.set_active(active::once)));
  });
}

TEST_CASE("shutdown sends what is queued before the end", "[io][TCP-12]") {
  everywhere({"ok", "closed", "same", "closed", "'still here'"}, [](notes& see) {
    std::string const all = numbered(3'000'000);
    pair p = connect_pair();
    must(p.client.set_watermarks(1 << 24, 1 << 23), "watermarks");
    must(p.client.send(all), "send");
    see.add(show(p.client.shutdown_write()));
    see.add(show(p.client.send("more")));
    must(p.server.set_exit_on_close(false), "exit_on_close");
    see.add(receive_all(p.server, all.size()) == all ? "same" : "different");
    see.add(show(p.server.recv(0, long_time)));
    must(p.server.send("still here"), "send");
    see.add(show(p.client.recv(10, long_time)));
  });
}

TEST_CASE("closing sends what is queued, without anybody waiting for it", "[io][TCP-12]") {
  everywhere({"closed", "same", "closed"}, [](notes& see) {
    std::string const all = numbered(3'000'000);
    pair p = connect_pair();
    must(p.client.set_watermarks(1 << 24, 1 << 23), "watermarks");
    must(p.client.send(all), "send");
    p.client.close();
    see.add(show(p.client.send("x")));
    see.add(receive_all(p.server, all.size()) == all ? "same" : "different");
    see.add(show(p.server.recv(0, long_time)));
  });
}

TEST_CASE("linger of zero discards what is queued and resets the connection",
          "[io][TCP-12][TCP-13]") {
  everywhere({"econnreset", "econnreset"}, [](notes& see) {
    tcp_options server;
    server.show_econnreset = true;
    tcp_options client;
    client.linger = duration::zero();
    pair p = connect_pair(server, client);
    p.client.close();
    see.add(show(p.server.recv(0, long_time)));
    see.add(show(p.server.send("x")));
  });
}

TEST_CASE("a reset looks like a close unless it was asked for", "[io][TCP-13]") {
  everywhere({"closed", "closed", "nothing"}, [](notes& see) {
    tcp_options client;
    client.linger = duration::zero();
    pair p = connect_pair({}, client);
    p.client.close();
    see.add(show(p.server.recv(0, long_time)));
    tcp_options active_server;
    active_server.active = active::on;
    pair q = connect_pair(active_server, client);
    q.client.close();
    see.add(next_message(q.server));
    see.add(next_message(q.server, 20ms));
  });
}

TEST_CASE("a reset that is shown is an error followed by the close", "[io][TCP-13][TCP-14]") {
  everywhere({"error econnreset", "closed", "nothing"}, [](notes& see) {
    tcp_options server;
    server.show_econnreset = true;
    server.active = active::on;
    tcp_options client;
    client.linger = duration::zero();
    pair p = connect_pair(server, client);
    p.client.close();
    see.add(next_message(p.server));
    see.add(next_message(p.server));
    see.add(next_message(p.server, 20ms));
  });
}

TEST_CASE("everything that came before the close is delivered before it", "[io][TCP-9]") {
  everywhere({"same", "closed"}, [](notes& see) {
    std::string const all = numbered(200'000);
    tcp_options server;
    server.active = active::on;
    pair p = connect_pair(server);
    spawn_link([me = self(), s = p.client, all] {
      must(s.send(all), "send");
      must(s.shutdown_write(), "shutdown");
      otter::send(me, 1);
    });
    see.add(gather(p.server, all.size()) == all ? "same" : "different");
    see.add(next_message(p.server));
    receive([](int) {});
  });
}

TEST_CASE("closing a socket ends the receive that another process waits in", "[io][TCP-8]") {
  everywhere({"closed"}, [](notes& see) {
    pair p = connect_pair();
    spawn_link([me = self(), s = p.server, &see] {
      otter::send(me, 1);
      see.add(show(s.recv(0, long_time)));
      otter::send(me, 2);
    });
    receive([](int) {});
    p.server.close();
    receive([](int) {});
  });
}

TEST_CASE("the name of a closed socket never means another one", "[io][TCP-15]") {
  everywhere({"closed"}, [](notes& see) {
    pair p = connect_pair();
    tcp_socket const old = p.server;
    p.server.close();
    for (int i = 0; i < 20; ++i) {
      pair q = connect_pair();
      if (old == q.server || old == q.client) see.add("the same name");
      if (auto r = old.send("stray"); r) see.add("sent into a stranger");
      q.server.close();
      q.client.close();
      q.listener.close();
    }
    see.add(show(old.recv(0, 0ms)));
  });
}
