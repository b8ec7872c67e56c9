// The module "products": a second one, for loading several together; it accepts being loaded.

#include <otter/module.hpp>

namespace {
int accepted = 0;

bool check() { return ++accepted == 1; }
int times(int a, int b) { return a * b; }
int accepted_so_far() { return accepted; }
}  // namespace

OTTER_MODULE(otter::code::on_load<&check>(), otter::code::function<&times>("times"),
             otter::code::function<&accepted_so_far>("accepted"));
