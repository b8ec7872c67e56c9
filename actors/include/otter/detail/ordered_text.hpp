#pragma once

// otter/detail/ordered_text.hpp - a key as bytes that stand in the order of the keys.
//
//   otter::detail::table_text()   the bytes
//
// key_text() has equal bytes for equal keys. Here the order of the bytes, compared as unsigned
// characters, is that of the keys too: of numbers by size, of texts by their characters, of
// structs, pairs and tuples by the first part that differs. So an ordered table compares keys
// without calling anything of its users. No key is the beginning of another, but for plain texts.

#include <otter/detail/key_text.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace otter::detail {

/// Ends with two zeros, which stand before all that may follow the same beginning; a zero in it is
/// followed by 0xff.
void append_ordered_text(std::string& out, std::string_view text);

class ordered_key {
 public:
  /// The most significant byte first; of signed numbers the negative ones first.
  template <class Number>
  void number(Number n) {
    using bits = std::make_unsigned_t<Number>;
    constexpr unsigned width = 8 * sizeof(Number);
    auto all = static_cast<bits>(n);
    if constexpr (std::is_signed_v<Number>) all = static_cast<bits>(all ^ (bits{1} << (width - 1)));
    for (unsigned shift = width; shift != 0;) {
      shift -= 8;
      bytes_ += static_cast<char>((all >> shift) & 0xff);
    }
  }
  void number(bool yes) { bytes_ += yes ? '\1' : '\0'; }
  void text(std::string_view part) { append_ordered_text(bytes_, part); }
  std::string take() && noexcept { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// A key that is a text is its own bytes.
template <class Key>
auto table_text(Key const& key) {
  if constexpr (is_text_key<Key>) {
    return std::string_view(key);
  } else {
    ordered_key out;
    write_key(out, key);
    return std::move(out).take();
  }
}

}  // namespace otter::detail
