#pragma once

// otter/detail/key_text.hpp - a key as bytes: equal keys, equal bytes.
//
//   otter::detail::key_text()   the bytes
//
// So tables compare keys without calling anything of their users.

#include <concepts>
#include <cstdint>
#include <otter/pid.hpp>
#include <otter/ref.hpp>
#include <otter/reflection.hpp>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace otter::detail {

template <class T>
inline constexpr bool always_false = false;

inline void append_number(std::string& out, std::uint64_t number) {
  for (int byte = 0; byte != 8; ++byte, number >>= 8) out += static_cast<char>(number & 0xff);
}
inline void append_counted(std::string& out, std::string_view bytes) {
  append_number(out, bytes.size());
  out += bytes;
}

/// One part of a key. Each says where it ends, so that no two keys share their bytes.
template <class T>
void append_key(std::string& out, T const& part) {
  if constexpr (std::is_convertible_v<T const&, std::string_view>) {
    append_counted(out, std::string_view(part));
  } else if constexpr (std::is_enum_v<T>) {
    append_number(out, static_cast<std::uint64_t>(static_cast<std::underlying_type_t<T>>(part)));
  } else if constexpr (std::is_integral_v<T>) {
    append_number(out, static_cast<std::uint64_t>(part));
  } else if constexpr (std::is_same_v<T, pid>) {
    char text[max_pid_text];
    append_counted(out, {text, pid_text(part, text)});
  } else if constexpr (std::derived_from<T, ref>) {
    char text[max_ref_text];
    append_counted(out, {text, ref_text(part, text)});
  } else if constexpr (tuple_like<T>) {
    std::apply([&](auto const&... parts) { (append_key(out, parts), ...); }, part);
  } else if constexpr (reflectable<T>) {
    for_each_field(part, [&](std::string_view, auto const& field) { append_key(out, field); });
  } else {
    static_assert(always_false<T>,
                  "otter: a key is a text, an integer, an enumeration, a pid or a ref, or a pair, "
                  "tuple or plain struct of such");
  }
}

template <class Key>
inline constexpr bool is_text_key = std::is_convertible_v<Key const&, std::string_view>;

/// A key that is a text is its own bytes.
template <class Key>
std::string key_text(Key const& key) {
  if constexpr (is_text_key<Key>) {
    return std::string(std::string_view(key));
  } else {
    std::string out;
    append_key(out, key);
    return out;
  }
}

}  // namespace otter::detail
