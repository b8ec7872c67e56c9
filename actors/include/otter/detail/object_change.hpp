#pragma once

// otter/detail/object_change.hpp - an object that goes on in another version of its class: what all
// behaviours whose state is one aggregate have in common. Compiled in the module.
//
//   otter::detail::object_change<T>    describes what is left, and makes what follows it
//   otter::detail::succeeding_body     the body of an object that was not started

#include <concepts>
#include <cstddef>
#include <memory>
#include <new>
#include <otter/detail/from_plain.hpp>
#include <otter/detail/guarded_change.hpp>
#include <otter/detail/startable.hpp>
#include <otter/detail/succession.hpp>
#include <otter/detail/to_plain.hpp>
#include <otter/message.hpp>
#include <otter/old_state.hpp>
#include <otter/reflection.hpp>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace otter::detail {

template <class Object>
concept has_state = requires(Object& s) {
  typename Object::state;
  { s.system_state() } -> std::same_as<typename Object::state&>;
};
template <class Object, class State>
concept has_code_change = requires(code::old_state& old, State& now) {
  Object::code_change(old, now);
};
template <class Object, class State>
concept has_code_change_with_extra = requires(code::old_state& old, State& now,
                                              any_message& extra) {
  Object::code_change(old, now, extra);
};

/// What is left, field by field.
template <class State>
void describe_fields(State& state, std::vector<state_field>& fields) {
  for_each_field(state, [&](std::string_view name, auto& field) {
    using type = std::remove_reference_t<decltype(field)>;
    fields.push_back({name, &descriptor_of<type>(), &field, &plain_of_part<type>});
  });
}

/// Fills `now`, which has its defaults: converts, or notes a move. Throws: process_exit.
template <class State>
void convert_fields(succession& plan, std::vector<state_field> const& fields, State& now) {
  for_each_field(now, [&](std::string_view name, auto& field) {
    using type = std::remove_reference_t<decltype(field)>;
    state_field const* const old = find_field(fields, name);
    if (old == nullptr) return;
    if (same_type(*old->type, descriptor_of<type>())) return plan.will_move(old->value, field);
    plain_value value;
    misfit why;
    if (old->to_plain(old->value, value, why) && from_plain(value, field, why)) return;
    why.inside(name);
    plan.refuse(*old, type_name<type>(), why);
  });
}

/// The class has its say. Throws: what it throws, which refuses the change.
template <class Object, class State>
void run_change_hook(succession& plan, State& now) {
  [[maybe_unused]] code::old_state old(plan);
  if constexpr (has_code_change_with_extra<Object, State>)
    Object::code_change(old, now, plan.extra);
  else if constexpr (has_code_change<Object, State>)
    Object::code_change(old, now);
}

/// `Frame` is a behaviour's body without its object.
template <class Frame, class Object>
class succeeding_body final : public Frame {
 public:
  succeeding_body() : Frame(origin{}) { this->stage() = object_stage::nothing; }
  ~succeeding_body() override {
    if (Object* o = get()) std::destroy_at(o);
  }
  void construct(typename Object::state&& state) noexcept {
    ::new (static_cast<void*>(memory_)) Object(std::move(state));
    this->stage() = object_stage::constructed;
  }
  void start() override {}

 private:
  Object* get() const noexcept {
    if (this->stage() != object_stage::constructed) return nullptr;
    return std::launder(reinterpret_cast<Object*>(const_cast<std::byte*>(memory_)));
  }
  void* object() const noexcept override { return get(); }

  alignas(Object) std::byte memory_[sizeof(Object)];
};

/// What changes hands when nothing can fail any more.
template <class Frame, class Object>
class object_successor final : public successor {
 public:
  explicit object_successor(succession& plan) {
    auto body = make_reactive<succeeding_body<Frame, Object>>();
    body_ = static_cast<succeeding_body<Frame, Object>*>(body.get());
    core = body_;
    next = std::move(body);
    convert_fields(plan, plan.fields, now_);
    run_change_hook<Object>(plan, now_);
  }
  void finish() noexcept override { body_->construct(std::move(now_)); }

 private:
  typename Object::state now_{};
  succeeding_body<Frame, Object>* body_ = nullptr;
};

template <class Frame, class Object>
struct object_change {
  static bool describe(void* object, succession& plan, exit_reason& why) {
    return guarded_change(
        why, [&] { describe_fields(static_cast<Object*>(object)->system_state(), plan.fields); });
  }
  static bool succeed(succession& plan, std::unique_ptr<successor>& next, exit_reason& why) {
    return guarded_change(why,
                          [&] { next = std::make_unique<object_successor<Frame, Object>>(plan); });
  }
};

/// What is asked of a class and the aggregate of what survives, in one line each.
template <class Object, class State>
constexpr bool check_state() noexcept {
  static_assert(reflectable<State>,
                "otter: the fields of `state` cannot be told: it must be a plain aggregate");
  static_assert(
      std::is_nothrow_move_constructible_v<State> &&
          std::is_nothrow_constructible_v<Object, State&&>,
      "otter: a code change ends with moves that cannot fail: the class needs a public "
      "constructor `explicit T(state s) noexcept`, and the fields moves that do not throw");
  static_assert(std::is_default_constructible_v<State>,
                "otter: fields that the old version does not have begin with their defaults: give "
                "each field of `state` one");
  return true;
}
template <class Object>
constexpr bool check_change() noexcept {
  static_assert(has_state<Object>,
                "otter: what survives a code change is said by the class: a public `struct state` "
                "and a public `state& system_state()`");
  if constexpr (has_state<Object>) static_assert(check_state<Object, typename Object::state>());
  return true;
}

}  // namespace otter::detail
