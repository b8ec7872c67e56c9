// Peers that do not play by the rules, at a socket: each has its reason, nothing is left, and
// nobody else notices.

#include <algorithm>
#include <functional>
#include <otter/link.hpp>

#include "exits_contract.hpp"
#include "io/ports.hpp"
#include "io/simulated_network.hpp"
#include "io/tls_stream.hpp"
#include "node/node_core.hpp"
#include "process/process_system.hpp"
#include "tls_support.hpp"

using namespace otter;
using namespace tls_test;

namespace {

using got = rts::tls_stream::got;

/// A client that speaks TLS by hand, on a plain socket: for what ours would never do.
class client_by_hand {
 public:
  client_by_hand(tcp_socket s, tls_context const& c)
      : socket(s), tls(rts::tls_access::data(c)->settings(), "localhost") {}

  /// False: it did not come to an end.
  bool shake_hands() {
    got state = tls.handshake({});
    for (;;) {
      if (!say()) return false;
      if (state != got::nothing) return state == got::bytes;
      auto const came = socket.recv(0, long_time);
      if (!came) return false;
      state = tls.handshake(*came);
    }
  }
  bool say() {
    std::string const out = std::exchange(tls.out(), {});
    return out.empty() || socket.send(out).has_value();
  }

  tcp_socket socket;
  rts::tls_stream tls;
};

std::string outcome(tls_result<tls_info> const& r) {
  return r ? "ok" : r.error().code.message() + ": " + r.error().text;
}

/// The server's side, in a process of its own, which sends home what came of it.
pid serve(tcp_socket s, tls_context const& server, duration limit = long_time) {
  pid const home = self();
  pid const process = spawn_link([=] {
    receive([](begun) {});
    otter::send(home, outcome(tls_handshake(s, server, {"", limit})));
    receive(after(infinity, [] {}));
  });
  must(s.controlling_process(process), "controlling_process");
  otter::send(process, begun{});
  return process;
}

void until_closed(tcp_socket s) {
  while (s.recv(0, long_time)) {
  }
}

std::string told() {
  return receive([](std::string s) { return s; });
}

}  // namespace

TEST_CASE("garbage instead of a handshake is told with its first bytes, and closes",
          "[io][tls][TCP-28]") {
  auto const server = server_context();
  everywhere(
      {"the peer does not speak TLS: the peer does not speak TLS: it began with \"G", "closed"},
      [&](notes& seen) {
        pair const p = connect_pair();
        serve(p.server, server);
        must(p.client.send("GET / HTTP/1.1\r\nHost: x"), "send");
        seen.add(told().substr(0, 74));  // as much as had come
        seen.add(show(p.client.recv(0, long_time)));
      });
}

TEST_CASE("a peer that sends a byte a second is cut when the limit is over", "[io][tls][TCP-28]") {
  auto const server = server_context();
  auto const client = client_context();
  in_simulation(
      {"timeout: the handshake was not over within 10000 ms; the peer has sent 10 bytes of it",
       "closed"},
      [&](notes& seen) {
        pair const p = connect_pair();
        serve(p.server, server, 10s);
        client_by_hand c(p.client, client);
        static_cast<void>(c.tls.handshake({}));
        std::string const hello = c.tls.out();
        sleep_for(500ms);
        for (std::size_t i = 0; i < 10; ++i) {
          must(p.client.send(std::string_view(hello).substr(i, 1)), "send");
          sleep_for(1s);
        }
        seen.add(told());
        seen.add(show(p.client.recv(0, long_time)));
      });
}

