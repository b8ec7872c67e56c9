// A stranger's program: a server with a call and a cast.
#include <cstdio>
#include <otter/gen_server.hpp>
#include <otter/node.hpp>

namespace {
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
}  // namespace

int main() {
  return otter::run([] {
    auto const server = counter::start_link(40).value();
    otter::cast(server, counter::add{2});
    std::printf("%d\n", otter::call(server, counter::read{}));
  });
}
