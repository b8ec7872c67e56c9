// The module "meter", in two versions whose states differ: METER_VERSION says which.

#include <chrono>
#include <otter/code_change.hpp>
#include <otter/gen_server.hpp>
#include <otter/module.hpp>
#include <otter/timer.hpp>
#include <string>
#include <utility>

#include "upgrades.hpp"

class meter : public otter::gen_server<meter> {
 public:
  using accepts = otter::accepts<metering::add, metering::look, metering::tick>;

#if METER_VERSION == 1
  struct state {
    long sum = 0;
    long ticks = 0;
  };
#else
  struct state {
    long ticks = 0;
    std::string unit = "m";
    long sum = 0;
  };
#endif

  meter() { tick_again(); }
  explicit meter(state s) noexcept : state_(std::move(s)) {}
  state& system_state() { return state_; }

  long handle_call(metering::look) { return state_.sum; }
  void handle_cast(metering::add a) { state_.sum += a.by; }
  void handle_info(metering::tick) {
    ++state_.ticks;
    tick_again();
  }

 private:
  static void tick_again() {
    otter::send_after(std::chrono::milliseconds(1), otter::self(), metering::tick{});
  }

  state state_;
};

namespace {

metering::started start() {
  auto made = meter::start();
  if (!made) return tl::unexpected(std::move(made.error()));
  return *made;
}

}  // namespace

OTTER_MODULE(otter::code::behaviour<meter>(), otter::code::function<&start>("start"));
