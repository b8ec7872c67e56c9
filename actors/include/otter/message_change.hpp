#pragma once

// otter/message_change.hpp - messages that were sent by a version with another layout of their
// type.
//
//   otter::code::messages<M...>()      an entry of OTTER_MODULE: these can pass to another layout
//   otter::code::convert<T>()          an any_message as a T, if it is one of another layout
//   otter::code::add_messages<M...>()  what the program itself sends and understands
//
// A behaviour gets a message whose type has the same name as one that it accepts, and another
// layout, as the one that it accepts: field by field, as a state (otter/code_change.hpp). Who can
// take a value of the old layout apart is some version of a module that lists the type: by
// code::behaviour<T>() all that T accepts, and the answers. What no server accepts is listed here;
// M may be an accepts<...> of such. A free-form process gets any_message, and may convert() it.
//
// What cannot be converted is an any_message where the class takes one. It is never cast.

#include <otter/detail/held_form.hpp>
#include <otter/detail/message_change.hpp>
#include <otter/exit_reason.hpp>
#include <otter/message.hpp>
#include <tl/expected.hpp>
#include <type_traits>

namespace otter {

namespace detail {

template <class... M>
struct listed_messages {
  using list = accepts<M...>;
};
template <class... M>
struct listed_messages<accepts<M...>> {
  using list = accepts<M...>;
};

}  // namespace detail

namespace code {

/// The messages M... of this module, or those of the accepts<...> M, can be taken apart for another
/// version, and put together.
template <class... M>
constexpr detail::module_entry messages() noexcept {
  detail::module_entry e;
  e.name = "messages";
  e.what = detail::module_entry::kind::messages;
  e.forms = detail::forms_of<typename detail::listed_messages<M...>::list>::list;
  return e;
}

/// The same for what the program has compiled into itself, in the node of the calling process.
///
/// Called from: a process. Blocks: never. Throws: error(badarg) in a module.
template <class... M>
void add_messages() {
  detail::add_forms(detail::forms_of<typename detail::listed_messages<M...>::list>::list);
}

/// The value of `message`, which must be a T or have another layout of it. If there is none, the
/// reason says both layouts and what does not fit, and `message` is as it was.
///
/// Called from: a process, or an attached thread. Blocks: never.
template <class T>
tl::expected<T, exit_reason> convert(any_message& message) {
  if (T* same = message.get_if<T>()) return std::move(*same);
  if (!message) return tl::unexpected(exit_reason::error("code_change", "there is no message"));
  if (relate(*message.type(), descriptor_of<T>()) != type_relation::other_layout)
    return tl::unexpected(exit_reason::error(
        "code_change",
        std::string(message.type()->name) + " is no version of " + std::string(type_name<T>())));
  detail::converted_value made = detail::convert_value(
      *message.type(), message.envelope()->payload(), detail::source::taken, descriptor_of<T>(),
      detail::signal_kind::message, detail::message_form_for<T>::value);
  if (!made.value) return tl::unexpected(exit_reason::error("code_change", made.why));
  return std::move(*static_cast<T*>(made.value->payload()));
}

}  // namespace code
}  // namespace otter
