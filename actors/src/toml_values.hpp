#pragma once

// toml_values.hpp - what a TOML file says, as values of environments, and by which line it is
// wrong.
//
//   otter::detail::toml_values      the values of one file
//   otter::detail::parse_toml()     its table
//   otter::detail::text_of_file()   its text
//
// Everything that is wrong is a std::runtime_error: `file:line: name: what and why`.

#include <toml++/toml.h>

#include <otter/application_env.hpp>
#include <string>
#include <string_view>

namespace otter::detail {

/// Threads: as its calls.
class toml_values {
 public:
  explicit toml_values(std::string_view file) : file_(file) {}

  /// Puts those of `table` into `to`. Those of a table below others have the names of all of them,
  /// with dots; `of` is whose they are, for errors.
  void put(application::environment& to, toml::table const& table, std::string const& of,
           std::string const& above = {}) const;
  [[nodiscard]] application::value value_of(toml::node const& node, std::string const& name) const;
  [[noreturn]] void refuse(toml::node const& node, std::string_view name,
                           std::string_view why) const;

 private:
  std::string_view file_;
};

toml::table parse_toml(std::string_view text, std::string_view file);
/// Throws: std::runtime_error, with the file's name, if it cannot be read.
std::string text_of_file(std::string const& file);

}  // namespace otter::detail
