// How long a login has to wait, by its address and by its account.

#include "login_brake.hpp"

#include <catch2/catch.hpp>

using namespace std::chrono_literals;
using chat::login_brake;
using failures = chat::failure_count<login_brake::address>;

namespace {

constexpr login_brake::address one{127, 0, 0, 1};
constexpr login_brake::address other{127, 0, 0, 2};
constexpr login_brake::address third{127, 0, 0, 3};

}  // namespace

TEST_CASE("an address without failed logins does not wait", "[chat][brake]") {
  failures brake{{1, 3}};
  CHECK(brake.wait_of(one, 0ms) == 0ms);
  CHECK(brake.remembered() == 0);
}

TEST_CASE("an address waits once more logins have failed than the reserve allows",
          "[chat][brake]") {
  login_brake brake{{1, 3}};
  for (auto const* name : {"a", "b", "c"}) brake.failed(name, one, 0ms);
  CHECK(brake.wait_of("d", one, 0ms) == 0ms);
  for (auto const* name : {"d", "e"}) brake.failed(name, one, 0ms);
  CHECK(brake.wait_of("f", one, 0ms) > 1900ms);
  CHECK(brake.wait_of("f", one, 1000ms) > 900ms);
  CHECK(brake.wait_of("f", one, 2001ms) == 0ms);
}

TEST_CASE("an address does not wait for the failures of another", "[chat][brake]") {
  login_brake brake{{1, 1}};
  for (int i = 0; i < 10; ++i) brake.failed("a", one, 0ms);
  CHECK(brake.wait_of("b", other, 0ms) == 0ms);
}

TEST_CASE("an account waits for what was guessed from anywhere, whether it exists or not",
          "[chat][brake]") {
  login_brake brake{{1, 3}};
  for (auto const& from : {one, other, one, other, one}) brake.failed("alice", from, 0ms);
  CHECK(brake.wait_of("alice", third, 0ms) > 1900ms);
  CHECK(brake.wait_of("bob", third, 0ms) == 0ms);
  CHECK(brake.wait_of("alice", third, 2001ms) == 0ms);
}

TEST_CASE("where its owner has logged in before, an account does not wait for guesses elsewhere",
          "[chat][brake]") {
  login_brake brake{{1, 1}};
  brake.succeeded("alice", one);
  for (int i = 0; i < 10; ++i) brake.failed("alice", other, 0ms);
  CHECK(brake.wait_of("alice", one, 0ms) == 0ms);
  CHECK(brake.wait_of("alice", third, 0ms) > 8900ms);
  SECTION("the four latest places count") {
    for (std::uint8_t i = 10; i < 13; ++i) brake.succeeded("alice", {127, 0, 0, i});
    CHECK(brake.wait_of("alice", one, 0ms) == 0ms);
    brake.succeeded("alice", {127, 0, 0, 13});
    CHECK(brake.wait_of("alice", one, 0ms) > 8900ms);
  }
  SECTION("a place that is used again stays the latest") {
    for (std::uint8_t i = 10; i < 20; ++i) {
      brake.succeeded("alice", {127, 0, 0, i});
      brake.succeeded("alice", one);
    }
    CHECK(brake.wait_of("alice", one, 0ms) == 0ms);
  }
  SECTION("but guesses from the same address do") {
    for (int i = 0; i < 3; ++i) brake.failed("bob", one, 0ms);
    CHECK(brake.wait_of("alice", one, 0ms) > 1900ms);
  }
}

TEST_CASE("a limit of zero brakes nobody", "[chat][brake]") {
  login_brake brake{{0, 1}};
  for (int i = 0; i < 100; ++i) brake.failed("alice", one, 0ms);
  CHECK(brake.wait_of("alice", one, 0ms) == 0ms);
}

TEST_CASE("an address that owes nothing any more is forgotten", "[chat][brake]") {
  failures brake{{1, 3}};
  for (int i = 0; i < 10; ++i) brake.failed(one, 0ms);  // owes 7 s
  brake.failed(other, 5000ms);
  CHECK(brake.remembered() == 2);
  brake.failed(other, 6000ms);
  CHECK(brake.remembered() == 2);
  brake.failed(other, 60000ms);
  CHECK(brake.remembered() == 1);
}
