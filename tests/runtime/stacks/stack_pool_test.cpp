// A worker's own stacks.

#include "stacks/stack_pool.hpp"

#include <catch2/catch.hpp>
#include <vector>

#include "coroutine.hpp"

using namespace otter::rts;
using otter::rts::testing::coroutine;

TEST_CASE("the stack put last is taken first", "[stacks]") {
  stack_source source;
  stack_pool pool(source);
  stack* const a = pool.take(stack_class::small);
  stack* const b = pool.take(stack_class::small);
  CHECK(a != b);
  pool.put(a);
  pool.put(b);
  CHECK(pool.take(stack_class::small) == b);
  CHECK(pool.take(stack_class::small) == a);
  pool.put(a);
  pool.put(b);
}

TEST_CASE("each class has its own pile", "[stacks]") {
  stack_source source;
  stack_pool pool(source);
  stack* const a = pool.take(stack_class::small);
  stack* const b = pool.take(stack_class::large);
  pool.put(a);
  pool.put(b);
  CHECK(pool.size(stack_class::small) == 1);
  CHECK(pool.size(stack_class::large) == 1);
  CHECK(pool.take(stack_class::small) == a);
  CHECK(pool.take(stack_class::large) == b);
  pool.put(a);
  pool.put(b);
}

TEST_CASE("a pooled stack keeps its loop, which continues when it is taken again", "[stacks]") {
  stack_source source;
  stack_pool pool(source);
  thread_stack home;
  int rounds = 0;
  stack* s = pool.take(stack_class::small);
  CHECK_FALSE(s->has_context());
  coroutine loop(home, *s, [&rounds](coroutine& self) {
    for (;;) {
      ++rounds;
      self.pause();
    }
  });
  loop.resume();
  pool.put(s);
  s = pool.take(stack_class::small);
  CHECK(s->has_context());
  loop.resume();
  CHECK(rounds == 2);
  pool.put(s);
}

TEST_CASE("surplus goes to the source in a batch, the coldest first", "[stacks]") {
  stack_source source;
  stack_pool pool(source, 8);
  std::vector<stack*> stacks;
  for (int i = 0; i < 9; ++i) stacks.push_back(pool.take(stack_class::small));
  for (int i = 0; i < 8; ++i) pool.put(stacks[static_cast<std::size_t>(i)]);
  CHECK(pool.size(stack_class::small) == 8);
  CHECK(source.counts().total_in_use() == 9);
  pool.put(stacks[8]);
  CHECK(pool.size(stack_class::small) == 4);
  CHECK(source.counts().total_in_use() == 4);
  for (std::size_t i = 8; i >= 5; --i) CHECK(pool.take(stack_class::small) == stacks[i]);
  for (std::size_t i = 5; i <= 8; ++i) pool.put(stacks[i]);
}

TEST_CASE("what reaches the source has lost its loop", "[stacks]") {
  stack_source source;
  thread_stack home;
  stack* s = nullptr;
  {
    stack_pool pool(source);
    s = pool.take(stack_class::small);
    coroutine loop(home, *s, [](coroutine& self) { self.pause(); });
    loop.resume();
    pool.put(s);
  }
  CHECK(source.counts().total_in_use() == 0);
  CHECK(source.take(stack_class::small) == s);
  CHECK_FALSE(s->has_context());
  source.give_back(s);
}

TEST_CASE("a loop may put the stack that it runs on and then leave it", "[stacks]") {
  stack_source source;
  stack_pool pool(source, 2);
  thread_stack home;
  std::vector<stack*> others{pool.take(stack_class::small), pool.take(stack_class::small)};
  stack* const own = pool.take(stack_class::small);
  int rounds = 0;
  coroutine loop(home, *own, [&](coroutine& self) {
    for (;;) {
      ++rounds;
      for (stack* const s : others) pool.put(s);
      pool.put(own);  // overflows the pool, which must not give this one away
      self.pause();
    }
  });
  loop.resume();
  CHECK(pool.take(stack_class::small) == own);
  others.clear();
  loop.resume();
  CHECK(rounds == 2);
}

TEST_CASE("exact stacks are not kept by the pool", "[stacks]") {
  stack_source source;
  stack_pool pool(source);
  stack* const s = pool.take(stack_class::exact, 10'000);
  CHECK(s->size() >= 10'000);
  CHECK(source.counts().total_in_use() == 1);
  pool.put(s);
  CHECK(pool.size(stack_class::exact) == 0);
  CHECK(source.counts().total_in_use() == 0);
}
