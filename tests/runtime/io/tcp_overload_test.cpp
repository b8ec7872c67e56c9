// More than a node can or shall take: limits of a listener, marks of the node, queues that are told
// of, and owners that do not keep up.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <otter/error.hpp>
#include <otter/timer.hpp>

#include "io/ports.hpp"
#include "process/process_system.hpp"
#include "tcp_support.hpp"

using namespace otter;
using namespace tcp_test;

namespace {

/// Reports of a node that contain `what`.
class reports {
 public:
  explicit reports(std::string what) : what_(std::move(what)) {}
  void count_in(node_options& options) {
    options.on_event = [this](node_event const& e) {
      if (e.text.find(what_) != std::string::npos) ++count_;
    };
  }
  int count() const { return count_; }

 private:
  std::string what_;
  std::atomic<int> count_{0};
};

/// What the node takes for the memory in use.
auto measured_as(std::atomic<std::size_t> const& bytes) {
  return [&bytes](rts::node_core& core) {
    rts::io_state::of(core.system()).marks().measure_memory_by([&bytes] { return bytes.load(); });
  };
}

/// The system holds little, so that what is sent is queued.
tcp_options small() {
  tcp_options o;
  o.send_buffer = 4096;
  o.receive_buffer = 4096;
  return o;
}

std::string counts(tcp_listener l) {
  auto const s = must(l.statistics(), "statistics");
  return fmt::format("{} accepted, {} live, full {}, fast {}", s.accepted, s.connections,
                     s.times_full, s.times_fast);
}

}  // namespace

TEST_CASE("a listener with a limit accepts the next connection when one is closed",
          "[io][TCP-18][TCP-20]") {
  reports paused("max_connections is reached");
  node_options options;
  paused.count_in(options);
  int runs = 0;
  everywhere_with(options,
                  {"ok", "ok", "timeout", "2 accepted, 2 live, full 1, fast 0", "ok",
                   "3 accepted, 2 live, full 1, fast 0", "timeout", "0 live"},
                  [&](notes& see) {
                    ++runs;
                    tcp_options o;
                    o.max_connections = 2;
                    auto l = must(tcp_listen(tcp_address::loopback(0), o), "listen");
                    auto const at = must(l.local_address(), "address");
                    std::vector<tcp_socket> clients;
                    for (int i = 0; i < 3; ++i)
                      clients.push_back(must(tcp_connect(at, {}, long_time), "connect"));
                    std::vector<tcp_socket> servers;
                    for (int i = 0; i < 2; ++i) {
                      auto s = tcp_accept(l, long_time);
                      see.add(show(s));
                      if (s) servers.push_back(*s);
                    }
                    see.add(show(tcp_accept(l, 20ms)));
                    see.add(counts(l));
                    // One that waits is woken by the end of a connection.
                    pid const acceptor = spawn_waiting([l, me = self()] {
                      auto s = tcp_accept(l, long_time);
                      otter::send(me, show(s));
                      receive([](int) {});
                    });
                    servers[0].close();
                    receive([&](std::string const& s) { see.add(s); });
                    see.add(counts(l));
                    see.add(show(tcp_accept(l, 20ms)));
                    // Ends of owners count too.
                    monitor_ref const end = monitor(acceptor);
                    otter::send(acceptor, 1);
                    receive(when([&](down const& d) { return d.ref == end; }, [](down const&) {}));
                    servers[1].close();
                    see.add(fmt::format("{} live", must(l.statistics(), "statistics").connections));
                  });
  // Twice: between the two there was one connection less, which is well below.
  CHECK(paused.count() == 2 * runs);
}

