#include <otter/message.hpp>
#include <otter/receive.hpp>

#include "two_files.hpp"

namespace {
struct ping {
  int n;
};
}  // namespace

const otter::type_descriptor& ping_of_one_file() { return otter::descriptor_of<ping>(); }
const otter::type_descriptor& shared_ping_of_one_file() {
  return otter::descriptor_of<shared_ping>();
}

void send_ping_of_one_file(otter::pid to, int n) { otter::send(to, ping{n}); }
int take_ping_of_one_file() {
  return otter::receive([](ping p) { return p.n; },
                        otter::after(std::chrono::seconds(0), [] { return -1; }));
}
