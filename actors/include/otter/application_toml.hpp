#pragma once

// otter/application_toml.hpp - applications and their configuration out of TOML files.
//
//   otter::application::read_toml_file()      the configuration: what an operator decides
//   otter::application::read_toml()           the same of a text
//   otter::application::read_program_file()   the applications themselves: which there are, what
//                                             needs what, and what is started
//   otter::application::read_program()        the same of a text
//   otter::application::modules               the callbacks that such a file may name
//
//     # shop.toml, a configuration: a table for each application
//     [shop]
//     port = 8081
//     peers = ["a.example", "b.example"]
//     [shop.limits]
//     orders = 100            # get_env<int>("limits.orders")
//
//     # program.toml: a table for each application, with the members of a specification as keys
//     [store]
//     description = "keeps what is for sale"
//
//     [shop]
//     vsn = "1.2"
//     applications = ["store"]
//     start = "permanent"     # it is started, and what its end means
//     [shop.env]
//     port = 8080
//
//     int main(int argc, char** argv) {
//       namespace application = otter::application;
//       application::modules const callbacks = {{"store", application::module_of<store>()},
//                                               {"shop", application::module_of<shop>()}};
//       return application::run_main(argc, argv, {.read_program = [&](auto const& known) {
//         return application::read_program_file("program.toml", callbacks, known);
//       }});
//     }
//
// For the library otter::toml, a library of its own so that nobody else needs the toml++ that reads
// the text; this header shows nothing of it.

#include <functional>
#include <map>
#include <otter/application.hpp>
#include <otter/application_env.hpp>
#include <otter/application_main.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace otter::application {

/// Dates and times, and tables in lists, are no values of an environment.
///
/// Called from: any thread; it reads the whole file, so in a process from a job of blocking().
/// Throws: std::runtime_error: `file:line: ` and what is wrong there; or why it cannot be read.
[[nodiscard]] configuration read_toml_file(std::string const& file);
/// The same of a text; `file` is for errors.
[[nodiscard]] configuration read_toml(std::string_view text, std::string_view file = "toml");

/// Callbacks by the names that a file knows them by.
using modules = std::map<std::string, callback_module, std::less<>>;

/// Each table is an application; its keys are the members of a specification. Of these, `mod` names
/// one of `there`: if it is missing, that of the application's own name, if there is such a one; ""
/// is none. A phase is a name, or a table with that as `phase` and its arguments. And `start` is
/// "permanent", "transient" or "temporary": such applications are started, in the order of the
/// file; others when they are needed.
///
/// Nothing is believed: a key that no application has, a value of the wrong kind, an application
/// that is needed or included and stands neither in the file nor in `known`, applications that need
/// each other in a circle, callbacks that are not there, and a name that two would register are
/// refused.
///
/// Called from, Throws: as read_toml_file().
[[nodiscard]] program read_program_file(std::string const& file, modules const& there,
                                        std::vector<specification> const& known = {});
/// The same of a text; `file` is for errors.
[[nodiscard]] program read_program(std::string_view text, modules const& there,
                                   std::vector<specification> const& known = {},
                                   std::string_view file = "toml");

}  // namespace otter::application
