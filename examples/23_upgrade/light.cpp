// The module "light". Two versions are built of this file, to have it in one place; yours would be
// the same file a week later.

#include "light.hpp"

#include <otter/code_change.hpp>
#include <otter/gen_server.hpp>
#include <otter/module.hpp>
#include <utility>

class light : public otter::gen_server<light> {
 public:
  using accepts = otter::accepts<flash>;

#if LIGHT_VERSION == 1
  struct state {
    int flashes = 0;
  };
  std::string handle_call(flash) { return "flash " + std::to_string(++state_.flashes); }
#else
  struct state {
    int flashes = 0;
    int red = 0;  // new: its default
  };
  std::string handle_call(flash) {
    return "red flash " + std::to_string(++state_.flashes) + ", number " +
           std::to_string(++state_.red) + " of version 2";
  }
#endif

  light() = default;
  explicit light(state s) noexcept : state_(std::move(s)) {}  // comes from another version
  state& system_state() { return state_; }

 private:
  state state_;
};

static tl::expected<otter::pid, otter::start_error> start() {
  auto started = light::start_link({.name = "light"});
  if (!started) return tl::unexpected(std::move(started.error()));
  return *started;
}

OTTER_MODULE(otter::code::behaviour<light>(), otter::code::function<&start>("start"));
