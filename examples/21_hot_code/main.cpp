// 21: hot code - a server gets the next version of its class while it runs.
//
// The greeter's class is in a module that the program loads; it never includes it. Its second
// version is loaded, and the server, which has served in between, goes on in it with what it
// remembers.
//
// Try: give the program a word as an argument, and it waits for Enter before the upgrade. Meanwhile
// change what version 2 says in greeter.cpp, and build the target greeter-2.

#include <cstdio>
#include <otter/blocking.hpp>
#include <otter/code.hpp>
#include <otter/gen.hpp>
#include <otter/node.hpp>
#include <otter/sys.hpp>

#include "greeter.hpp"

namespace {

void load(char const* file) {
  auto const loaded = otter::code::load(file);
  if (loaded)
    std::printf("%s %s is loaded\n", loaded->name.c_str(), loaded->version.c_str());
  else
    std::printf("%s\n", loaded.error().text.c_str());
}

}  // namespace

int main(int arguments, char**) {
  return otter::run([by_hand = arguments > 1] {
    load(GREETER_FOLDER "/greeter-1.so");
    otter::pid const greeter = start_greeter("greeter", "start")().value();
    std::printf("%s\n", otter::call(greeter, greet{"ann"}).c_str());

    if (by_hand) {
      std::printf("Enter loads the second version\n");
      otter::blocking([] { std::getchar(); });
    }
    load(GREETER_FOLDER "/greeter-2.so");
    std::printf("%s\n", otter::call(greeter, greet{"bob"}).c_str());  // loading changed nothing

    otter::sys::suspend(greeter);
    otter::sys::change_code(greeter, "greeter");
    otter::sys::resume(greeter);
    std::printf("%s\n", otter::call(greeter, greet{"cid"}).c_str());
    std::printf("%s\n", otter::call(greeter, greet{"dot"}).c_str());

    std::printf("killed by the purge of version 1: %s\n",
                otter::code::purge("greeter") ? "somebody" : "nobody");
  });
}
