#pragma once

// machines.hpp - a state machine that is told, event by event, what to do, and tells what it saw.

#include <functional>
#include <otter/gen_statem.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "trace.hpp"

namespace machine_test {

/// One event: its name is told to the test, then `then` says what the handler returns.
///
/// The machine below has three states and one kind of event, so that every test says for itself
/// what happens at which event. `a` and `b` are ordinary states, `c` postpones what it does not
/// know.
class script : public otter::gen_statem<script> {
 public:
  enum class state { a, b, c };

  using reaction = std::function<transition(script&, state, otter::event_type)>;
  struct event {
    std::string name;
    reaction then = {};
  };
  struct ask {
    using reply = std::string;
    std::string name;
    std::function<transition(script&, state, otter::caller<ask>)> then = {};
  };
  using accepts = otter::accepts<event, ask>;

  struct options {
    otter::pid watcher = {};
    std::function<init_result(script&)> init = {};
    std::function<enter_result(script&, state now, state old)> entered = {};
    bool enter = false;  ///< tells of enter calls
  };
  explicit script(options o) : options_(std::move(o)) {}
  init_result init() { return options_.init ? options_.init(*this) : init_result(ok()); }

  transition handle_event(state s, event const& e, otter::event_type type) {
    if (s == state::c && !e.then) return otter::gen_statem<script>::postpone();
    tell(e.name + " in " + name(s) + " as " + std::string(to_string(type)));
    return e.then ? e.then(*this, s, type) : keep_state();
  }
  transition handle_event(state s, ask const& a, otter::caller<ask> who) {
    if (s == state::c && !a.then) return otter::gen_statem<script>::postpone();
    tell(a.name + " in " + name(s) + " as call");
    return a.then ? a.then(*this, s, who) : keep_state().reply(who, a.name);
  }
  enter_result enter(state s, state old) {
    if (options_.enter) tell("enter " + name(s) + " from " + name(old));
    return options_.entered ? options_.entered(*this, s, old) : keep_state();
  }
  void terminate(otter::exit_reason const& reason) { tell("terminate " + to_string(reason)); }

  void tell(std::string what) { trace::tell(options_.watcher, std::move(what)); }
  otter::pid watcher() const { return options_.watcher; }

  static std::string name(state s) { return std::string(otter::detail::name_of_state(s)); }

 private:
  options options_;
};

using state = script::state;

inline script::event note(std::string name) { return {std::move(name)}; }
template <class F>
script::event when(std::string name, F f) {
  return {std::move(name),
          [f](script& m, state s, otter::event_type) { return script::transition(f(m, s)); }};
}
/// An event upon which the machine does the same wherever it is.
inline script::event go_to(state next) {
  return when("to " + script::name(next),
              [next](script&, state) { return script::next_state(next); });
}

inline otter::server_ref<script> start(script::options more = {}) {
  more.watcher = otter::self();
  return script::start_link(std::move(more)).value();
}

/// Everything that was told until the machine has treated what was sent so far, in order.
inline std::string story(otter::server_ref<script> machine) {
  otter::cast(machine, script::event{"", [](script& m, state, otter::event_type) {
                                       m.tell("the end");
                                       return script::transition(script::keep_state());
                                     }});
  std::string all;
  for (;;) {
    std::string one = trace::next();
    if (one == "the end" || one == "nothing came") return all;
    if (one.starts_with(" in ")) continue;
    if (!all.empty()) all += ", ";
    all += one;
  }
}

}  // namespace machine_test
