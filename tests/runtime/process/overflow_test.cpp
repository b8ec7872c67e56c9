// A stack that overflows says whose it was.

#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdint>
#include <otter/exit.hpp>
#include <otter/node.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <string>

#include "base/sanitizers.hpp"
#include "forked.hpp"
#include "stacks/stack.hpp"

using otter::rts::stack_class;
using otter::rts::testing::death;
using otter::rts::testing::forked;

namespace {

// Touches a page per call and uses what the call gave, so that no compiler makes a loop of it.
[[gnu::noinline, maybe_unused]] int deeper(int n) {
  char volatile room[2048];
  room[0] = static_cast<char>(n);
  room[2047] = room[0];
  return n == 1'000'000 ? n : deeper(n + 1) + room[2047];  // far more than any stack holds
}

/// Far larger than a guard, and touched at its far end only.
[[gnu::noinline]] int one_large_frame() {
  char volatile room[40 * 1024];
  room[0] = 1;
  return room[0];
}

/// Goes down until less than `left` bytes of a small stack are left, and then over its end in one
/// step. Small stacks lie at multiples of their size.
[[gnu::noinline, maybe_unused]] int over_the_end(std::size_t left) {
  char volatile room[256];
  room[0] = 1;
  auto const here = reinterpret_cast<std::uintptr_t>(&room[0]);
  std::size_t const above = here % otter::rts::stack_size(stack_class::small);
  return above < left ? one_large_frame() : over_the_end(left) + room[0];
}

/// How a program ends in which `dig` runs as a process of its own.
template <class Dig>
death of_program(std::size_t stack_size, Dig dig) {
  return forked([&] {
    otter::node node({.workers = 1, .crash_report = true});
    node.run([&] {
      // The digger's stack is to have a neighbour below.
      for (int i = 0; i < 8; ++i) otter::spawn([] { otter::receive([](int) {}); });
      for (int i = 0; i < 100; ++i) otter::checkpoint();
      otter::spawn_options options;
      options.label = "digger";
      options.stack_size = stack_size;
      options.monitor = otter::alias_mode::none;
      otter::spawn(options, [&] {
        for (int i = 0; i < 10'000; ++i) otter::checkpoint();  // others have their stacks by now
        dig();
      });
      otter::receive([](otter::down const&) {});
    });
  });
}

}  // namespace

#if OTTER_ASAN || OTTER_TSAN
TEST_CASE("a stack overflow names the process", "[process][stacks]") {
  WARN("skipped: the sanitizer's own handler takes the signal");
  SUCCEED();
}
#else
TEST_CASE("a stack overflow names process, size and place, on every class", "[process][stacks]") {
  auto const kind = GENERATE(stack_class::small, stack_class::medium, stack_class::large);
  std::size_t const bytes = otter::rts::stack_size(kind);
  death const end = of_program(bytes, [] { deeper(0); });
  INFO(end.output);
  CHECK(end.of_signal(SIGSEGV));
  CHECK(end.said("stack overflow in process <"));
  CHECK(end.said("(digger): " + std::to_string(bytes / 1024) + " KiB stack (" + to_string(kind)));
  // The frames, one a line.
  std::size_t frames = 0;
  for (std::size_t at = 0; (at = end.output.find("process_tests", at)) != std::string::npos; ++at)
    ++frames;
  CHECK(frames > 10);
}

TEST_CASE("a frame larger than the guard does not step over it", "[process][stacks]") {
  death const end = of_program(0, [] { over_the_end(24 * 1024); });
  INFO(end.output);
  CHECK(end.of_signal(SIGSEGV));
  CHECK(end.said("stack overflow in process <"));
  CHECK(end.said("(digger): "));
}
#endif
