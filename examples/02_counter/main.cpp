// 02: a server - state that one process owns, and messages that everybody may send.
//
// gen_server is the loop around receive() that every server needs: requests that are answered
// (call), messages that are not (cast), time-outs, an orderly end. Nobody else can touch the state,
// so it needs no lock. A server that waits holds no stack: a million of them fit into memory.
//
// Try: call counter::read through `otter::pid(c)`; add a message to `accepts` without a handler and
// read what the compiler says.

#include <fmt/format.h>

#include <otter/gen_server.hpp>
#include <otter/node.hpp>

class counter : public otter::gen_server<counter> {
 public:
  struct add {
    int by;
  };
  struct read {
    using reply = int;
  };
  using accepts = otter::accepts<add, read>;

  explicit counter(int start) : value_(start) {}
  void handle_cast(add a) { value_ += a.by; }
  int handle_call(read) { return value_; }

 private:
  int value_;
};

int main() {
  return otter::run([] {
    auto const c = counter::start_link(40).value();
    otter::cast(c, counter::add{1});
    otter::cast(c, counter::add{1});
    // What one process sends another arrives in order: the answer counts both casts.
    fmt::print("the counter says {}\n", otter::call(c, counter::read{}));
    otter::stop(c);
  });
}
