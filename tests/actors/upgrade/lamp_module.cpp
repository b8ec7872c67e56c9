// A server of two modules, "lamp" and "desk", in several versions; LAMP_VERSION says which:
//
//   1  the first; 77 cannot come back to it
//   2  its value has another type; it is doubled if a plan says "twice"
//   3  as 2, but 13 cannot come to it
//   4  its on_load refuses

#include <otter/code_change.hpp>
#include <otter/gen_server.hpp>
#include <otter/message.hpp>
#include <otter/module.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <stdexcept>
#include <string>
#include <utility>

#include "lamp.hpp"

class lamp : public otter::gen_server<lamp> {
 public:
  using accepts = otter::accepts<lamps::add, lamps::look, lamps::get_stuck, lamps::start_more>;

#if LAMP_VERSION == 1
  struct state {
    int value = 0;
  };
  static void code_change(otter::code::old_state&, state& now) {
    if (now.value == 77) throw std::runtime_error("no way back for 77");
  }
#else
  struct state {
    long value = 0;
  };
#endif
#if LAMP_VERSION == 2
  static void code_change(otter::code::old_state& old, state& now, otter::any_message& extra) {
    auto const* const said = extra.get_if<std::string>();
    if (said != nullptr && *said == "twice") old.set(now.value, 2 * now.value);
  }
#elif LAMP_VERSION == 3
  static void code_change(otter::code::old_state&, state& now) {
    if (now.value == 13) throw std::runtime_error("13 is unlucky");
  }
#endif

  explicit lamp(int start) { state_.value = start; }
  explicit lamp(state s) noexcept : state_(std::move(s)) {}
  state& system_state() { return state_; }

  std::string handle_call(lamps::look) {
    return std::to_string(LAMP_VERSION) + ": " + std::to_string(state_.value);
  }
  void handle_cast(lamps::add a) { state_.value += a.by; }
  void handle_cast(lamps::get_stuck s) {
    otter::send(s.whom, lamps::stuck{});
    otter::receive([](lamps::go_on) {});
  }
  void handle_cast(lamps::start_more m) {
    if (m.count == 0) return;
    otter::send(m.whom, lamp::start(m.count).value().process());
    otter::cast(otter::self(), lamps::start_more{m.count - 1, m.whom});
  }

 private:
  state state_;
};

namespace {

lamps::started start(int n) {
  auto made = lamp::start(n);
  if (!made) return tl::unexpected(std::move(made.error()));
  return *made;
}
otter::pid start_plain() {
  return otter::spawn([] { otter::receive([](lamps::go_on) {}); });
}
#if LAMP_VERSION == 4
bool refuses() { return false; }
#define LAMP_ON_LOAD , otter::code::on_load<&refuses>()
#else
#define LAMP_ON_LOAD
#endif

}  // namespace

OTTER_MODULE(otter::code::behaviour<lamp>(), otter::code::function<&start>("start"),
             otter::code::function<&start_plain>("start_plain") LAMP_ON_LOAD);
