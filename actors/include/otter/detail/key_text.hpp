#pragma once

// otter/detail/key_text.hpp - a key as bytes: equal keys, equal bytes.
//
//   otter::detail::key_text()    the bytes
//   otter::detail::write_key()   the parts of a key, for whoever makes other bytes of them
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
#include <utility>

namespace otter::detail {

template <class T>
inline constexpr bool always_false = false;

/// Hands the parts of a key to `out`, in order: each a text or an integer.
template <class Writer, class T>
void write_key(Writer& out, T const& part) {
  if constexpr (std::is_convertible_v<T const&, std::string_view>) {
    out.text(std::string_view(part));
  } else if constexpr (std::is_enum_v<T>) {
    out.number(static_cast<std::underlying_type_t<T>>(part));
  } else if constexpr (std::is_integral_v<T>) {
    out.number(part);
  } else if constexpr (std::is_same_v<T, pid>) {
    char text[max_pid_text];
    out.text({text, pid_text(part, text)});
  } else if constexpr (std::derived_from<T, ref>) {
    char text[max_ref_text];
    out.text({text, ref_text(part, text)});
  } else if constexpr (tuple_like<T>) {
    std::apply([&](auto const&... parts) { (write_key(out, parts), ...); }, part);
  } else if constexpr (reflectable<T>) {
    for_each_field(part, [&](std::string_view, auto const& field) { write_key(out, field); });
  } else {
    static_assert(always_false<T>,
                  "otter: a key is a text, an integer, an enumeration, a pid or a ref, or a pair, "
                  "tuple or plain struct of such");
  }
}

/// Each part says where it ends, so that no two keys share their bytes.
class counted_key {
 public:
  template <class Number>
  void number(Number n) {
    auto all = static_cast<std::uint64_t>(n);
    for (int byte = 0; byte != 8; ++byte, all >>= 8) bytes_ += static_cast<char>(all & 0xff);
  }
  void text(std::string_view part) {
    number(part.size());
    bytes_ += part;
  }
  std::string take() && noexcept { return std::move(bytes_); }

 private:
  std::string bytes_;
};

template <class Key>
inline constexpr bool is_text_key = std::is_convertible_v<Key const&, std::string_view>;

/// A key that is a text is its own bytes.
template <class Key>
std::string key_text(Key const& key) {
  if constexpr (is_text_key<Key>) {
    return std::string(std::string_view(key));
  } else {
    counted_key out;
    write_key(out, key);
    return std::move(out).take();
  }
}

}  // namespace otter::detail
