// A socket as a stream of Boost.Asio's: without Boost, where the header's own promises are.

#include <otter/sync_stream.hpp>

#include "tcp_support.hpp"

using namespace otter;
using namespace tcp_test;

namespace {

/// An error code that is not the standard's, as Boost's is not, and its value for the end.
enum class ends { here };
struct foreign_code {
  foreign_code() = default;
  explicit foreign_code(std::error_code e) : text(e.message()) {}
  foreign_code(ends) : text("the end") {}
  std::string text;
};

/// A sequence of buffers that are given as values, as Asio's are.
template <class Pointer>
struct piece {
  Pointer at;
  std::size_t n;
  Pointer data() const { return at; }
  std::size_t size() const { return n; }
};

}  // namespace

TEST_CASE("a stream reads some into the first buffer with room, and says when its peer has ended",
          "[io][TCP-9]") {
  everywhere({"0", "3 of 'abc'", "0", "the end", "thrown: closed"}, [](notes& see) {
    pair p = connect_pair();
    sync_stream stream(p.server, ends::here);
    foreign_code ec;
    std::array<char, 8> room{};
    std::vector<piece<void*>> const none;
    see.add(std::to_string(stream.read_some(none, ec)) + ec.text);
    must(p.client.send("abc"), "send");
    p.client.close();
    std::string got;
    while (got.size() < 3) {
      std::vector<piece<void*>> const buffers{{nullptr, 0}, {room.data(), room.size()}};
      got.append(room.data(), stream.read_some(buffers, ec));
      if (!ec.text.empty()) break;
    }
    see.add(std::to_string(got.size()) + " of '" + got + "'" + ec.text);
    see.add(std::to_string(stream.read_some(piece<void*>{room.data(), 8}, ec)));
    see.add(ec.text);
    try {
      static_cast<void>(stream.read_some(std::span(room)));
    } catch (std::system_error const& e) {
      see.add("thrown: " + e.code().message());
    }
  });
}

TEST_CASE("a stream sends short pieces together, and long ones as they are", "[io][TCP-22]") {
  everywhere({"5", "8192", "9000", "1 send each", "as sent"}, [](notes& see) {
    pair p = connect_pair();
    sync_stream stream(p.client, ends::here);
    foreign_code ec;
    std::string const long_one(9000, 'x');
    std::string const shorter(5000, 'y');
    using buffers = std::vector<piece<void const*>>;
    see.add(std::to_string(stream.write_some(buffers{{"head", 4}, {"", 0}, {"b", 1}}, ec)));
    // What does not fit any more is left to the next call.
    see.add(std::to_string(
        stream.write_some(buffers{{shorter.data(), 5000}, {shorter.data(), 5000}}, ec)));
    see.add(std::to_string(stream.write_some(buffers{{long_one.data(), 9000}, {"z", 1}}, ec)));
    see.add(std::to_string(must(p.client.statistics(), "statistics").sends / 3) + " send each" +
            ec.text);
    std::string const all = receive_all(p.server, 5 + 8192 + 9000);
    see.add(all == "headb" + std::string(8192, 'y') + long_one ? "as sent" : all);
  });
}

TEST_CASE("the time for several reads of a stream counts for all of them together", "[io][TCP-8]") {
  everywhere({"timeout", "timeout"}, [](notes& see) {
    pair p = connect_pair();
    pid const dripping = spawn_waiting([s = p.client] {
      while (s.send("x")) sleep_for(20ms);
    });
    sync_stream stream(p.server, ends::here);
    stream.expires_after(200ms);
    foreign_code ec;
    char c = 0;
    while (ec.text.empty()) stream.read_some(piece<void*>{&c, 1}, ec);
    see.add(ec.text);
    stream.read_some(piece<void*>{&c, 1}, ec);
    see.add(ec.text);
    unlink(dripping);
    otter::exit(dripping, exit_reason::kill());
  });
}
