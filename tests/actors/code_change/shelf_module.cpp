// The module "shelf": puts a row into a table of the program's, and makes one.

#include <otter/module.hpp>
#include <otter/table.hpp>
#include <string>

namespace {

void put(int key) {
  otter::table<int, std::string>::whereis("shelf").insert(key, "from the module");
}

/// Belongs to the caller. What types it has is known here only.
void make() { static_cast<void>(otter::table<int, double>::create({.name = "rack"})); }

}  // namespace

OTTER_MODULE(otter::code::function<&put>("put"), otter::code::function<&make>("make"));
