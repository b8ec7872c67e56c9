#pragma once

// otter/detail/to_plain.hpp - a value without its type, made of one that has one.
//
//   otter::detail::to_plain()       of a value; false, and where, if it cannot be
//   otter::detail::plain_of_part()  the same for another module, which is thrown nothing

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <otter/detail/misfit.hpp>
#include <otter/detail/plain_value.hpp>
#include <otter/detail/throw_probe.hpp>
#include <otter/detail/unwinding.hpp>
#include <otter/reflection.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace otter::detail {

template <class T>
bool to_plain(T const& from, plain_value& to, misfit& why, unsigned room = max_plain_depth);

template <class T>
bool to_plain_list(T const& from, plain_value& to, misfit& why, unsigned room) {
  plain_value::list all;
  for (auto&& element : from) {
    plain_value& out = all.emplace_back();
    if constexpr (plain_map<T>) {
      plain_value::list pair(2);
      out.type = type_name<typename T::value_type>();
      if (!to_plain(element.first, pair[0], why, room - 1) ||
          !to_plain(element.second, pair[1], why, room - 1))
        return why.at(pair[0], all.size() - 1);
      out.of = plain_value::tuple{std::move(pair)};
    } else {
      typename T::value_type const& value = element;  // of vector<bool> it is made here
      if (!to_plain(value, out, why, room - 1)) return why.at(all.size() - 1);
    }
  }
  to.of = std::move(all);
  return true;
}

template <class T>
bool to_plain_variant(T const& from, plain_value& to, misfit& why, unsigned room) {
  if (from.valueless_by_exception()) return why.of("no value", type_name<T>(), "any other", {});
  bool good = false;
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    const auto keep = [&]<std::size_t Index>(std::integral_constant<std::size_t, Index>) {
      plain_value::list value(1);
      good = to_plain(*std::get_if<Index>(&from), value[0], why, room - 1);
      to.of = plain_value::alternative{type_name<std::variant_alternative_t<Index, T>>(),
                                       same_before<T, Index>(), std::move(value)};
    };
    static_cast<void>(
        ((from.index() == I && (keep(std::integral_constant<std::size_t, I>{}), true)) || ...));
  }
  (std::make_index_sequence<std::variant_size_v<T>>{});
  return good;
}

template <class T>
bool to_plain_expected(T const& from, plain_value& to, misfit& why, unsigned room) {
  plain_value::list part(1);
  bool good = true;
  if (!from.has_value())
    good = to_plain(from.error(), part[0], why, room - 1);
  else if constexpr (!std::is_void_v<typename T::value_type>)
    good = to_plain(*from, part[0], why, room - 1);
  to.of = plain_value::alternative{from.has_value() ? expected_value : expected_error, 0,
                                   std::move(part)};
  return good;
}

template <class T>
bool to_plain_maybe(bool there, T const* value, plain_value& to, misfit& why, unsigned room) {
  to.of = std::monostate{};
  if (!there) return true;
  plain_value inside;
  if (!to_plain(*value, inside, why, room - 1)) return false;
  if (std::holds_alternative<std::monostate>(inside.of) ||
      std::holds_alternative<plain_value::something>(inside.of)) {
    plain_value::list one;
    one.push_back(std::move(inside));
    to.of = plain_value::something{std::move(one)};
  } else {
    to = std::move(inside);
  }
  return true;
}

template <class T>
bool to_plain(T const& from, plain_value& to, misfit& why, unsigned room) {
  to.type = type_name<T>();
  if (room == 0)
    return why.of("a value", to.type, "any other", "it lies deeper than 64 values within another");
  if constexpr (std::is_same_v<T, bool>) {
    to.of = from;
  } else if constexpr (std::is_enum_v<T>) {
    const bool good = to_plain(static_cast<std::underlying_type_t<T>>(from), to, why, room);
    to.type = type_name<T>();
    return good;
  } else if constexpr (std::is_integral_v<T>) {
    if (std::is_signed_v<T> && from < T{})
      to.of = static_cast<std::int64_t>(from);
    else
      to.of = static_cast<std::uint64_t>(from);
  } else if constexpr (std::is_floating_point_v<T>) {
    to.of = static_cast<double>(from);
    if (static_cast<T>(static_cast<double>(from)) != from && !std::isnan(from))
      return why.of(to, "double");
  } else if constexpr (plain_text<T>) {
    to.of = std::string(from);
  } else if constexpr (is_duration<T>) {
    using rep = typename T::rep;
    using count =
        std::conditional_t<std::is_floating_point_v<rep>, double,
                           std::conditional_t<std::is_signed_v<rep>, std::int64_t, std::uint64_t>>;
    to.of = plain_value::duration{static_cast<count>(from.count()), T::period::num, T::period::den};
  } else if constexpr (is_owner<T>) {
    return to_plain_maybe(from != nullptr, from.get(), to, why, room);
  } else if constexpr (is_expected<T>) {
    return to_plain_expected(from, to, why, room);
  } else if constexpr (optional_like<T>) {
    return to_plain_maybe(from.has_value(), from.has_value() ? &*from : nullptr, to, why, room);
  } else if constexpr (range_like<T>) {
    return to_plain_list(from, to, why, room);
  } else if constexpr (plain_variant<T>) {
    return to_plain_variant(from, to, why, room);
  } else if constexpr (has_own_parts<T>) {
    plain_value::list parts(std::tuple_size_v<T>);
    const bool good = [&]<std::size_t... I>(std::index_sequence<I...>) {
      using std::get;
      return ((to_plain(get<I>(from), parts[I], why, room - 1) || why.at(I)) && ...);
    }
    (std::make_index_sequence<std::tuple_size_v<T>>{});
    to.of = plain_value::tuple{std::move(parts)};
    return good;
  } else if constexpr (is_reflectable<T>) {
    plain_value::record all;
    bool good = true;
    for_each_field(from, [&](std::string_view name, auto const& field) {
      all.emplace_back(name, plain_value{});
      good = good && (to_plain(field, all.back().second, why, room - 1) || why.inside(name));
    });
    to.of = std::move(all);
    return good;
  } else {
    to.of = plain_value::whole{&descriptor_of<T>(), std::addressof(from)};
  }
  return true;
}

/// Runs `f()`; what it throws is no fit: the border of the module.
template <class F>
bool guard_conversion(std::string_view from, std::string_view to, misfit& why, F&& f) {
  try {
    return f();
  } catch (unwinding const&) {
    throw;
  } catch (throw_probe const&) {
    return false;  // never: it notes where what comes below was thrown
  } catch (...) {
    return why.thrown(from, to);
  }
}

template <class T>
bool plain_of_part(void const* from, plain_value& to, misfit& why) {
  return guard_conversion(type_name<T>(), "any other", why,
                          [&] { return to_plain(*static_cast<T const*>(from), to, why); });
}

}  // namespace otter::detail
