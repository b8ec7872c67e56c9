#pragma once

// otter/detail/text_formatter.hpp - lets {fmt} print a type of ours as its to_string().

#include <fmt/core.h>

#include <string_view>
#include <type_traits>

namespace otter::detail {

/// In the library: a file that prints a pid shall not compile how {fmt} pads text once more.
fmt::format_context::iterator format_text(fmt::formatter<fmt::string_view> const& how,
                                          std::string_view text, fmt::format_context& context);

/// What fmt::formatter<T> derives from. Takes what a text takes ("{:>20}").
template <class T>
struct text_formatter : fmt::formatter<fmt::string_view> {
  template <class Context>
  auto format(T const& value, Context& context) const -> decltype(context.out()) {
    auto const owner = to_string(value);
    std::string_view const text(owner);
    if constexpr (std::is_same_v<Context, fmt::format_context>)
      return format_text(*this, text, context);
    else  // that of fmt::to_string(), for one
      return fmt::formatter<fmt::string_view>::format({text.data(), text.size()}, context);
  }
};

}  // namespace otter::detail
