#pragma once

// otter/type_name.hpp - what a type is called, at compile time and without RTTI.
//
//   otter::type_name<T>()   the qualified name of T as its compiler spells it
//
// The name is for people and for telling types apart *together with* their layout. A name alone
// proves nothing: two files may each have their own `ping` in an unnamed namespace, and the two
// have one name. See same_type() in otter/type_descriptor.hpp.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace otter {

namespace detail {

template <class T>
constexpr auto type_signature() noexcept {  // `auto`: gcc would list a named result type too
  return std::string_view{__PRETTY_FUNCTION__};
}

// Where the name stands in the signature is the same for every type: measured once with one
// that is spelled alike everywhere.
inline constexpr std::size_t type_name_begin = type_signature<double>().find("double");
inline constexpr std::size_t type_name_tail =
    type_signature<double>().size() - type_name_begin - std::string_view{"double"}.size();

/// FNV-1a, continued from `hash`.
constexpr std::uint64_t hash_text(std::string_view text,
                                  std::uint64_t hash = 0xcbf29ce484222325U) noexcept {
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  }
  return hash;
}

constexpr std::uint64_t hash_number(std::uint64_t number, std::uint64_t hash) noexcept {
  for (int byte = 0; byte < 8; ++byte, number >>= 8) {
    hash = (hash ^ (number & 0xff)) * 0x100000001b3U;
  }
  return hash;
}

/// True if the name shows that no other translation unit can mean the same type by it: a type in
/// an unnamed namespace, a local type, a closure, or a template over one of them. clang does not
/// show local types; type_descriptor.cpp looks at their mangled names.
constexpr bool names_internal_type(std::string_view name) noexcept {
  for (const std::string_view mark :
       {"{anonymous}", "(anonymous", "<unnamed", "(unnamed", "<lambda", "(lambda", ")::"}) {
    if (name.find(mark) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace detail

/// The name of `T`, as in `chat::roster::entry`.
template <class T>
[[nodiscard]] constexpr std::string_view type_name() noexcept {
  constexpr std::string_view signature = detail::type_signature<T>();
  return signature.substr(detail::type_name_begin,
                          signature.size() - detail::type_name_begin - detail::type_name_tail);
}

}  // namespace otter
