#include "two_files.hpp"

namespace {
struct ping {
  int n;
};
}  // namespace

const otter::type_descriptor& ping_of_one_file() { return otter::descriptor_of<ping>(); }
const otter::type_descriptor& shared_ping_of_one_file() {
  return otter::descriptor_of<shared_ping>();
}
