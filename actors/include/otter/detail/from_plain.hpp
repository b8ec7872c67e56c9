#pragma once

// otter/detail/from_plain.hpp - a value of a type, made of one without its type.
//
//   otter::detail::from_plain()   false, and where, if it does not fit exactly
//
// What is there before is a default, and stays one where nothing comes in its place. If it is
// false, it may be half of both.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <otter/detail/misfit.hpp>
#include <otter/detail/plain_value.hpp>
#include <otter/reflection.hpp>
#include <otter/type_descriptor.hpp>
#include <otter/type_name.hpp>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <type_traits>
#include <utility>
#include <variant>

namespace otter::detail {

template <class T>
bool from_plain(plain_value& from, T& to, misfit& why);

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

/// It is `count`/`parts` of units of numerator/denominator seconds, in lowest terms; false if that
/// is beyond 64 bits.
bool rescale(plain_value::duration const& from, std::intmax_t numerator, std::intmax_t denominator,
             std::int64_t& count, std::int64_t& parts) noexcept;

template <class T>
bool duration_fits(plain_value::duration const& from, T& to) {
  typename T::rep result{};
  if (from.numerator == T::period::num && from.denominator == T::period::den) {
    if (!std::visit([&](auto n) { return number_fits(n, result); }, from.count)) return false;
  } else {
    std::int64_t count = 0;
    std::int64_t parts = 0;
    if (!rescale(from, T::period::num, T::period::den, count, parts)) return false;
    if (!number_fits(count, result)) return false;
    if (parts != 1) {
      // A binary fraction is exact as long as the count is.
      if constexpr (!std::is_floating_point_v<typename T::rep>) return false;
      if ((parts & (parts - 1)) != 0) return false;
      result /= static_cast<typename T::rep>(parts);
    }
  }
  to = T(result);
  return true;
}

/// Makes an E of it and gives that to `keep`.
template <class E, class Keep>
bool made_of_plain(plain_value& from, misfit& why, Keep&& keep) {
  if constexpr (std::is_default_constructible_v<E> && std::is_move_constructible_v<E>) {
    E value{};
    if (!from_plain(from, value, why)) return false;
    keep(std::move(value));
    return true;
  } else {
    return why.of(from, type_name<E>(), "that has no default constructor");
  }
}

template <class T>
bool from_plain_array(plain_value& from, T& to, misfit& why) {
  auto* const found = std::get_if<plain_value::list>(&from.of);
  if (found == nullptr) return why.of(from, type_name<T>());
  if (found->size() != std::tuple_size_v<T>)
    return why.of(from, type_name<T>(), "the lengths differ");
  for (std::size_t i = 0; i != found->size(); ++i)
    if (!from_plain((*found)[i], to[i], why)) return why.at(i);
  return true;
}

template <class T>
bool from_plain_list(plain_value& from, T& to, misfit& why) {
  auto* const found = std::get_if<plain_value::list>(&from.of);
  if (found == nullptr) return why.of(from, type_name<T>());
  T all{};
  for (std::size_t i = 0; i != found->size(); ++i) {
    [[maybe_unused]] const std::size_t before = all.size();
    if (!made_of_plain<typename T::value_type>(
            (*found)[i], why, [&](auto&& value) { all.insert(all.end(), std::move(value)); }))
      return why.at(i);
    if constexpr (plain_set<T>) {
      if (all.size() == before) {
        why.of((*found)[i], type_name<typename T::value_type>(), "there is an equal one");
        return why.at(i);
      }
    }
  }
  to = std::move(all);
  return true;
}

template <class T>
bool from_plain_map(plain_value& from, T& to, misfit& why) {
  auto* const found = std::get_if<plain_value::list>(&from.of);
  if (found == nullptr) return why.of(from, type_name<T>());
  T all{};
  for (std::size_t i = 0; i != found->size(); ++i) {
    auto* const pair = std::get_if<plain_value::tuple>(&(*found)[i].of);
    if (pair == nullptr || pair->parts.size() != 2) {
      why.of((*found)[i], type_name<typename T::value_type>());
      return why.at(i);
    }
    const std::size_t before = all.size();
    // The value first: the key, which says where that is, is still whole then.
    if (!made_of_plain<typename T::mapped_type>(pair->parts[1], why, [&](auto&& value) {
          made_of_plain<typename T::key_type>(pair->parts[0], why, [&](auto&& key) {
            all.emplace(std::move(key), std::move(value));
          });
        }))
      return why.at(pair->parts[0], i);
    if (all.size() != before) continue;
    if (why.to.empty()) why.of("a key", {}, type_name<typename T::key_type>(), "it is there twice");
    return why.at(i);
  }
  to = std::move(all);
  return true;
}

template <class T>
bool from_plain_variant(plain_value& from, T& to, misfit& why) {
  auto* const held = std::get_if<plain_value::alternative>(&from.of);
  if (held != nullptr && held->name == expected_error) return why.of(from, type_name<T>());
  bool named = false;
  bool good = false;
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    const auto take = [&]<std::size_t Index>(std::integral_constant<std::size_t, Index>,
                                             plain_value value, misfit& failed) {
      using alternative = std::variant_alternative_t<Index, T>;
      return made_of_plain<alternative>(
          value, failed, [&](alternative&& made) { to.template emplace<Index>(std::move(made)); });
    };
    if (held != nullptr) {
      const auto try_named = [&]<std::size_t Index>(std::integral_constant<std::size_t, Index> i) {
        if (held->name != type_name<std::variant_alternative_t<Index, T>>()) return;
        named = true;
        if (held->which == same_before<T, Index>()) good = take(i, std::move(held->value[0]), why);
      };
      (try_named(std::integral_constant<std::size_t, I>{}), ...);
    }
    if (named) return;
    plain_value const& value = held != nullptr ? held->value[0] : from;
    const auto try_any = [&](auto i) {
      misfit another;
      good = take(i, value, another);  // a copy: who refuses may have moved of it
      return good;
    };
    static_cast<void>((try_any(std::integral_constant<std::size_t, I>{}) || ...));
  }
  (std::make_index_sequence<std::variant_size_v<T>>{});
  if (!good && why.to.empty()) why.of(from, type_name<T>(), "no alternative takes it");
  return good;
}

