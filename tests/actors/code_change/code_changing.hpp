#pragma once

// What the tests of code changes do with each behaviour.

#include <fmt/format.h>

#include <otter/code.hpp>
#include <otter/exit.hpp>
#include <otter/sys.hpp>
#include <string>
#include <string_view>

namespace code_changing {

inline std::string file(std::string_view module, int version) {
  return fmt::format("{}/{}-{}.so", CODE_TEST_MODULES, module, version);
}
inline void load(std::string_view module, int version) {
  otter::code::load(file(module, version)).value();
}

/// Why a change was refused; "done" if it was not.
template <otter::server_address Address>
std::string change(Address const& server, std::string const& module) {
  try {
    otter::sys::change_code(server, module);
  } catch (otter::process_exit const& e) {
    return to_string(e.reason());
  }
  return "done";
}
/// The whole of it: suspend, change, resume.
template <otter::server_address Address>
std::string upgrade(Address const& server, std::string const& module) {
  otter::sys::suspend(server);
  std::string result = change(server, module);
  otter::sys::resume(server);
  return result;
}

inline bool has(std::string const& text, std::string const& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace code_changing
