// Packet modes on a connection: what is added on the way out is taken off on the way in.

#include "tcp_support.hpp"

using namespace otter;
using namespace tcp_test;

namespace {

tcp_options cut(packet mode, std::uint32_t packet_size = 0) {
  tcp_options o;
  o.packet = mode;
  o.packet_size = packet_size;
  return o;
}

/// Netstrings: "5:hello,".
class netstrings final : public tcp_framer {
 public:
  packet_cut next(std::string_view stream, std::size_t) const noexcept override {
    std::size_t length = 0;
    std::size_t at = 0;
    for (; at < stream.size() && stream[at] != ':'; ++at) {
      if (stream[at] < '0' || stream[at] > '9' || at > 5) return packet_cut::malformed();
      length = length * 10 + static_cast<std::size_t>(stream[at] - '0');
    }
    std::size_t const begin = at + 1;
    if (stream.size() < begin + length + 1) return packet_cut::incomplete();
    if (at == 0 || stream[begin + length] != ',') return packet_cut::malformed();
    return packet_cut::packet(begin + length + 1, begin, 1);
  }
};

}  // namespace

TEST_CASE("what is sent with a length ahead arrives as it was given to send", "[io][TCP-5]") {
  for (packet mode : {packet::length_1, packet::length_2, packet::length_4}) {
    everywhere({"'hello'", "''", "'bye'", "closed"}, [mode](notes& see) {
      pair p = connect_pair(cut(mode), cut(mode));
      must(p.client.send("hello"), "send");
      must(p.client.send(""), "send");
      must(p.client.send("bye"), "send");
      p.client.close();
      for (int i = 0; i < 4; ++i) see.add(show(p.server.recv(0, long_time)));
    });
  }
}

TEST_CASE("packets of many sizes, active, keep their borders", "[io][TCP-5][TCP-1]") {
  everywhere({"same"}, [](notes& see) {
    tcp_options server = cut(packet::length_4);
    server.active = active::on;
    pair p = connect_pair(server, cut(packet::length_4));
    std::vector<std::size_t> const sizes = {0, 1, 1019, 1020, 1021, 70000, 3, 200000};
    spawn_link([s = p.client, sizes] {
      for (std::size_t n : sizes) must(s.send(numbered(n, static_cast<unsigned>(n))), "send");
    });
    std::string result = "same";
    for (std::size_t n : sizes) {
      if (next_message(p.server) != "data '" + numbered(n, static_cast<unsigned>(n)) + "'")
        result = "another packet of " + std::to_string(n);
    }
    see.add(result);
  });
}

TEST_CASE("a packet longer than its length can say is refused, and the next one goes out",
          "[io][TCP-5]") {
  everywhere({"emsgsize", "ok", "'x'"}, [](notes& see) {
    pair p = connect_pair(cut(packet::length_1), cut(packet::length_1));
    see.add(show(p.client.send(std::string(256, 'y'))));
    see.add(show(p.client.send("x")));
    see.add(show(p.server.recv(0, long_time)));
  });
}

TEST_CASE("a length of four gigabytes ends the socket with emsgsize at once", "[io][TCP-6]") {
  everywhere({"error emsgsize", "closed", "emsgsize", "closed"}, [](notes& see) {
    tcp_options server = cut(packet::length_4);
    server.active = active::on;
    pair active_one = connect_pair(server);
    must(active_one.client.send(std::string("\xff\xff\xff\xff", 4)), "send");
    see.add(next_message(active_one.server));
    see.add(next_message(active_one.server));
    pair passive_one = connect_pair(cut(packet::length_4));
    must(passive_one.client.send(std::string("\xff\xff\xff\xff", 4)), "send");
    see.add(show(passive_one.server.recv(0, long_time)));
    see.add(show(passive_one.server.recv(0, long_time)));
  });
}

TEST_CASE("a packet that its peer has not finished is lost when the peer ends",
          "[io][TCP-5][TCP-9]") {
  everywhere({"'ab'", "closed"}, [](notes& see) {
    pair p = connect_pair(cut(packet::length_2));
    must(p.client.send(std::string("\0\2ab\0\3xy", 8)), "send");
    p.client.close();
    for (int i = 0; i < 2; ++i) see.add(show(p.server.recv(0, long_time)));
  });
}

TEST_CASE("a header is one packet, and what follows it is read in another mode", "[io][TCP-5]") {
  everywhere(
      {"'POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n'", "'body'", "'GET / HTTP/1.1\r\n\r\n'"},
      [](notes& see) {
        pair p = connect_pair(cut(packet::header));
        must(
            p.client.send("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbodyGET / HTTP/1.1\r\n\r\n"),
            "send");
        see.add(show(p.server.recv(0, long_time)));
        must(p.server.set_packet(packet::raw), "set_packet");
        see.add(show(p.server.recv(4, long_time)));
        must(p.server.set_packet(packet::header), "set_packet");
        see.add(show(p.server.recv(0, long_time)));
      });
}

TEST_CASE("a framer of one's own cuts packets and is inherited from the listener",
          "[io][TCP-5][TCP-19]") {
  everywhere({"'hello'", "''", "data 'active'", "error ebadmsg", "closed"}, [](notes& see) {
    tcp_options o = cut(packet::framer);
    o.framer = std::make_shared<netstrings const>();
    pair p = connect_pair(o);
    must(p.client.send("5:hello,0:,6:active,x:"), "send");
    see.add(show(p.server.recv(0, long_time)));
    see.add(show(p.server.recv(0, long_time)));
    must(p.server.set_active(active::on), "set_active");
    for (int i = 0; i < 3; ++i) see.add(next_message(p.server));
  });
}

TEST_CASE("a socket keeps its framer alive, and lets go of it when it ends", "[io][TCP-5]") {
  everywhere({"einval", "einval", "'a'", "gone"}, [](notes& see) {
    auto framer = std::make_shared<netstrings const>();
    std::weak_ptr<netstrings const> const watched = framer;
    pair p = connect_pair();
    see.add(show(p.server.set_packet(packet::framer)));
    see.add(show(p.server.set_framer(nullptr)));
    must(p.server.set_framer(std::exchange(framer, nullptr)), "set_framer");
    must(p.client.send("1:a,"), "send");
    see.add(show(p.server.recv(0, long_time)));
    must(p.server.set_framer(std::make_shared<netstrings const>()), "set_framer");
    see.add(watched.expired() ? "gone" : "kept");
  });
}
