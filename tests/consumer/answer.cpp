// A stranger's module. Its server needs much of otter that the program which loads it does not use.
#include <otter/module.hpp>

#if __has_include(<otter/gen_server.hpp>)
#include <otter/gen_server.hpp>

namespace {

class multiplier : public otter::gen_server<multiplier> {
 public:
  struct times {
    using reply = int;
    int by;
  };
  using accepts = otter::accepts<times>;

  explicit multiplier(int value) : value_(value) {}
  int handle_call(times t) { return value_ * t.by; }

 private:
  int value_;
};

int ask(int n) {
  auto const server = multiplier::start_link(7).value();
  return otter::call(server, multiplier::times{n});
}

}  // namespace

#else
namespace {
int ask(int n) { return 7 * n; }
}  // namespace
#endif

OTTER_MODULE(otter::code::function<&ask>("ask"));