TEST_CASE("a peer that goes at any point of the handshake is an end with its reason",
          "[io][tls][TCP-28]") {
  auto const server = server_context();
  auto const client = client_context();
  // How much a client says in a whole handshake.
  std::size_t hello = 0, rest = 0;
  {
    rts::tls_stream c(rts::tls_access::data(client)->settings(), "localhost"),
        s(rts::tls_access::data(server)->settings(), "");
    c.handshake({});
    hello = c.out().size();
    s.handshake(std::exchange(c.out(), {}));
    c.handshake(std::exchange(s.out(), {}));
    rest = c.out().size();
  }
  // A reset, or an end of sending, behind so many bytes: none, within the first flight, at its end,
  // within the second, and all but one.
  for (std::size_t const cut : {std::size_t{0}, std::size_t{1}, hello / 2, hello, hello + 1,
                                hello + rest / 2, hello + rest - 1}) {
    for (bool reset : {true, false}) {
      everywhere({"closed", "gone"}, [&](notes& seen) {
        pair const p = connect_pair();
        serve(p.server, server);
        client_by_hand c(p.client, client);
        got state = c.tls.handshake({});
        std::size_t left = cut;
        while (left > 0 && state == got::nothing) {
          std::string out = std::exchange(c.tls.out(), {});
          out.resize(std::min(out.size(), left));
          left -= out.size();
          if (!out.empty()) must(p.client.send(out), "send");
          if (left == 0) break;
          auto const came = p.client.recv(0, long_time);
          if (!came) break;
          state = c.tls.handshake(*came);
          if (state == got::bytes) state = got::nothing;
        }
        if (reset) {
          must(p.client.set_linger(duration::zero()), "linger");
          p.client.close();
        } else {
          must(p.client.shutdown_write(), "shutdown_write");
        }
        std::string const reason = told();
        seen.add(reason.substr(0, reason.find(':')));
        seen.add(p.server.owner() ? "still there" : "gone");
      });
    }
  }
}

