// Values of an environment: what they are in words, and how text becomes one.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <otter/application_env.hpp>

namespace otter::application {
namespace {

// In the order of the variant's alternatives.
constexpr std::array<std::string_view, 5> kinds = {"true or false", "a whole number", "a number",
                                                   "text", "a list"};
constexpr std::size_t whole_number = 1;
constexpr std::size_t number = 2;

template <class Number>
std::optional<Number> number_in(std::string_view text) {
  Number n{};
  auto const [end, problem] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return n;
}

std::string quoted(std::string_view text) {
  std::string line = "\"";
  for (char const c : text) {
    if (c == '"' || c == '\\') line += '\\';
    line += static_cast<unsigned char>(c) < ' ' ? '?' : c;
  }
  return line + '"';
}

/// The parts between commas, without the spaces around them; none of an empty text.
std::vector<std::string_view> parts_of(std::string_view text) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    part.remove_prefix(std::min(part.size(), part.find_first_not_of(' ')));
    part = part.substr(0, part.find_last_not_of(' ') + 1);  // npos + 1 is 0: nothing but spaces
    parts.push_back(part);
  }
  return parts;
}

}  // namespace

std::string_view value::kind() const noexcept { return kinds.at(held_.index()); }

bool value::is_like(value const& other) const noexcept {
  return held_.index() == other.held_.index() ||
         (held_.index() == whole_number && other.held_.index() == number);
}

std::string to_string(value const& v) {
  return std::visit(
      [](auto const& held) -> std::string {
        using type = std::remove_cvref_t<decltype(held)>;
        if constexpr (std::same_as<type, std::string>) {
          return quoted(held);
        } else if constexpr (std::same_as<type, list>) {
          std::string all;
          for (value const& element : held) all += (all.empty() ? "" : ", ") + to_string(element);
          return "[" + all + "]";
        } else {
          return fmt::format("{}", held);
        }
      },
      v.held_);
}

configuration merge(configuration base, configuration over) {
  for (auto& [application, values] : over)
    for (auto& [name, what] : values) base[application].insert_or_assign(name, std::move(what));
  return base;
}

value read_value(std::string_view text) {
  if (text == "true" || text == "false") return text == "true";
  if (auto const whole = number_in<std::int64_t>(text)) return *whole;
  // Not "nan" and "inf": a host may be called so.
  bool const may_be_number = text.find_first_of("0123456789") != std::string_view::npos;
  if (auto const n = number_in<double>(text); n && may_be_number) return *n;
  return text;
}

tl::expected<value, std::string> read_value(std::string_view text, value const& like) {
  if (like.is_like("")) return value(text);
  if (like.is_like(list{})) {
    list const elements = *like.as<list>();
    list all;
    for (std::string_view part : parts_of(text)) {
      auto one = elements.empty() ? read_value(part) : read_value(part, elements.front());
      if (!one) return one;
      all.push_back(std::move(*one));
    }
    return value(std::move(all));
  }
  value read = read_value(text);
  if (!read.is_like(like))
    return tl::unexpected<std::string>(fmt::format("{} is {}, and must be {}, as {} is",
                                                   quoted(text), read.kind(), like.kind(), like));
  return read;
}

}  // namespace otter::application
