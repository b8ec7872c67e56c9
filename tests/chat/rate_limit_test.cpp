// The token bucket.

#include "rate_limit.hpp"

#include <catch2/catch.hpp>

using namespace std::chrono_literals;

TEST_CASE("a burst is free, what is over it is waited for", "[chat][rate_limit]") {
  chat::token_bucket bucket;
  chat::rate_limit const limit{100, 50};
  CHECK(bucket.take(limit, 50, 1000ms) == 0ms);
  CHECK(bucket.take(limit, 10, 1000ms) == 101ms);  // 10 of 100 a second
  CHECK(bucket.take(limit, 0, 1100ms) == 0ms);     // the debt is paid
  CHECK(bucket.take(limit, 50, 1600ms) == 0ms);
}

TEST_CASE("the reserve never grows over the burst", "[chat][rate_limit]") {
  chat::token_bucket bucket;
  chat::rate_limit const limit{100, 50};
  CHECK(bucket.take(limit, 1, 0ms) == 0ms);
  CHECK(bucket.take(limit, 51, 1000000ms) > 0ms);
}

TEST_CASE("a limit of nothing per second means no limit", "[chat][rate_limit]") {
  chat::token_bucket bucket;
  CHECK(bucket.take({0, 0}, 4000000000U, 0ms) == 0ms);
}
