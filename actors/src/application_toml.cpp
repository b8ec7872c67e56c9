// Configurations out of TOML, by toml++.

#include <otter/application_toml.hpp>

#include "toml_values.hpp"

namespace otter::application {

configuration read_toml(std::string_view text, std::string_view file) {
  toml::table const top = otter::detail::parse_toml(text, file);
  otter::detail::toml_values const values(file);
  configuration all;
  for (auto const& [key, node] : top) {
    std::string const name(key.str());
    toml::table const* const table = node.as_table();
    if (table == nullptr)
      values.refuse(node, name, "a value belongs into the table of its application, as in [shop]");
    values.put(all[name], *table, name);
  }
  return all;
}

configuration read_toml_file(std::string const& file) {
  return read_toml(otter::detail::text_of_file(file), file);
}

}  // namespace otter::application
