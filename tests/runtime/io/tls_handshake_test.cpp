// The handshake: what both sides agree upon, and the socket that comes of it.

#include <otter/reactive.hpp>

#include "tls_support.hpp"

using namespace otter;
using namespace tls_test;

TEST_CASE("after a handshake both ends send and receive as before", "[io][tls][TCP-28]") {
  auto const server = server_context();
  auto const client = client_context();
  everywhere({"TLSv1.3 TLSv1.3", "'to the server'", "'to the client'", "closed", "closed"},
             [&](notes& seen) {
               pair const p = connect_pair();
               auto const both = shake_hands(p, server, client);
               if (!both.server || !both.client) {
                 seen.add(show_tls(both.server) + ", " + show_tls(both.client));
                 return;
               }
               seen.add(both.server->version + " " + both.client->version);
               must(p.client.send("to the server"), "send");
               seen.add(show(p.server.recv(13, long_time)));
               must(p.server.send("to the client"), "send");
               seen.add(show(p.client.recv(13, long_time)));
               p.server.close();
               seen.add(show(p.client.recv(0, long_time)));
               seen.add(show(p.client.send("x")));
             });
}

TEST_CASE("a handshake on a connection in use protects what follows, and nothing goes before it",
          "[io][tls][TCP-29]") {
  auto const server = server_context();
  auto const client = client_context();
  // STARTTLS, as XMPP and SMTP have it.
  everywhere({"'starttls\n'", "'proceed\n'", "ok ok", "'secret\n'"}, [&](notes& seen) {
    tcp_options line;
    line.packet = packet::line;
    pair const p = connect_pair(line, line);
    must(p.client.send("starttls\n"), "send");
    seen.add(show(p.server.recv(0, long_time)));
    must(p.server.send("proceed\n"), "send");
    seen.add(show(p.client.recv(0, long_time)));
    auto const both = shake_hands(p, server, client);
    seen.add(show_tls(both.server) + " " + show_tls(both.client));
    must(p.client.send("secret\n"), "send");
    seen.add(show(p.server.recv(0, long_time)));
  });
}

TEST_CASE("plain text that came behind STARTTLS is never read as if it had been protected",
          "[io][tls][TCP-29]") {
  auto const server = server_context();
  // Somebody on the way sends a command ahead of the client's handshake. It lies in the socket, or
  // has been read ahead with the line before it.
  for (bool read_ahead : {true, false}) {
    everywhere({"'starttls\n'", "the peer does not speak TLS", "closed"}, [&](notes& seen) {
      tcp_options line;
      line.packet = packet::line;
      pair const p = connect_pair(line);
      must(p.client.send("starttls\nmail from: attacker\n"), "send");
      if (!read_ahead) must(p.server.set_packet(packet::raw), "set_packet");
      seen.add(show(p.server.recv(read_ahead ? 0 : 9, long_time)));
      auto const done = tls_handshake(p.server, server, {"", long_time});
      seen.add(show_tls(done));
      seen.add(show(p.server.recv(0, 0ms)));
    });
  }
}

TEST_CASE("a handshake that was read ahead is used", "[io][tls][TCP-29]") {
  auto const server = server_context();
  auto const client = client_context();
  // A preamble, as of the PROXY protocol, in one packet with the beginning of the handshake.
  everywhere({"'preamble\n'", "ok ok", "'hello'"}, [&](notes& seen) {
    tcp_options line;
    line.packet = packet::line;
    pair const p = connect_pair(line);
    must(p.client.send("preamble\n"), "send");
    // The client begins before the server has received anything.
    pid const home = self();
    pid const other = spawn_link([=] {
      receive([](begun) {});
      auto const done = tls_handshake(p.client, client, {"localhost", long_time});
      must(p.client.send("hello"), "send");
      must(p.client.controlling_process(home), "controlling_process");
      otter::send(home, show_tls(done));
    });
    must(p.client.controlling_process(other), "controlling_process");
    otter::send(other, begun{});
    until_waiting(other);
    seen.add(show(p.server.recv(0, long_time)));
    auto const done = tls_handshake(p.server, server, {"", long_time});
    must(p.server.set_packet(packet::raw), "set_packet");
    std::string const at_client = receive([](std::string s) { return s; });
    seen.add(show_tls(done) + " " + at_client);
    seen.add(show(p.server.recv(5, long_time)));
  });
}

