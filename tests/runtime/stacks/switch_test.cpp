// What a switch carries and what it refuses.

#include "stacks/switch.hpp"

#include <execinfo.h>

#include <catch2/catch.hpp>
#include <cfenv>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "coroutine.hpp"
#include "forked.hpp"

using namespace otter::rts;
using otter::rts::testing::coroutine;
using otter::rts::testing::forked;

namespace {

struct lent {
  explicit lent(stack_source& from) : source(from), s(from.take(stack_class::small)) {}
  ~lent() { source.give_back(s); }
  lent(lent const&) = delete;
  lent& operator=(lent const&) = delete;
  stack_source& source;
  stack* s;
};

}  // namespace

TEST_CASE("a suspended stack continues where it left off, with its locals", "[stacks]") {
  stack_source source;
  lent a(source);
  lent b(source);
  thread_stack home;
  std::vector<std::string> seen;
  auto const count_to_three = [&seen](std::string name) {
    return [&seen, name](coroutine& self) {
      for (int i = 1; i <= 3; ++i) {
        seen.push_back(name + std::to_string(i));
        self.pause();
      }
    };
  };
  coroutine first(home, *a.s, count_to_three("a"));
  coroutine second(home, *b.s, count_to_three("b"));
  while (!first.done() || !second.done()) {
    if (!first.done()) first.resume();
    if (!second.done()) second.resume();
  }
  CHECK(seen == std::vector<std::string>{"a1", "b1", "a2", "b2", "a3", "b3"});
}

