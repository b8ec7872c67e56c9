#pragma once

// otter/log_event.hpp - what a log consists of.
//
//   otter::logger::level        how bad it is: OTP's eight levels
//   otter::logger::event        one thing that happened: a text and named values
//   otter::logger::value        one of those values: a bool, a number, or text
//   otter::logger::field        a name and any value, as a call of a logger takes it
//   otter::logger::masked       a value that is not to be seen
//
// Values of a type that is marked as otter::sensitive show as "***", wherever they stand; masked()
// does the same for one value. How to log is in otter/logger.hpp, what becomes of an event in
// otter/log_handler.hpp.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <otter/pid.hpp>
#include <otter/print.hpp>
#include <otter/timer.hpp>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace otter::logger {

/// The worst first.
enum class level : unsigned char {
  emergency,
  alert,
  critical,
  error,
  warning,
  notice,
  info,
  debug,
};

/// Its name: "warning".
[[nodiscard]] std::string_view to_string(level at) noexcept;
/// The level of that name; nothing for any other text.
[[nodiscard]] std::optional<level> level_of(std::string_view name) noexcept;

/// Nothing in an event is longer, in bytes; and it has no more fields. What is cut ends in "...".
inline constexpr std::size_t max_text = 2048;   ///< its text, and each value
inline constexpr std::size_t max_event = 8192;  ///< text, names and values together
inline constexpr std::size_t max_fields = 32;

/// Numbers stay numbers, so that a handler can write them as such; whatever is neither a number
/// nor a bool is there as its text (otter::to_text).
using value = std::variant<bool, std::int64_t, std::uint64_t, double, std::string>;
[[nodiscard]] std::string to_string(value const& v);

struct named_value {
  std::string name;
  value what;
  friend bool operator==(named_value const&, named_value const&) = default;
};

struct event {
  logger::level level = logger::level::notice;
  std::string module{};  ///< who logged: see module_log
  std::string text{};
  std::vector<named_value> fields{};
  pid process{};             ///< none: a thread of the node that is no process
  system_time_point time{};  ///< when it was logged
  std::string file{};        ///< where, without folders; empty for reports of otter
  std::uint32_t line = 0;    ///< in that file
  bool is_report = false;    ///< of otter, with many fields: text shows one in a line
};

/// A value that shows as "***".
struct masked {
  using otter_sensitive = void;
  template <class T>
  constexpr explicit masked(T const&) noexcept {}
};

}  // namespace otter::logger

namespace otter::detail {

/// The value at `p` for an event; its text may have `limit` bytes.
template <class T>
logger::value read_log_value(void const* p, std::size_t limit) {
  T const& v = *static_cast<T const*>(p);
  if constexpr (sensitive<T>) {
    return std::string("***");
  } else if constexpr (std::is_same_v<T, bool>) {
    return v;
  } else if constexpr (std::is_floating_point_v<T>) {
    return static_cast<double>(v);
  } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, char> && sizeof(T) <= 8) {
    if constexpr (std::is_signed_v<T>)
      return static_cast<std::int64_t>(v);
    else
      return static_cast<std::uint64_t>(v);
  } else if constexpr (std::is_same_v<T, char const*> || std::is_same_v<T, char*>) {
    return v != nullptr ? to_text(std::string_view(v), limit) : std::string("null");
  } else if constexpr (std::is_class_v<T> && std::is_invocable_v<T const&>) {
    using made = std::remove_cvref_t<std::invoke_result_t<T const&>>;
    made const result = v();
    return read_log_value<made>(std::addressof(result), limit);
  } else {
    return to_text(v, limit);
  }
}

}  // namespace otter::detail

namespace otter::logger {

/// A name and a value, which both live elsewhere: made in the call of a logger, gone after it. A
/// function object is called for its value, if the event is logged at all.
class field {
 public:
  template <class T>
  constexpr field(std::string_view name, T const& v) noexcept
      : name_(name), value_(std::addressof(v)), read_(&otter::detail::read_log_value<T>) {}

  [[nodiscard]] std::string_view name() const noexcept { return name_; }
  /// Throws: what printing it throws.
  [[nodiscard]] logger::value read(std::size_t limit) const { return read_(value_, limit); }

 private:
  std::string_view name_;
  void const* value_;
  logger::value (*read_)(void const*, std::size_t);
};

}  // namespace otter::logger
