// The module "gate", a state machine, in several versions; which one is said by GATE_VERSION:
//
//   1  the first; states are enumerators
//   2  they have other numbers, one is no more, and its code_change() says what it becomes
//   3  as 2, without a code_change()
//   4  states are types, which hold something
//   5  as 4, and one of them holds something else
//   6  as 2, but its code_change() wants to be told the state

#include <chrono>
#include <memory>
#include <optional>
#include <otter/code_change.hpp>
#include <otter/gen_statem.hpp>
#include <otter/module.hpp>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "gate.hpp"

using namespace gating;

#if GATE_VERSION == 4 || GATE_VERSION == 5
namespace gate_states {

struct locked {
#if GATE_VERSION == 4
  int pushed = 0;
  std::string by = "nobody";
#else
  long pushed = 0;  // another type, another order, one more
  std::unique_ptr<std::string> note;
  std::string by = "somebody";
  friend bool operator==(locked const& a, locked const& b) { return a.pushed == b.pushed; }
#endif
};
struct open {
  std::unique_ptr<int> passed;
  friend bool operator==(open const& a, open const& b) { return a.passed == b.passed; }
};

}  // namespace gate_states
#endif

class gate : public otter::gen_statem<gate> {
 public:
#if GATE_VERSION == 1
  enum class state{locked, open, ajar};
#elif GATE_VERSION == 4 || GATE_VERSION == 5
  using locked = gate_states::locked;
  using open = gate_states::open;
  using state = otter::states<locked, open>;
#else
  enum class state { open, closing, locked };
#endif
  using accepts =
      otter::accepts<push, go_to, pass, hold, release, keep, be_careful, ring, disguise, look>;

  struct data {
#if GATE_VERSION == 1
    int pushes = 0;
#else
    long pushes = 0;
    std::string colour = "red";
#endif
    std::unique_ptr<std::string> kept;
    std::optional<otter::caller<hold>> holder;
    int rings = 0;
    int entered = 0;
  };

  explicit gate(int pushes) { data_.pushes = pushes; }
  explicit gate(data d) noexcept : data_(std::move(d)) {}
  data& system_state() { return data_; }

#if GATE_VERSION == 2
  static void code_change(otter::code::old_state& old, otter::code::next_state<state>& now,
                          data& d) {
    if (!now && old.state() == "ajar") {
      now.set(state::closing);
      d.colour = "green";
    }
  }
#elif GATE_VERSION == 6
  static void code_change(otter::code::old_state&, otter::code::next_state<state>& now, data&,
                          otter::any_message& extra) {
    if (go_to const* to = extra.get_if<go_to>(); to != nullptr && to->state == "open")
      now.set(state::open);
  }
#elif GATE_VERSION == 1
  static void code_change(otter::code::old_state& old, otter::code::next_state<state>& now, data&) {
    if (old.state() == "closing") now.set(state::ajar);
  }
#endif

#if GATE_VERSION == 4 || GATE_VERSION == 5
  static bool is_locked(state const& s) { return s.is<locked>(); }
  static std::string shown(state const& s) {
    if (auto const* l = s.get_if<locked>())
      return "locked, pushed " + std::to_string(l->pushed) + " by " + l->by;
    auto const& passed = s.get_if<open>()->passed;
    return "open, passed " + (passed == nullptr ? "never" : std::to_string(*passed));
  }
  transition handle_event(state&, go_to const& to) {
    if (to.state == "open") return next_state(open{std::make_unique<int>(3)});
    locked l;
    l.pushed = 1;
    l.by = "hand";
    return next_state(std::move(l));
  }
#else
  static bool is_locked(state s) { return s == state::locked; }
  static std::string shown(state s) {
    return is_locked(s) ? "locked" : s == state::open ? "open" : "between";
  }
  transition handle_event(state, go_to const& to) {
    if (to.state == "locked") return next_state(state::locked);
    if (to.state == "open") return next_state(state::open);
#if GATE_VERSION == 1
    return next_state(state::ajar);
#else
    return next_state(state::closing);
#endif
  }
#endif

  void enter(state const&) { ++data_.entered; }

  transition handle_event(state const& s, push) {
    if (is_locked(s)) return postpone();
    ++data_.pushes;
    return keep_state();
  }
  transition handle_event(state const& s, pass, otter::caller<pass> who) {
    if (is_locked(s)) return postpone();
    return keep_state().reply(who, "passed " + std::to_string(GATE_VERSION));
  }
  transition handle_event(state const&, hold, otter::caller<hold> who) {
    data_.holder = who;
    return keep_state();
  }
  transition handle_event(state const&, release) {
    auto const who = std::exchange(data_.holder, std::nullopt);
    if (!who) return keep_state();
    return keep_state().reply(*who, "released " + std::to_string(GATE_VERSION));
  }
  void handle_event(state const&, keep& k) { data_.kept = std::move(k.what); }
  transition handle_event(state const&, be_careful) {
    return keep_state()
        .state_timeout(std::chrono::hours(1), go_to{"locked"})
        .timeout("bell", std::chrono::hours(2), ring{});
  }
  void handle_event(state const&, ring) { ++data_.rings; }
  transition handle_event(state const&, disguise) {
    return keep_state().template push_callback_module<mask>();
  }
  std::string handle_event(state const& s, look) {
    std::string text = "version " + std::to_string(GATE_VERSION) + ": " + shown(s) + ", " +
                       std::to_string(data_.pushes) + " pushes";
#if GATE_VERSION != 1
    text += ", " + data_.colour;
#endif
    if (data_.kept != nullptr) text += ", keeps " + *data_.kept;
    if (data_.rings != 0) text += ", rings: " + std::to_string(data_.rings);
    return text + ", entered: " + std::to_string(data_.entered);
  }

 private:
  struct mask;
  data data_;
};

/// Hears nothing but a push.
struct gate::mask {
  static transition handle_event(gate&, state const&, push) {
    return keep_state().pop_callback_module();
  }
  static transition handle_event(gate&, state const&, go_to const&) { return keep_state(); }
  static transition handle_event(gate&, state const&, pass) { return postpone(); }
  static transition handle_event(gate&, state const&, hold) { return postpone(); }
  static void handle_event(gate&, state const&, release) {}
  static void handle_event(gate&, state const&, keep&) {}
  static void handle_event(gate&, state const&, be_careful) {}
  static void handle_event(gate&, state const&, ring) {}
  static void handle_event(gate&, state const&, disguise) {}
  static std::string handle_event(gate&, state const&, look) { return "nothing to be seen"; }
};

namespace {

otter::pid start(int pushes) { return gate::start_link(pushes).value(); }

}  // namespace

OTTER_MODULE(otter::code::behaviour<gate>(), otter::code::function<&start>("start"));
