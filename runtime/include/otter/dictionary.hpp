#pragma once

// otter/dictionary.hpp - values that belong to the calling process, found by their type.
//
//   otter::dictionary::put(value)   keeps a value, in place of one of the same type
//   otter::dictionary::get<T>()     the T that is kept, or null
//   otter::dictionary::erase<T>()   takes it out
//
// For what deep code needs and nobody wants to hand down through every call: the id of the request
// that is being served, a generator of random numbers. A thread_local is wrong for that: between
// two messages a process moves to other threads. Nobody else sees the values, unless they ask
// process_info() for a description of them. What a behaviour must not lose belongs into its state.
//
//     struct trace_id { std::string text; };
//     otter::dictionary::put(trace_id{"7f3a"});
//     if (auto* id = otter::dictionary::get<trace_id>()) ...
//
// Label, initial call, parent and group leader have functions of their own: otter/process_info.hpp.

#include <optional>
#include <otter/detail/envelope.hpp>
#include <otter/type_descriptor.hpp>
#include <type_traits>
#include <utility>

namespace otter {
namespace detail {

/// Keeps the payload of `value`; gives back what had its type before, or null.
/// Throws: error(not_in_process).
envelope_ptr dictionary_put(envelope_ptr value);
void* dictionary_get(type_descriptor const& type) noexcept;
envelope_ptr dictionary_erase(type_descriptor const& type) noexcept;

template <class T>
std::optional<T> payload_of(envelope_ptr e) {
  if (!e) return std::nullopt;
  return std::optional<T>(std::move(*static_cast<T*>(e->payload())));
}

}  // namespace detail

namespace dictionary {

/// Keeps `value` for the calling process until it ends; returns the T that it replaces. The values
/// are destroyed in the process, after its body and before anybody hears of its end.
///
/// Called from: a process, or an attached thread. Blocks: never. Exits: never.
/// Throws: std::bad_alloc, what moving T throws; then nothing has changed.
template <class T>
std::optional<std::decay_t<T>> put(T&& value) {
  using type = std::decay_t<T>;
  return detail::payload_of<type>(detail::dictionary_put(
      detail::pack<type>(detail::signal_kind::message, std::forward<T>(value))));
}

/// The T of the calling process, or null if it has none. It stays where it is until it is replaced
/// or erased.
///
/// Called from: anywhere; outside a process there is nothing. Exits: never. Throws: never.
template <class T>
T* get() noexcept {
  return static_cast<T*>(detail::dictionary_get(descriptor_of<T>()));
}

/// Takes the T of the calling process out; nothing if it has none.
/// Called from: a process, or an attached thread. Exits: never. Throws: what moving T throws.
template <class T>
std::optional<T> erase() {
  return detail::payload_of<T>(detail::dictionary_erase(descriptor_of<T>()));
}

}  // namespace dictionary
}  // namespace otter
