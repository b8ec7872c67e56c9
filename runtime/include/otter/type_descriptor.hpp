#pragma once

// otter/type_descriptor.hpp - what the runtime knows about the type of a message.
//
//   otter::type_descriptor          size, name, layout and operations of one type
//   otter::descriptor_of<T>()       the descriptor of T in this module
//   otter::same_type()              whether two descriptors mean one type
//   otter::relate()                 the same type, another version of it, or another type
//   otter::layout_version<T>        set by a class whose layout cannot be seen from outside
//
// A descriptor exists once per type and *module* (program or shared object). So equal addresses
// prove equal types, and different addresses prove nothing until same_type() has compared them.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <otter/print.hpp>
#include <otter/reflection.hpp>
#include <otter/type_name.hpp>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace otter {

class text_sink;

/// Whether another translation unit can name the same type.
enum class type_linkage : std::uint8_t {
  external,
  internal,  // unnamed namespace, local type, closure: equal to itself only
};

enum class type_relation : std::uint8_t {
  same,
  other_layout,  // one name and another layout: another version. Convert, never cast.
  different,
};

namespace detail {
/// Forbids copying, and lets its owner stay an aggregate.
struct stays_in_place {
  constexpr stays_in_place() noexcept = default;
  stays_in_place(const stays_in_place&) = delete;
  stays_in_place& operator=(const stays_in_place&) = delete;
};
}  // namespace detail

/// Describes one type, as one module sees it. Constant after compilation, never copied: its
/// address is its fast identity.
///
/// Operations that a type does not offer are null. They must not be called once the module is
/// unmapped; what is needed of a value beyond that has to be taken out before.
struct type_descriptor {
  std::string_view name;
  std::size_t size;
  std::size_t align;
  std::uint64_t layout;  // digest of field names and types, in order, recursively
  std::uint64_t key;     // name, size, align and layout in one number: differs => other type
  const void* module;    // the same address for all descriptors of one module

  /// Constructs at `to` from the value at `from`, which stays to be destroyed.
  void (*move_construct)(void* to, void* from);
  /// Null unless copying is known to compile; see detail::copyable.
  void (*copy_construct)(void* to, const void* from);
  void (*destroy)(void* value) noexcept;
  bool (*equal)(const void* a, const void* b);
  /// Never null: a type that cannot be printed prints its name.
  void (*print)(text_sink& out, const void* value);

  const std::type_info* rtti;  // only where the compiler's name hides what is local; else null
  type_linkage linkage;        // as far as the name tells; ask linkage_of()
  bool nothrow_move;
  bool trivially_destructible;

  [[no_unique_address]] detail::stays_in_place stays{};
};

/// True for one type in two modules too, if it has external linkage and the same layout in both.
/// Inline up to the first difference, since this decides every match of a receive.
///
/// Called from: any thread. Blocks: never. Throws: nothing.
[[nodiscard]] bool same_type(const type_descriptor& a, const type_descriptor& b) noexcept;

[[nodiscard]] type_relation relate(const type_descriptor& a, const type_descriptor& b) noexcept;

[[nodiscard]] type_linkage linkage_of(const type_descriptor& type) noexcept;

namespace detail {

/// Its address names the module that it is compiled into: hidden, so that no other module's copy
/// takes its place, and inline, so that there is one per module.
[[gnu::visibility("hidden")]] inline char module_mark = 0;

bool same_type_elsewhere(const type_descriptor& a, const type_descriptor& b) noexcept;

// The operations and the descriptor are hidden. If they were not, a module that brings a new
// version of a type would be bound to the operations that an older module exports under the same
// name.
template <class T>
struct [[gnu::visibility("hidden")]] type_operations {
  static void move_construct(void* to, void* from) {
    ::new (to) T(std::move(*static_cast<T*>(from)));
  }
  static void copy_construct(void* to, const void* from) {
    ::new (to) T(*static_cast<const T*>(from));
  }
  static void destroy(void* value) noexcept { std::destroy_at(static_cast<T*>(value)); }
  static bool equal(const void* a, const void* b) {
    return equal_values(*static_cast<const T*>(a), *static_cast<const T*>(b));
  }
  static void print(text_sink & out, const void* value) {
    print_value(out, *static_cast<const T*>(value));
  }

  static constexpr auto movable() noexcept->void (*)(void*, void*) {
    if constexpr (std::is_move_constructible_v<T>) return &move_construct;
    return nullptr;
  }
  static constexpr auto copyable_op() noexcept->void (*)(void*, const void*) {
    if constexpr (copyable<T>) return &copy_construct;
    return nullptr;
  }
  static constexpr auto comparable_op() noexcept->bool (*)(const void*, const void*) {
    if constexpr (comparable<T>) return &equal;
    return nullptr;
  }
  static constexpr const std::type_info* rtti() noexcept {
#if defined(__clang__) && defined(__cpp_rtti)
    return &typeid(T);
#else
    return nullptr;
#endif
  }

  static constexpr std::uint64_t key = hash_number(
      layout_digest<T>, hash_number(alignof(T), hash_number(sizeof(T), hash_text(type_name<T>()))));

  static constexpr type_descriptor descriptor{
      .name = type_name<T>(),
      .size = sizeof(T),
      .align = alignof(T),
      .layout = layout_digest<T>,
      .key = key,
      .module = &module_mark,
      .move_construct = movable(),
      .copy_construct = copyable_op(),
      .destroy = &destroy,
      .equal = comparable_op(),
      .print = &print,
      .rtti = rtti(),
      .linkage =
          names_internal_type(type_name<T>()) ? type_linkage::internal : type_linkage::external,
      .nothrow_move = std::is_nothrow_move_constructible_v<T>,
      .trivially_destructible = std::is_trivially_destructible_v<T>,
  };
};

}  // namespace detail

/// The descriptor of `T`, without const and reference, in the module that this is compiled into.
template <class T>
[[nodiscard, gnu::always_inline]] constexpr const type_descriptor& descriptor_of() noexcept {
  using value_type = std::remove_cvref_t<T>;
  static_assert(std::is_object_v<value_type> && !std::is_array_v<value_type>,
                "only objects can be sent: no functions, arrays or void");
  return detail::type_operations<value_type>::descriptor;
}

inline bool same_type(const type_descriptor& a, const type_descriptor& b) noexcept {
  return &a == &b || (a.key == b.key && detail::same_type_elsewhere(a, b));
}

}  // namespace otter
