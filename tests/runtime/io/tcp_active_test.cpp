// Active sockets: what arrives as messages, and when it stops.

#include <algorithm>

#include "tcp_support.hpp"

using namespace otter;
using namespace tcp_test;

namespace {
tcp_options with(active_mode mode) {
  tcp_options o;
  o.active = mode;
  return o;
}
tcp_options line_wise(active_mode mode) {
  tcp_options o = with(mode);
  o.packet = packet::line;
  return o;
}
}  // namespace

TEST_CASE("an active socket sends its owner the data, and then its end", "[io][TCP-1][TCP-9]") {
  everywhere({"hello", "closed", "nothing"}, [](notes& see) {
    pair p = connect_pair(with(active::on));
    must(p.client.send("hello"), "send");
    p.client.close();
    see.add(gather(p.server, 5));
    see.add(next_message(p.server));
    see.add(next_message(p.server, 20ms));
  });
}

TEST_CASE("active once sends one packet and is passive then, without saying so", "[io][TCP-2]") {
  everywhere({"data 'one\n'", "nothing", "data 'two\n'", "nothing", "'three\n'"}, [](notes& see) {
    pair p = connect_pair(line_wise(active::once));
    must(p.client.send("one\ntwo\nthree\n"), "send");
    see.add(next_message(p.server));
    see.add(next_message(p.server, 20ms));
    must(p.server.set_active(active::once), "set_active");
    see.add(next_message(p.server));
    see.add(next_message(p.server, 20ms));
    see.add(show(p.server.recv(0, long_time)));
  });
}

TEST_CASE("active N sends N packets and then says that it is passive", "[io][TCP-3]") {
  everywhere({"data 'a\n'", "data 'b\n'", "data 'c\n'", "passive", "nothing", "'d\n'"},
             [](notes& see) {
               pair p = connect_pair(line_wise(active_n(2)));
               must(p.server.set_active(active_n(1)), "set_active");
               must(p.client.send("a\nb\nc\nd\n"), "send");
               for (int i = 0; i < 4; ++i) see.add(next_message(p.server));
               see.add(next_message(p.server, 20ms));
               see.add(show(p.server.recv(0, long_time)));
             });
}

TEST_CASE("a counter that is brought to zero or below says passive, one too large is refused",
          "[io][TCP-3]") {
  everywhere({"passive", "passive", "einval", "ok", "einval", "ok", "nothing"}, [](notes& see) {
    pair p = connect_pair(with(active_n(5)));
    must(p.server.set_active(active_n(-5)), "set_active");
    see.add(next_message(p.server));
    must(p.server.set_active(active_n(-3)), "set_active");
    see.add(next_message(p.server));
    see.add(show(p.server.set_active(active_n(32768))));
    see.add(show(p.server.set_active(active_n(32767))));
    see.add(show(p.server.set_active(active_n(1))));
    see.add(show(p.server.set_active(active_n(-32766))));
    see.add(next_message(p.server, 20ms));
  });
}

TEST_CASE("setting a mode cancels a counter without a word", "[io][TCP-4]") {
  everywhere({"nothing", "data 'a\n'", "data 'b\n'", "nothing"}, [](notes& see) {
    pair p = connect_pair(line_wise(active_n(1)));
    must(p.server.set_active(active::off), "set_active");
    see.add(next_message(p.server, 20ms));
    must(p.server.set_active(active_n(1)), "set_active");
    must(p.server.set_active(active::on), "set_active");
    must(p.client.send("a\nb\n"), "send");
    see.add(next_message(p.server));
    see.add(next_message(p.server));
    see.add(next_message(p.server, 20ms));
  });
}

TEST_CASE("a line that is too long is an error and the end, after the lines before it",
          "[io][TCP-6][TCP-14]") {
  everywhere({"data 'ab\n'", "error emsgsize", "closed", "nothing", "einval", "closed"},
             [](notes& see) {
               tcp_options o = line_wise(active::on);
               o.packet_size = 4;
               pair p = connect_pair(o);
               must(p.client.send("ab\nabcdefgh\nc\n"), "send");
               for (int i = 0; i < 3; ++i) see.add(next_message(p.server));
               see.add(next_message(p.server, 20ms));
               see.add(show(p.server.set_active(active::once)));
               see.add(show(p.server.send("x")));
             });
}

