// A module that brings its own view of some types. See type_in_module_test.cpp.

#define MESSAGE_TEST_IN_MODULE

#include <otter/exit_reason.hpp>
#include <otter/type_descriptor.hpp>
#include <string_view>

#include "versions.hpp"

namespace {
struct own {
  int n;
};
}  // namespace

extern "C" [[gnu::visibility("default")]] const otter::type_descriptor* type_in_module(
    const char* name) {
  const std::string_view wanted = name;
  if (wanted == "same_in_both") return &otter::descriptor_of<same_in_both>();
  if (wanted == "newer_in_module") return &otter::descriptor_of<newer_in_module>();
  if (wanted == "holds_newer") return &otter::descriptor_of<holds_newer>();
  if (wanted == "sealed_version") return &otter::descriptor_of<sealed_version>();
  if (wanted == "own") return &otter::descriptor_of<own>();
  if (wanted == "int") return &otter::descriptor_of<int>();
  return nullptr;
}

extern "C" [[gnu::visibility("default")]] void reason_of_module(otter::exit_reason* out) {
  *out = otter::exit_reason::of(same_in_both{7, "seven"});
}
