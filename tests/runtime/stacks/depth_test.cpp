// How much of a stack was used.

#include "stacks/depth.hpp"

#include <catch2/catch.hpp>
#include <cstring>

#include "coroutine.hpp"
#include "forked.hpp"

using namespace otter::rts;
using otter::rts::testing::coroutine;

namespace {

constexpr std::size_t much = 24'000;

// Uses `much` of the stack and calls `inside` at its deepest.
template <class Inside>
__attribute__((noinline)) void go_deep(Inside inside) {
  char volatile room[much];
  for (std::size_t i = 0; i < much; i += 64) room[i] = 1;
  inside();
  room[0] = room[1];
}

}  // namespace

TEST_CASE("a stack that nothing ran on has depth zero", "[stacks]") {
  stack_source source;
  stack* const s = source.take(stack_class::small);
  CHECK(depth_of(*s) == 0);
  CHECK(painted_depth(*s) == 0);
  source.give_back(s);
}

TEST_CASE("the depth at a suspension is remembered", "[stacks]") {
  stack_source source;
  stack* const s = source.take(stack_class::small);
  thread_stack home;
  coroutine body(home, *s, [](coroutine& self) {
    self.pause();
    go_deep([&self] { self.pause(); });
  });
  body.resume();
  std::size_t const shallow = depth_of(*s);
  CHECK(shallow > 0);
  CHECK(shallow < much);
  body.resume();
  CHECK(depth_of(*s) >= much);
  body.resume();
  CHECK(depth_of(*s) >= much);  // the deepest, not the last
  source.give_back(s);
}

TEST_CASE("a runtime call notes the depth without a suspension", "[stacks]") {
  stack_source source;
  stack* const s = source.take(stack_class::small);
  thread_stack home;
  coroutine body(home, *s, [s](coroutine&) { go_deep([s] { record_depth(*s); }); });
  body.resume();
  CHECK(depth_of(*s) >= much);
  CHECK(depth_of(*s) < s->size());
  source.give_back(s);
}

TEST_CASE("paint shows what was used between two suspensions", "[stacks]") {
  stack_source source;
  stack* const s = source.take(stack_class::small);
  thread_stack home;
  coroutine body(home, *s, [](coroutine& self) {
    self.pause();
    go_deep([] {});
    self.pause();
  });
  body.resume();
  paint(*s);  // while it is suspended: its frames stay as they are
  std::size_t const before = painted_depth(*s);
  body.resume();
  CHECK(before < much);
  CHECK(painted_depth(*s) >= much);
  CHECK(depth_of(*s) < much);
  body.resume();
  CHECK(body.done());
  source.give_back(s);
}

TEST_CASE("a stack can be painted by what runs on it", "[stacks]") {
  stack_source source;
  stack* const s = source.take(stack_class::small);
  thread_stack home;
  int kept = 0;
  coroutine body(home, *s, [&](coroutine&) {
    int volatile local = 42;
    paint(*s);
    kept = local;
    go_deep([] {});
  });
  body.resume();
  CHECK(kept == 42);
  CHECK(painted_depth(*s) >= much);
  source.give_back(s);
}

TEST_CASE("a stack that comes home forgets its depth", "[stacks]") {
  stack_source source;
  stack* s = source.take(stack_class::small);
  thread_stack home;
  coroutine body(home, *s, [](coroutine& self) { self.pause(); });
  body.resume();
  CHECK(depth_of(*s) > 0);
  source.give_back(s);
  s = source.take(stack_class::small);
  CHECK(depth_of(*s) == 0);
  source.give_back(s);
}
