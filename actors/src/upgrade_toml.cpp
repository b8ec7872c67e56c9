// Plans of upgrades out of TOML, checked as far as a file can be checked by itself.

#include <fmt/format.h>

#include <filesystem>
#include <otter/upgrade_toml.hpp>
#include <utility>

#include "toml_values.hpp"
#include "upgrade_order.hpp"

namespace otter::upgrade {
namespace {

constexpr std::size_t largest_file = 1 << 20;

/// Reads one file. Threads: one.
class plan_reader {
 public:
  explicit plan_reader(std::string_view file)
      : file_(file), values_(file), folder_(std::filesystem::path(file).parent_path()) {}

  plan read(toml::table const& top) {
    plan found;
    toml::array const* modules = nullptr;
    for (auto const& [key, node] : top) {
      if (key.str() == "application") {
        found.application = text_of(node, "application");
      } else if (key.str() == "module") {
        modules = node.as_array();
        if (modules == nullptr)
          values_.refuse(node, "module", "expected a list of tables, as in [[module]]");
      } else {
        values_.refuse(node, key.str(), "a plan has no such key; it has application, [[module]]");
      }
    }
    if (modules == nullptr || modules->empty())
      throw std::runtime_error(
          fmt::format("{}:1: module: the plan has no modules: [[module]]", file_));
    for (toml::node const& one : *modules) {
      toml::table const* const table = one.as_table();
      if (table == nullptr)
        values_.refuse(one, "module", "expected a list of tables, as in [[module]]");
      found.modules.push_back(step_of(*table));
      for (std::size_t i = 0; i + 1 < found.modules.size(); ++i)
        if (found.modules[i].name == found.modules.back().name)
          values_.refuse(*table, "module.name",
                         fmt::format("module {} is in the plan already", found.modules[i].name));
    }
    if (auto const order = otter::detail::order_of(found); !order)
      values_.refuse(*modules, "module.depends_on", order.error());
    return found;
  }

 private:
  module_step step_of(toml::table const& table) const {
    module_step s;
    for (auto const& [key, node] : table) {
      std::string const name = "module." + std::string(key.str());
      if (key.str() == "name")
        s.name = filled_text_of(node, name);
      else if (key.str() == "file")
        s.file = (folder_ / filled_text_of(node, name)).string();
      else if (key.str() == "from")
        s.from = texts_of(node, name);
      else if (key.str() == "to")
        s.to = filled_text_of(node, name);
      else if (key.str() == "extra")
        s.extra = text_of(node, name);
      else if (key.str() == "depends_on")
        s.depends_on = needs_of(node, name);
      else if (key.str() == "mode")
        s.mode = one_of(node, name, "one by one", mode_type::one_by_one, "together",
                        mode_type::together);
      else if (key.str() == "purge")
        s.purge = one_of(node, name, "soft", purge_type::soft, "brutal", purge_type::brutal);
      else
        values_.refuse(node, name,
                       "a module has no such key; it has name, file, from, to, extra, depends_on, "
                       "mode, purge");
    }
    for (auto const& [key, value] :
         {std::pair("name", &s.name), std::pair("file", &s.file), std::pair("to", &s.to)})
      if (value->empty()) values_.refuse(table, fmt::format("module.{}", key), "is missing");
    return s;
  }

  std::string text_of(toml::node const& node, std::string const& name) const {
    if (auto text = node.value_exact<std::string>()) return std::move(*text);
    values_.refuse(node, name, "expected text");
  }
  std::string filled_text_of(toml::node const& node, std::string const& name) const {
    std::string text = text_of(node, name);
    if (text.empty()) values_.refuse(node, name, "is empty");
    return text;
  }

  /// One text or a list of them.
  std::vector<std::string> texts_of(toml::node const& node, std::string const& name) const {
    toml::array const* const array = node.as_array();
    if (array == nullptr) return {filled_text_of(node, name)};
    std::vector<std::string> all;
    for (toml::node const& element : *array) all.push_back(filled_text_of(element, name));
    return all;
  }

  std::vector<need> needs_of(toml::node const& node, std::string const& name) const {
    std::vector<need> all;
    for (std::string const& text : texts_of(node, name)) {
      std::size_t const blank = text.find(' ');
      need n{text.substr(0, blank),
             blank == std::string::npos ? std::string() : text.substr(blank + 1)};
      if (n.module.empty() || (blank != std::string::npos && n.version.empty()))
        values_.refuse(node, name,
                       fmt::format("\"{}\": expected a module, or a module, a blank and its "
                                   "version",
                                   text));
      all.push_back(std::move(n));
    }
    return all;
  }

  template <class T>
  T one_of(toml::node const& node, std::string const& name, std::string_view first, T if_first,
           std::string_view second, T if_second) const {
    std::string const text = text_of(node, name);
    if (text == first) return if_first;
    if (text == second) return if_second;
    values_.refuse(node, name, fmt::format("expected \"{}\" or \"{}\"", first, second));
  }

  std::string_view const file_;
  otter::detail::toml_values const values_;
  std::filesystem::path const folder_;
};

}  // namespace

plan read_plan(std::string_view text, std::string_view file) {
  if (text.size() > largest_file)
    throw std::runtime_error(
        fmt::format("{}: has {} bytes; a plan has at most {}", file, text.size(), largest_file));
  toml::table const top = otter::detail::parse_toml(text, file);
  return plan_reader(file).read(top);
}

plan read_plan_file(std::string const& file) {
  return read_plan(otter::detail::text_of_file(file), file);
}

}  // namespace otter::upgrade
