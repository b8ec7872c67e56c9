#pragma once

// otter/old_state.hpp - what the hook `code_change(old, now)` of a class sees of the version that
// its process comes from. See otter/code_change.hpp.

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
    plan_.will_move<T>(*found, to);
    return true;
  }
  /// `field`, of the new state, is `value` then, although the old state has one of the same name
  /// and type that would be moved there: for one that means something else now.
  template <class T, class Value>
  void set(T& field, Value&& value) {
    field = std::forward<Value>(value);
    plan_.will_not_move(&field);
  }

 private:
  detail::succession& plan_;
};

}  // namespace otter::code
