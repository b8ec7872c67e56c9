// What lies below a stack.

#include "stacks/guard.hpp"

#include <catch2/catch.hpp>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "coroutine.hpp"
#include "forked.hpp"
#include "stacks/report.hpp"
#include "stacks/sanitizer_hooks.hpp"

using namespace otter::rts;
using otter::rts::testing::coroutine;
using otter::rts::testing::forked;
using otter::rts::testing::say;

namespace {

std::size_t mappings() {
  std::ifstream maps("/proc/self/maps");
  std::string line;
  std::size_t count = 0;
  while (std::getline(maps, line)) ++count;
  return count;
}

void touch(std::byte* at) { *const_cast<std::byte volatile*>(at) = std::byte{1}; }

}  // namespace

TEST_CASE("the byte below a stack cannot be written", "[stacks]") {
  auto const wish = GENERATE(guard_kind::none, guard_kind::protection);
  auto const end = forked([wish] {
    stack_source source({.guard = wish});
    stack* const s = source.take(stack_class::small);
    touch(s->low());
    touch(s->high() - 1);
    say("still alive");
    touch(s->low() - 1);
  });
  CHECK(end.said("still alive"));
  CHECK(end.of_signal(SIGSEGV));
}

TEST_CASE("a guard outlives giving the memory back", "[stacks]") {
  auto const end = forked([] {
    stack_source source({.warm_limit = 0});
    stack* s = source.take(stack_class::small);
    touch(s->low());
    source.give_back(s);
    s = source.take(stack_class::small);
    if (*s->low() == std::byte{0}) say("a fresh page");
    touch(s->low() - 1);
  });
  CHECK(end.said("a fresh page"));
  CHECK(end.of_signal(SIGSEGV));
}

TEST_CASE("a damaged canary ends the program at the next switch", "[stacks]") {
  auto const kind = GENERATE(stack_class::small, stack_class::large);
  auto const end = forked([kind] {
    set_describer([](stack const&, char* buffer, std::size_t size) noexcept {
      std::snprintf(buffer, size, "process <0.7.0> (greedy)");
    });
    stack_source source({.guard = guard_kind::canary});
    stack* const s = source.take(kind);
    thread_stack home;
    coroutine body(home, *s, [s](coroutine& self) {
      self.pause();
      say("intact so far; ");
      touch(s->low() - 8);
      self.pause();
    });
    body.resume();
    body.resume();
  });
  CHECK(end.said("intact so far"));
  CHECK(end.said("stack overflow (its canary is damaged) in process <0.7.0> (greedy): " +
                 std::to_string(stack_size(kind) / 1024) + " KiB stack (" + to_string(kind)));
  CHECK(end.said("stacks_tests"));  // the frames, one a line
  CHECK(end.of_signal(SIGABRT));
}

TEST_CASE("forty thousand guarded stacks stay few mappings", "[stacks]") {
  if (best_guard() != guard_kind::marker) {
    WARN("skipped: this kernel has no MADV_GUARD_INSTALL");
    CHECK(best_guard() == guard_kind::protection);
    return;
  }
  std::size_t const wanted = stack_size_factor() == 1 ? 40'000 : 4'000;  // sanitizers map slowly
  std::size_t const before = mappings();
  stack_source source;
  std::vector<stack*> stacks;
  stacks.reserve(wanted);
  for (std::size_t i = 0; i < wanted; ++i) stacks.push_back(source.take(stack_class::small));
  // ThreadSanitizer adds mappings of its own for each of ours.
  std::size_t const allowed = stack_size_factor() == 1 ? 200 : 3 * source.counts().slabs;
  CHECK(mappings() < before + allowed);
  CHECK(source.counts().guarded[static_cast<std::size_t>(guard_kind::marker)] >= wanted);
  for (stack* const s : stacks) source.give_back(s);
}

// Not under ThreadSanitizer, which needs maps itself and dies when there are none.
#ifndef OTTER_STACKS_TSAN
TEST_CASE("when the maps run out, canaries follow and it is said once", "[stacks]") {
  auto const end = forked([] {
    std::string reports;
    stack_source source({.guard = guard_kind::protection,
                         .report =
                             [](char const* line, void* to) noexcept {
                               *static_cast<std::string*>(to) += std::string("[") + line + "]";
                             },
                         .report_context = &reports});
    // Two maps each: more than there can be.
    std::size_t const wanted = max_map_count() / 2 + 64;
    for (std::size_t i = 0; i < wanted; ++i) source.take(stack_class::small);
    auto const counts = source.counts();
    say(counts.guarded[static_cast<std::size_t>(guard_kind::protection)] > wanted / 2 ? "many "
                                                                                      : "few ");
    say(counts.guarded[static_cast<std::size_t>(guard_kind::canary)] > 0 ? "canaries " : "none ");
    say(reports);
  });
  CHECK(end.with_code(0));
  CHECK(end.said("many canaries [stacks from number "));
  CHECK(end.output.find('[') == end.output.rfind('['));
}
#endif
