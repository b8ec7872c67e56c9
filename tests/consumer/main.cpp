// A stranger's program: two processes and a message each way.
#include <cstdio>
#include <otter/message.hpp>
#include <otter/node.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>

namespace {
struct ping {
  otter::pid from;
  int count;
};
struct pong {
  int count;
};
}  // namespace

int main() {
  return otter::run([] {
    otter::pid const echo = otter::spawn(
        [] { otter::receive([](ping p) { otter::send(p.from, pong{p.count + 1}); }); });
    otter::send(echo, ping{otter::self(), 41});
    int const answer = otter::receive([](pong p) { return p.count; });
    std::printf("%d\n", answer);
  });
}
