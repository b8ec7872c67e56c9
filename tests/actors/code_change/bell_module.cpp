// The module "bell", with two handlers of a gen_event, in several versions; which one is said by
// BELL_VERSION:
//
//   1  the first
//   2  a field of both has another type
//   3  as 2, but the gong refuses whatever comes
//   4  as 2, without a gong

#include <memory>
#include <otter/code_change.hpp>
#include <otter/exit.hpp>
#include <otter/gen_event.hpp>
#include <otter/message.hpp>
#include <otter/module.hpp>
#include <stdexcept>
#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "bell.hpp"

using namespace bells;

#if BELL_VERSION == 1
using loudness = int;
#else
using loudness = long;
#endif

class bell : public otter::event_handler<bell> {
 public:
  using accepts = otter::accepts<ring, tell>;

  struct state {
    std::string name;
    loudness heard = 0;
    std::unique_ptr<int> last;
  };

  explicit bell(std::string name) { state_.name = std::move(name); }
  explicit bell(state s) noexcept : state_(std::move(s)) {}
  state& system_state() { return state_; }

  void handle_event(ring const& r) {
    state_.heard += r.loud;
    state_.last = std::make_unique<int>(r.loud);
  }
  void handle_event(tell const& t) { otter::send(t.to, told{shown()}); }

 private:
  std::string shown() {
    return "bell " + state_.name + " " + std::to_string(BELL_VERSION) + ": " +
           std::to_string(state_.heard) + ", last " +
           (state_.last == nullptr ? "none" : std::to_string(*state_.last));
  }
  state state_;
};

class gong : public otter::event_handler<gong> {
 public:
  using accepts = otter::accepts<ring, tell>;

  struct state {
    loudness heard = 0;
  };

  gong() = default;
  explicit gong(state s) noexcept : state_(std::move(s)) {}
  state& system_state() { return state_; }
#if BELL_VERSION == 3
  static void code_change(otter::code::old_state&, state&) {
    throw std::runtime_error("a gong does not change");
  }
#endif

  void handle_event(ring const& r) { state_.heard += r.loud; }
  void handle_event(tell const& t) {
    otter::send(t.to,
                told{"gong " + std::to_string(BELL_VERSION) + ": " + std::to_string(state_.heard)});
  }

 private:
  state state_;
};

namespace {

void must(tl::expected<void, otter::exit_reason> added) {
  if (!added) otter::exit(std::move(added.error()));
}

void add_bell(otter::pid manager, std::string id) {
  must(otter::gen_event::add_handler<bell>(manager, otter::handler_id{id}, id));
}
[[maybe_unused]] void add_own_bell(otter::pid manager, std::string id) {
  must(otter::gen_event::add_sup_handler<bell>(manager, otter::handler_id{id}, id));
}
[[maybe_unused]] void add_gong(otter::pid manager, std::string) {
  must(otter::gen_event::add_handler<gong>(manager));
}

}  // namespace

#if BELL_VERSION == 4
OTTER_MODULE(otter::code::behaviour<bell>(), otter::code::function<&add_bell>("add_bell"));
#else
OTTER_MODULE(otter::code::behaviour<bell>(), otter::code::behaviour<gong>(),
             otter::code::function<&add_bell>("add_bell"),
             otter::code::function<&add_own_bell>("add_own_bell"),
             otter::code::function<&add_gong>("add_gong"));
#endif
