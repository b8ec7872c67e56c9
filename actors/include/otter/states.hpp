#pragma once

// otter/states.hpp - the states of a gen_statem: an enumeration, or types.
//
//   enum class state { locked, open };            an enumeration, counted from 0 without gaps
//   using state = otter::states<locked, open>;    types: what belongs to one state lives in it
//
//   otter::in<state::locked>     names one enumerator in the parameters of a handler
//   otter::states<S...>          one of several types; the first is the initial state
//   otter::event_type            where an event came from
//
// Is it another state? Two enumerators are, and two types; and a type with other content than the
// present state has, compared by == or field by field. What a handler changes *in* its state, by
// taking it as `locked&`, is no change of state.

#include <array>
#include <concepts>
#include <cstddef>
#include <optional>
#include <otter/print.hpp>
#include <otter/reflection.hpp>
#include <otter/type_name.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace otter {

/// Where an event of a gen_statem came from (SM-3).
enum class event_type : unsigned char {
  call,
  cast,
  info,           ///< a plain message, `down`, `exited`, or a response
  internal,       ///< next_event()
  event_timeout,  ///< nothing else came in time
  state_timeout,  ///< the state did not change in time
  timeout,        ///< a time-out with a name
};
[[nodiscard]] std::string_view to_string(event_type type) noexcept;

/// What an event time-out without a content of its own delivers.
struct event_timeout {};
/// What a state time-out without a content of its own delivers.
struct state_timeout {};

/// One enumerator of a machine's `state`, as a type: `handle_event(in<state::open>, push)`.
template <auto State>
struct in {
  static_assert(std::is_enum_v<decltype(State)>);
  static constexpr auto value = State;
};

/// One of the types, which are the states of a machine.
template <class... State>
class states {
 public:
  template <class T>
  static constexpr bool contains = (std::is_same_v<T, State> || ...);

  constexpr states() = default;
  /// Explicit, so that a handler for all states is never taken for one of a single state.
  template <class T>
  requires(contains<T>) constexpr explicit states(T value) : held_(std::move(value)) {}

  template <class T>
  [[nodiscard]] bool is() const noexcept {
    static_assert(contains<T>, "otter: this is no state of the machine");
    return std::holds_alternative<T>(held_);
  }
  /// The state if it is a `T`, else null.
  template <class T>
  [[nodiscard]] T* get_if() noexcept {
    static_assert(contains<T>, "otter: this is no state of the machine");
    return std::get_if<T>(&held_);
  }
  template <class T>
  [[nodiscard]] T const* get_if() const noexcept {
    return const_cast<states*>(this)->get_if<T>();
  }
  template <class F>
  decltype(auto) visit(F&& f) {
    return std::visit(std::forward<F>(f), held_);
  }
  template <class F>
  decltype(auto) visit(F&& f) const {
    return std::visit(std::forward<F>(f), held_);
  }

  friend bool operator==(states const& a, states const& b) {
    static_assert((detail::comparable<State> && ...),
                  "otter: a state has no ==, and is no plain struct of what has one; a machine "
                  "could not tell whether its state changes");
    return detail::equal_values(a.held_, b.held_);
  }

 private:
  std::variant<State...> held_;
};

namespace detail {

template <class T>
inline constexpr bool is_states = false;
template <class... State>
inline constexpr bool is_states<states<State...>> = true;

template <auto Value>
constexpr auto value_signature() noexcept {
  return std::string_view{__PRETTY_FUNCTION__};
}
/// "open" of state::open; empty if no enumerator has that value.
template <auto Value>
constexpr std::string_view enumerator_name() noexcept {
  std::string_view text = value_signature<Value>();
  const std::size_t begin = text.rfind("Value = ") + 8;
  text = text.substr(begin, text.find_first_of(";]", begin) - begin);
  if (text.empty() || text.front() == '(') return {};
  const std::size_t colon = text.rfind(':');
  return colon == std::string_view::npos ? text : text.substr(colon + 1);
}

inline constexpr std::size_t max_enumerators = 64;

template <class Enum, std::size_t... I>
constexpr auto find_enumerators(std::index_sequence<I...>) {
  return std::array<std::string_view, sizeof...(I)>{
      enumerator_name<static_cast<Enum>(static_cast<std::underlying_type_t<Enum>>(I))>()...};
}
template <class Enum>
inline constexpr auto enumerator_names =
    find_enumerators<Enum>(std::make_index_sequence<max_enumerators>{});

/// How many enumerators there are, if they count from 0 without gaps; else 0.
template <class Enum>
constexpr std::size_t count_enumerators() noexcept {
  std::size_t n = 0;
  while (n != max_enumerators && !enumerator_names<Enum>[n].empty()) ++n;
  for (std::size_t i = n; i != max_enumerators; ++i)
    if (!enumerator_names<Enum>[i].empty()) return 0;
  return n;
}

/// Calls `f` with the present state as what a handler names it by: `in<state::open>` or `open&`.
template <class State, class F>
void with_state(State& current, F&& f) {
  if constexpr (std::is_enum_v<State>) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      const auto now = static_cast<std::size_t>(current);
      (void)((now == I && (f(in<static_cast<State>(I)>{}), true)) || ...);
    }
    (std::make_index_sequence<count_enumerators<State>()>{});
  } else {
    current.visit([&](auto& one) { f(one); });
  }
}

/// The same with the types alone, for checks at compile time.
template <class State>
struct each_state;
template <class State>
requires std::is_enum_v<State>
struct each_state<State> {
  template <class F>
  static constexpr void for_each(F f) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (f(std::type_identity<in<static_cast<State>(I)>>{}), ...);
    }
    (std::make_index_sequence<count_enumerators<State>()>{});
  }
};
template <class... S>
struct each_state<states<S...>> {
  template <class F>
  static constexpr void for_each(F f) {
    (f(std::type_identity<S>{}), ...);
  }
};

/// The name of a state; what is in it stays untold, since it may be secret.
template <class State>
std::string_view name_of_state(State const& current) noexcept {
  if constexpr (std::is_enum_v<State>)
    return enumerator_names<State>[static_cast<std::size_t>(current)];
  else
    return current.visit([]<class S>(S const&) { return last_name(type_name<S>()); });
}

}  // namespace detail
}  // namespace otter
