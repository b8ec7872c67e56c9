#pragma once

#include <fmt/core.h>

#include <cstddef>
#include <otter/reflection.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace otter {

class text_sink {
 public:
  explicit text_sink(std::size_t limit = 1024) noexcept : limit_{limit} {}
  void put(std::string_view text);
  void vformat(fmt::string_view format, fmt::format_args arguments);
  [[nodiscard]] bool full() const noexcept { return full_; }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  [[nodiscard]] std::string take() && noexcept { return std::move(text_); }

 private:
  std::size_t limit_;
  bool full_ = false;
  std::string text_;
};

namespace detail {
template <class T>
inline constexpr bool printable = fmt::is_formattable<T>::value;
template <class T>
void print_value(text_sink& out, const T& value) {
  if constexpr (fmt::is_formattable<T>::value) {
    out.vformat("{}", fmt::make_format_args(value));
  } else {
    out.put(type_name<T>());
  }
}
}  // namespace detail
}  // namespace otter
