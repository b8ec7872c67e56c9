#pragma once

// otter/agent.hpp - a process that holds a value, and runs on it the functions that others send.
//
//   otter::agent<State>                      start(), start_link(): with the function that makes it
//   otter::agent<State>::get()               reads it
//   otter::agent<State>::get_and_update()    changes it, and gives something back
//   otter::agent<State>::update(), cast()    changes it; waits until it has, or does not
//
//     using hits = otter::agent<int>;
//     auto agent = hits::start_link([] { return 40; }).value();
//     hits::update(agent, [](int& n) { n += 2; });
//     int n = hits::get(agent, [](int const& now) { return now; });
//
// The functions run in the agent, one at a time. They are moved there, so they must be
// self-contained: what they capture by reference belongs to another process. One that takes long
// keeps all others waiting; one that throws ends the agent. A server whose messages have names,
// which can be read in a trace and restricted, is a gen_server (otter/gen_server.hpp).

#include <functional>
#include <memory>
#include <otter/gen.hpp>
#include <otter/gen_server.hpp>
#include <otter/message.hpp>
#include <otter/server_ref.hpp>
#include <type_traits>
#include <utility>

namespace otter {
namespace detail {

/// What an agent is to do with its state.
template <class State>
class agent_job {
 public:
  virtual ~agent_job() = default;
  virtual any_message run(State& state) = 0;
};

/// `Seen` is `State const` for a function that only reads.
template <class State, class Seen, class Function>
class agent_function final : public agent_job<State> {
 public:
  explicit agent_function(Function f) : function_(std::move(f)) {}
  any_message run(State& state) override {
    using returned = std::invoke_result_t<Function&, Seen&>;
    Seen& seen = state;
    if constexpr (std::is_void_v<returned>) {
      std::invoke(function_, seen);
      return {};
    } else {
      return any_message::of(std::decay_t<returned>(std::invoke(function_, seen)));
    }
  }

 private:
  Function function_;
};

/// A function that changes the state, or returns the new one.
template <class State, class Function>
class agent_update final : public agent_job<State> {
 public:
  explicit agent_update(Function f) : function_(std::move(f)) {}
  any_message run(State& state) override {
    using returned = std::invoke_result_t<Function&, State&>;
    if constexpr (std::is_void_v<returned>)
      std::invoke(function_, state);
    else
      state = std::invoke(function_, state);
    return {};
  }

 private:
  Function function_;
};

struct agent_answer {
  any_message value;  // none: void
};
template <class State>
struct agent_question {
  using reply = agent_answer;
  std::unique_ptr<agent_job<State>> job;
};
template <class State>
struct agent_order {
  std::unique_ptr<agent_job<State>> job;
};

template <class Value>
Value agent_value(agent_answer&& answer) {
  static_assert(!std::is_pointer_v<Value>,
                "otter: an agent does not give out pointers: two processes never share mutable "
                "state. Return a value, or otter::shared<T>");
  if constexpr (!std::is_void_v<Value>) return std::move(*answer.value.get_if<Value>());
}

template <class State, class Function>
std::unique_ptr<agent_job<State>> make_agent_update(Function&& f) {
  using function = std::decay_t<Function>;
  static_assert(std::is_invocable_v<function&, State&>,
                "otter: this function does not take the state of the agent");
  using returned = std::invoke_result_t<function&, State&>;
  static_assert(std::is_void_v<returned> || std::is_assignable_v<State&, returned>,
                "otter: an update changes the state and returns nothing, or returns the new state");
  return std::make_unique<agent_update<State, function>>(std::forward<Function>(f));
}

}  // namespace detail

/// A holder of a `State` (AG-1).
///
/// start(f), start_link(f) and start_monitor(f), each with start_options before `f` if wanted, run
/// `f()` in the agent: its value is the first state, and an exception a failed start. See
/// otter/start.hpp. An agent is stopped by otter::stop().
///
/// The functions of its callers are called from a process or an attached thread.
template <class State>
class agent final : public gen_server<agent<State>> {
 public:
  using accepts = otter::accepts<detail::agent_question<State>, detail::agent_order<State>>;

  // --- for callers ---

  /// What `f(state)` returns; it may read the state and not change it.
  ///
  /// Blocks: until the agent has answered, at most for `limit`. Exits: may. Throws: as
  /// otter::call(): process_exit if there is no agent, if `f` threw in it, or if it is late, when
  /// `f` may still run.
  template <server_address Address, class Function>
  static auto get(Address const& to, Function&& f, duration limit = default_call_limit) {
    return ask<State const>(to, std::forward<Function>(f), limit);
  }

  /// What `f(state)` returns, which may change the state. Blocks, Exits, Throws: as get().
  template <server_address Address, class Function>
  static auto get_and_update(Address const& to, Function&& f, duration limit = default_call_limit) {
    return ask<State>(to, std::forward<Function>(f), limit);
  }

  /// Returns when `f(state)` has changed the state, or has returned the new one. Blocks, Exits,
  /// Throws: as get().
  template <server_address Address, class Function>
  static void update(Address const& to, Function&& f, duration limit = default_call_limit) {
    otter::call(
        to,
        detail::agent_question<State>{detail::make_agent_update<State>(std::forward<Function>(f))},
        limit);
  }

  /// As update(), and does not wait. There is no agent: nothing happens.
  ///
  /// Blocks: never. Exits: may, once the turn's budget is used up. Throws: std::bad_alloc.
  template <server_address Address, class Function>
  static void cast(Address const& to, Function&& f) {
    otter::cast(to, detail::agent_order<State>{
                        detail::make_agent_update<State>(std::forward<Function>(f))});
  }

  // --- run in the agent ---

  template <class Function>
  requires std::is_invocable_r_v<State, Function>
  explicit agent(Function first) : state_(std::invoke(std::move(first))) {}

  detail::agent_answer handle_call(detail::agent_question<State> question) {
    return {question.job->run(state_)};
  }
  void handle_cast(detail::agent_order<State> order) { order.job->run(state_); }

 private:
  template <class Seen, class Address, class Function>
  static auto ask(Address const& to, Function&& f, duration limit) {
    using function = std::decay_t<Function>;
    static_assert(std::is_invocable_v<function&, Seen&>,
                  "otter: this function does not take the state of the agent; get() gives it a "
                  "`State const&`");
    using value = std::decay_t<std::invoke_result_t<function&, Seen&>>;
    return detail::agent_value<value>(
        otter::call(to,
                    detail::agent_question<State>{
                        std::make_unique<detail::agent_function<State, Seen, function>>(
                            std::forward<Function>(f))},
                    limit));
  }

  State state_;
};

}  // namespace otter
