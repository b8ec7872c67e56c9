// The module "sums", in two versions that differ in what they say of themselves; the second one can
// do something more.

#include <functional>
#include <otter/code.hpp>
#include <otter/exit.hpp>
#include <otter/message.hpp>
#include <otter/module.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <stdexcept>
#include <string>

#include "sums.hpp"

namespace {

constexpr char const* own_version = SUMS_VERSION;

std::string version() { return own_version; }
int twice(int n) { return 2 * n; }
void fail(std::string const& text) { throw std::runtime_error(text); }
void leave(std::string const& text) { otter::exit(otter::exit_reason::of(text)); }

/// One step of a process of code::spawn().
otter::code::next_call tick(otter::pid whom) {
  otter::send(whom, sums::report{otter::self(), own_version});
  otter::receive([](sums::go_on) {});
  return sums::tick("sums", "tick").with(whom);
}
otter::code::next_call tick_once(otter::pid whom) {
  otter::send(whom, sums::report{otter::self(), own_version});
  return {};
}

/// Never goes on in another version.
void stay(otter::pid whom) {
  otter::send(whom, sums::report{otter::self(), own_version});
  for (;;)
    otter::receive([&](sums::go_on) {
      otter::send(whom, sums::report{otter::self(), own_version});
    });
}
/// Its body is of this module, whoever calls this.
otter::pid start(otter::pid whom) {
  return otter::spawn([whom] { stay(whom); });
}
std::function<otter::pid()> starter(otter::pid whom) {
  return [whom] { return start(whom); };
}

#ifdef SUMS_THRICE
int thrice(int n) { return 3 * n; }
#define SUMS_MORE , otter::code::function<&thrice>("thrice")
#else
#define SUMS_MORE
#endif

}  // namespace

OTTER_MODULE(otter::code::function<&version>("version"), otter::code::function<&twice>("twice"),
             otter::code::function<&fail>("fail"), otter::code::function<&leave>("leave"),
             otter::code::function<&tick>("tick"), otter::code::function<&tick_once>("tick_once"),
             otter::code::function<&stay>("stay"), otter::code::function<&start>("start"),
             otter::code::function<&starter>("starter") SUMS_MORE);
