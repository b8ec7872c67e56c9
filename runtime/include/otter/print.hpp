#pragma once

// otter/print.hpp - any value as bounded text, for logs and crash reports.
//
//   otter::to_text(value)     the text of a value: of plain structs too, field by field
//   otter::sensitive<T>       set it, and values of T print as "***"
//   otter::text_sink          text that stops growing at a limit
//
// A class says how it is printed by a fmt::formatter or by operator<<. Plain structs, strings,
// numbers, enumerations, durations and the standard containers need nothing. What is left prints
// its type's name. Text is for people: nothing in otter parses it.

#include <fmt/core.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <otter/reflection.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace otter {

/// Whether values of `T` are secrets. A class may say so itself, by a member type
/// `otter_sensitive`; for another's class:
///
///     template <> inline constexpr bool otter::sensitive<password> = true;
template <class T>
inline constexpr bool sensitive = requires {
  typename T::otter_sensitive;
};

/// Collects text up to a limit, and drops the rest. A cut text ends in "...".
///
/// Used by one thread. A value with a million parts costs what fits: whoever prints parts asks
/// full() between them.
class text_sink {
 public:
  static constexpr std::size_t default_limit = 1024;

  /// `limit` is in bytes.
  explicit text_sink(std::size_t limit = default_limit) noexcept : limit_{limit} {}

  void put(std::string_view text);
  /// In quotation marks, with quotes, backslashes and control characters escaped.
  void put_quoted(std::string_view text);
  void vformat(fmt::string_view format, fmt::format_args arguments);
  /// Lets `print` write `value` to a stream that ends here.
  void stream(void (*print)(std::ostream&, const void*), const void* value);

  /// True once something has been dropped.
  [[nodiscard]] bool full() const noexcept { return full_; }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  [[nodiscard]] std::string take() && noexcept { return std::move(text_); }

 private:
  std::size_t limit_;
  bool full_ = false;
  std::string text_;
};

namespace detail {

/// How deep structs in structs are printed.
inline constexpr int max_print_depth = 6;

template <class T>
concept text_like = std::convertible_to<const T&, std::string_view>;

template <class T>
concept duration_like = requires(const T& v) {
  typename T::rep;
  typename T::period;
  v.count();
  T::period::num;
};

/// As otter::shared: get() gives the value itself.
template <class T>
concept shared_like = pointer_like<T> && requires(const T& v) {
  { v.get() } -> std::same_as<const typename T::element_type&>;
};

template <class T>
concept streamable = requires(std::ostream& out, const T& v) {
  out << v;
};

template <class T>
concept formattable = fmt::is_formattable<T>::value;

template <class T>
inline constexpr bool from_std = type_name<T>().starts_with("std::");

/// Whether a value of T prints as more than the name of its type.
template <class T>
inline constexpr bool printable =
    sensitive<T> || text_like<T> || std::is_arithmetic_v<T> || std::is_enum_v<T> ||
    duration_like<T> || optional_like<T> || tuple_like<T> || variant_like<T> || range_like<T> ||
    formattable<T> || streamable<T> || is_reflectable<T>;

/// "ms" of a duration in thousandths of a second; empty for a unit without a name.
std::string_view unit_of(std::intmax_t num, std::intmax_t den) noexcept;

template <class T>
void print_part(text_sink& out, const T& value, int depth);

/// Prints parts with commas between, until the text is full.
class part_list {
 public:
  part_list(text_sink& out, std::string_view open, std::string_view close, int depth)
      : out_{out}, close_{close}, depth_{depth} {
    out_.put(open);
  }
  template <class T>
  void add(const T& value, std::string_view name = {}) {
    if (out_.full()) return;
    if (!first_) out_.put(", ");
    first_ = false;
    if (!name.empty()) {
      out_.put(name);
      out_.put(": ");
    }
    print_part(out_, value, depth_ + 1);
  }
  void end() { out_.put(close_); }