TEST_CASE("an active TLS socket sends its owner packets, and then its end", "[io][tls][TCP-28]") {
  auto const server = server_context();
  auto const client = client_context();
  everywhere({"data 'one\n'", "data 'two\n'", "passive", "nothing", "data 'three\n'", "closed"},
             [&](notes& seen) {
               tcp_options line;
               line.packet = packet::line;
               pair const p = tls_pair(server, client, line, {});
               must(p.client.send("one\ntwo\nthr"), "send");
               must(p.server.set_active(active_n(2)), "set_active");
               for (int i = 0; i < 3; ++i) seen.add(next_message(p.server));
               seen.add(next_message(p.server, 0ms));
               must(p.client.send("ee\n"), "send");
               p.client.close();
               must(p.server.set_active(active::on), "set_active");
               for (int i = 0; i < 2; ++i) seen.add(next_message(p.server));
             });
}

TEST_CASE("much data goes both ways, whole and in order, to whoever owns the socket",
          "[io][tls][TCP-28]") {
  auto const server = server_context();
  auto const client = client_context();
  constexpr std::size_t size = 300'000;
  everywhere({"the same", "nothing queued"}, [&](notes& seen) {
    pair const p = tls_pair(server, client);
    pid const home = self();
    // The other side echoes, and the socket changes its owner in the middle.
    auto const echo = [=](std::size_t from, std::size_t to, pid next) {
      return [=] {
        receive([](begun) {});
        for (std::size_t done = from; done < to;) {
          std::string const some = must(p.server.recv(1000, long_time), "recv");
          done += some.size();
          must(p.server.send(some), "send");
        }
        must(p.server.controlling_process(next), "controlling_process");
        otter::send(next, begun{});
      };
    };
    pid const second = spawn_link(echo(size / 2, size, home));
    pid const first = spawn_link(echo(0, size / 2, second));
    must(p.server.controlling_process(first), "controlling_process");
    otter::send(first, begun{});
    std::string const text = numbered(size);
    spawn_link([=] {
      for (std::size_t at = 0; at < size; at += 70'000)
        must(p.client.send(std::string_view(text).substr(at, 70'000)), "send");
    });
    seen.add(receive_all(p.client, size) == text ? "the same" : "different");
    receive([](begun) {});
    seen.add(must(p.server.statistics(), "statistics").queued_bytes == 0 ? "nothing queued"
                                                                         : "queued");
  });
}

namespace {

/// Answers each line with its length, in place. A line "starttls" protects all that follows it.
class line_counter final : public reactive {
 public:
  line_counter(tcp_socket s, tls_context c, pid home)
      : socket_(s), context_(std::move(c)), home_(home) {}

  void start() override {}
  void handle(event& what) override {
    if (what.get_if<int>() != nullptr) {  // the socket is ours by now
      must(socket_.set_active(active::ready), "set_active");
      return;
    }
    if (what.what() != event::kind::ready) return;
    bool protect = false;
    auto const r = socket_.read([&](std::span<std::byte const> view) {
      std::string_view const text = as_text(view);
      std::size_t used = 0;
      for (std::size_t end; !protect && (end = text.find('\n', used)) != std::string_view::npos;
           used = end + 1) {
        must(socket_.send(std::to_string(end - used) + "\n"), "send");
        protect = text.substr(used, end - used) == "starttls";
      }
      return used;
    });
    if (!r) {
      otter::send(home_, "ended: " + r.error().message());
      stop(exit_reason::normal());
    } else if (protect) {
      // A handler may wait in its middle, as any process.
      must(socket_.set_active(active::off), "set_active");
      auto const done = tls_handshake(socket_, context_, {"", long_time});
      otter::send(home_, show_tls(done));
      if (done) must(socket_.set_active(active::ready), "set_active");
    }
  }

 private:
  tcp_socket socket_;
  tls_context context_;
  pid home_;
};

}  // namespace

TEST_CASE("a reactive that reads in place shakes hands in the middle of a handler",
          "[io][tls][TCP-27][TCP-29]") {
  auto const server = server_context();
  auto const client = client_context();
  everywhere({"3", "8", "ok ok", "10", "0", "20000", "ended: closed"}, [&](notes& seen) {
    pair const p = connect_pair();
    must(p.client.set_packet(packet::line), "set_packet");
    pid const session = spawn_reactive({}, make_reactive<line_counter>(p.server, server, self()));
    must(p.server.controlling_process(session), "controlling_process");
    otter::send(session, 1);
    auto answer = [&] {
      std::string s = must(p.client.recv(0, long_time), "recv");
      s.pop_back();
      seen.add(s);
    };
    must(p.client.send("abc\nstarttls\n"), "send");
    answer();
    answer();
    auto const at_client = tls_handshake(p.client, client, {"localhost", long_time});
    seen.add(show_tls(at_client) + " " + receive([](std::string const& m) { return m; }));
    must(p.client.send("01234"), "send");  // two records, one packet
    must(p.client.send("56789\n\n"), "send");
    answer();
    answer();
    must(p.client.send(std::string(20'000, 'x') + "\n"), "send");
    answer();
    p.client.close();
    receive([&](std::string const& m) { seen.add(m); });
  });
}

TEST_CASE("a client that asks for a name gets the certificate for it", "[io][tls][TCP-28]") {
  auto const& authority = otter_test::test_authority();
  tls_server_options options;
  options.identities.push_back(identity_of(otter_test::test_localhost()));
  options.identities.push_back(identity_of(test_certificate::make({{"one.example"}}, &authority)));
  options.identities.push_back(
      identity_of(test_certificate::make({{"*.two.example"}}, &authority)));
  auto const server = server_context(options);
  auto const client = client_context();
  lines const expected = {
      "localhost: CN=localhost", "one.example: CN=one.example", "a.two.example: CN=*.two.example",
      "three.example: the peer's certificate is for another name", "127.0.0.1: CN=localhost"};
  everywhere(expected, [&](notes& seen) {
    for (std::string const name :
         {"localhost", "one.example", "a.two.example", "three.example", "127.0.0.1"}) {
      auto const both = shake_hands(connect_pair(), server, client, {name, long_time});
      seen.add(name + ": " + (both.client ? both.client->peer_subject : show_tls(both.client)));
    }
  });
}

TEST_CASE("both sides agree on the first protocol of the server's that the client has too",
          "[io][tls][TCP-28]") {
  tls_server_options s;
  s.protocols = {"h2", "http/1.1"};
  auto const server = server_context(s);
  auto const client_of = [](std::vector<std::string> protocols) {
    tls_client_options c;
    c.protocols = std::move(protocols);
    return client_context(c);
  };
  tls_context const both_known = client_of({"http/1.1", "h2"}), one = client_of({"http/1.1"}),
                    none = client_of({}), other = client_of({"xmpp-client"});
  everywhere({"h2 h2", "http/1.1 http/1.1", " ",
              "no application protocol (ALPN) that both sides speak, the peer has given up TLS"},
             [&](notes& seen) {
               for (tls_context const& c : {both_known, one, none, other}) {
                 auto const both = shake_hands(connect_pair(), server, c);
                 seen.add(both.client && both.server
                              ? both.server->protocol + " " + both.client->protocol
                              : show_tls(both.server) + ", " + show_tls(both.client));
               }
             });
}

TEST_CASE("a client that comes again resumes its session, once for each ticket",
          "[io][tls][TCP-28]") {
  auto connect_twice = [](notes& seen, tls_context const& server, tls_context const& client) {
    std::string line;
    for (int i = 0; i < 2; ++i) {
      pair const p = connect_pair();
      auto const both = shake_hands(p, server, client);
      if (!both.client || !both.server) return seen.add(show_tls(both.client));
      // Tickets come with the first bytes.
      must(p.server.send("x"), "send");
      must(p.client.recv(1, long_time), "recv");
      line += both.client->resumed && both.server->resumed ? "resumed " : "full ";
      p.client.close();
    }
    seen.add(line);
  };
  tls_server_options none;
  none.tickets = 0;
  tls_client_options forgets;
  forgets.sessions = 0;
  everywhere({"full resumed ", "full full ", "full full "}, [&](notes& seen) {
    connect_twice(seen, server_context(), client_context());
    connect_twice(seen, server_context(none), client_context());
    connect_twice(seen, server_context(), client_context(forgets));
  });
}

TEST_CASE("an exchanged certificate is for new connections, and the old ones go on",
          "[io][tls][TCP-28]") {
  auto const& authority = otter_test::test_authority();
  everywhere(
      {"CN=before", "CN=after", "'still here'", "CN=before", "bad identity, CN=after"},
      [&](notes& seen) {
        tls_server_options o;
        o.identities = {identity_of(test_certificate::make({{"before", "x"}}, &authority))};
        auto const server = server_context(o);
        auto const client = client_context();
        pair const old = connect_pair();
        auto const first = shake_hands(old, server, client, {"x", long_time});
        seen.add(first.client ? first.client->peer_subject : show_tls(first.client));
        o.identities = {identity_of(test_certificate::make({{"after", "x"}}, &authority))};
        must_tls(server.reload(o), "reload");
        auto connect = [&] {
          auto const both = shake_hands(connect_pair(), server, client, {"x", long_time});
          return both.client ? both.client->peer_subject : show_tls(both.client);
        };
        seen.add(connect());
        must(old.client.send("still here"), "send");
        seen.add(show(old.server.recv(10, long_time)));
        seen.add(must(connection_information(old.client), "info").peer_subject);
        // What cannot be used changes nothing.
        tls_server_options bad = o;
        bad.client_certificate = tls_client_certificate::require;
        bad.client_authorities = "no certificate";
        auto const refused = server.reload(bad);
        seen.add((refused ? std::string("taken") : std::string("bad identity")) + ", " + connect());
      });
}

TEST_CASE("what was agreed upon can be asked for, as long as the connection is there",
          "[io][tls][TCP-28]") {
  auto const server = server_context();
  auto const client = client_context();
  everywhere(
      {"enotconn", "TLSv1.3 localhost ok", "the same binding", "a certificate", "none",
       "no certificate of the client", "closed"},
      [&](notes& seen) {
        pair const p = connect_pair();
        auto const plain = connection_information(p.client);
        seen.add(plain ? "some" : plain.error().message());
        auto const both = shake_hands(p, server, client);
        auto const info = must(connection_information(p.client), "info");
        seen.add(info.version + " " + info.server_name + " " + info.verification);
        auto const binding = [](tcp_socket s) {
          return must(export_key_material(s, "EXPORTER-Channel-Binding", 32), "export");
        };
        seen.add(binding(p.client) == binding(p.server) ? "the same binding" : "another");
        seen.add(must(peer_certificate(p.client), "peer_certificate").size() > 100 ? "a certificate"
                                                                                   : "none");
        seen.add(must(connection_information(p.server), "info").peer_subject.empty() ? "none"
                                                                                     : "some");
        seen.add(peer_certificate(p.server).error() == tls_errc::certificate_required
                     ? "no certificate of the client"
                     : "another answer");
        p.client.close();
        seen.add(connection_information(p.client).error().message());
      });
}

TEST_CASE("connecting and accepting with TLS are one call each", "[io][tls][TCP-28]") {
  auto const server = server_context();
  auto const client = client_context();
  everywhere({"data 'to the client'", "'to the server'"}, [&](notes& seen) {
    // What sockets of this listener are, they are only once they speak TLS.
    tcp_options active_sockets;
    active_sockets.active = active::on;
    auto const l = must(tcp_listen(tcp_address::loopback(0), active_sockets), "listen");
    auto const at = must(l.local_address(), "address");
    spawn_link([=] {
      auto const s = must_tls(tls_accept(l, server, long_time, {"", long_time}), "accept");
      must(s.send("to the client"), "send");
      std::string const came = gather(s, 13);
      must(s.send(came), "send");
      receive(after(infinity, [] {}));
    });
    tcp_options options;
    options.active = active::once;
    auto const c =
        must_tls(tls_connect("localhost", at.port, client, options, long_time), "connect");
    seen.add(next_message(c));
    must(c.send("to the server"), "send");
    seen.add("'" + receive_all(c, 13) + "'");
  });
}

TEST_CASE("a socket that cannot shake hands now stays as it was", "[io][tls][TCP-28]") {
  auto const server = server_context();
  auto const client = client_context();
  everywhere({"einval", "not_owner", "ealready", "einval", "'still plain'", "closed"},
             [&](notes& seen) {
               pair p = connect_pair();
               must(p.server.set_active(active::once), "set_active");
               seen.add(show_tls(tls_handshake(p.server, server)));
               must(p.server.set_active(active::off), "set_active");
               pid const home = self();
               spawn_link([=] { otter::send(home, show_tls(tls_handshake(p.server, server))); });
               seen.add(receive([](std::string s) { return s; }));
               spawn_waiting([=] { static_cast<void>(p.server.recv(4, infinity)); });
               seen.add(show_tls(tls_handshake(p.server, server)));
               pair const secure = tls_pair(server, client);
               seen.add(show_tls(tls_handshake(secure.server, server)));
               must(p.server.send("still plain"), "send");
               seen.add(show(p.client.recv(11, long_time)));
               p.client.close();
               seen.add(show_tls(tls_handshake(p.client, client, {"localhost"})));
             });
}

TEST_CASE("wrong use of TLS is thrown", "[io][tls][TCP-28]") {
  auto thrown = [](auto f) -> std::string {
    try {
      f();
      return "nothing";
    } catch (error const& e) {
      return e.what();
    }
  };
  CHECK_THAT(thrown([] { static_cast<void>(tls_context::server({})); }),
             Catch::Contains("no identity"));
  CHECK_THAT(thrown([] {
               tls_server_options o;
               o.identities = {identity_of(otter_test::test_localhost())};
               o.client_certificate = tls_client_certificate::require;
               static_cast<void>(tls_context::server(o));
             }),
             Catch::Contains("client_authorities"));
  CHECK_THAT(thrown([] {
               tls_client_options o;
               o.protocols = {""};
               static_cast<void>(tls_context::client(o));
             }),
             Catch::Contains("0 bytes"));
  CHECK_THAT(thrown([] {
               tls_client_options o;
               o.min_version = tls_version::tls1_3;
               o.max_version = tls_version::tls1_2;
               static_cast<void>(tls_context::client(o));
             }),
             Catch::Contains("min_version"));
  CHECK_THAT(thrown([] { static_cast<void>(client_context().reload(tls_server_options{})); }),
             Catch::Contains("client's context"));
  std::string no_name, no_context, any_below;
  auto const client = client_context();
  node n;
  auto const reason = n.run([&] {
    pair const p = connect_pair();
    no_name = thrown([&] { static_cast<void>(tls_handshake(p.client, client)); });
    any_below = thrown([&] { static_cast<void>(tls_handshake(p.client, client, {".a"})); });
    no_context = thrown([&] { static_cast<void>(tls_handshake(p.client, {}, {"localhost"})); });
  });
  CHECK(to_string(reason) == "normal");
  CHECK_THAT(no_name, Catch::Contains("server_name"));
  CHECK_THAT(any_below, Catch::Contains("no host name"));
  CHECK_THAT(no_context, Catch::Contains("no context"));
}