TEST_CASE(
    "connections that are reset now and then leave nothing behind, during and after handshakes",
    "[io][tls][TCP-28]") {
  auto const server = server_context();
  auto const client = client_context();
  int whole = 0, broken = 0;
  otter_test::seed_range const range = otter_test::seeds(some_seeds(30));
  for (std::uint64_t seed = range.first; seed <= range.last; ++seed) {
    otter_test::run_of const line(seed);
    INFO("seed " << seed);
    simulation sim(seed);
    static_cast<rts::simulated_network&>(rts::io_state::of(sim.core().system()).net())
        .reset_now_and_then(30'000);
    auto const result = sim.run([&] {
      auto const l = must(tcp_listen(tcp_address::loopback(0)), "listen");
      auto const at = must(l.local_address(), "address");
      pid const home = self();
      constexpr int connections = 5;
      for (int i = 0; i < connections; ++i) {
        spawn_link([=] {
          auto const s = tls_accept(l, server, long_time, {"", 1s});
          if (s) {
            while (auto const came = s->recv(0, 1s)) {
              if (!s->send(*came)) break;
            }
          }
        });
        spawn_link([=] {
          std::string const text = numbered(20'000, static_cast<unsigned>(i));
          auto const s = tls_connect("localhost", at.port, client, {}, 1s);
          std::string back;
          if (s && s->send(text)) back = receive_all(*s, text.size());
          bool const prefix = text.starts_with(back.substr(0, back.find(" then ")));
          otter::send(home, back == text ? 1 : prefix || back.empty() ? 0 : -1);
        });
      }
      for (int i = 0; i < connections; ++i) {
        int const r = receive([](int n) { return n; });
        if (r < 0) throw std::runtime_error("something else came back");
        ++(r > 0 ? whole : broken);
      }
    });
    CHECK(result.finished);
    CHECK(to_string(result.main) == "normal");
    CHECK(ports_left(sim) == 0);
  }
  if (range.one_alone) return;
  CHECK(whole > 0);
  CHECK(broken > 0);
}

TEST_CASE("an end without a farewell is a close, or an error if that was asked for",
          "[io][tls][TCP-30]") {
  auto const client = client_context();
  for (bool shown : {false, true}) {
    tls_server_options o;
    o.show_truncation = shown;
    auto const server = server_context(o);
    lines const expected =
        shown ? lines{"data 'half a mess'", "error " + to_string(tls_errc::truncated), "closed",
                      "data 'all of it'", "closed"}
              : lines{"data 'half a mess'", "closed", "data 'all of it'", "closed"};
    everywhere(expected, [&](notes& seen) {
      for (bool farewell : {false, true}) {
        pair const p = connect_pair();
        pid const home = self();
        pid const other = spawn_link([=] {
          receive([](begun) {});
          client_by_hand c(p.client, client);
          static_cast<void>(c.shake_hands());
          c.tls.write(farewell ? "all of it" : "half a mess");
          if (farewell) c.tls.say_farewell();
          static_cast<void>(c.say());
          must(p.client.shutdown_write(), "shutdown_write");
          otter::send(home, begun{});
          until_closed(p.client);
        });
        must(p.client.controlling_process(other), "controlling_process");
        otter::send(other, begun{});
        must_tls(tls_handshake(p.server, server, {"", long_time}), "handshake");
        receive([](begun) {});
        must(p.server.set_active(active::on), "set_active");
        for (;;) {
          std::string const m = next_message(p.server);
          seen.add(m);
          if (m == "closed" || m == "nothing") break;
        }
      }
    });
  }
}

TEST_CASE("a server says farewell before it closes, and half a connection goes on",
          "[io][tls][TCP-30]") {
  auto const server = server_context();
  tls_client_options o;
  o.show_truncation = true;
  auto const client = client_context(o);
  tcp_options half;
  half.exit_on_close = false;
  everywhere({"'last words'", "closed", "'answer'", "closed"}, [&](notes& seen) {
    pair const p = tls_pair(server, client, {}, half);
    must(p.server.send("last words"), "send");
    must(p.server.shutdown_write(), "shutdown_write");
    seen.add(show(p.client.recv(10, long_time)));
    seen.add(show(p.client.recv(0, long_time)));  // and not truncated
    must(p.client.send("answer"), "send");
    seen.add(show(p.server.recv(6, long_time)));
    p.client.close();
    seen.add(show(p.server.recv(0, long_time)));
  });
}

TEST_CASE("bytes that were changed on the way are an error and the end", "[io][tls][TCP-30]") {
  auto const server = server_context();
  auto const client = client_context();
  everywhere({"data 'good'", "error the peer breaks the rules of TLS", "closed"}, [&](notes& seen) {
    pair const p = connect_pair();
    pid const other = spawn_link([=] {
      receive([](begun) {});
      client_by_hand c(p.client, client);
      static_cast<void>(c.shake_hands());
      c.tls.write("good");
      static_cast<void>(c.say());
      c.tls.write("bad");
      c.tls.out().back() = static_cast<char>(c.tls.out().back() ^ 1);
      static_cast<void>(c.say());
      until_closed(p.client);
    });
    must(p.client.controlling_process(other), "controlling_process");
    otter::send(other, begun{});
    must_tls(tls_handshake(p.server, server, {"", long_time}), "handshake");
    must(p.server.set_active(active::on), "set_active");
    for (int i = 0; i < 3; ++i) seen.add(next_message(p.server));
  });
}

TEST_CASE("a peer that never reads holds up its sender, and nobody else", "[io][tls][TCP-22]") {
  auto const server = server_context();
  auto const client = client_context();
  in_simulation({"timeout", "'still served'"}, [&](notes& seen) {
    tcp_options o;
    o.send_timeout = 5s;
    pair const deaf = tls_pair(server, client, o), other = tls_pair(server, client, o);
    pid const home = self();
    pid const sender = spawn_link([=] {
      receive([](begun) {});
      for (;;) {
        auto const sent = deaf.server.send(std::string(10'000, 'x'));
        if (!sent) return otter::send(home, sent.error().message());
      }
    });
    must(deaf.server.controlling_process(sender), "controlling_process");
    otter::send(sender, begun{});
    until_waiting(sender);
    std::string const reason = told();
    seen.add(reason);
    must(other.server.send("still served"), "send");
    seen.add(show(other.client.recv(12, long_time)));
  });
}

TEST_CASE("so many handshakes as allowed run at once, and the others wait their turn",
          "[io][tls][TCP-28]") {
  tls_server_options o;
  o.handshakes = 1;
  auto const server = server_context(o);
  auto const client = client_context();
  lines const expected = {
      "timeout: no place for a handshake within 1000 ms: 1 with this context "
      "are going on",
      "ok", "ok",
      "closed: the peer has ended the connection during the handshake; it had "
      "sent some bytes of it"};
  in_simulation(expected, [&](notes& seen) {
    // One begins and stops.
    pair const slow = connect_pair();
    client_by_hand c(slow.client, client);
    static_cast<void>(c.tls.handshake({}));
    static_cast<void>(c.say());
    serve(slow.server, server, long_time);
    must(slow.client.recv(0, long_time), "the server's answer");
    // The next gives up waiting, one is killed in the line, and one comes too late for that.
    pair const impatient = connect_pair();
    serve(impatient.server, server, 1s);
    auto begin = [&](pair const& p) {
      client_by_hand b(p.client, client);
      static_cast<void>(b.tls.handshake({}));
      static_cast<void>(b.say());
    };
    begin(impatient);
    seen.add(told());
    pair const killed = connect_pair(), patient = connect_pair();
    // Another context is not held up.
    auto const free = shake_hands(connect_pair(), server_context(), client);
    seen.add(show_tls(free.client));
    begin(killed);
    pid const victim = serve(killed.server, server, long_time);
    until_waiting(victim);
    otter::unlink(victim);
    otter::exit(victim, exit_reason::kill());
    pid const third = spawn_link([=] {
      receive([](begun) {});
      client_by_hand b(patient.client, client);
      static_cast<void>(b.shake_hands());
      receive(after(infinity, [] {}));
    });
    must(patient.client.controlling_process(third), "controlling_process");
    otter::send(third, begun{});
    pid const last = serve(patient.server, server, long_time);
    until_waiting(last);
    slow.client.close();
    lines both = {told(), told()};
    for (std::string& l : both)
      if (auto const at = l.find("sent "); at != std::string::npos)
        l = l.substr(0, at) + "sent some" + l.substr(l.find(" bytes"));
    std::sort(both.begin(), both.end(), std::greater<>());
    for (std::string const& l : both) seen.add(l);
  });
}

TEST_CASE(
    "a handshake ends when its process is killed or its socket closed, and shows where it waits",
    "[io][tls][TCP-28]") {
  auto const server = server_context();
  everywhere({"tls_handshake", "closed", "closed: the socket was closed here during the handshake"},
             [&](notes& seen) {
               pair const p = connect_pair(), q = connect_pair();
               pid const victim = serve(p.server, server);
               until_waiting(victim);
               auto const place = process_info<std::string>(victim, info_item::waiting_in);
               seen.add(place ? *place : "nowhere");
               otter::unlink(victim);
               otter::exit(victim, exit_reason::kill());
               seen.add(show(p.client.recv(0, long_time)));
               until_waiting(serve(q.server, server));
               q.server.close();
               seen.add(told());
             });
}

TEST_CASE("during a handshake nobody else uses the connection", "[io][tls][TCP-28]") {
  auto const server = server_context();
  everywhere({"enotconn", "enotconn", "einval", "enotconn", "enotconn"}, [&](notes& seen) {
    pair const p = connect_pair();
    until_waiting(serve(p.server, server));
    seen.add(show(p.server.send("plain")));
    seen.add(show(p.server.recv(0, 0ms)));
    seen.add(show(p.server.set_active(active::once)));
    seen.add(show(p.server.shutdown_write()));
    seen.add(connection_information(p.server).error().message());
  });
}

namespace {

struct world {
  pair between = connect_pair();
  tls_context server = server_context();
};

using entry = otter_test::contract_entry<world>;
using otter_test::exits;
using otter_test::waits;

constexpr entry all_functions[] = {
    {"tls_handshake", exits::may, waits::perhaps,
     [](world& w) {
       static_cast<void>(tls_handshake(w.between.server, w.server, {"", 1us}));
     }},
    {"tls_accept", exits::may, waits::perhaps,
     [](world& w) { static_cast<void>(tls_accept(w.between.listener, w.server, 1us)); }},
    {"tls_connect", exits::may, waits::perhaps,
     [](world& w) {
       auto const at = must(w.between.listener.local_address(), "address");
       static_cast<void>(tls_connect("localhost", at.port, client_context(), {}, 1us));
     }},
    {"connection_information, peer_certificate, export_key_material", exits::never, waits::no,
     [](world& w) {
       static_cast<void>(connection_information(w.between.client));
       static_cast<void>(peer_certificate(w.between.client));
       static_cast<void>(export_key_material(w.between.client, "x", 32));
     }},
};

}  // namespace

TEST_CASE("every function of TLS keeps what its header says about exits", "[io][tls][C0-2]") {
  otter_test::on_every_driver([](otter_test::driver_report& report) {
    otter_test::check_contract<world>(report, all_functions);
  });
}
