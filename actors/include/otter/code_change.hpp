#pragma once

// otter/code_change.hpp - processes of modules that go on in another version of their class.
//
//   otter::code::behaviour<T>()   an entry of OTTER_MODULE: the processes of the class T, a
//                                 gen_server, gen_statem or special_process, can be upgraded, and
//                                 so can the handlers of a gen_event
//   otter::code::old_state        what a hook of T sees of the version that it comes from:
//                                 otter/old_state.hpp
//
// What survives is the aggregate `T::state`, field by field (CL-13, GS-35):
//
//   same name, same type     moved: sockets, timers, refs, callers, and what can only be moved
//   same name, another type  converted, exactly or not at all: otter/detail/plain_value.hpp
//   a new field              its default
//   a field that is no more  destroyed with the old version's object
//
//     class counter : public otter::gen_server<counter> {
//      public:
//       struct state { long value = 0; std::string unit = "m"; };
//       explicit counter(state s) noexcept : state_(std::move(s)) {}
//       state& system_state() { return state_; }
//       static void code_change(otter::code::old_state& old, state& now);   // optional
//       ...
//     };
//     OTTER_MODULE(otter::code::behaviour<counter>(), ...);
//
// A class may say more in `code_change(old, now)`, which runs in the process when fields were
// converted, before anything has moved. It fills what is renamed or new; if it throws, the upgrade
// is refused with that reason. With a third argument, an `otter::any_message& extra`, it is told
// what the asker has to say. Moves come last and cannot fail: so a refusal leaves the old version
// whole, and serving when it is resumed.
//
// Of a gen_statem it is `struct data`, since its `state` is another thing. The state goes on as
// that of the same name; states that are types bring what is in them, as a whole or field by field.
// If the new version has no state of that name, `code_change(old, state, now)` says which: `state`
// is an otter::code::next_state<machine::state>&. Postponed events, time-outs and callers are
// untouched, and no state is entered (SM-29, SM-16).
//
// Handlers are changed by asking their manager: all of the module's, or none; others stay (GE-13).
//
// A supervisor that a class of the module describes (otter/supervisor.hpp) asks that again: flags
// and specifications are replaced, so that restarts run the new code; children that are new are not
// started, those that are not there any more are kept, and no child notices (SUP-39).
//
// It is asked for by otter::sys::change_code(), between suspend() and resume(); an older version is
// gone back to in the same way, when it is current again: by otter::code::restore_old(), or loaded
// once more. otter::sys::check_code_change() does all that but the moves, to see whether it would
// go: so a hook must do nothing but fill in `now`.

#include <otter/detail/event_change.hpp>
#include <otter/detail/message_change.hpp>
#include <otter/detail/object_change.hpp>
#include <otter/detail/statem_change.hpp>
#include <otter/detail/succession.hpp>
#include <otter/gen_event.hpp>
#include <otter/gen_server.hpp>
#include <otter/gen_statem.hpp>
#include <otter/module.hpp>
#include <otter/old_state.hpp>
#include <otter/special_process.hpp>
#include <otter/supervisor.hpp>
#include <otter/type_name.hpp>
#include <type_traits>

namespace otter {

namespace detail {

/// What the table of a module refers to for a class: one specialisation for each behaviour.
template <class Object>
struct change_of;

/// The body of a server that has come from another version, without its object.
template <class Server>
class server_frame : public server_core {
 protected:
  explicit server_frame(origin const& from) : server_core(server_class_for<Server>::value, from) {}
};
template <class Server>
requires std::is_base_of_v<gen_server<Server>, Server>
struct change_of<Server> {
  using change = object_change<server_frame<Server>, Server>;
  static_assert(check_change<Server>());
  static constexpr change_class value{"gen_server", &change::describe, &change::succeed};
};

template <class Process>
requires std::is_base_of_v<special_process<Process>, Process>
struct change_of<Process> {
  using change = object_change<special_frame<Process>, Process>;
  static_assert(check_change<Process>());
  static constexpr change_class value{"special_process", &change::describe, &change::succeed};
};

template <class Machine>
requires std::is_base_of_v<gen_statem<Machine>, Machine>
struct change_of<Machine> {
  using change = machine_change<Machine>;
  static constexpr change_class value{"gen_statem", &change::describe, &change::succeed};
};

template <class H>
requires std::is_base_of_v<event_handler<H>, H>
struct change_of<H> {
  using change = handler_change<H>;
  static constexpr change_class value{"event_handler", &change::describe, &change::succeed};
};

template <class T>
requires says_children<T>
struct change_of<T> {
  static constexpr supervisor_class const& value = supervisor_class_for<T>::value;
};

}  // namespace detail

namespace code {

/// A process of the class `T` of this module can be left for another version of it, and be come to.
template <class T>
constexpr detail::module_entry behaviour() noexcept {
  static_assert(
      requires { detail::change_of<T>::value; },
      "otter: this class is no behaviour that takes code changes");
  detail::module_entry e;
  e.name = type_name<T>();
  e.what = detail::module_entry::kind::behaviour;
  detail::change_class const& change = detail::change_of<T>::value;
  e.behaviour = &change;
  e.forms = detail::forms_of_class<T>();
  return e;
}

}  // namespace code
}  // namespace otter
