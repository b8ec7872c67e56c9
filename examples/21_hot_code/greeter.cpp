// The module "greeter". Two versions are built of this file, to have it in one place; yours would
// be the same file a week later.

#include "greeter.hpp"

#include <otter/code_change.hpp>
#include <otter/gen_server.hpp>
#include <otter/module.hpp>
#include <utility>

class greeter : public otter::gen_server<greeter> {
 public:
  using accepts = otter::accepts<greet>;

#if GREETER_VERSION == 1
  struct state {
    int greeted = 0;
  };
  std::string handle_call(greet g) {
    return "hello, " + g.name + ", number " + std::to_string(++state_.greeted);
  }
#else
  struct state {
    long greeted = 0;             // was an int: converted
    std::string last = "nobody";  // new: its default
  };
  std::string handle_call(greet g) {
    return "good evening, " + g.name + ", number " + std::to_string(++state_.greeted) + ", after " +
           std::exchange(state_.last, g.name);
  }
#endif

  greeter() = default;
  explicit greeter(state s) noexcept : state_(std::move(s)) {}  // comes from another version
  state& system_state() { return state_; }

 private:
  state state_;
};

static tl::expected<otter::pid, otter::start_error> start() {
  auto started = greeter::start_link();
  if (!started) return tl::unexpected(std::move(started.error()));
  return *started;
}

OTTER_MODULE(otter::code::behaviour<greeter>(), otter::code::function<&start>("start"));
