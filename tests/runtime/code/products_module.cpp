// The module "products": a second one, for loading several together; it accepts being loaded.

#include <functional>
#include <otter/module.hpp>

namespace {
int accepted = 0;

bool check() { return ++accepted == 1; }
int times(int a, int b) { return a * b; }
int accepted_so_far() { return accepted; }

/// A variable of the module that may be code of another one.
std::function<int(int)> kept;
void keep(std::function<int(int)> const& f) { kept = f; }
void keep_nothing() { kept = nullptr; }
}  // namespace

OTTER_MODULE(otter::code::on_load<&check>(), otter::code::function<&times>("times"),
             otter::code::function<&accepted_so_far>("accepted"),
             otter::code::function<&keep>("keep"),
             otter::code::function<&keep_nothing>("keep_nothing"));
