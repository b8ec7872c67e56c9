// How long an address has to wait for its next login.

#include "login_brake.hpp"

#include <catch2/catch.hpp>

using namespace std::chrono_literals;
using chat::login_brake;

namespace {

constexpr login_brake::address one{127, 0, 0, 1};
constexpr login_brake::address other{127, 0, 0, 2};

}  // namespace

TEST_CASE("an address without failed logins does not wait", "[chat][brake]") {
  login_brake brake{{1, 3}};
  CHECK(brake.wait_of(one, 0ms) == 0ms);
  CHECK(brake.remembered() == 0);
}

TEST_CASE("an address waits once more logins have failed than the reserve allows",
          "[chat][brake]") {
  login_brake brake{{1, 3}};
  for (int i = 0; i < 3; ++i) brake.failed(one, 0ms);
  CHECK(brake.wait_of(one, 0ms) == 0ms);
  brake.failed(one, 0ms);
  brake.failed(one, 0ms);
  CHECK(brake.wait_of(one, 0ms) > 1900ms);
  CHECK(brake.wait_of(one, 1000ms) > 900ms);
  CHECK(brake.wait_of(one, 2001ms) == 0ms);
}

TEST_CASE("an address does not wait for the failures of another", "[chat][brake]") {
  login_brake brake{{1, 1}};
  for (int i = 0; i < 10; ++i) brake.failed(one, 0ms);
  CHECK(brake.wait_of(other, 0ms) == 0ms);
}

TEST_CASE("a limit of zero brakes nobody", "[chat][brake]") {
  login_brake brake{{0, 1}};
  for (int i = 0; i < 100; ++i) brake.failed(one, 0ms);
  CHECK(brake.wait_of(one, 0ms) == 0ms);
}

TEST_CASE("an address that owes nothing any more is forgotten", "[chat][brake]") {
  login_brake brake{{1, 3}};
  for (int i = 0; i < 10; ++i) brake.failed(one, 0ms);  // owes 7 s
  brake.failed(other, 5000ms);
  CHECK(brake.remembered() == 2);
  brake.failed(other, 6000ms);
  CHECK(brake.remembered() == 2);
  brake.failed(other, 60000ms);
  CHECK(brake.remembered() == 1);
}
