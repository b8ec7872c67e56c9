// Where a suspended stack waits.

#include "stacks/frame_walk.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>

#include "coroutine.hpp"

using namespace otter::rts;
using otter::rts::testing::coroutine;

namespace {

struct place {
  void* inner = nullptr;  // to which inner() returns: a place in outer()
  void* outer = nullptr;
};

[[gnu::noinline]] int inner(coroutine& self, place& here) {
  here.inner = __builtin_return_address(0);
  self.pause();
  return here.inner != nullptr ? 1 : 0;  // work behind the call, so that the frame stays
}

[[gnu::noinline]] int outer(coroutine& self, place& here) {
  here.outer = __builtin_return_address(0);
  return inner(self, here) + 1;
}

}  // namespace

TEST_CASE("the frames of a suspended stack are known, innermost first", "[stacks]") {
  stack_source source;
  stack* const s = source.take(stack_class::small);
  thread_stack home;
  place waits;
  std::array<void*, 64> counters{};
  coroutine body(home, *s, [&](coroutine& self) { outer(self, waits); });

  CHECK(suspended_frames(*s, counters.data(), counters.size()) == 0);  // nothing has run on it
  body.resume();
  std::size_t const depth = suspended_frames(*s, counters.data(), counters.size());
  REQUIRE(depth < counters.size());
  auto const end = counters.begin() + static_cast<std::ptrdiff_t>(depth);
  auto const in = std::find(counters.begin(), end, waits.inner);
  auto const out = std::find(counters.begin(), end, waits.outer);
  CHECK(in != end);
  CHECK(out != end);
  CHECK(in < out);
  CHECK(std::find(counters.begin(), end, nullptr) == end);

  CHECK(suspended_frames(*s, counters.data(), 2) == 2);  // no more than there is room for
  body.resume();
  source.give_back(s);
}
