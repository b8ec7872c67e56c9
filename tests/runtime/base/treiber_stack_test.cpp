// Many push, one takes everything.

#include "base/treiber_stack.hpp"

#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "base/clock.hpp"

namespace {

struct node {
  int from = 0;
  int number = 0;
  node* next = nullptr;
};
using stack = otter::rts::treiber_stack<node, &node::next>;

}  // namespace

TEST_CASE("take_all gives everything, newest first, and leaves nothing", "[treiber_stack]") {
  stack s;
  node a, b, c;
  CHECK(s.take_all() == nullptr);
  CHECK(s.push(a));
  CHECK_FALSE(s.push(b));
  CHECK_FALSE(s.push(c));
  node* const newest = s.take_all();
  CHECK(newest == &c);
  CHECK(s.empty());
  node d;
  CHECK(s.push(d));
  node* const oldest = otter::rts::reversed<&node::next>(newest);
  CHECK(oldest == &a);
  CHECK(a.next == &b);
  CHECK(b.next == &c);
  CHECK(c.next == nullptr);
}

TEST_CASE("every pushed node is taken once, in its pusher's order", "[treiber_stack][stress]") {
  // May be seen: pushers interleaved in any way. Never: a node lost, taken twice, or before one
  // that its own pusher pushed earlier.
  stack s;
  constexpr int pushers = 3;
  constexpr int each = 20000;
  std::vector<std::vector<node>> nodes(pushers, std::vector<node>(each));
  std::vector<std::thread> threads;
  for (int from = 0; from < pushers; ++from) {
    threads.emplace_back([&, from] {
      for (int number = 0; number < each; ++number) {
        node& n = nodes[static_cast<std::size_t>(from)][static_cast<std::size_t>(number)];
        n.from = from;
        n.number = number;
        s.push(n);
      }
    });
  }
  std::vector<int> expected(pushers, 0);
  int wrong = 0;
  for (int taken = 0; taken < pushers * each;) {
    node* n = otter::rts::reversed<&node::next>(s.take_all());
    if (n == nullptr) std::this_thread::yield();
    for (; n != nullptr; n = n->next, ++taken)
      if (expected[static_cast<std::size_t>(n->from)]++ != n->number) ++wrong;
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(s.empty());
}

TEST_CASE("the monotonic clock never goes back", "[clock]") {
  std::int64_t const before = otter::rts::monotonic_ns();
  CHECK(before > 0);
  CHECK(otter::rts::monotonic_ns() >= before);
}
