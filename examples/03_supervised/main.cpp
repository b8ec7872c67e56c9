// 03: a supervisor - what crashes is started again, and the rest does not notice.
//
// A supervisor starts its children in order and watches them. An exception ends one process, with a
// report; its supervisor starts it again, under the same name and with a fresh state.
//
// Try: let `divide` fail more often than `intensity` allows, and see who ends then; make the child
// `temporary`.

#include <fmt/format.h>

#include <otter/gen_server.hpp>
#include <otter/node.hpp>
#include <otter/receive.hpp>
#include <otter/supervisor.hpp>
#include <stdexcept>

struct ready {};

class divider : public otter::gen_server<divider> {
 public:
  struct divide {
    int a, b;
    using reply = int;
  };
  using accepts = otter::accepts<divide>;

  explicit divider(otter::pid who_waits) { otter::send(who_waits, ready{}); }

  int handle_call(divide d) {
    if (d.b == 0) throw std::domain_error("division by zero");
    return d.a / d.b;
  }
};

void main_process() {
  auto const supervisor = otter::supervisor::start_link(
      {.intensity = 3, .period = std::chrono::seconds(5)},
      {{.id = "divider",
        .start = [me = otter::self()] { return divider::start_link({.name = "divider"}, me); }}});

  otter::receive([](ready) {});
  fmt::print("84 / 2 = {}\n", otter::call("divider", divider::divide{84, 2}));

  otter::pid const first = otter::whereis("divider");
  auto const failed = otter::try_call("divider", divider::divide{1, 0});
  fmt::print("1 / 0: {}\n", failed.error());

  otter::receive([](ready) {});
  fmt::print("another process has the name now: {}\n", otter::whereis("divider") != first);
  fmt::print("9 / 3 = {}\n", otter::call("divider", divider::divide{9, 3}));

  otter::stop(supervisor.value());
}

int main() { return otter::run(main_process); }
