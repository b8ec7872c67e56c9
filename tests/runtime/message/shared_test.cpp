// One immutable value for many receivers.

#include <catch2/catch.hpp>
#include <memory>
#include <otter/shared.hpp>
#include <otter/type_descriptor.hpp>
#include <string>
#include <thread>
#include <vector>

using otter::share;
using otter::shared;

TEST_CASE("copies of a shared value refer to one value") {
  const auto a = share(std::string(100, 'x'));
  const auto b = a;
  CHECK(&*a == &*b);
  CHECK(b->size() == 100);
  const std::string& plain = b;
  CHECK(&plain == &a.get());
  CHECK(std::is_same_v<decltype(*a), const std::string&>);
}

TEST_CASE("shared values are compared by value") {
  CHECK(share(1) == share(1));
  CHECK_FALSE(share(1) == share(2));
}

TEST_CASE("a value that cannot be copied can be shared") {
  const auto a = share(std::make_unique<int>(3));
  const shared<std::unique_ptr<int>> b = a;
  CHECK(**b == 3);
}

TEST_CASE("the last copy destroys the value, whichever thread has it") {
  auto watched = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = watched;
  {
    auto first = share(std::move(watched));
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([copy = first] {
        for (int n = 0; n < 1000; ++n) {
          const auto another = copy;
          const auto moved = std::move(another);
        }
      });
    }
    auto last = std::move(first);
    for (auto& thread : threads) thread.join();
    CHECK_FALSE(watch.expired());
    last = share(std::make_shared<int>(2));
    CHECK(watch.expired());
  }
}

TEST_CASE("a shared value can be sent: its descriptor moves, copies and compares it") {
  const auto& type = otter::descriptor_of<shared<std::string>>();
  CHECK(type.size == sizeof(void*));
  CHECK(type.nothrow_move);
  REQUIRE(type.copy_construct != nullptr);
  const auto a = share(std::string("x"));
  const auto b = share(std::string("x"));
  CHECK(type.equal(&a, &b));
}
