#include "seeds.hpp"

#include <errno.h>
#include <fmt/format.h>

#define CATCH_CONFIG_EXTERNAL_INTERFACES
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace otter_test {
namespace {

std::string to_say;  // the line of the run that goes on; empty when it was said, or without a run

class says_the_seed : public Catch::TestEventListenerBase {
 public:
  using TestEventListenerBase::TestEventListenerBase;
  bool assertionEnded(Catch::AssertionStats const& what) override {
    if (!what.assertionResult.isOk() && !to_say.empty()) {
      std::fputs(to_say.c_str(), stdout);
      std::fflush(stdout);
      to_say.clear();
    }
    return false;
  }
};

CATCH_REGISTER_LISTENER(says_the_seed)

/// `name` as a test that Catch2 is to run, between a shell's single quotes: there a comma would end
/// it, and a bracket begin a tag.
std::string quoted(std::string_view name) {
  std::string out;
  for (char const c : name) {
    if (c == ',' || c == '[' || c == '\\') out += '\\';
    if (c == '\'')
      out += "'\\''";
    else
      out += c;
  }
  return "'" + out + "'";
}

}  // namespace

seed_range seeds(std::uint64_t n) {
  char const* const one = std::getenv("OTTER_SEED");
  if (one == nullptr) return {1, n, false};
  std::uint64_t const seed = std::strtoull(one, nullptr, 10);
  return {seed, seed, true};
}

std::string again(std::uint64_t seed) {
  return fmt::format("OTTER_SEED={} {} {}", seed, program_invocation_name,
                     quoted(Catch::getResultCapture().getCurrentTestName()));
}

run_of::run_of(std::uint64_t seed) { to_say = "again: " + again(seed) + "\n"; }
run_of::~run_of() { to_say.clear(); }

}  // namespace otter_test
