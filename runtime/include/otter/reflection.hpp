#pragma once
#include <otter/type_name.hpp>
namespace otter::detail {
template <class T>
inline constexpr std::uint64_t layout_digest =
    hash_number(alignof(T), hash_number(sizeof(T), hash_text(type_name<T>())));
template <class T>
inline constexpr bool comparable = requires(const T& a, const T& b) {
  static_cast<bool>(a == b);
};
template <class T>
bool equal_values(const T& a, const T& b) {
  return static_cast<bool>(a == b);
}
}  // namespace otter::detail
