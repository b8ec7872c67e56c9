// 08: looking inside a running server.
//
// Holds it still, reads and changes its state, and shows what it did.
//
// Try: send it something while it is suspended; let replace_state throw.

#include <algorithm>
#include <cstdio>
#include <otter/gen_server.hpp>
#include <otter/node.hpp>
#include <otter/sys.hpp>

class counter : public otter::gen_server<counter> {
 public:
  struct add {
    int by;
  };
  struct read {
    using reply = int;
  };
  struct state {
    int value = 0;
  };
  using accepts = otter::accepts<add, read>;

  void handle_cast(add a) { state_.value += a.by; }
  int handle_call(read) { return state_.value; }
  state& system_state() { return state_; }

 private:
  state state_;
};

int main() {
  return otter::run([] {
    auto server = counter::start_link({.name = "counter"}).value();
    otter::sys::log("counter");
    otter::cast(server, counter::add{40});
    otter::call(server, counter::read{});  // what sys asks goes ahead of messages: let it pass

    otter::sys::suspend(server);
    otter::cast(server, counter::add{1});  // waits
    std::printf("held at %d\n", otter::sys::get_state(server).value);
    otter::sys::replace_state(server, [](counter::state& s) { s.value += 1; });
    otter::sys::resume(server);

    std::printf("goes on to %d\n", otter::call(server, counter::read{}));
    for (auto const& line : otter::sys::get_log("counter")) {
      // Who asked is a pid, which is another one in every run.
      std::printf("log: %s\n",
                  line.substr(0, std::min(line.find(" from "), line.find(" to "))).c_str());
    }
    otter::stop(server);
  });
}
