// A test that fails from some seeds, on purpose: for the script replays_a_failing_seed.

#include <catch2/catch.hpp>
#include <otter/random.hpp>

#include "on_every_driver.hpp"

// With all that a shell or Catch2 might take for something else.
TEST_CASE("what fails, and whose seed that is: somebody's \"own\" [of five]") {
  in_simulation([](driver_report& report) {
    report.check("the seed's first number is even", otter::random_number() % 2 == 0);
  });
}
