#pragma once

// otter/old_state.hpp - what the hook `code_change(old, now)` of a class sees of the version that
// its process comes from. See otter/code_change.hpp.
//
//   otter::code::old_state           the state that is left; the data of a gen_statem
//   otter::code::next_state<State>   in which state a gen_statem goes on

#include <optional>
#include <otter/detail/succession.hpp>
#include <otter/type_descriptor.hpp>
#include <string_view>
#include <utility>

namespace otter::code {

/// The state that is being left. Lives during code_change() only, which changes nothing of it.
class old_state {
 public:
  explicit old_state(detail::succession& plan) noexcept : plan_(plan) {}

  /// The version of the module that the process comes from, as otter_add_module() was given it.
  [[nodiscard]] std::string_view version() const noexcept { return plan_.from_version; }
  [[nodiscard]] bool has(std::string_view field) const noexcept {
    return plan_.find(field) != nullptr;
  }
  /// Null if there is no such field of that very type.
  template <class T>
  [[nodiscard]] T const* get(std::string_view field) const noexcept {
    detail::state_field const* const found = plan_.find(field);
    return found != nullptr && same_type(*found->type, descriptor_of<T>())
               ? static_cast<T const*>(found->value)
               : nullptr;
  }
  /// The field will be moved to `to`, a field of the new state, when nothing can fail any more: for
  /// one that has another name now. False, and nothing will be, if there is no such field of that
  /// very type.
  template <class T>
  bool move(std::string_view field, T& to) {
    detail::state_field const* const found = plan_.find(field);
    if (found == nullptr || !same_type(*found->type, descriptor_of<T>())) return false;
    plan_.will_move(found->value, to);
    return true;
  }
  /// `field`, of the new state, is `value` then, although the old state has one of the same name
  /// and type that would be moved there: for one that means something else now.
  template <class T, class Value>
  void set(T& field, Value&& value) {
    field = std::forward<Value>(value);
    plan_.will_not_move(field);
  }

  /// Of a gen_statem: the name of the state that it was in.
  [[nodiscard]] std::string_view state() const noexcept { return plan_.state.name; }
  /// That, if states are types, and it is a `T`; else null.
  template <class T>
  [[nodiscard]] T const* get_state() const noexcept {
    return plan_.state.type != nullptr && same_type(*plan_.state.type, descriptor_of<T>())
               ? static_cast<T const*>(plan_.state.value)
               : nullptr;
  }

 private:
  detail::succession& plan_;
};

/// The state in which a gen_statem goes on: that of the same name. None, if there is no such state
/// any more; then the hook says one, or the change is refused.
template <class State>
class next_state {
 public:
  next_state(detail::succession& plan, std::optional<State>& now) noexcept
      : plan_(plan), now_(now) {}

  explicit operator bool() const noexcept { return now_.has_value(); }
  /// What will be moved into it is not there yet. Only if there is one.
  State const& operator*() const noexcept { return *now_; }
  /// Another one, or another content; nothing is moved into it.
  void set(State state) {
    plan_.will_not_move(now_);
    now_.emplace(std::move(state));
  }

 private:
  detail::succession& plan_;
  std::optional<State>& now_;
};

}  // namespace otter::code
