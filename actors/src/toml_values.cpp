#include "toml_values.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <stdexcept>

namespace otter::detail {

void toml_values::put(application::environment& to, toml::table const& table, std::string const& of,
                      std::string const& above) const {
  for (auto const& [key, node] : table) {
    std::string const name = above + std::string(key.str());
    if (toml::table const* const below = node.as_table())
      put(to, *below, of, name + ".");
    else
      to.insert_or_assign(name, value_of(node, of + "." + name));
  }
}

application::value toml_values::value_of(toml::node const& node, std::string const& name) const {
  // Exact: a whole number is not to become a floating one here, nor the reverse.
  if (auto const v = node.value_exact<bool>()) return *v;
  if (auto const v = node.value_exact<std::int64_t>()) return *v;
  if (auto const v = node.value_exact<double>()) return *v;
  if (auto const v = node.value_exact<std::string>()) return *v;
  toml::array const* const array = node.as_array();
  if (array == nullptr)
    refuse(node, name,
           "expected true or false, a number, text, or a list of those; write dates as text");
  application::list all;
  for (toml::node const& element : *array) all.push_back(value_of(element, name));
  return all;
}

void toml_values::refuse(toml::node const& node, std::string_view name,
                         std::string_view why) const {
  throw std::runtime_error(
      fmt::format("{}:{}: {}: {}", file_, node.source().begin.line, name, why));
}

toml::table parse_toml(std::string_view text, std::string_view file) {
  try {
    return toml::parse(text, file);
  } catch (toml::parse_error const& e) {
    throw std::runtime_error(
        fmt::format("{}:{}: {}", file, e.source().begin.line, e.description()));
  }
}

std::string text_of_file(std::string const& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text;
  for (char piece[4096]; in.read(piece, sizeof piece), in.gcount() > 0;)
    text.append(piece, static_cast<std::size_t>(in.gcount()));
  if (!in.is_open() || in.bad())
    throw std::runtime_error(fmt::format("{}: cannot be read: {}", file, std::strerror(errno)));
  return text;
}

}  // namespace otter::detail
