#pragma once

// otter/application_toml.hpp - the configuration of applications out of a TOML file.
//
//   otter::application::read_toml_file()   a file
//   otter::application::read_toml()        its text
//
//     # shop.toml: a table for each application
//     [shop]
//     port = 8081
//     peers = ["a.example", "b.example"]
//     [shop.limits]
//     orders = 100            # get_env<int>("limits.orders")
//
// For the library otter::toml, a library of its own so that nobody else needs the toml++ that reads
// the text; this header shows nothing of it.

#include <otter/application_env.hpp>
#include <string>
#include <string_view>

namespace otter::application {

/// Dates and times, and tables in lists, are no values of an environment.
///
/// Called from: any thread; it reads the whole file, so in a process from a job of blocking().
/// Throws: std::runtime_error: `file:line: ` and what is wrong there; or why it cannot be read.
[[nodiscard]] configuration read_toml_file(std::string const& file);
/// The same of a text; `file` is for errors.
[[nodiscard]] configuration read_toml(std::string_view text, std::string_view file = "toml");

}  // namespace otter::application
