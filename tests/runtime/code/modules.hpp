#pragma once

// The modules that code_tests loads: their files, their bytes, and functions of theirs.

#include <fmt/core.h>

#include <cstddef>
#include <fstream>
#include <iterator>
#include <otter/code.hpp>
#include <string>
#include <vector>

namespace modules {

inline std::string file(std::string const& name) {
  return fmt::format("{}/{}.so", CODE_TEST_MODULES, name);
}

inline std::vector<std::byte> content(std::string const& name) {
  std::ifstream in(file(name), std::ios::binary);
  std::string const text{std::istreambuf_iterator<char>(in), {}};
  auto const* const begin = reinterpret_cast<std::byte const*>(text.data());
  return {begin, begin + text.size()};
}

inline std::string version_of_sums() {
  return otter::code::latest<std::string()>("sums", "version")();
}

/// "2 over 1", "2", "over 1" or "".
inline std::string versions(char const* module) {
  auto const now = otter::code::which(module);
  auto const old = otter::code::which_old(module);
  std::string text = now ? now->version : "";
  if (old) text += (now ? " over " : "over ") + old->version;
  return text;
}

}  // namespace modules
