#pragma once

// otter/detail/statem_change.hpp - a gen_statem that goes on in another version of its class: its
// data as a server's state, and its present state by its name. Compiled in the module.
//
//   otter::detail::machine_change<T>   describes what is left, and makes what follows it

#include <concepts>
#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <otter/detail/object_change.hpp>
#include <otter/gen_statem.hpp>
#include <otter/message.hpp>
#include <otter/old_state.hpp>
#include <otter/reflection.hpp>
#include <otter/states.hpp>
#include <string_view>
#include <type_traits>
#include <utility>

namespace otter::detail {

template <class Machine>
concept has_data = requires(Machine& m) {
  typename Machine::data;
  { m.system_state() } -> std::same_as<typename Machine::data&>;
};
template <class Machine>
concept has_state_hook = requires(code::old_state& old,
                                  code::next_state<typename Machine::state>& state,
                                  typename Machine::data& now) {
  Machine::code_change(old, state, now);
};
template <class Machine>
concept has_state_hook_with_extra = requires(code::old_state& old,
                                             code::next_state<typename Machine::state>& state,
                                             typename Machine::data& now, any_message& extra) {
  Machine::code_change(old, state, now, extra);
};

/// States are called by the last part of their names, as in reports.
template <class State>
void describe_machine_state(State& state, left_machine_state& left) {
  left.name = name_of_state(state);
  if constexpr (!std::is_enum_v<State>)
    state.visit([&]<class S>(S& present) {
      left.type = &descriptor_of<S>();
      left.value = &present;
      if constexpr (is_reflectable<S>) describe_fields(present, left.fields);
    });
}

/// The state of the same name, if there is one; what is in it is moved or converted.
template <class State>
requires std::is_enum_v<State>
void find_machine_state(succession& plan, std::optional<State>& now) {
  each_state<State>::for_each([&]<auto Enumerator>(std::type_identity<in<Enumerator>>) {
    if (enumerator_name<Enumerator>() == plan.state.name) now = Enumerator;
  });
}
template <class... S>
void find_machine_state(succession& plan, std::optional<states<S...>>& now) {
  left_machine_state const& left = plan.state;
  auto const same = [&]<class T>(std::type_identity<T>) {
    static_assert(std::is_default_constructible_v<T> && std::is_nothrow_move_constructible_v<T>,
                  "otter: a state that a code change brings over needs a default, and a move that "
                  "does not throw");
    if (now || left.type == nullptr || !same_type(*left.type, descriptor_of<T>())) return;
    now.emplace(states<S...>(T{}));
    plan.will_move(left.value, *now->template get_if<T>());
  };
  auto const of_that_name = [&]<class T>(std::type_identity<T>) {
    if (now || last_name(type_name<T>()) != left.name) return;
    now.emplace(states<S...>(T{}));
    if constexpr (is_reflectable<T>) convert_fields(plan, left.fields, *now->template get_if<T>());
  };
  (same(std::type_identity<S>{}), ...);
  (of_that_name(std::type_identity<S>{}), ...);
}

/// The body of a machine that was not started.
template <class Machine>
class succeeding_machine final : public machine_body<Machine> {
 public:
  succeeding_machine()
      : machine_body<Machine>(machine_class_for<Machine, itself<Machine>>::value, origin{}) {
    this->stage() = object_stage::nothing;
  }
  ~succeeding_machine() override {
    if (Machine* m = machine()) std::destroy_at(m);
  }
  void construct(typename Machine::state&& present, typename Machine::data&& data) noexcept {
    this->current_ = std::move(present);
    ::new (static_cast<void*>(memory_)) Machine(std::move(data));
    this->stage() = object_stage::constructed;
  }
  void start() override {}

 private:
  Machine* machine() const noexcept override {
    if (this->stage() != object_stage::constructed) return nullptr;
    return std::launder(reinterpret_cast<Machine*>(const_cast<std::byte*>(memory_)));
  }

  alignas(Machine) std::byte memory_[sizeof(Machine)];
};

/// What changes hands when nothing can fail any more.
template <class Machine>
class machine_successor final : public successor {
 public:
  explicit machine_successor(succession& plan) {
    auto body = make_reactive<succeeding_machine<Machine>>();
    body_ = static_cast<succeeding_machine<Machine>*>(body.get());
    core = body_;
    next = std::move(body);
    convert_fields(plan, plan.fields, now_);
    find_machine_state(plan, state_);
    ask_hook(plan);
    if (!state_) plan.refuse_state();
  }
  void finish() noexcept override { body_->construct(std::move(*state_), std::move(now_)); }

 private:
  void ask_hook(succession& plan) {
    if constexpr (has_state_hook<Machine> || has_state_hook_with_extra<Machine>) {
      code::old_state old(plan);
      code::next_state<typename Machine::state> next_one(plan, state_);
      if constexpr (has_state_hook_with_extra<Machine>)
        Machine::code_change(old, next_one, now_, plan.extra);
      else
        Machine::code_change(old, next_one, now_);
    } else {
      run_change_hook<Machine>(plan, now_);
    }
  }

  typename Machine::data now_{};
  std::optional<typename Machine::state> state_;
  succeeding_machine<Machine>* body_ = nullptr;
};

template <class Machine>
struct machine_change {
  static_assert(has_data<Machine>,
                "otter: what survives a code change is said by the machine: a public `struct data` "
                "and a public `data& system_state()`");
  static_assert(check_state<Machine, typename Machine::data>());
  static_assert(std::is_nothrow_move_assignable_v<typename Machine::state>);

  static bool describe(void* object, succession& plan, exit_reason& why) {
    return guarded_change(why, [&] {
      auto& body = *static_cast<machine_body<Machine>*>(object);
      describe_fields(body.machine()->system_state(), plan.fields);
      describe_machine_state(body.current(), plan.state);
    });
  }
  static bool succeed(succession& plan, std::unique_ptr<successor>& next, exit_reason& why) {
    return guarded_change(why, [&] { next = std::make_unique<machine_successor<Machine>>(plan); });
  }
};

}  // namespace otter::detail