 private:
  text_sink& out_;
  std::string_view close_;
  int depth_;
  bool first_ = true;
};

/// "add" of "chat::add", "box<chat::add>" of "chat::box<chat::add>".
constexpr std::string_view last_name(std::string_view name) noexcept {
  const std::string_view head = name.substr(0, name.find('<'));
  const std::size_t colon = head.rfind("::");
  return colon == std::string_view::npos ? name : name.substr(colon + 2);
}

template <class T>
void print_range(text_sink& out, const T& value, int depth) {
  constexpr bool is_map = requires { typename T::mapped_type; };
  part_list parts{out, is_map ? "{" : "[", is_map ? "}" : "]", depth};
  for (auto it = value.begin(); it != value.end() && !out.full(); ++it) {
    if constexpr (is_map) {
      text_sink key;
      print_part(key, it->first, depth + 1);
      parts.add(it->second, key.text());
    } else {
      const typename T::value_type& element = *it;
      parts.add(element);
    }
  }
  parts.end();
}

template <class T>
void print_fields(text_sink& out, const T& value, int depth) {
  out.put(last_name(type_name<T>()));
  if (depth >= max_print_depth) {
    out.put("{...}");
    return;
  }
  part_list parts{out, "{", "}", depth};
  for_each_field(value, [&](std::string_view name, const auto& field) { parts.add(field, name); });
  parts.end();
}

/// Never the address: it differs from run to run, and the logs of two runs of one seed must not.
/// Nor what is there, which may belong to another process.
inline void print_pointer(text_sink& out, std::string_view type, bool null) {
  out.put(null ? "null" : "<");
  if (null) return;
  out.put(type);
  out.put(">");
}

template <class T>
inline constexpr bool has_parts =
    optional_like<T> || variant_like<T> || tuple_like<T> || range_like<T>;

template <class T>
void print_parts(text_sink& out, const T& value, int depth) {
  if constexpr (optional_like<T>) {
    if (value.has_value()) {
      print_part(out, *value, depth);
    } else {
      out.put("nothing");
    }
  } else if constexpr (variant_like<T>) {
    if (value.valueless_by_exception()) out.put("nothing");
    visit_variant(value, [&](const auto& held) { print_part(out, held, depth); });
  } else if constexpr (tuple_like<T>) {
    part_list parts{out, "(", ")", depth};
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      using std::get;
      (parts.add(get<I>(value)), ...);
    }
    (std::make_index_sequence<std::tuple_size<T>::value>{});
    parts.end();
  } else {
    print_range(out, value, depth);
  }
}

template <class T>
void print_part(text_sink& out, const T& value, int depth) {
  if constexpr (sensitive<T>) {
    out.put("***");
  } else if constexpr (std::is_same_v<T, const char*> || std::is_same_v<T, char*>) {
    if (value == nullptr) {
      out.put("null");
    } else {
      out.put_quoted(value);
    }
  } else if constexpr (std::is_pointer_v<T> || std::is_member_pointer_v<T> ||
                       std::is_null_pointer_v<T>) {
    print_pointer(out, type_name<T>(), value == nullptr);
  } else if constexpr (text_like<T>) {
    out.put_quoted(value);
  } else if constexpr (std::is_same_v<T, char>) {
    out.put_quoted({&value, 1});
  } else if constexpr (std::is_same_v<T, std::byte> || std::is_same_v<T, signed char> ||
                       std::is_same_v<T, unsigned char>) {
    out.vformat("{}", fmt::make_format_args(static_cast<int>(value)));
  } else if constexpr (shared_like<T>) {
    print_part(out, value.get(), depth);
  } else if constexpr (pointer_like<T>) {
    print_pointer(out, last_name(type_name<T>()), value.get() == nullptr);
  } else if constexpr (formattable<T> && !from_std<T>) {
    out.vformat("{}", fmt::make_format_args(value));
  } else if constexpr (has_parts<T>) {
    if (depth >= max_print_depth) {
      out.put("...");
    } else {
      print_parts(out, value, depth);
    }
  } else if constexpr (duration_like<T>) {
    const auto count = value.count();
    constexpr std::intmax_t num = T::period::num;
    constexpr std::intmax_t den = T::period::den;
    out.vformat("{}", fmt::make_format_args(count));
    out.put(unit_of(num, den));
  } else if constexpr (streamable<T> && !std::is_enum_v<T>) {
    out.stream([](std::ostream& o, const void* v) { o << *static_cast<const T*>(v); }, &value);
  } else if constexpr (is_reflectable<T>) {
    print_fields(out, value, depth);
  } else if constexpr (formattable<T>) {
    out.vformat("{}", fmt::make_format_args(value));
  } else if constexpr (std::is_enum_v<T>) {
    out.put(last_name(type_name<T>()));
    const auto number = static_cast<long long>(value);
    out.vformat("({})", fmt::make_format_args(number));
  } else {
    out.put("<");
    out.put(last_name(type_name<T>()));
    out.put(">");
  }
}

template <class T>
void print_value(text_sink& out, const T& value) {
  if constexpr (text_like<T> && !sensitive<T> && !std::is_pointer_v<T>) {
    out.put(value);  // a text by itself needs no marks
  } else {
    print_part(out, value, 0);
  }
}

}  // namespace detail

/// The text of `value`, at most `limit` bytes.
///
/// Called from: any thread. Blocks: never. Throws: std::bad_alloc, and what the value's own
/// formatter or operator<< throws.
template <class T>
[[nodiscard]] std::string to_text(const T& value, std::size_t limit = text_sink::default_limit) {
  text_sink out{limit};
  detail::print_value(out, value);
  return std::move(out).take();
}

}  // namespace otter
