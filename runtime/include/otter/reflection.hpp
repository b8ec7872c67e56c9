#pragma once

// otter/reflection.hpp - looking into plain structs, without macros.
//
//   otter::reflectable<T>            whether it can be done
//   otter::field_count<T>            how many fields
//   otter::field_name<T, I>          "by" of struct add { int by; }
//   otter::field_type<T, I>
//   otter::for_each_field(v, f)      f(name, field) for each, in order
//   otter::with_fields(v, f)         f(field...) once
//   otter::layout_version<T>         for a class whose layout cannot be seen from outside
//
// Reflectable is an aggregate of at most 32 fields with no bases, arrays, unions, references or
// bit-fields directly in it. Anything else gives `false`, never an error: it is a fine message
// within a node, but is printed by its name and cannot be converted field by field. std::array
// and std::vector are fine as fields.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <otter/detail/bindings.hpp>
#include <otter/type_name.hpp>
#include <string_view>
#include <type_traits>
#include <utility>

namespace otter {

/// A class with private members can change its layout without showing it. Give it another number
/// each time that it does, and two versions of it are never taken for one type:
///
///     template <> inline constexpr std::uint64_t otter::layout_version<session_key> = 2;
template <class T>
inline constexpr std::uint64_t layout_version = 0;

namespace detail {

inline constexpr std::size_t max_fields = 32;

// --- how many fields: with how many initializers can a T be made? ---

#if defined(__clang__)  // these conversions are only asked about, never made
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wundefined-internal"
#endif

/// Converts to whatever a field is, but not to T itself: that would be a copy.
template <class T>
struct any_field_of {
  template <class U>
  requires(!std::is_same_v<U, T>) operator U() const noexcept;
};
template <class T>
struct any_base_of {
  template <class U>
  requires(std::is_base_of_v<U, T> && !std::is_same_v<U, T>) operator U() const noexcept;
};
struct any_union {
  template <class U>
  requires std::is_union_v<U>
  operator U() const noexcept;
};
struct fits_nothing {};  // what takes this takes everything, as std::any does

#if defined(__clang__)
#pragma clang diagnostic pop
#endif

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wmissing-braces"
#endif
#endif

template <class T, std::size_t... Before>
constexpr bool takes(std::index_sequence<Before...>) noexcept {
  return requires { T{(void(Before), any_field_of<T>{})...}; };
}
template <class T, std::size_t... Before>
constexpr bool takes_one_more(std::index_sequence<Before...>) noexcept {
  return requires { T{(void(Before), any_field_of<T>{})..., {}}; };
}

template <class T, std::size_t... Before, std::size_t... After>
constexpr bool takes_braces_at(std::index_sequence<Before...>,
                               std::index_sequence<After...>) noexcept {
  return requires {
    T{(void(Before), any_field_of<T>{})..., {}, (void(After), any_field_of<T>{})...};
  };
}
template <class T, std::size_t... Before, std::size_t... After>
constexpr bool takes_union_at(std::index_sequence<Before...>,
                              std::index_sequence<After...>) noexcept {
  return requires {
    T{(void(Before), any_field_of<T>{})..., any_union{}, (void(After), any_field_of<T>{})...};
  }
  &&!requires {
    T{(void(Before), any_field_of<T>{})..., fits_nothing{}, (void(After), any_field_of<T>{})...};
  };
}

/// An array takes several initializers from the row. In braces of its own it leaves too many over,
/// and is content with fewer. A class that braces cannot make is not content with any number.
template <class T, std::size_t Before, std::size_t All, std::size_t After = All - Before - 1>
constexpr bool is_array_at() noexcept {
  if constexpr (takes_braces_at<T>(std::make_index_sequence<Before>{},
                                   std::make_index_sequence<After>{})) {
    return After != All - Before - 1;
  } else if constexpr (After == 0) {
    return false;
  } else {
    return is_array_at<T, Before, All, After - 1>();
  }
}

template <class T, std::size_t Before, std::size_t All>
constexpr bool one_initializer_per_field() noexcept {
  return !is_array_at<T, Before, All>() &&
         !takes_union_at<T>(std::make_index_sequence<Before>{},
                            std::make_index_sequence<All - Before - 1>{});
}

/// Also true of a first field that takes everything, which cannot be told from a base that does.
template <class T>
concept has_bases = requires {
  T{any_base_of<T>{}};
};

#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

inline constexpr std::size_t not_countable = max_fields + 1;

template <class T, std::size_t N>
constexpr std::size_t count_down() noexcept {
  if constexpr (takes<T>(std::make_index_sequence<N>{})) {
    return N;
  } else if constexpr (N == 0) {
    return not_countable;
  } else {
    return count_down<T, N - 1>();
  }
}

template <class T, std::size_t... I>
constexpr bool all_single(std::index_sequence<I...>) noexcept {
  return (one_initializer_per_field<T, I, sizeof...(I)>() && ...);
}

template <class T>
constexpr std::size_t count_fields() noexcept {
  if constexpr (!std::is_aggregate_v<T> || !std::is_class_v<T> || std::is_polymorphic_v<T> ||
                requires { std::tuple_size<T>::value; }) {
    return not_countable;
  } else if constexpr (std::is_empty_v<T>) {
    return has_bases<T> ? not_countable : 0;
  } else if constexpr (has_bases<T>) {
    return not_countable;
  } else {
    // No field is smaller than a byte, but for bit-fields, and these are refused.
    constexpr std::size_t most = sizeof(T) < not_countable ? sizeof(T) : not_countable;
    constexpr std::size_t count = count_down<T, most>();
    if constexpr (count == 0 || count == not_countable) {
      return not_countable;
    } else if constexpr (takes_one_more<T>(std::make_index_sequence<count>{})) {
      return not_countable;  // a field that only braces can make
    } else if constexpr (!all_single<T>(std::make_index_sequence<count>{})) {
      return not_countable;
    } else {
      return count;
    }
  }
}

template <class T>
inline constexpr std::size_t counted_fields = count_fields<T>();

// --- of which types ---

template <class T>
using declared_fields = decltype(binding_types<counted_fields<T>>(std::declval<T&>()));

template <std::size_t Index, class List>
struct nth_type;
template <class First, class... Rest>
struct nth_type<0, type_list<First, Rest...>> {
  using type = First;
};
template <std::size_t Index, class First, class... Rest>
struct nth_type<Index, type_list<First, Rest...>> : nth_type<Index - 1, type_list<Rest...>> {};

/// Whether fields of these types, laid out one after the other, make up a T: not so with most
/// bit-fields, with alignas on a field and with [[no_unique_address]].
template <class T, class... Fields>
constexpr bool fields_fill(type_list<Fields...>) noexcept {
  if constexpr (((std::is_reference_v<Fields> || std::is_array_v<Fields>) || ...)) {
    return false;
  } else {
    std::size_t end = 0;
    ((end = (end + alignof(Fields) - 1) / alignof(Fields) * alignof(Fields) + sizeof(Fields)), ...);
    end = (end + alignof(T) - 1) / alignof(T) * alignof(T);
    return end == sizeof(T) || sizeof...(Fields) == 0;
  }
}

// --- their names: a pointer to the field, as a template argument, is spelled out ---

#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wundefined-var-template"
#pragma clang diagnostic ignored "-Wundefined-internal"
#pragma clang diagnostic ignored "-Wreturn-stack-address"  // a bit-field; refused, see below
#endif

template <class T>
struct field_holder {
  T value;
};
template <class T>
extern const field_holder<T> never_defined;  // only its fields' addresses are used, by the compiler

template <std::size_t>
using skipped_pointer = const volatile void*;

template <class Skip>
struct nth_pointer;
template <std::size_t... Skip>
struct nth_pointer<std::index_sequence<Skip...>> {
  template <class Field, class... Rest>
  static constexpr const Field* of(skipped_pointer<Skip>..., const Field* field, const Rest*...) {
    return field;
  }
};

/// The address of a field within never_defined. That of a bit-field is the address of a temporary,
/// and so no constant: that is how bit-fields are found.
template <class T, std::size_t Index>
consteval auto field_address() noexcept {
  return with_bindings<counted_fields<T>>(never_defined<T>.value, [](const auto&... fields) {
    return nth_pointer<std::make_index_sequence<Index>>::of(__builtin_addressof(fields)...);
  });
}

template <class Pointer>
struct boxed {  // clang 16 takes no pointer to a member of an object, but a struct that holds one
  Pointer pointer;
};
template <class Pointer>
boxed(Pointer) -> boxed<Pointer>;

template <boxed Address>
constexpr auto address_signature() noexcept {
  return std::string_view{__PRETTY_FUNCTION__};
}

template <class T, std::size_t Index>
concept field_has_name = requires {
  address_signature<boxed{field_address<T, Index>()}>();
};

template <class T, std::size_t Index>
constexpr std::string_view find_field_name() noexcept {
  // gcc:   ... = box<const int*>{(& never_defined<add>.field_holder<add>::value.add::by)}]
  // clang: ... = box<const int *>{&never_defined.value.by}]
  constexpr std::string_view signature = address_signature<boxed{field_address<T, Index>()}>();
  constexpr std::size_t end = signature.find_last_not_of("]}) ") + 1;
  constexpr std::size_t begin = signature.find_last_of(".:> ", end - 1) + 1;
  return signature.substr(begin, end - begin);
}

#if defined(__clang__)
#pragma clang diagnostic pop
#endif

template <class T, std::size_t... I>
constexpr bool all_named(std::index_sequence<I...>) noexcept {
  return (field_has_name<T, I> && ...);
}

template <class T>
constexpr bool find_reflectable() noexcept {
  if constexpr (counted_fields<T> == not_countable) {
    return false;
  } else if constexpr (!fields_fill<T>(declared_fields<T>{})) {
    return false;
  } else {
    return all_named<T>(std::make_index_sequence<counted_fields<T>>{});
  }
}

template <class T>
inline constexpr bool is_reflectable = find_reflectable<T>();

}  // namespace detail

/// Whether the fields of `T` can be told.
template <class T>
concept reflectable = detail::is_reflectable<std::remove_cvref_t<T>>;

template <reflectable T>
inline constexpr std::size_t field_count = detail::counted_fields<std::remove_cvref_t<T>>;

template <reflectable T, std::size_t Index>
inline constexpr std::string_view field_name =
    detail::find_field_name<std::remove_cvref_t<T>, Index>();

/// Without const.
template <reflectable T, std::size_t Index>
using field_type = std::remove_cv_t<
    typename detail::nth_type<Index, detail::declared_fields<std::remove_cvref_t<T>>>::type>;

/// Calls `f(field...)` with all fields of `value` and gives what it gives.
template <class T, class F>
requires reflectable<T>
constexpr decltype(auto) with_fields(T& value, F&& f) {
  return detail::with_bindings<field_count<T>>(value, f);
}

/// Calls `f(name, field)` for each field of `value`, in order.
template <class T, class F>
requires reflectable<T>
constexpr void for_each_field(T& value, F&& f) {
  with_fields(value, [&](auto&... fields) {
    [&]<std::size_t... I>(std::index_sequence<I...>) { (f(field_name<T, I>, fields), ...); }
    (std::index_sequence_for<decltype(fields)...>{});
  });
}

namespace detail {

// --- shapes of the standard library's types, known by what they offer: no headers needed ---

/// As std::optional: a value_type, or nothing.
template <class T>
concept optional_like = requires(const T& v) {
  typename T::value_type;
  { v.has_value() } -> std::same_as<bool>;
  { *v } -> std::same_as<const typename T::value_type&>;
};

template <class T>
concept tuple_like = requires {
  std::tuple_size<T>::value;
}
&&!requires { typename T::iterator; };

template <class T>
concept range_like = requires(const T& v) {
  typename T::value_type;
  v.begin() != v.end();
  *v.begin();
}
&&!std::is_same_v<typename T::value_type, T>;  // a path is a range of paths

template <class T>
concept variant_like = requires(const T& v) {
  { v.valueless_by_exception() } -> std::same_as<bool>;
  v.index();
};

template <class T>
concept pointer_like = requires(const T& v) {
  typename T::element_type;
  v.get();
}
&&!range_like<T>;

template <class T>
struct template_arguments {
  using type = type_list<>;
};
template <template <class...> class C, class... Arguments>
struct template_arguments<C<Arguments...>> {
  using type = type_list<Arguments...>;
};
template <class T>
using template_arguments_t = typename template_arguments<T>::type;

template <class T>
concept complete = requires {
  sizeof(T);
};

/// Calls f(alternative) with the one that `v` holds. get_if is found where T is from.
template <class T, class F, std::size_t Index = 0>
constexpr void visit_variant(const T& v, const F& f) {
  if constexpr (Index < decltype([]<class... A>(type_list<A...>) {
                  return std::integral_constant<std::size_t, sizeof...(A)>{};
                }(template_arguments_t<T>{}))::value) {
    if (v.index() == Index) {
      f(*get_if<Index>(&v));
    } else {
      visit_variant<T, F, Index + 1>(v, f);
    }
  }
}

// --- layout digest ---

template <class T, class... Seen>
constexpr std::uint64_t digest() noexcept;

template <class T, class... Seen>
constexpr std::uint64_t digest_if_complete() noexcept {
  if constexpr (complete<T>) {
    return digest<T, Seen...>();
  } else {
    return hash_text(type_name<T>());
  }
}

template <class... Seen, class... Types>
constexpr std::uint64_t digest_all(type_list<Types...>, std::uint64_t hash) noexcept {
  ((hash = hash_number(digest_if_complete<std::remove_cv_t<Types>, Seen...>(), hash)), ...);
  return hash;
}

template <class T, class... Seen, std::size_t... I>
constexpr std::uint64_t digest_fields(std::index_sequence<I...>, std::uint64_t hash) noexcept {
  ((hash = hash_number(digest<field_type<T, I>, Seen...>(), hash_text(field_name<T, I>, hash))),
   ...);
  return hash;
}

template <class T, class... Seen>
constexpr std::uint64_t digest() noexcept {
  constexpr std::uint64_t outside =
      hash_number(layout_version<T>,
                  hash_number(alignof(T), hash_number(sizeof(T), hash_text(type_name<T>()))));
  if constexpr ((std::is_same_v<T, Seen> || ...)) {
    return outside;  // a tree refers to itself through a vector
  } else if constexpr (std::is_enum_v<T>) {
    return hash_text(type_name<std::underlying_type_t<T>>(), outside);
  } else if constexpr (!std::is_class_v<T> || pointer_like<T>) {
    return outside;
  } else if constexpr (is_reflectable<T>) {
    return digest_fields<T, Seen..., T>(std::make_index_sequence<counted_fields<T>>{}, outside);
  } else if constexpr (template_arguments_t<T>::size != 0) {
    return digest_all<Seen..., T>(template_arguments_t<T>{}, outside);
  } else if constexpr (range_like<T>) {  // std::array, whose arguments are not all types
    return hash_number(digest_if_complete<typename T::value_type, Seen..., T>(), outside);
  } else {
    return outside;
  }
}

/// Of names and types of all fields, in order, recursively, as far as they can be seen.
template <class T>
inline constexpr std::uint64_t layout_digest = digest<T>();

// --- equality, by == or field by field. A promise that it compiles: std::vector offers == for
// elements that have none, and only breaks when it is used. ---

template <class T, class... Around>
constexpr bool find_comparable() noexcept;

template <class... Around, class... Types>
constexpr bool all_comparable(type_list<Types...>) noexcept {
  return (find_comparable<std::remove_cv_t<Types>, Around...>() && ...);
}
template <class T, class... Around, std::size_t... I>
constexpr bool all_elements_comparable(std::index_sequence<I...>) noexcept {
  return (
      find_comparable<std::remove_cvref_t<typename std::tuple_element<I, T>::type>, Around...>() &&
      ...);
}

template <class T, class... Around>
constexpr bool find_comparable() noexcept {
  if constexpr ((std::is_same_v<T, Around> || ...)) {
    return true;  // a tree, if the rest of it is
  } else if constexpr (optional_like<T> || range_like<T>) {
    return find_comparable<std::remove_cv_t<typename T::value_type>, T, Around...>();
  } else if constexpr (tuple_like<T>) {
    return all_elements_comparable<T, T, Around...>(
        std::make_index_sequence<std::tuple_size<T>::value>{});
  } else if constexpr (variant_like<T>) {
    return all_comparable<T, Around...>(template_arguments_t<T>{});
  } else if constexpr (requires(const T& a, const T& b) { static_cast<bool>(a == b); }) {
    return true;
  } else if constexpr (is_reflectable<T>) {
    return all_comparable<T, Around...>(declared_fields<T>{});
  } else {
    return false;
  }
}

template <class T>
inline constexpr bool comparable = find_comparable<T>();

template <class T>
constexpr bool equal_values(const T& a, const T& b) {
  if constexpr (optional_like<T>) {
    return a.has_value() == b.has_value() && (!a.has_value() || equal_values(*a, *b));
  } else if constexpr (range_like<T>) {
    if constexpr (requires {
                    a.find(*a.begin());
                    a.bucket_count();
                  }) {
      return a == b;  // unordered: equal in any order
    } else {
      auto x = a.begin();
      auto y = b.begin();
      for (; x != a.end() && y != b.end(); ++x, ++y) {
        const typename T::value_type& left = *x;
        const typename T::value_type& right = *y;
        if (!equal_values(left, right)) return false;
      }
      return !(x != a.end()) && !(y != b.end());
    }
  } else if constexpr (tuple_like<T>) {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      using std::get;
      return (equal_values(get<I>(a), get<I>(b)) && ...);
    }
    (std::make_index_sequence<std::tuple_size<T>::value>{});
  } else if constexpr (variant_like<T>) {
    if (a.index() != b.index()) return false;
    bool equal = true;  // both valueless
    visit_variant(a, [&]<class A>(const A& left) {
      visit_variant(b, [&]<class B>(const B& right) {
        if constexpr (std::is_same_v<A, B>) equal = equal_values(left, right);
      });
    });
    return equal;
  } else if constexpr (requires { static_cast<bool>(a == b); }) {
    return static_cast<bool>(a == b);
  } else {
    return with_fields(a, [&](const auto&... left) {
      return with_fields(b,
                         [&](const auto&... right) { return (equal_values(left, right) && ...); });
    });
  }
}

// --- copying, likewise a promise that it compiles: a vector of unique_ptr claims to be copyable
// ---

template <class T, class... Around>
constexpr bool find_copyable() noexcept;

template <class... Around, class... Types>
constexpr bool all_copyable(type_list<Types...>) noexcept {
  return (find_copyable<std::remove_cv_t<Types>, Around...>() && ...);
}
template <class T, class... Around, std::size_t... I>
constexpr bool all_elements_copyable(std::index_sequence<I...>) noexcept {
  return (
      find_copyable<std::remove_cvref_t<typename std::tuple_element<I, T>::type>, Around...>() &&
      ...);
}

template <class T, class... Around>
constexpr bool find_copyable() noexcept {
  if constexpr ((std::is_same_v<T, Around> || ...)) {
    return true;  // a tree, if the rest of it is
  } else if constexpr (!std::is_copy_constructible_v<T>) {
    return false;
  } else if constexpr (std::is_trivially_copy_constructible_v<T>) {
    return true;
  } else if constexpr (optional_like<T> || range_like<T>) {
    return find_copyable<std::remove_cv_t<typename T::value_type>, T, Around...>();
  } else if constexpr (tuple_like<T>) {
    return all_elements_copyable<T, T, Around...>(
        std::make_index_sequence<std::tuple_size<T>::value>{});
  } else if constexpr (variant_like<T>) {
    return all_copyable<T, Around...>(template_arguments_t<T>{});
  } else if constexpr (is_reflectable<T>) {
    return all_copyable<T, Around...>(declared_fields<T>{});
  } else {
    // An unknown class may hold a vector of unique_ptr. Those of the library and ours do not.
    return type_name<T>().starts_with("std::") || type_name<T>().starts_with("otter::");
  }
}

template <class T>
inline constexpr bool copyable = find_copyable<T>();

}  // namespace detail

}  // namespace otter
