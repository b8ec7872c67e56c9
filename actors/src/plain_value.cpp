// Values without their types: what they are called where they do not fit, and units of time.

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <otter/detail/from_plain.hpp>
#include <otter/detail/misfit.hpp>
#include <otter/exit_reason.hpp>

namespace otter::detail {

namespace {

constexpr std::size_t longest_key = 32;

struct describer {
  std::string operator()(std::monostate) const { return "nothing"; }
  std::string operator()(bool b) const { return b ? "true" : "false"; }
  std::string operator()(std::uint64_t n) const { return fmt::to_string(n); }
  std::string operator()(std::int64_t n) const { return fmt::to_string(n); }
  std::string operator()(double n) const { return fmt::to_string(n); }
  // Never the text itself: it may be a secret.
  std::string operator()(std::string const& text) const {
    return fmt::format("a text of {} bytes", text.size());
  }
  std::string operator()(plain_value::list const& all) const {
    return fmt::format("a list of {}", all.size());
  }
  std::string operator()(plain_value::record const& all) const {
    return fmt::format("a struct of {} fields", all.size());
  }
  std::string operator()(plain_value::tuple const& all) const {
    return fmt::format("a tuple of {}", all.parts.size());
  }
  std::string operator()(plain_value::alternative const& a) const {
    return a.name == expected_error || a.name == expected_value
               ? std::string(a.name)
               : fmt::format("an alternative, {}", a.name);
  }
  std::string operator()(plain_value::something const&) const { return "an empty optional in one"; }
  std::string operator()(plain_value::duration const& d) const {
    return fmt::format("{} times {}/{} s",
                       std::visit([](auto n) { return fmt::to_string(n); }, d.count), d.numerator,
                       d.denominator);
  }
  std::string operator()(plain_value::whole const&) const { return "a value of its own"; }
};

}  // namespace

bool misfit::of(plain_value const& what, std::string_view wanted, std::string_view because) {
  return of(std::visit(describer{}, what.of), what.type, wanted, because);
}

bool misfit::of(std::string_view what, std::string_view type, std::string_view wanted,
                std::string_view because) {
  path.clear();
  value = what;
  from = type;
  to = wanted;
  why = because;
  return false;
}

bool misfit::inside(std::string_view name) {
  if (!path.empty() && path.front() != '[') path.insert(0, ".");
  path.insert(0, name);
  return false;
}

bool misfit::at(std::size_t index) {
  if (!path.empty() && path.front() != '[') path.insert(0, ".");
  path.insert(0, fmt::format("[{}]", index));
  return false;
}

bool misfit::at(plain_value const& key, std::size_t index) {
  auto const* const text = std::get_if<std::string>(&key.of);
  if (text == nullptr) {
    if (auto const* const n = std::get_if<std::uint64_t>(&key.of)) index = *n;
    return at(index);
  }
  if (!path.empty() && path.front() != '[') path.insert(0, ".");
  path.insert(0, text->size() <= longest_key
                     ? fmt::format("[\"{}\"]", *text)
                     : fmt::format("[\"{}...\"]", std::string_view(*text).substr(0, longest_key)));
  return false;
}

bool misfit::thrown(std::string_view type, std::string_view wanted) {
  return of("a value", type, wanted, to_string(exit_reason::from_current_exception()));
}

std::string misfit::text() const {
  std::string all = path.empty() ? std::string() : path + ": ";
  all += from.empty() ? value : fmt::format("{} ({})", value, from);
  if (!to.empty()) all += fmt::format(" does not fit into {}", to);
  if (!why.empty()) all += fmt::format(", {}", why);
  return all;
}

bool rescale(plain_value::duration const& from, std::intmax_t numerator, std::intmax_t denominator,
             std::int64_t& count, std::int64_t& parts) noexcept {
  std::int64_t n = 0;
  std::int64_t below = 1;
  if (auto const* const fraction = std::get_if<double>(&from.count)) {
    double x = *fraction;
    for (int i = 0; i != 32 && std::trunc(x) != x; ++i) {  // of infinity and NaN nothing comes
      x *= 2;
      below *= 2;
    }
    if (!number_fits(x, n)) return false;
  } else if (!std::visit([&](auto c) { return number_fits(c, n); }, from.count)) {
    return false;
  }
  // Each fraction in its lowest terms before they are multiplied: a result that 64 bits hold may
  // else be missed.
  std::int64_t up = 0;
  std::int64_t down = 0;
  const std::int64_t a = std::gcd(from.numerator, numerator);
  const std::int64_t b = std::gcd(from.denominator, denominator);
  if (__builtin_mul_overflow(from.numerator / a, denominator / b, &up) ||
      __builtin_mul_overflow(from.denominator / b, numerator / a, &down))
    return false;
  if (__builtin_mul_overflow(down, below, &down)) return false;
  const std::int64_t c = std::gcd(up, down);
  up /= c;
  down /= c;
  const std::int64_t d = n == std::numeric_limits<std::int64_t>::min() ? 1 : std::gcd(n, down);
  n /= d;
  down /= d;
  if (__builtin_mul_overflow(n, up, &count)) return false;
  parts = down;
  return true;
}

}  // namespace otter::detail
