// 01: a process, a message, and news of an end.
//
// A process is a function with a mailbox. send() puts any movable value into a mailbox, receive()
// takes out the first one that a clause matches and waits if there is none. monitor() asks for one
// message, `down`, when the other process has ended.
//
// Try: let greeter throw instead of returning, and see what the reason says; let main_process send
// two names.

#include <fmt/format.h>

#include <otter/node.hpp>
#include <otter/receive.hpp>
#include <string>

struct hello {
  otter::pid from;
  std::string name;
};
struct answer {
  std::string text;
};

void greeter() {
  otter::receive([](hello h) { otter::send(h.from, answer{fmt::format("Hello, {}!", h.name)}); });
}

void main_process() {
  otter::spawned const g = otter::spawn_monitor(greeter);
  otter::send(g, hello{otter::self(), "otter"});

  fmt::print("{}\n", otter::receive([](answer a) { return a.text; }));
  otter::receive([](otter::down d) { fmt::print("the greeter ended: {}\n", d.reason); });
}

int main() { return otter::run(main_process); }
