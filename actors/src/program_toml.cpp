// The applications of a program out of TOML: one table for each, checked as a whole.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <otter/application_toml.hpp>
#include <utility>

#include "toml_values.hpp"

namespace otter::application {
namespace {

using names = std::vector<std::string>;

bool contains(names const& all, std::string const& name) {
  return std::find(all.begin(), all.end(), name) != all.end();
}

/// Reads one file. Threads: one.
class program_reader {
 public:
  program_reader(std::string_view file, modules const& there,
                 std::vector<specification> const& known)
      : values_(file), modules_(there), known_(known) {}

  program read(toml::table const& top) {
    for (auto const& [key, node] : top) {
      toml::table const* const table = node.as_table();
      if (table == nullptr)
        values_.refuse(node, key.str(), "expected the table of an application, as in [shop]");
      tables_.push_back({std::string(key.str()), table});
    }
    // In the order of the file, which is that of their starts where nothing else decides.
    std::sort(tables_.begin(), tables_.end(), [](auto const& a, auto const& b) {
      return a.second->source().begin.line < b.second->source().begin.line;
    });
    for (auto const& [name, table] : tables_) read_one(name, *table);
    for (auto const& [name, table] : tables_) check(name, *table);
    return std::move(found_);
  }

 private:
  void read_one(std::string const& name, toml::table const& table) {
    if (name.empty()) values_.refuse(table, "[]", "an application has a name");
    if (find(name) != nullptr)
      values_.refuse(table, name, "the program has an application of that name already");
    specification s{.name = name};
    for (auto const& [key, node] : table) read_key(s, std::string(key.str()), node);
    if (table.get("mod") == nullptr)
      if (auto const own = modules_.find(name); own != modules_.end()) s.mod = own->second;
    found_.known.push_back(std::move(s));
  }

  void read_key(specification& s, std::string const& key, toml::node const& node) {
    std::string const name = s.name + "." + key;
    static constexpr std::array<std::pair<std::string_view, names specification::*>, 5> lists = {
        {{"modules", &specification::modules},
         {"registered", &specification::registered},
         {"applications", &specification::applications},
         {"optional_applications", &specification::optional_applications},
         {"included_applications", &specification::included_applications}}};
    for (auto const& [list, member] : lists)
      if (key == list) return static_cast<void>(s.*member = texts_of(node, name));
    if (key == "description")
      s.description = text_of(node, name);
    else if (key == "vsn")
      s.vsn = text_of(node, name);
    else if (key == "env")
      values_.put(s.env, table_of(node, name), name);
    else if (key == "mod")
      s.mod = module_of(node, name);
    else if (key == "start")
      take_type(s.name, node, name);
    else if (key == "start_phases")
      s.start_phases = phases_of(node, name);
    else
      values_.refuse(node, name,
                     "an application has no such key; it has description, vsn, modules, "
                     "registered, applications, optional_applications, included_applications, "
                     "env, mod, start, start_phases");
  }

  std::string text_of(toml::node const& node, std::string const& name) const {
    if (auto text = node.value_exact<std::string>()) return std::move(*text);
    values_.refuse(node, name, "expected text");
  }

  names texts_of(toml::node const& node, std::string const& name) const {
    toml::array const* const array = node.as_array();
    if (array == nullptr) values_.refuse(node, name, "expected a list of names");
    names all;
    for (toml::node const& element : *array) all.push_back(text_of(element, name));
    return all;
  }

  toml::table const& table_of(toml::node const& node, std::string const& name) const {
    if (toml::table const* const table = node.as_table()) return *table;
    values_.refuse(node, name, "expected a table");
  }

  callback_module module_of(toml::node const& node, std::string const& name) const {
    std::string const wanted = text_of(node, name);
    if (wanted.empty()) return {};
    if (auto const found = modules_.find(wanted); found != modules_.end()) return found->second;
    names all;
    for (auto const& one : modules_) all.push_back(one.first);
    values_.refuse(node, name,
                   fmt::format("the program has no callbacks \"{}\"; it has: {}", wanted,
                               all.empty() ? "none" : fmt::format("{}", fmt::join(all, ", "))));
  }