TEST_CASE("a close that came while the socket was passive is told after the data, once",
          "[io][TCP-10]") {
  everywhere({"data 'a\n'", "nothing", "data 'b\n'", "nothing", "closed", "einval", "nothing"},
             [](notes& see) {
               pair p = connect_pair(line_wise(active::off));
               must(p.client.send("a\nb\n"), "send");
               p.client.close();
               must(p.server.set_active(active::once), "set_active");
               see.add(next_message(p.server));
               see.add(next_message(p.server, 20ms));
               must(p.server.set_active(active::once), "set_active");
               see.add(next_message(p.server));
               see.add(next_message(p.server, 20ms));
               must(p.server.set_active(active::once), "set_active");
               see.add(next_message(p.server));
               see.add(show(p.server.set_active(active::once)));
               see.add(next_message(p.server, 20ms));
             });
}

TEST_CASE("ten thousand lines in random pieces arrive as ten thousand messages in order",
          "[io][TCP-5][TCP-9]") {
  everywhere({"10000 lines", "closed"}, [](notes& see) {
    pair p = connect_pair(line_wise(active::on));
    spawn_link([me = self(), s = p.client] {
      std::string all;
      for (int i = 0; i < 10000; ++i) all += std::to_string(i) + "\n";
      std::size_t at = 0;
      unsigned step = 1;
      while (at < all.size()) {
        step = step * 1103515245 + 12345;
        std::size_t const n = 1 + (step >> 16) % 700;
        must(s.send(std::string_view(all).substr(at, n)), "send");
        at += n;
      }
      s.shutdown_write();
      otter::send(me, 1);
    });
    int i = 0;
    std::string m = next_message(p.server);
    while (m == "data '" + std::to_string(i) + "\n'") {
      ++i;
      m = next_message(p.server);
    }
    see.add(std::to_string(i) + " lines");
    see.add(m);
    receive([](int) {});
  });
}

TEST_CASE("a peer that floods an active socket waits for its owner", "[io][TCP-2]") {
  everywhere({"the sender waits", "never more than one read ahead", "all of it", "closed"},
             [](notes& see) {
               static constexpr std::size_t sends = 128, each = 65'536;
               pair p = connect_pair(with(active::on));
               pid const sender = spawn_waiting([s = p.client] {
                 std::string const piece(each, 'x');
                 for (std::size_t i = 0; i < sends; ++i) must(s.send(piece), "send");
                 must(s.shutdown_write(), "shutdown");
               });
               // Nothing is read before the owner receives.
               see.add(is_alive(sender) ? "the sender waits" : "the sender has gone on");
               std::size_t taken = 0, ahead = 0;
               std::string last;
               do {
                 last = next_message(p.server);
                 if (last.rfind("data '", 0) != 0) break;
                 taken += last.size() - 7;
                 if (auto const now = p.server.statistics())
                   ahead = std::max(ahead, static_cast<std::size_t>(now->received_bytes) - taken);
               } while (true);
               see.add(ahead <= 65'536 ? "never more than one read ahead"
                                       : std::to_string(ahead) + " bytes ahead");
               see.add(taken == sends * each ? "all of it" : std::to_string(taken) + " bytes");
               see.add(last);
             });
}

TEST_CASE("no messages come from a socket after its owner has closed it", "[io][TCP-15]") {
  everywhere({"nothing", "closed", "einval"}, [](notes& see) {
    pair p = connect_pair(with(active::on));
    p.server.close();
    static_cast<void>(p.client.send("late"));
    p.client.close();
    see.add(next_message(p.server, 30ms));
    see.add(show(p.server.send("x")));
    see.add(show(p.server.set_active(active::on)));
    p.server.close();  // again: fine
  });
}
