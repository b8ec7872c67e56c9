// Passive sockets: recv, lengths, lines, time limits, the peer's end.

#include <otter/error.hpp>

#include "tcp_support.hpp"

using namespace otter;
using namespace tcp_test;

TEST_CASE("a passive socket sends no messages, its data waits for recv", "[io][TCP-2]") {
  everywhere({"nothing", "'hello'"}, [](notes& see) {
    pair p = connect_pair();
    must(p.client.send("hello"), "send");
    see.add(next_message(p.server, 20ms));
    see.add(show(p.server.recv(5, long_time)));
  });
}

TEST_CASE("recv with a length waits for exactly so many bytes", "[io][TCP-7]") {
  everywhere({"'abcd'", "'ef'", "'g'"}, [](notes& see) {
    pair p = connect_pair();
    spawn_link([me = self(), s = p.client] {
      for (char c : std::string("abcdefg")) {
        until_waiting(me);  // what it has is not enough
        must(s.send(std::string_view(&c, 1)), "send");
      }
      otter::send(me, 1);
    });
    see.add(show(p.server.recv(4, long_time)));
    see.add(show(p.server.recv(2, long_time)));
    see.add(show(p.server.recv(0, long_time)));
    receive([](int) {});
  });
}

TEST_CASE("a rest shorter than the length asked for is lost when the peer closes",
          "[io][TCP-7][TCP-9]") {
  everywhere({"'abc'", "closed", "closed"}, [](notes& see) {
    pair p = connect_pair();
    must(p.client.send("abcde"), "send");
    p.client.close();
    see.add(show(p.server.recv(3, long_time)));
    see.add(show(p.server.recv(3, long_time)));
    see.add(show(p.server.recv(0, long_time)));
  });
}

TEST_CASE("recv of a megabyte by exact length gives every byte in order", "[io][TCP-7]") {
  everywhere({"same"}, [](notes& see) {
    std::string const all = numbered(1 << 20);
    pair p = connect_pair();
    spawn_link([me = self(), s = p.client, all] {
      must(s.send(all), "send");
      otter::send(me, 1);
    });
    auto got = p.server.recv(all.size(), long_time);
    see.add(got && *got == all ? "same" : show(got).substr(0, 40));
    receive([](int) {});
  });
}

TEST_CASE("a receive that times out leaves the data for the next", "[io][TCP-8]") {
  everywhere({"timeout", "'abcdef'"}, [](notes& see) {
    pair p = connect_pair();
    must(p.client.send("abc"), "send");
    see.add(show(p.server.recv(6, 30ms)));
    must(p.client.send("def"), "send");
    see.add(show(p.server.recv(6, long_time)));
  });
}

TEST_CASE("recv with a limit of zero looks and does not wait", "[io][TCP-8]") {
  everywhere({"timeout"}, [](notes& see) {
    pair p = connect_pair();
    see.add(show(p.server.recv(0, 0ms)));
  });
}

TEST_CASE("only one process at a time receives, and only in passive mode", "[io][TCP-8]") {
  everywhere({"ealready", "einval", "'x'"}, [](notes& see) {
    pair p = connect_pair();
    pid const other = spawn_link([me = self(), s = p.server, &see] {
      otter::send(me, 1);
      tcp_result<tcp_bytes> r;
      do {  // the first to be inside may be the one that looks whether we are
        otter::checkpoint();
        r = s.recv(0, long_time);
      } while (!r && r.error() == tcp_errc::ealready);
      receive([](int) {});
      see.add(show(r));
      otter::send(me, 2);
    });
    receive([](int) {});
    // The other one has said so before its recv: wait until it is inside.
    tcp_result<tcp_bytes> mine;
    do {
      mine = p.server.recv(0, 1ms);
    } while (!mine && mine.error() == tcp_errc::timeout);
    see.add(show(mine));
    must(p.client.set_active(active::once), "set_active");
    see.add(show(p.client.recv(0, long_time)));
    must(p.client.send("x"), "send");
    otter::send(other, 1);
    receive([](int) {});
  });
}

TEST_CASE("line mode gives one line for each recv, however it was sent", "[io][TCP-5]") {
  everywhere({"'one\n'", "'\n'", "'two\r\n'", "'three\n'", "einval", "closed"}, [](notes& see) {
    tcp_options lines_please;
    lines_please.packet = packet::line;
    pair p = connect_pair(lines_please);
    spawn_link([me = self(), s = p.client] {
      for (char c : std::string("one\n\ntwo\r\nthr")) must(s.send(std::string_view(&c, 1)), "send");
      must(s.send("ee\nrest without an end"), "send");
      s.shutdown_write();
      otter::send(me, 1);
    });
    for (int i = 0; i < 4; ++i) see.add(show(p.server.recv(0, long_time)));
    see.add(show(p.server.recv(3, long_time)));
    see.add(show(p.server.recv(0, long_time)));
    receive([](int) {});
  });
}

TEST_CASE("a line longer than the buffer comes in pieces", "[io][TCP-5]") {
  everywhere({"'abcd'", "'efgh'", "'i\n'", "'k\n'"}, [](notes& see) {
    tcp_options o;
    o.packet = packet::line;
    o.buffer = 4;
    pair p = connect_pair(o);
    must(p.client.send("abcdefghi\nk\n"), "send");
    for (int i = 0; i < 4; ++i) see.add(show(p.server.recv(0, long_time)));
  });
}

TEST_CASE("a line longer than packet_size ends the socket with emsgsize", "[io][TCP-6]") {
  everywhere({"'abc\n'", "emsgsize", "closed", "closed"}, [](notes& see) {
    tcp_options o;
    o.packet = packet::line;
    o.packet_size = 4;
    pair p = connect_pair(o);
    must(p.client.send("abc\nabcd\n"), "send");
    for (int i = 0; i < 3; ++i) see.add(show(p.server.recv(0, long_time)));
    see.add(show(p.server.send("x")));
  });
}

TEST_CASE("recv_some receives into the caller's memory", "[io][TCP-7]") {
  everywhere({"hello world", "closed"}, [](notes& see) {
    pair p = connect_pair();
    must(p.client.send("hello world"), "send");
    p.client.close();
    std::string all;
    std::array<std::byte, 4> room{};
    for (;;) {
      auto n = p.server.recv_some(room, long_time);
      if (!n) {
        see.add(all);
        see.add(show(n));
        return;
      }
      all += as_text(std::span(room).first(*n));
    }
  });
}

TEST_CASE("wrong arguments are refused by exception", "[io][TCP-7]") {
  everywhere({"badarg", "badarg", "badarg", "timeout_value"}, [](notes& see) {
    auto tried = [&see](auto f) {
      try {
        f();
        see.add("accepted");
      } catch (otter::error const& e) {
        see.add(to_string(e.code()));
      }
    };
    pair p = connect_pair();
    tried([&] { static_cast<void>(p.server.recv_some({})); });
    tcp_options o;
    o.buffer = 0;
    tried([&] { static_cast<void>(tcp_listen(tcp_address::loopback(0), o)); });
    tried([&] { static_cast<void>(tcp_listen(tcp_address{})); });
    tried([&] { static_cast<void>(p.server.recv(0, -1ms)); });
  });
}
