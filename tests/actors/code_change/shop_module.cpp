// The module "shop", a supervisor, in several versions; which one is said by SHOP_VERSION:
//
//   1  clerks "till", "door" and "yard"; one restart is allowed
//   2  "door" is no more, there is a "desk" in front, and "yard" is temporary; ten restarts
//   3  init() throws
//   4  as 2, but two children have one id
//   5  as 2, but init() takes a number

#include <chrono>
#include <otter/code_change.hpp>
#include <otter/gen_server.hpp>
#include <otter/module.hpp>
#include <otter/supervisor.hpp>
#include <stdexcept>
#include <string>
#include <utility>

#include "shop.hpp"

class clerk : public otter::gen_server<clerk> {
 public:
  using accepts = otter::accepts<shops::look>;

  struct state {
    std::string place;
  };

  explicit clerk(std::string place) { state_.place = std::move(place); }
  explicit clerk(state s) noexcept : state_(std::move(s)) {}
  state& system_state() { return state_; }

  std::string handle_call(shops::look) {
    return "clerk " + std::to_string(SHOP_VERSION) + " at " + state_.place;
  }

 private:
  state state_;
};

#if SHOP_VERSION == 5
using argument = int;
#else
using argument = std::string;
#endif

struct shop {
  static otter::child_spec clerk_at(std::string place,
                                    otter::restart_type restart = otter::restart_type::permanent) {
    return {.id = place,
            .start = [place] { return clerk::start_link(place + " " + town()); },
            .restart = restart};
  }
  static std::string& town() {
    static std::string one;  // shared by all shops of this version
    return one;
  }

  static otter::supervisor_init init([[maybe_unused]] argument const& in) {
#if SHOP_VERSION == 5
    town() = std::to_string(in);
#else
    town() = in;
#endif
#if SHOP_VERSION == 1
    return {{.intensity = 1, .period = std::chrono::hours(1)},
            {clerk_at("till"), clerk_at("door"), clerk_at("yard")}};
#elif SHOP_VERSION == 3
    throw std::runtime_error("closed for ever");
#else
    return {{.intensity = 10, .period = std::chrono::hours(1)},
            {clerk_at("desk"), clerk_at("till"),
             clerk_at(SHOP_VERSION == 4 ? "till" : "yard", otter::restart_type::temporary)}};
#endif
  }
};

namespace {

#if SHOP_VERSION != 3 && SHOP_VERSION != 5
otter::pid start(std::string town) { return otter::supervisor::start_link<shop>(town).value(); }
#else
otter::pid start(std::string) { return {}; }
#endif

}  // namespace

OTTER_MODULE(otter::code::behaviour<shop>(), otter::code::behaviour<clerk>(),
             otter::code::function<&start>("start"));
