// Modules "sums" that must not be loaded: which one is said by a macro.

#include <otter/module.hpp>
#include <stdexcept>
#include <string>

namespace {
[[maybe_unused]] std::string version() { return "refused"; }
}  // namespace

#if defined(SUMS_RETURNS_FALSE)
static bool check() { return false; }
OTTER_MODULE(otter::code::function<&version>("version"), otter::code::on_load<&check>());

#elif defined(SUMS_THROWS)
static void check() { throw std::runtime_error("no table of primes"); }
OTTER_MODULE(otter::code::function<&version>("version"), otter::code::on_load<&check>());

#elif defined(SUMS_NEEDS_MORE)
namespace abacus {
int push(int bead);
}
static int count(int n) { return abacus::push(n); }
OTTER_MODULE(otter::code::function<&count>("count"));

#elif defined(SUMS_BRINGS_RUNTIME)
extern "C" [[gnu::visibility("default")]] const char otter_one_runtime = 2;
OTTER_MODULE(otter::code::function<&version>("version"));

#elif defined(SUMS_WITHOUT_TABLE)
[[maybe_unused]] static std::string (*const unused)() = &version;

#endif
