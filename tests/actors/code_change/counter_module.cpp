// The module "counter" in several versions; which one is said by COUNTER_VERSION:
//
//   1  the first
//   2  one field has another type, one is new, one has another name, one is dropped
//   3  as 1, but a text is a number: it fits only if it is one
//   4  as 2, but its code_change() always throws
//   5  has no such server
//   6  as 2, but its code_change() must be told a unit

#include <chrono>
#include <memory>
#include <optional>
#include <otter/code_change.hpp>
#include <otter/gen_server.hpp>
#include <otter/module.hpp>
#include <otter/ref.hpp>
#include <otter/timer.hpp>
#include <stdexcept>
#include <string>
#include <utility>

#include "counter.hpp"

class counter : public otter::gen_server<counter> {
 public:
  using accepts = otter::accepts<counting::add, counting::look, counting::hold, counting::release,
                                 counting::keep, counting::tick, counting::set_alarm>;

#if COUNTER_VERSION == 1
  struct state {
    int value = 0;
    std::string unit = "m";
    std::string note = "new";
    std::unique_ptr<std::string> secret;
    std::optional<otter::caller<counting::hold>> holder;
    otter::timer_ref alarm;
    int ticks = 0;
  };
#elif COUNTER_VERSION == 3
  struct state {
    int value = 0;
    int unit = 0;
    std::unique_ptr<std::string> secret;
    std::optional<otter::caller<counting::hold>> holder;
    otter::timer_ref alarm;
    int ticks = 0;
  };
#else
  struct state {
    long value = 0;
    std::string unit = "m";
    int added = 7;
    std::unique_ptr<std::string> hidden;
    std::optional<otter::caller<counting::hold>> holder;
    otter::timer_ref alarm;
    int ticks = 0;
  };
#endif

  explicit counter(int start) { state_.value = start; }
  explicit counter(state s) noexcept : state_(std::move(s)) {}
  state& system_state() { return state_; }

#if COUNTER_VERSION == 2
  static void code_change(otter::code::old_state& old, state& now) {
    old.move("secret", now.hidden);
    // It has meant the shortest way to say it so far.
    if (std::string const* unit = old.get<std::string>("unit"); unit != nullptr && *unit == "m")
      old.set(now.unit, "metres");
  }
#elif COUNTER_VERSION == 4
  static void code_change(otter::code::old_state& old, state&) {
    throw std::runtime_error("cannot come from version " + std::string(old.version()));
  }
#elif COUNTER_VERSION == 1
  static void code_change(otter::code::old_state& old, state& now) {
    old.move("hidden", now.secret);  // on the way down
  }
#elif COUNTER_VERSION == 6
  static void code_change(otter::code::old_state& old, state& now, otter::any_message& extra) {
    old.move("secret", now.hidden);
    counting::new_unit const* const told = extra.get_if<counting::new_unit>();
    if (told == nullptr) throw std::runtime_error("it is not said what the unit is");
    old.set(now.unit, told->name);
  }
#endif

  std::string handle_call(counting::look) {
    std::string text =
        "version " + std::to_string(COUNTER_VERSION) + ": " + std::to_string(state_.value) + " ";
#if COUNTER_VERSION == 3
    text += std::to_string(state_.unit);
#else
    text += state_.unit;
#endif
#if COUNTER_VERSION == 1
    text += " " + state_.note;
#elif COUNTER_VERSION != 3
    text += " " + std::to_string(state_.added);
#endif
    if (secret() != nullptr) text += " (" + *secret() + ")";
    if (state_.ticks != 0) text += ", ticks: " + std::to_string(state_.ticks);
    return text;
  }
  void handle_cast(counting::add a) { state_.value += a.by; }
  otter::call_outcome<std::string> handle_call(counting::hold, otter::caller<counting::hold> who) {
    state_.holder = who;
    return noreply();
  }
  void handle_cast(counting::release) {
    if (state_.holder) otter::reply(*state_.holder, handle_call(counting::look{}));
    state_.holder.reset();
  }
  void handle_cast(counting::keep k) { secret() = std::move(k.secret); }
  void handle_info(counting::tick) { ++state_.ticks; }
  void handle_cast(counting::set_alarm) {
    state_.alarm = otter::send_after(std::chrono::hours(1), otter::self(), counting::tick{});
  }

 private:
#if COUNTER_VERSION == 1 || COUNTER_VERSION == 3
  std::unique_ptr<std::string>& secret() { return state_.secret; }
#else
  std::unique_ptr<std::string>& secret() { return state_.hidden; }
#endif

  state state_;
};

namespace {

counting::started start(int n) {
  auto made = counter::start_link(n);
  if (!made) return tl::unexpected(std::move(made.error()));
  return *made;
}
counting::started start_named(int n) {
  auto made = counter::start({.name = "the counter"}, n);
  if (!made) return tl::unexpected(std::move(made.error()));
  return *made;
}

}  // namespace

#if COUNTER_VERSION == 5
OTTER_MODULE(otter::code::function<&start>("start"),
             otter::code::function<&start_named>("start_named"));
#else
OTTER_MODULE(otter::code::behaviour<counter>(), otter::code::function<&start>("start"),
             otter::code::function<&start_named>("start_named"));
#endif
