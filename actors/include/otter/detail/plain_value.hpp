#pragma once

// otter/detail/plain_value.hpp - a value without its type, to pass from one version of a struct to
// the next: what int, long, an enum and std::string have in common.
//
//   otter::detail::plain_value   a number, a text, a list, a record of named ones ...
//   shapes                       which types are which of these
//
// otter/detail/to_plain.hpp makes one, otter/detail/from_plain.hpp another type's value of it.
//
// No value changes on the way: what the new type cannot hold is refused, never cut. So
//
//   a number     passes to another number type that holds it; an enum is its number, bool is bool
//   a text       to a text; a list to a list, of whatever containers
//   std::array   takes a list of exactly its length
//   a set, a map take a list without two equal keys; a map is a list of pairs
//   a pair       is a tuple of two: a tuple takes one of as many parts
//   an optional, a unique_ptr   is its value or nothing; a value passes to both, and back
//   a variant    goes to the alternative of the same type name, and must fit there; if there is
//                none, to the first that fits. From another type: to the first that fits
//   an expected  is its value or its error, and stays that
//   a duration   passes to another unit if that holds it exactly; to no number, which has no unit
//   a struct     passes by the names of its fields; a new field keeps its default
//
// Anything else - a pid, a ref, a class with private members - stays what it is: it is copied to a
// field of its own type, and to no other.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <otter/reflection.hpp>
#include <otter/type_descriptor.hpp>
#include <otter/type_name.hpp>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace otter::detail {

/// Values may lie within one another so deep: a list that is a chain of pointers is longer soon.
inline constexpr unsigned max_plain_depth = 64;

/// Names in it are constants of the module that took the value apart, and values that could not be
/// taken apart are still in their places: it lives no longer than these.
struct plain_value {
  using list = std::vector<plain_value>;
  using record = std::vector<std::pair<std::string_view, plain_value>>;
  struct tuple {
    list parts;
  };
  /// Of a variant: the alternative of type `name`, number `which` of those of that name.
  struct alternative {
    std::string_view name;
    std::size_t which;
    list value;  // one
  };
  /// An optional that holds an optional without a value; all others are their values.
  struct something {
    list value;  // one
  };
  struct duration {
    std::variant<std::int64_t, std::uint64_t, double> count;
    std::intmax_t numerator;  // of the unit, in seconds
    std::intmax_t denominator;
  };
  /// What is copied as it is.
  struct whole {
    type_descriptor const* of;
    void const* value;
  };

  std::string_view type{};
  /// monostate: an optional without a value. Signed numbers that are not negative are unsigned.
  std::variant<std::monostate, bool, std::uint64_t, std::int64_t, double, std::string, list, record,
               tuple, alternative, something, duration, whole>
      of{};
};

// --- shapes ---

template <class T>
concept plain_text = std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>;
template <class T>
concept plain_set = range_like<T> && requires {
  typename T::key_type;
} && !requires {
  typename T::mapped_type;
};
template <class T>
concept plain_map = range_like<T> && requires {
  typename T::key_type;
  typename T::mapped_type;
};
template <class T>
concept fixed_range = range_like<T> && requires {
  std::tuple_size<T>::value;
};
template <class T>
concept growing_range = range_like<T> && requires(T& v, typename T::value_type x) {
  v.insert(v.end(), std::move(x));
};
template <class T>
inline constexpr bool is_expected = false;
template <class Value, class Error>
inline constexpr bool is_expected<tl::expected<Value, Error>> = true;
template <class T>
inline constexpr bool is_duration = false;
template <class Rep, class Period>
inline constexpr bool is_duration<std::chrono::duration<Rep, Period>> = std::is_arithmetic_v<Rep>;
/// Owns a value of just that type.
template <class T>
inline constexpr bool is_owner = false;
template <class E>
requires(complete<E> && !std::is_array_v<E>) inline constexpr bool is_owner<std::unique_ptr<E>> =
    !std::is_polymorphic_v<E> && !std::is_const_v<E>;
/// Its parts are values of its own.
template <class T>
inline constexpr bool has_own_parts = false;
template <tuple_like T>
inline constexpr bool has_own_parts<T> = []<std::size_t... I>(std::index_sequence<I...>) {
  return ((!std::is_reference_v<std::tuple_element_t<I, T>> &&
           !std::is_const_v<std::tuple_element_t<I, T>>)&&...);
}
(std::make_index_sequence<std::tuple_size<T>::value>{});

inline constexpr std::string_view expected_value = "the value of an expected";
inline constexpr std::string_view expected_error = "the error of an expected";

/// How many of the first `Index` alternatives have the type of the next one.
template <class T, std::size_t Index>
constexpr std::size_t same_before() noexcept {
  return []<std::size_t... I>(std::index_sequence<I...>) {
    return (std::size_t{0} + ... +
            std::size_t{std::is_same_v<std::variant_alternative_t<I, T>,
                                       std::variant_alternative_t<Index, T>>});
  }
  (std::make_index_sequence<Index>{});
}
template <class T>
concept plain_variant = variant_like<T> && requires {
  std::variant_size<T>::value;
};

}  // namespace otter::detail
