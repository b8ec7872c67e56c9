#pragma once

// Types that the test program and its module both define: one alike, one in two versions.

#include <cstdint>
#include <otter/reflection.hpp>
#include <string>
#include <vector>

struct same_in_both {
  int n;
  std::string text;
  bool operator==(const same_in_both&) const = default;
};

struct newer_in_module {
#ifdef MESSAGE_TEST_IN_MODULE
  int total;
#else
  int count;
#endif
};

struct holds_newer {
  std::vector<newer_in_module> entries;
};

class sealed_version {
 public:
  int get() const { return n_; }

 private:
  int n_ = 0;
};
#ifdef MESSAGE_TEST_IN_MODULE
template <>
inline constexpr std::uint64_t otter::layout_version<sealed_version> = 2;
#endif
