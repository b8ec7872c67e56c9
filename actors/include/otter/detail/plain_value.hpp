#pragma once

// otter/detail/plain_value.hpp - a value without its type, to pass from one version of a struct to
// the next: what int, long, an enum and std::string have in common.
//
//   otter::detail::plain_value   a number, a text, a list, or a record of named ones
//   otter::detail::to_plain()    of a value; false if it is none of those
//   otter::detail::from_plain()  back, into another type; false if it does not fit exactly
//
// No value changes on the way: a number that the new type cannot hold is refused, never cut.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <otter/reflection.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace otter::detail {

struct plain_value {
  using list = std::vector<plain_value>;
  using record = std::vector<std::pair<std::string, plain_value>>;
  /// monostate: an optional without a value. Signed numbers that are not negative are unsigned.
  std::variant<std::monostate, bool, std::uint64_t, std::int64_t, double, std::string, list, record>
      of;
};

template <class T>
concept plain_text = std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>;
template <class T>
concept growing_range = range_like<T> && requires(T& v, typename T::value_type x) {
  v.insert(v.end(), std::move(x));
};

template <class T>
bool to_plain(T const& from, plain_value& to) {
  if constexpr (std::is_same_v<T, bool>) {
    to.of = from;
  } else if constexpr (std::is_enum_v<T>) {
    return to_plain(static_cast<std::underlying_type_t<T>>(from), to);
  } else if constexpr (std::is_integral_v<T>) {
    if constexpr (std::is_signed_v<T>) {
      if (from < 0) {
        to.of = static_cast<std::int64_t>(from);
        return true;
      }
    }
    to.of = static_cast<std::uint64_t>(from);
  } else if constexpr (std::is_floating_point_v<T>) {
    to.of = static_cast<double>(from);
  } else if constexpr (plain_text<T>) {
    to.of = std::string(from);
  } else if constexpr (optional_like<T>) {
    to.of = std::monostate{};
    return !from.has_value() || to_plain(*from, to);
  } else if constexpr (range_like<T>) {
    plain_value::list all;
    for (typename T::value_type const& element : from)
      if (!to_plain(element, all.emplace_back())) return false;
    to.of = std::move(all);
  } else if constexpr (is_reflectable<T>) {
    plain_value::record all;
    bool good = true;
    for_each_field(from, [&](std::string_view name, auto const& field) {
      all.emplace_back(name, plain_value{});
      good = good && to_plain(field, all.back().second);
    });
    to.of = std::move(all);
    return good;
  } else {
    return false;
  }
  return true;
}

/// A number that `T` holds exactly.
template <class T, class Number>
bool number_fits(Number from, T& to) {
  if constexpr (std::is_floating_point_v<T>) {
    to = static_cast<T>(from);
    // Beyond 2^53 a number may not survive, and then does not come back as it was.
    if constexpr (std::is_floating_point_v<Number>)
      return static_cast<Number>(to) == from || std::isnan(from);
    else
      return to < static_cast<T>(9.2e18) && to > static_cast<T>(-9.2e18) &&
             static_cast<Number>(to) == from;
  } else if constexpr (std::is_floating_point_v<Number>) {
    if (!(from > -9.2e18 && from < 9.2e18) || std::trunc(from) != from) return false;
    return number_fits(static_cast<std::int64_t>(from), to);
  } else {
    to = static_cast<T>(from);
    return static_cast<Number>(to) == from && (to < T{}) == (from < Number{});
  }
}

template <class T>
bool from_plain(plain_value& from, T& to) {
  if constexpr (std::is_same_v<T, bool>) {
    bool const* const found = std::get_if<bool>(&from.of);
    if (found != nullptr) to = *found;
    return found != nullptr;
  } else if constexpr (std::is_enum_v<T>) {
    std::underlying_type_t<T> number{};
    if (!from_plain(from, number)) return false;
    to = static_cast<T>(number);
    return true;
  } else if constexpr (std::is_arithmetic_v<T>) {
    if (auto const* n = std::get_if<std::uint64_t>(&from.of)) return number_fits(*n, to);
    if (auto const* n = std::get_if<std::int64_t>(&from.of)) return number_fits(*n, to);
    if (auto const* n = std::get_if<double>(&from.of)) return number_fits(*n, to);
    return false;
  } else if constexpr (std::is_same_v<T, std::string>) {
    auto* const found = std::get_if<std::string>(&from.of);
    if (found != nullptr) to = std::move(*found);
    return found != nullptr;
  } else if constexpr (optional_like<T>) {
    if (std::holds_alternative<std::monostate>(from.of)) {
      to = T{};
      return true;
    }
    typename T::value_type value{};
    if (!from_plain(from, value)) return false;
    to = std::move(value);
    return true;
  } else if constexpr (growing_range<T>) {
    auto* const found = std::get_if<plain_value::list>(&from.of);
    if (found == nullptr) return false;
    T all{};
    for (plain_value& element : *found) {
      typename T::value_type value{};
      if (!from_plain(element, value)) return false;
      all.insert(all.end(), std::move(value));
    }
    to = std::move(all);
    return true;
  } else if constexpr (is_reflectable<T>) {
    auto* const found = std::get_if<plain_value::record>(&from.of);
    if (found == nullptr) return false;
    bool good = true;
    for_each_field(to, [&](std::string_view name, auto& field) {
      for (auto& [old_name, value] : *found)
        if (old_name == name) good = good && from_plain(value, field);
    });
    return good;
  } else {
    return false;
  }
}

}  // namespace otter::detail