  void take_type(std::string const& application, toml::node const& node, std::string const& name) {
    std::string const type = text_of(node, name);
    std::optional<restart_type> found;
    if (type == "permanent") found = restart_type::permanent;
    if (type == "transient") found = restart_type::transient;
    if (type == "temporary") found = restart_type::temporary;
    if (!found)
      values_.refuse(node, name,
                     "expected \"permanent\", \"transient\" or \"temporary\"; without this key "
                     "it starts if another one needs it");
    found_.types.insert_or_assign(application, *found);
    found_.start.push_back(application);
  }

  std::vector<start_phase> phases_of(toml::node const& node, std::string const& name) const {
    toml::array const* const array = node.as_array();
    if (array == nullptr) values_.refuse(node, name, "expected a list of phases");
    std::vector<start_phase> all;
    for (toml::node const& element : *array) {
      start_phase one;
      if (toml::table const* const table = element.as_table()) {
        values_.put(one.args, *table, name);
        auto const phase = one.args.find("phase");
        auto const text = phase != one.args.end() ? phase->second.as<std::string>() : std::nullopt;
        if (!text) values_.refuse(element, name, "expected a name as `phase`, and its arguments");
        one.phase = *text;
        one.args.erase(phase);
      } else {
        one.phase = text_of(element, name);
      }
      all.push_back(std::move(one));
    }
    return all;
  }

  // --- what only the whole file shows ---

  specification const* find(std::string const& name) const {
    for (auto const* all : {&found_.known, &known_})
      for (specification const& s : *all)
        if (s.name == name) return &s;
    return nullptr;
  }

  void check(std::string const& name, toml::table const& table) {
    specification const& s = *find(name);
    check_names(s.applications, table, name, "applications");
    check_names(s.included_applications, table, name, "included_applications");
    names path;
    if (needs_itself(name, name, path))
      values_.refuse(line_of(table, "applications"), name + ".applications",
                     fmt::format("it needs itself: {} -> {}", fmt::join(path, " -> "), name));
    for (std::string const& registered : s.registered) {
      auto const [owner, is_new] = owners_.emplace(registered, name);
      if (!is_new)
        values_.refuse(line_of(table, "registered"), name + ".registered",
                       fmt::format("\"{}\" is a name of {} already", registered, owner->second));
    }
  }

  /// Where that key stands, or the table if it is not there.
  static toml::node const& line_of(toml::table const& table, std::string_view key) {
    toml::node const* const node = table.get(key);
    return node != nullptr ? *node : table;
  }

  void check_names(names const& all, toml::table const& table, std::string const& name,
                   std::string_view key) const {
    for (std::string const& one : all)
      if (find(one) == nullptr)
        values_.refuse(line_of(table, key), fmt::format("{}.{}", name, key),
                       fmt::format("there is no application \"{}\"", one));
  }

  /// Whether `at`, or what it needs, needs `name`; `path` leads there.
  bool needs_itself(std::string const& name, std::string const& at, names& path) const {
    specification const* const s = find(at);
    if (s == nullptr || contains(path, at)) return false;
    path.push_back(at);
    for (auto const* needs : {&s->applications, &s->optional_applications})
      for (std::string const& need : *needs)
        if (need == name || needs_itself(name, need, path)) return true;
    path.pop_back();
    return false;
  }

  otter::detail::toml_values values_;
  modules const& modules_;
  std::vector<specification> const& known_;
  std::vector<std::pair<std::string, toml::table const*>> tables_;
  program found_;
  std::map<std::string, std::string> owners_;  // of registered names
};

}  // namespace

program read_program(std::string_view text, modules const& there,
                     std::vector<specification> const& known, std::string_view file) {
  toml::table const top = otter::detail::parse_toml(text, file);
  return program_reader(file, there, known).read(top);
}

program read_program_file(std::string const& file, modules const& there,
                          std::vector<specification> const& known) {
  return read_program(otter::detail::text_of_file(file), there, known, file);
}

}  // namespace otter::application