TEST_CASE("two stacks can switch to each other a hundred thousand times", "[stacks]") {
  stack_source source;
  lent a(source);
  thread_stack home;
  int turns = 0;
  coroutine counter(home, *a.s, [&turns](coroutine& self) {
    for (;;) {
      ++turns;
      self.pause();
    }
  });
  for (int i = 0; i < 100'000; ++i) counter.resume();
  CHECK(turns == 100'000);
}

TEST_CASE("a stack has a context while it waits and none while it runs", "[stacks]") {
  stack_source source;
  lent a(source);
  thread_stack home;
  CHECK_FALSE(a.s->has_context());
  bool while_running = true;
  coroutine body(home, *a.s, [&](coroutine& self) {
    while_running = a.s->has_context();
    self.pause();
  });
  CHECK(a.s->has_context());
  body.resume();
  CHECK_FALSE(while_running);
  CHECK(a.s->has_context());
}

TEST_CASE("stacks that switch inside catch blocks rethrow each their own exception", "[stacks]") {
  stack_source source;
  lent a(source);
  lent b(source);
  thread_stack home;
  std::string caught[2];
  auto const fails_with = [&caught](int index, std::string text) {
    return [&caught, index, text](coroutine& self) {
      try {
        try {
          throw std::runtime_error(text);
        } catch (...) {
          self.pause();  // the other one throws and catches meanwhile
          throw;
        }
      } catch (std::exception const& e) {
        caught[index] = e.what();
      }
    };
  };
  coroutine first(home, *a.s, fails_with(0, "first"));
  coroutine second(home, *b.s, fails_with(1, "second"));
  first.resume();
  second.resume();
  CHECK(std::current_exception() == nullptr);  // nobody handles anything on this stack
  first.resume();
  second.resume();
  CHECK(caught[0] == "first");
  CHECK(caught[1] == "second");
}

TEST_CASE("an exception on its way on one stack is not counted on another", "[stacks]") {
  stack_source source;
  lent a(source);
  thread_stack home;
  int inside_before = 0;
  int inside_after = 0;
  struct pauses_when_unwound {
    coroutine& self;
    int& before;
    int& after;
    ~pauses_when_unwound() {
      before = std::uncaught_exceptions();
      self.pause();
      after = std::uncaught_exceptions();
    }
  };
  coroutine body(home, *a.s, [&](coroutine& self) {
    try {
      pauses_when_unwound const guard{self, inside_before, inside_after};
      throw std::runtime_error("on its way");
    } catch (std::exception const&) {
    }
  });
  body.resume();
  CHECK(std::uncaught_exceptions() == 0);
  body.resume();
  CHECK(inside_before == 1);
  CHECK(inside_after == 1);
  CHECK(body.done());
}

TEST_CASE("the rounding mode belongs to a stack", "[stacks]") {
  stack_source source;
  lent a(source);
  thread_stack home;
  int seen = -1;
  int const usual = std::fegetround();
  coroutine body(home, *a.s, [&seen](coroutine& self) {
    std::fesetround(FE_UPWARD);
    self.pause();
    seen = std::fegetround();
  });
  body.resume();
  CHECK(std::fegetround() == usual);
  body.resume();
  CHECK(seen == FE_UPWARD);
  CHECK(std::fegetround() == usual);
}

TEST_CASE("a backtrace ends at the bottom of its stack", "[stacks]") {
  stack_source source;
  lent a(source);
  thread_stack home;
  int depth = 0;
  bool all_inside = true;
  int by_pointers = 0;
  coroutine body(home, *a.s, [&](coroutine& self) {
    void* frames[64];
    depth = ::backtrace(frames, 64);
    // And the walk by frame pointers, which a profiler uses.
    auto const* frame = static_cast<void* const*>(__builtin_frame_address(0));
    while (frame != nullptr && all_inside) {
      auto const* const at = reinterpret_cast<std::byte const*>(frame);
      all_inside = at >= a.s->low() && at < a.s->high();
      if (all_inside) frame = static_cast<void* const*>(*frame);
      ++by_pointers;
    }
    self.pause();
  });
  body.resume();
  CHECK(depth >= 3);
  CHECK(depth < 20);
  CHECK(all_inside);
  CHECK(by_pointers >= 3);
  CHECK(by_pointers < 20);
}

TEST_CASE("a discarded context can be made anew and run by another thread", "[stacks]") {
  stack_source source;
  lent a(source);
  std::vector<int> seen;
  {
    thread_stack home;
    coroutine body(home, *a.s, [&seen](coroutine& self) {
      seen.push_back(1);
      self.pause();
      seen.push_back(2);  // never
    });
    body.resume();
    discard_context(*a.s);
  }
  CHECK_FALSE(a.s->has_context());
  std::thread([&] {
    thread_stack home;
    coroutine body(home, *a.s, [&seen](coroutine&) { seen.push_back(3); });
    body.resume();
    discard_context(*a.s);
  }).join();
  CHECK(seen == std::vector<int>{1, 3});
}

TEST_CASE("misuse of a switch ends the program with a message", "[stacks]") {
  SECTION("nothing waits on the stack") {
    auto const end = forked([] {
      stack_source source;
      thread_stack home;
      switch_to(home, *source.take(stack_class::small));
    });
    CHECK(end.of_signal(SIGABRT));
    CHECK(end.said("switched to a stack on which nothing waits"));
  }
  SECTION("a frame would change its thread") {
    auto const end = forked([] {
      stack_source source;
      stack* const s = source.take(stack_class::small);
      thread_stack home;
      coroutine body(home, *s, [](coroutine& self) { self.pause(); });
      body.resume();
      std::thread([&] {
        thread_stack elsewhere;
        switch_to(elsewhere, *s);
      }).join();
    });
    CHECK(end.of_signal(SIGABRT));
    CHECK(end.said("continued on another thread"));
  }
  SECTION("the first function returns") {
    auto const end = forked([] {
      stack_source source;
      stack* const s = source.take(stack_class::small);
      thread_stack home;
      make_context(
          *s, [](void*) noexcept {}, nullptr);
      switch_to(home, *s);
    });
    CHECK(end.of_signal(SIGABRT));
    CHECK(end.said("the first function returned"));
  }
  SECTION("a context is made on top of a waiting one") {
    auto const end = forked([] {
      stack_source source;
      stack* const s = source.take(stack_class::small);
      make_context(
          *s, [](void*) noexcept {}, nullptr);
      make_context(
          *s, [](void*) noexcept {}, nullptr);
    });
    CHECK(end.of_signal(SIGABRT));
    CHECK(end.said("a second context"));
  }
  SECTION("the code does not run on the stack that it claims to leave") {
    auto const end = forked([] {
      stack_source source;
      stack* const s = source.take(stack_class::small);
      stack* const other = source.take(stack_class::small);
      make_context(
          *s, [](void*) noexcept {}, nullptr);
      switch_to(*other, *s);
    });
    CHECK(end.of_signal(SIGABRT));
    CHECK(end.said("otter: "));
  }
}
