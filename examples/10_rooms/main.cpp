// 10: rooms - process groups: a chat room, and one text for all who are in it.
//
// Guests join a room. What is said there goes to each of them, and they all read the same bytes;
// the host follows who comes and goes.
//
// Try: a guest in two rooms; a hundred thousand guests.

#include <algorithm>
#include <cstdio>
#include <otter/exit.hpp>
#include <otter/message.hpp>
#include <otter/node.hpp>
#include <otter/pg.hpp>
#include <otter/receive.hpp>
#include <otter/shared.hpp>
#include <otter/spawn.hpp>
#include <string>
#include <vector>

namespace {

inline const otter::pg::scope<std::string> rooms{"rooms"};

struct said {
  std::string who;
  std::string text;
};
/// A guest tells the host what it has heard, and where that text lies.
struct heard {
  std::string line;
  void const* where;
};

void guest(std::string name, std::string room, otter::pid host) {
  rooms.join(room, otter::self());
  for (;;) {
    otter::receive([&](said const& s) {
      otter::send(host, heard{name + " hears " + s.who + ": " + s.text, &s});
    });
  }
}

}  // namespace

int main() {
  return otter::run([] {
    rooms.start_link().value();
    auto const lobby = rooms.monitor("lobby");
    std::printf("in the lobby: %zu\n", lobby.members.size());

    std::vector<otter::pid> guests;
    for (std::string const name : {"ann", "bob", "cid"}) {
      guests.push_back(otter::spawn(guest, name, "lobby", otter::self()));
      otter::receive([&](otter::pg::joined<std::string> const& event) {
        std::printf("%s has come to the %s\n", name.c_str(), event.group.c_str());
      });
    }

    auto const text = otter::share(said{"dora", "hello, otters"});
    std::size_t const listeners = rooms.broadcast("lobby", text);
    std::printf("said once, to %zu\n", listeners);
    std::vector<std::string> lines;
    bool one_text = true;
    for (std::size_t i = 0; i != listeners; ++i)
      otter::receive([&](heard h) {
        lines.push_back(std::move(h.line));
        one_text = one_text && h.where == &text.get();
      });
    std::sort(lines.begin(), lines.end());
    for (std::string const& line : lines) std::printf("%s\n", line.c_str());
    std::printf("one text for all: %s\n", one_text ? "yes" : "no");

    otter::exit(guests[1], otter::exit_reason::kill());  // whoever ends has left
    otter::receive([](otter::pg::left<std::string> const& event) {
      std::printf("bob has left the %s\n", event.group.c_str());
    });
    std::printf("in the lobby: %zu\n", rooms.get_members("lobby").size());
  });
}