template <class T>
bool from_plain_expected(plain_value& from, T& to, misfit& why) {
  using error = typename T::error_type;
  auto* const held = std::get_if<plain_value::alternative>(&from.of);
  if (held != nullptr && held->name == expected_error)
    return made_of_plain<error>(held->value[0], why,
                                [&](error&& e) { to = tl::unexpected<error>(std::move(e)); });
  const bool value = held != nullptr && held->name == expected_value;
  if constexpr (std::is_void_v<typename T::value_type>) {
    if (!value || !held->value[0].type.empty()) return why.of(from, type_name<T>());
    to = T{};
    return true;
  } else {
    return made_of_plain<typename T::value_type>(
        value ? held->value[0] : from, why,
        [&](typename T::value_type&& made) { to = T(std::move(made)); });
  }
}

/// An optional or a unique_ptr.
template <class E, class T>
bool from_plain_maybe(plain_value& from, T& to, misfit& why) {
  if (std::holds_alternative<std::monostate>(from.of)) {
    to = T{};
    return true;
  }
  auto* const something = std::get_if<plain_value::something>(&from.of);
  return made_of_plain<E>(something != nullptr ? something->value[0] : from, why, [&](E&& made) {
    if constexpr (is_owner<T>)
      to = std::make_unique<E>(std::move(made));
    else
      to = std::move(made);
  });
}