TEST_CASE("a node ends while a connection of a limited listener still sends what was queued",
          "[io][TCP-12]") {
  int const peer = ::socket(AF_INET, SOCK_STREAM, 0);
  std::size_t open = 0;
  {
    node n;
    n.run([peer] {
      tcp_options o;
      o.max_connections = 2;
      auto l = must(tcp_listen(tcp_address::loopback(0), o), "listen");
      sockaddr_in at{};
      at.sin_family = AF_INET;
      at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      at.sin_port = htons(must(l.local_address(), "address").port);
      if (::connect(peer, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) return;
      must(must(tcp_accept(l, long_time), "accept").send(std::string(20'000'000, 'x')), "send");
    });
    open = n.statistics().ports;
  }
  ::close(peer);
  CHECK(open == 1);  // or the test shows nothing
}

TEST_CASE("a listener accepts no faster than it may, and a burst at once", "[io][TCP-18]") {
  constexpr int burst = 3;
  constexpr int more = 4;
  reports paused("accept_rate is reached");
  node_options options;
  paused.count_in(options);
  everywhere_with(options, {"not earlier", "7 accepted, 7 live, full 0, fast 1"}, [&](notes& see) {
    tcp_options o;
    o.accept_rate = 20;
    o.accept_burst = burst;
    auto l = must(tcp_listen(tcp_address::loopback(0), o), "listen");
    auto const at = must(l.local_address(), "address");
    for (int i = 0; i < burst + more; ++i) must(tcp_connect(at, {}, long_time), "connect");
    auto const begin = node_clock::now();
    for (int i = 0; i < burst + more; ++i) must(tcp_accept(l, long_time), "accept");
    see.add(node_clock::now() - begin >= more * 50ms ? "not earlier" : "earlier");
    see.add(counts(l));
  });
  // Virtual time does not pass by itself: all of the burst, and nothing more, at once.
  auto const at_once = [](notes& see) {
    tcp_options o;
    o.accept_rate = 1;
    o.accept_burst = burst;
    auto l = must(tcp_listen(tcp_address::loopback(0), o), "listen");
    auto const at = must(l.local_address(), "address");
    for (int i = 0; i < burst + 1; ++i) must(tcp_connect(at, {}, long_time), "connect");
    for (int i = 0; i < burst + 1; ++i) see.add(show(tcp_accept(l, 10ms)));
    see.add(show(tcp_accept(l, 1s)));
  };
  in_simulation_with(options, {"ok", "ok", "ok", "timeout", "ok"}, at_once, unprepared);
  CHECK(paused.count() > 0);
}

TEST_CASE("a burst of connections is accepted by all acceptors, and starves nobody",
          "[io][TCP-18]") {
  everywhere({"50 echoed", "the others went on"}, [](notes& see) {
    constexpr int acceptors = 4;
    constexpr int clients = 50;
    auto l = must(tcp_listen(tcp_address::loopback(0)), "listen");
    auto const at = must(l.local_address(), "address");
    pair old;
    old.client = must(tcp_connect(at, {}, long_time), "connect");
    old.server = must(tcp_accept(l, long_time), "accept");
    for (int i = 0; i < acceptors; ++i)
      spawn_waiting([l] {
        while (auto s = tcp_accept(l, infinity)) {
          if (auto text = s->recv(4, long_time)) static_cast<void>(s->send(*text));
          s->close();
        }
      });
    for (int i = 0; i < clients; ++i)
      spawn_link([at, me = self()] {
        tcp_socket const s = must(tcp_connect(at, {}, long_time), "connect");
        must(s.send("ping"), "send");
        otter::send(me, show(s.recv(4, long_time)));
      });
    // Meanwhile an old connection is served.
    for (int i = 0; i < 20; ++i) {
      must(old.client.send("x"), "send");
      must(old.server.recv(1, long_time), "recv");
    }
    int echoed = 0;
    for (int i = 0; i < clients; ++i)
      receive([&](std::string const& s) { echoed += s == "'ping'" ? 1 : 0; });
    see.add(std::to_string(echoed) + " echoed");
    see.add("the others went on");
    l.close();
  });
}

TEST_CASE("above the node's mark for output those wait who have some queued, and nobody else",
          "[io][TCP-22]") {
  reports told("output queued in sockets");
  node_options options;
  options.output_high_watermark = 100'000;
  options.output_low_watermark = 50'000;
  told.count_in(options);
  int runs = 0;
  everywhere_with(options, {"waits", "'healthy'", "goes on", "everything"}, [&](notes& see) {
    ++runs;
    tcp_options o = small();
    o.high_watermark = 1u << 30;
    o.low_watermark = 1u << 29;
    pair slow = connect_pair(small(), o);
    pair healthy = connect_pair({}, o);
    std::string const much = numbered(600'000);
    must(slow.client.send(much), "send");
    pid const sender = spawn_waiting([s = slow.client, me = self()] {
      must(s.send("more"), "send");
      otter::send(me, 1);
    });
    auto const in = process_info<std::string>(sender, info_item::waiting_in);
    see.add(in == "tcp_send" || in == "tcp_socket::send" ? "waits" : in.value_or("ended"));
    must(healthy.client.send("healthy"), "send");
    see.add(show(healthy.server.recv(7, long_time)));
    bool const all = receive_all(slow.server, much.size() + 4) == much + "more";
    receive([](int) {});
    see.add("goes on");
    see.add(all ? "everything" : "not all");
  });
  CHECK(told.count() == runs);
}

TEST_CASE("above the node's mark for memory accepting pauses, and goes on below it",
          "[io][TCP-20]") {
  std::atomic<std::size_t> memory = 0;
  reports told("accepting pauses on all listeners");
  node_options options;
  options.memory_stop_accepting = 1000;
  told.count_in(options);
  int runs = 0;
  everywhere_with(
      options, {"ok", "timeout", "timeout", "ok"},
      [&](notes& see) {
        ++runs;
        memory = 0;
        auto l = must(tcp_listen(tcp_address::loopback(0)), "listen");
        auto const at = must(l.local_address(), "address");
        must(tcp_connect(at, {}, long_time), "connect");
        see.add(show(tcp_accept(l, long_time)));
        memory = 1000;
        sleep_for(100ms);  // it is looked at ten times a second
        auto const c = must(tcp_connect(at, {}, long_time), "connect");
        see.add(show(tcp_accept(l, 250ms)));
        memory = 999;  // not well below
        see.add(show(tcp_accept(l, 250ms)));
        memory = 900;
        see.add(show(tcp_accept(l, long_time)));
        c.close();
      },
      measured_as(memory));
  CHECK(told.count() == runs);
}

TEST_CASE("a node knows how much memory it has", "[io][TCP-20]") {
  node_options options;
  options.memory_stop_accepting = 1;  // less than any program
  reports told("accepting pauses on all listeners");
  told.count_in(options);
  node n(options);
  std::string seen;
  n.run([&] {
    auto l = must(tcp_listen(tcp_address::loopback(0)), "listen");
    must(tcp_connect(must(l.local_address(), "address"), {}, long_time), "connect");
    seen = show(tcp_accept(l, 10ms));
  });
  CHECK(seen == "timeout");
  CHECK(told.count() == 1);
}

TEST_CASE("above the second mark idle sockets are closed that may be, and their owners hear why",
          "[io][TCP-14]") {
  std::atomic<std::size_t> memory = 0;
  reports reported("sockets that are idle");
  node_options options;
  options.memory_shed_idle = 1000;
  reported.count_in(options);
  int runs = 0;
  everywhere_with(
      options, {"error shed", "closed", "shed", "closed", "'stays'"},
      [&](notes& see) {
        ++runs;
        memory = 0;
        tcp_options o;
        o.shed_when_idle = 50ms;
        o.active = active::on;
        pair active_one = connect_pair(o);
        o.active = active::off;
        pair passive_one = connect_pair(o);
        pair stays = connect_pair();
        memory = 1000;
        pid const reader = spawn_waiting([s = passive_one.server, me = self()] {
          std::string first = show(s.recv(0, long_time));
          otter::send(me, std::pair(first, show(s.recv(0, long_time))));
        });
        static_cast<void>(reader);
        // Somebody does something now and then, and so the memory is looked at.
        bool told = false;
        while (!told) {
          must(stays.client.send("stays"), "send");
          must(stays.server.recv(5, long_time), "recv");
          receive(when([&](tcp_error const& e) { return e.socket == active_one.server; },
                       [&](tcp_error const& e) {
                         see.add("error " + e.error.message());
                         told = true;
                       }),
                  after(20ms));
        }
        see.add(next_message(active_one.server));
        bool heard = false;
        while (!heard) {
          must(stays.client.send("stays"), "send");
          must(stays.server.recv(5, long_time), "recv");
          receive(
              [&](std::pair<std::string, std::string> const& p) {
                see.add(p.first);
                see.add(p.second);
                heard = true;
              },
              after(20ms));
        }
        must(stays.client.send("stays"), "send");
        see.add(show(stays.server.recv(5, long_time)));
      },
      measured_as(memory));
  CHECK(reported.count() == runs);
}

TEST_CASE("a socket in use is not shed", "[io][TCP-14]") {
  std::atomic<std::size_t> const memory = 1000;
  otter_test::seed_range const range = otter_test::seeds(some_seeds(20));
  for (std::uint64_t seed = range.first; seed <= range.last; ++seed) {
    otter_test::run_of const line(seed);
    simulation_options options;
    options.node.memory_shed_idle = 1000;
    options.node.on_event = [](node_event const&) {};
    simulation sim(seed, options);
    measured_as(memory)(sim.core());
    std::string seen;
    sim.run([&] {
      tcp_options o;
      o.shed_when_idle = 1s;
      pair p = connect_pair(o);
      for (int i = 0; i < 30; ++i) {
        sleep_for(300ms);
        must(p.client.send("x"), "send");
        must(p.server.recv(1, long_time), "recv");
      }
      // And this one sends nothing for a while, when somebody else does.
      pair other = connect_pair();
      sleep_for(1200ms);
      must(other.client.send("x"), "send");
      seen = show(p.server.recv(1, long_time));
    });
    INFO("seed " << seed);
    CHECK(seen == "shed");
    CHECK(sim.statistics().shed_sockets == 1);
  }
}

TEST_CASE("an owner that must not wait hears of a full queue, and of room again", "[io][TCP-26]") {
  everywhere({"timeout", "busy", "nothing", "drained", "ok"}, [](notes& see) {
    tcp_options o = small();
    o.tell_busy = true;
    o.send_timeout = duration::zero();
    pair p = connect_pair(small(), o);
    std::string const piece(20'000, 'x');
    std::size_t sent = 0;
    for (;;) {
      auto const r = p.client.send(piece);
      if (!r) {
        see.add(show(r));
        break;
      }
      sent += piece.size();
    }
    auto const next = [&](duration limit) {
      return receive(
          [&](tcp_busy const& b) {
            return b.socket == p.client && b.queued_bytes >= 8192 ? "busy" : "?";
          },
          [&](tcp_drained const& d) { return d.socket == p.client ? "drained" : "?"; },
          after(limit, [] { return "nothing"; }));
    };
    see.add(next(long_time));
    see.add(next(20ms));
    spawn_link([s = p.server, sent] { receive_all(s, sent + 1); });
    see.add(next(long_time));
    see.add(show(p.client.send("x")));
  });
}

TEST_CASE("whoever is given a socket hears that its queue is full, if nobody has heard it before",
          "[io][TCP-17][TCP-26]") {
  // What the queue has to tell lies in the mailbox of the first owner, who gives the socket away
  // and looks at no message any more: it ends, or does something else.
  bool const ends = GENERATE(true, false);
  everywhere({"timeout", "busy", "nothing", "drained", "ok"}, [ends](notes& see) {
    tcp_options o = small();
    o.tell_busy = true;
    o.send_timeout = duration::zero();
    pair p = connect_pair(small(), o);
    struct given {
      std::size_t sent;
      std::string refused;
    };
    auto const next = spawn_waiting([s = p.client, home = self()] {
      receive([](given) {});
      auto const told = [&](duration limit) {
        return receive(
            [&](tcp_busy const& b) -> std::string {
              return b.socket == s && b.queued_bytes >= 8192 ? "busy" : "?";
            },
            [&](tcp_drained const& d) -> std::string { return d.socket == s ? "drained" : "?"; },
            after(limit, []() -> std::string { return "nothing"; }));
      };
      otter::send(home, told(long_time));
      otter::send(home, told(20ms));
      otter::send(home, told(long_time));
      otter::send(home, show(s.send("x")));
    });
    auto const first = spawn_waiting([s = p.client, next, ends, home = self()] {
      receive([](pid) {});  // it is the owner
      std::string const piece(20'000, 'x');
      given what{0, {}};
      while (what.refused.empty()) {
        auto const r = s.send(piece);
        if (r)
          what.sent += piece.size();
        else
          what.refused = show(r);
      }
      must(s.controlling_process(next), "controlling_process");
      otter::send(next, what);
      otter::send(home, what);
      if (!ends) sleep_for(infinity);
    });
    must(p.client.controlling_process(first), "controlling_process");
    otter::send(first, self());
    auto const [sent, refused] = receive([](given g) { return g; });
    see.add(refused);
    auto const heard = [&] { see.add(receive([](std::string s) { return s; })); };
    heard();
    heard();
    spawn_link([s = p.server, n = sent] { receive_all(s, n + 1); });
    heard();
    heard();
    unlink(first);
    otter::exit(first, exit_reason::kill());
  });
}

TEST_CASE(
    "whoever produces casts to the connection's process, which drops what its peer is too slow for",
    "[io][TCP-26]") {
  struct news {
    int number;
  };
  struct produced {};
  everywhere({"in order", "something was dropped", "the last one came"}, [](notes& see) {
    pair p = connect_pair(small(), small());
    must(p.client.set_packet(packet::line), "packet");
    must(p.server.set_send_timeout(duration::zero()), "send_timeout");
    pid const connection = spawn_link([home = self()] {
      tcp_socket const s = receive([](tcp_socket given) { return given; });
      bool dropped = false;
      bool more = true;
      while (more)
        receive(
            [&](news n) {
              std::string line = std::to_string(n.number) + std::string(1000, ' ') + "\n";
              if (!s.send(line)) dropped = true;
            },
            [&](produced) { more = false; });
      otter::send(home, dropped);
      must(s.set_send_timeout(infinity), "send_timeout");
      must(s.send("last\n"), "send");
      receive([](produced) {});
    });
    must(p.server.controlling_process(connection), "controlling_process");
    otter::send(connection, p.server);
    for (int i = 0; i < 1500; ++i) otter::send(connection, news{i});
    otter::send(connection, produced{});
    // All of it was produced, and dealt with, before the peer has read anything.
    bool const dropped = receive([](bool some) { return some; });
    int last = -1;
    bool in_order = true;
    for (;;) {
      std::string const line = must(p.client.recv(0, long_time), "recv");
      if (line == "last\n") break;
      int const number = std::stoi(line);
      in_order = in_order && number > last;
      last = number;
    }
    see.add(in_order ? "in order" : "not in order");
    see.add(dropped ? "something was dropped" : "nothing was");
    see.add("the last one came");
    otter::send(connection, produced{});
  });
}

TEST_CASE(
    "a flood stays in the socket while its owner, with a bounded mailbox, waits for something else",
    "[io][TCP-26][TCP-27]") {
  constexpr std::uint32_t limit = 50;
  constexpr int lines_sent = 800;
  constexpr std::size_t length = 1000;
  everywhere({"bounded", "all in order"}, [](notes& see) {
    auto const at = [] {
      auto l = must(tcp_listen(tcp_address::loopback(0), small()), "listen");
      return std::pair(l, must(l.local_address(), "address"));
    }();
    spawn_options bounded;
    bounded.max_mailbox = {limit, overflow::drop_newest};
    bounded.link = true;
    pid const owner = spawn(bounded, [l = at.first, home = self()] {
      tcp_socket const s = must(tcp_accept(l, long_time), "accept");
      must(s.set_packet(packet::line), "packet");
      must(s.set_active(active::on), "active");
      otter::send(home, begun{});
      receive([](begun) {});  // meanwhile the peer sends what it can
      bool in_order = true;
      for (int i = 0; i < lines_sent; ++i)
        in_order = in_order && std::stoi(next_message(s).substr(6)) == i;
      otter::send(home, in_order);
    });
    tcp_socket const c = must(tcp_connect(at.second, small(), long_time), "connect");
    receive([](begun) {});
    pid const sender = spawn_waiting([c] {
      for (int i = 0; i < lines_sent; ++i) {
        std::string line = std::to_string(i);
        line.resize(length - 1, ' ');
        must(c.send(line + "\n"), "send");
      }
    });
    // It waits for room for good: nobody reads any more.
    for (int still = 0; still < 5; ++still) {
      until_waiting(sender);
      sleep_for(10ms);
    }
    auto const waiting = process_info<std::uint64_t>(owner, info_item::message_queue_len);
    // Twice the limit, and what one read brings.
    see.add(waiting.value_or(0) <= 2 * limit + 65536 / length ? "bounded"
                                                              : std::to_string(*waiting));
    otter::send(owner, begun{});
    see.add(receive([](bool in_order) { return in_order; }) ? "all in order" : "not in order");
  });
}
