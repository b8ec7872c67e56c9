#pragma once

// otter/code_change.hpp - servers of modules that go on in another version of their class.
//
//   otter::code::server<T>()   an entry of OTTER_MODULE: the server class T can be upgraded
//   otter::code::old_state     what a hook of T sees of the version that it comes from
//
// What survives is the aggregate `T::state`, field by field (CL-13, GS-35):
//
//   same name, same type       moved: sockets, timers, refs, callers and move-only values pass as
//   they are same name, another type    converted, if it fits exactly: numbers, enums, texts,
//   lists, structs a new field                its default a field that is no more    destroyed with
//   the old version's object
//
//     class counter : public otter::gen_server<counter> {
//      public:
//       struct state { long value = 0; std::string unit = "m"; };
//       explicit counter(state s) noexcept : state_(std::move(s)) {}
//       state& system_state() { return state_; }
//       static void code_change(otter::code::old_state& old, state& now);   // optional
//       ...
//     };
//     OTTER_MODULE(otter::code::server<counter>(), ...);
//
// A class may say more in `code_change(old, now)`, which runs in the process when fields were
// converted, before anything has moved. It fills what is renamed or new; if it throws, the upgrade
// is refused with that reason. Moves come last and cannot fail: so a refusal leaves the old version
// whole, and serving when it is resumed. It is asked for by otter::sys::change_code(), between
// suspend() and resume(); an older version is gone back to in the same way, when it has been loaded
// again.

#include <concepts>
#include <cstddef>
#include <memory>
#include <new>
#include <otter/detail/plain_value.hpp>
#include <otter/detail/succession.hpp>
#include <otter/detail/throw_probe.hpp>
#include <otter/detail/unwinding.hpp>
#include <otter/gen_server.hpp>
#include <otter/module.hpp>
#include <otter/reflection.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace otter::code {

/// The state that is being left. Lives during code_change() only.
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

namespace otter::detail {

template <class Server>
concept has_state = requires(Server& s) {
  typename Server::state;
  { s.system_state() } -> std::same_as<typename Server::state&>;
};
template <class Server>
concept has_code_change = requires(code::old_state& old, typename Server::state& now) {
  Server::code_change(old, now);
};

/// The body of a server that has come from another version: it was not started.
template <class Server>
class succeeding_server final : public server_core {
 public:
  succeeding_server() : server_core(server_class_for<Server>::value, origin{}) {
    stage() = object_stage::nothing;
  }
  ~succeeding_server() override {
    if (Server* s = get()) std::destroy_at(s);
  }
  void construct(typename Server::state&& state) noexcept {
    ::new (static_cast<void*>(memory_)) Server(std::move(state));
    stage() = object_stage::constructed;
  }
  void start() override {}

 private:
  Server* get() const noexcept {
    if (stage() != object_stage::constructed) return nullptr;
    return std::launder(reinterpret_cast<Server*>(const_cast<std::byte*>(memory_)));
  }
  void* object() const noexcept override { return get(); }

  alignas(Server) std::byte memory_[sizeof(Server)];
};

/// What changes hands when nothing can fail any more.
template <class Server>
class server_successor final : public successor {
 public:
  explicit server_successor(succession& plan) {
    auto body = make_reactive<succeeding_server<Server>>();
    body_ = static_cast<succeeding_server<Server>*>(body.get());
    core = body_;
    next = std::move(body);
    convert(plan);
    if constexpr (has_code_change<Server>) {
      code::old_state old(plan);
      Server::code_change(old, now_);
    }
  }
  void finish() noexcept override { body_->construct(std::move(now_)); }

 private:
  void convert(succession& plan) {
    for_each_field(now_, [&](std::string_view name, auto& field) {
      using type = std::remove_reference_t<decltype(field)>;
      state_field const* const old = plan.find(name);
      if (old == nullptr) return;
      if (same_type(*old->type, descriptor_of<type>())) return plan.will_move<type>(*old, field);
      plain_value value;
      if (!old->to_plain(old->value, value) || !from_plain(value, field))
        plan.refuse(*old, type_name<type>());
    });
  }

  typename Server::state now_{};
  succeeding_server<Server>* body_ = nullptr;
};

template <class Server>
struct server_change {
  /// Runs `f` and hands out what it throws as a reason: the border of the module.
  template <class F>
  static bool guarded(exit_reason& why, F&& f) {
    try {
      f();
      return true;
    } catch (process_exit const& e) {
      why = e.reason();
    } catch (unwinding const&) {
      throw;
    } catch (throw_probe const&) {
      // never: it notes where what comes below was thrown
    } catch (...) {
      why = exit_reason::from_current_exception("code_change", thrown_at());
    }
    return false;
  }

  static bool describe(void* object, succession& plan, exit_reason& why) {
    return guarded(why, [&] {
      for_each_field(
          static_cast<Server*>(object)->system_state(), [&](std::string_view name, auto& field) {
            using type = std::remove_reference_t<decltype(field)>;
            plan.fields.push_back(
                {name, &descriptor_of<type>(), &field, [](void const* from, plain_value& to) {
                   return to_plain(*static_cast<type const*>(from), to);
                 }});
          });
    });
  }
  static bool succeed(succession& plan, std::unique_ptr<successor>& next, exit_reason& why) {
    return guarded(why, [&] { next = std::make_unique<server_successor<Server>>(plan); });
  }
  static constexpr change_class value{"gen_server", &describe, &succeed};
};

}  // namespace otter::detail

namespace otter::code {

/// The server class `Server` of this module can be left for another version of it, and be come to.
template <class Server>
constexpr detail::module_entry server() noexcept {
  static_assert(detail::has_state<Server>,
                "otter: what survives a code change is said by the server: a public `struct state` "
                "and a public `state& system_state()`");
  static_assert(reflectable<typename Server::state>,
                "otter: the fields of `state` cannot be told: it must be a plain aggregate");
  static_assert(
      std::is_nothrow_move_constructible_v<typename Server::state> &&
          std::is_nothrow_constructible_v<Server, typename Server::state&&>,
      "otter: a code change ends with moves that cannot fail: the server needs a public "
      "constructor `explicit Server(state s) noexcept`, and the fields moves that do not throw");
  static_assert(std::is_default_constructible_v<typename Server::state>,
                "otter: fields that the old version does not have begin with their defaults: give "
                "each field of `state` one");
  detail::module_entry e;
  e.name = type_name<Server>();
  e.what = detail::module_entry::kind::behaviour;
  e.behaviour = &detail::server_change<Server>::value;
  return e;
}

}  // namespace otter::code