template <class T>
bool from_plain_record(plain_value& from, T& to, misfit& why) {
  auto* const found = std::get_if<plain_value::record>(&from.of);
  if (found == nullptr) return why.of(from, type_name<T>());
  bool good = true;
  for_each_field(to, [&](std::string_view name, auto& field) {
    for (auto& [old_name, value] : *found)
      if (old_name == name) good = good && (from_plain(value, field, why) || why.inside(name));
  });
  return good;
}

template <class T>
bool from_plain_tuple(plain_value& from, T& to, misfit& why) {
  auto* const found = std::get_if<plain_value::tuple>(&from.of);
  if (found == nullptr || found->parts.size() != std::tuple_size_v<T>)
    return why.of(from, type_name<T>());
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    using std::get;
    return ((from_plain(found->parts[I], get<I>(to), why) || why.at(I)) && ...);
  }
  (std::make_index_sequence<std::tuple_size_v<T>>{});
}

template <class T>
bool from_plain_number(plain_value const& from, T& to, misfit& why) {
  const bool good = std::visit(
      [&]<class Held>(Held const& n) {
        if constexpr (std::is_arithmetic_v<Held> && !std::is_same_v<Held, bool>)
          return number_fits(n, to);
        else
          return false;
      },
      from.of);
  return good || why.of(from, type_name<T>());
}

/// What is no plain value, and was kept as it is.
template <class T>
bool from_whole(plain_value& from, T& to, misfit& why) {
  auto const* const found = std::get_if<plain_value::whole>(&from.of);
  if (found == nullptr || !same_type(*found->of, descriptor_of<T>()))
    return why.of(from, type_name<T>());
  if constexpr (copyable<T> && std::is_copy_assignable_v<T>) {
    to = *static_cast<T const*>(found->value);
    return true;
  } else {
    return why.of(from, type_name<T>(), "it can only be moved, and lies within what has changed");
  }
}

template <class T>
bool from_plain(plain_value& from, T& to, misfit& why) {
  if constexpr (std::is_const_v<T>) {
    return why.of(from, type_name<T>(), "that is const");
  } else if constexpr (is_expected<T>) {
    return from_plain_expected(from, to, why);
  } else if constexpr (plain_variant<T>) {
    return from_plain_variant(from, to, why);
  } else if constexpr (is_owner<T>) {
    return from_plain_maybe<typename T::element_type>(from, to, why);
  } else if constexpr (optional_like<T>) {
    return from_plain_maybe<typename T::value_type>(from, to, why);
  } else {
    if (auto* const held = std::get_if<plain_value::alternative>(&from.of)) {
      if (held->name == expected_error) return why.of(from, type_name<T>());
      return from_plain(held->value[0], to, why);
    }
    if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, std::string>) {
      auto* const found = std::get_if<T>(&from.of);
      if (found == nullptr) return why.of(from, type_name<T>());
      to = std::move(*found);
      return true;
    } else if constexpr (std::is_enum_v<T>) {
      std::underlying_type_t<T> number{};
      if (!from_plain_number(from, number, why)) return false;
      to = static_cast<T>(number);
      return true;
    } else if constexpr (std::is_arithmetic_v<T>) {
      return from_plain_number(from, to, why);
    } else if constexpr (is_duration<T>) {
      auto const* const found = std::get_if<plain_value::duration>(&from.of);
      return (found != nullptr && duration_fits(*found, to)) || why.of(from, type_name<T>());
    } else if constexpr (plain_map<T>) {
      return from_plain_map(from, to, why);
    } else if constexpr (fixed_range<T>) {
      return from_plain_array(from, to, why);
    } else if constexpr (growing_range<T>) {
      return from_plain_list(from, to, why);
    } else if constexpr (has_own_parts<T>) {
      return from_plain_tuple(from, to, why);
    } else if constexpr (is_reflectable<T>) {
      return from_plain_record(from, to, why);
    } else {
      return from_whole(from, to, why);
    }
  }
}

}  // namespace otter::detail
