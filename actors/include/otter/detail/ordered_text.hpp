#pragma once

// otter/detail/ordered_text.hpp - a key as bytes that stand in the order of the keys.
//
//   otter::detail::table_text()   the bytes
//
// key_text() has equal bytes for equal keys. Here the order of the bytes, compared as unsigned
// characters, is that of the keys too: of numbers by size, of texts by their characters, of
// structs, pairs and tuples by the first part that differs. So an ordered table compares keys
// without calling anything of its users. No key is the beginning of another, but for plain texts.

#include <concepts>
#include <cstdint>
#include <otter/detail/key_text.hpp>
#include <otter/pid.hpp>
#include <otter/ref.hpp>
#include <otter/reflection.hpp>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace otter::detail {

/// The most significant byte first; of signed numbers the negative ones first.
template <class Number>
void append_ordered_number(std::string& out, Number number) {
  using bits = std::make_unsigned_t<Number>;
  constexpr unsigned width = 8 * sizeof(Number);
  auto all = static_cast<bits>(number);
  if constexpr (std::is_signed_v<Number>) all = static_cast<bits>(all ^ (bits{1} << (width - 1)));
  for (unsigned shift = width; shift != 0;) {
    shift -= 8;
    out += static_cast<char>((all >> shift) & 0xff);
  }
}

/// Ends with two zeros, which stand before all that may follow the same beginning; a zero in it is
/// followed by 0xff.
void append_ordered_text(std::string& out, std::string_view text);

template <class T>
void append_ordered(std::string& out, T const& part) {
  if constexpr (std::is_convertible_v<T const&, std::string_view>) {
    append_ordered_text(out, std::string_view(part));
  } else if constexpr (std::is_same_v<T, bool>) {
    out += part ? '\1' : '\0';
  } else if constexpr (std::is_enum_v<T>) {
    append_ordered(out, static_cast<std::underlying_type_t<T>>(part));
  } else if constexpr (std::is_integral_v<T>) {
    append_ordered_number(out, part);
  } else if constexpr (std::is_same_v<T, pid>) {
    char text[max_pid_text];
    append_ordered_text(out, {text, pid_text(part, text)});
  } else if constexpr (std::derived_from<T, ref>) {
    char text[max_ref_text];
    append_ordered_text(out, {text, ref_text(part, text)});
  } else if constexpr (tuple_like<T>) {
    std::apply([&](auto const&... parts) { (append_ordered(out, parts), ...); }, part);
  } else if constexpr (reflectable<T>) {
    for_each_field(part, [&](std::string_view, auto const& field) { append_ordered(out, field); });
  } else {
    static_assert(always_false<T>,
                  "otter: a key is a text, an integer, an enumeration, a pid or a ref, or a pair, "
                  "tuple or plain struct of such");
  }
}

/// A key that is a text is its own bytes.
template <class Key>
auto table_text(Key const& key) {
  if constexpr (is_text_key<Key>) {
    return std::string_view(key);
  } else {
    std::string out;
    append_ordered(out, key);
    return out;
  }
}

}  // namespace otter::detail
