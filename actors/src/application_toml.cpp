// Configurations out of TOML, by toml++.

#include <fmt/format.h>
#include <toml++/toml.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <otter/application_toml.hpp>
#include <stdexcept>

namespace otter::application {
namespace {

/// Reads one file. Threads: as its calls.
class reader {
 public:
  explicit reader(std::string_view file) : file_(file) {}

  configuration applications(toml::table const& top) const {
    configuration all;
    for (auto const& [key, node] : top) {
      std::string const name(key.str());
      toml::table const* const table = node.as_table();
      if (table == nullptr)
        refuse(node, name, "a value belongs into the table of its application, as in [shop]");
      values(all[name], *table, name, {});
    }
    return all;
  }

 private:
  /// Those of a table below others have the names of all of them, with dots.
  void values(environment& to, toml::table const& table, std::string const& application,
              std::string const& above) const {
    for (auto const& [key, node] : table) {
      std::string const name = above + std::string(key.str());
      if (toml::table const* const below = node.as_table())
        values(to, *below, application, name + ".");
      else
        to.insert_or_assign(name, value_of(node, application + "." + name));
    }
  }

  value value_of(toml::node const& node, std::string const& name) const {
    // Exact: a whole number is not to become a floating one here, nor the reverse.
    if (auto const v = node.value_exact<bool>()) return *v;
    if (auto const v = node.value_exact<std::int64_t>()) return *v;
    if (auto const v = node.value_exact<double>()) return *v;
    if (auto const v = node.value_exact<std::string>()) return *v;
    toml::array const* const array = node.as_array();
    if (array == nullptr)
      refuse(node, name,
             "expected true or false, a number, text, or a list of those; write dates as text");
    list all;
    for (toml::node const& element : *array) all.push_back(value_of(element, name));
    return all;
  }

  [[noreturn]] void refuse(toml::node const& node, std::string_view name,
                           std::string_view why) const {
    throw std::runtime_error(
        fmt::format("{}:{}: {}: {}", file_, node.source().begin.line, name, why));
  }

  std::string_view file_;
};

}  // namespace

configuration read_toml(std::string_view text, std::string_view file) {
  toml::table table;
  try {
    table = toml::parse(text, file);
  } catch (toml::parse_error const& e) {
    throw std::runtime_error(
        fmt::format("{}:{}: {}", file, e.source().begin.line, e.description()));
  }
  return reader(file).applications(table);
}

configuration read_toml_file(std::string const& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text;
  for (char piece[4096]; in.read(piece, sizeof piece), in.gcount() > 0;)
    text.append(piece, static_cast<std::size_t>(in.gcount()));
  if (!in.is_open() || in.bad())
    throw std::runtime_error(fmt::format("{}: cannot be read: {}", file, std::strerror(errno)));
  return read_toml(text, file);
}

}  // namespace otter::application
