#pragma once

// otter/application_env.hpp - what an operator may decide about an application: named values.
//
//   otter::application::value           true or false, a whole number, a number, text, or a list
//   otter::application::environment     the values of one application, by name
//   otter::application::configuration   such values by application, as a file or a command line has
//                                       them
//   otter::application::merge()         what one configuration says, over what another says
//   otter::application::read_value()    a value out of text
//
//     otter::application::environment const defaults = {
//         {"port", 5222}, {"domain", "localhost"}, {"peers", otter::application::list{"a", "b"}}};
//
// The names are the program's own; a table in a file is written with dots: "limits.stanza_bytes".
// How an application reads its environment is in otter/application.hpp. A configuration out of a
// TOML file is in otter/application_toml.hpp.

#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <otter/detail/text_formatter.hpp>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace otter::application {

class value;
using list = std::vector<value>;

/// One value of an environment. Its types are those that configuration files have; a length of time
/// is a number whose name says the unit.
///
/// Threads: as int.
class value {
 public:
  value() noexcept : held_(false) {}
  template <class T>
  requires(std::is_arithmetic_v<T> && !std::same_as<T, char>) value(T v)
  noexcept {
    if constexpr (std::same_as<T, bool>)
      held_ = v;
    else if constexpr (std::integral<T>)
      held_ = static_cast<std::int64_t>(v);
    else
      held_ = static_cast<double>(v);
  }
  template <class T>
  requires std::convertible_to<T const&, std::string_view> value(T const& text)
      : held_(std::string(std::string_view(text))) {}
  value(list values) : held_(std::move(values)) {}

  /// As a `T`: bool, a whole number that has it, double, std::string, value, or a std::vector of
  /// those. Nothing if it is none: text is never taken for a number, nor a number cut; a whole
  /// number is a double too.
  template <class T>
  [[nodiscard]] std::optional<T> as() const;

  /// What it is, in words: "text", "a whole number".
  [[nodiscard]] std::string_view kind() const noexcept;
  /// Whether it could stand where `other` stands: as() gives the same types. Lists may be of
  /// anything.
  [[nodiscard]] bool is_like(value const& other) const noexcept;

  friend bool operator==(value const& a, value const& b) noexcept { return a.held_ == b.held_; }
  /// As it would stand in a file: text in quotation marks.
  friend std::string to_string(value const& v);

 private:
  template <class T>
  struct is_vector : std::false_type {};
  template <class T>
  struct is_vector<std::vector<T>> : std::true_type {};

  std::variant<bool, std::int64_t, double, std::string, list> held_;
};

using environment = std::map<std::string, value, std::less<>>;
using configuration = std::map<std::string, environment, std::less<>>;

/// Every value of `over`, and those of `base` that it says nothing of.
[[nodiscard]] configuration merge(configuration base, configuration over);

/// Text as a value of the kind that `like` has: for text all of it, as it is. A list is its
/// elements with commas between them. An error says what was expected.
[[nodiscard]] tl::expected<value, std::string> read_value(std::string_view text, value const& like);
/// Without one to be like: true or false, a number if all of it is one, else text.
[[nodiscard]] value read_value(std::string_view text);

// --- bodies ---

template <class T>
std::optional<T> value::as() const {
  if constexpr (std::same_as<T, value>) {
    return *this;
  } else if constexpr (std::same_as<T, bool> || std::same_as<T, std::string>) {
    auto const* const held = std::get_if<T>(&held_);
    return held != nullptr ? std::optional<T>(*held) : std::nullopt;
  } else if constexpr (std::integral<T>) {
    auto const* const held = std::get_if<std::int64_t>(&held_);
    if (held == nullptr || !std::in_range<T>(*held)) return std::nullopt;
    return static_cast<T>(*held);
  } else if constexpr (std::floating_point<T>) {
    if (auto const* const whole = std::get_if<std::int64_t>(&held_)) return static_cast<T>(*whole);
    auto const* const held = std::get_if<double>(&held_);
    return held != nullptr ? std::optional<T>(static_cast<T>(*held)) : std::nullopt;
  } else {
    static_assert(is_vector<T>::value,
                  "otter: a value of an environment is a bool, a number, a std::string, or a "
                  "std::vector of those");
    auto const* const held = std::get_if<list>(&held_);
    if (held == nullptr) return std::nullopt;
    T all;
    for (value const& element : *held) {
      auto one = element.as<typename T::value_type>();
      if (!one) return std::nullopt;
      all.push_back(std::move(*one));
    }
    return all;
  }
}

}  // namespace otter::application

template <>
struct fmt::formatter<otter::application::value>
    : otter::detail::text_formatter<otter::application::value> {};
