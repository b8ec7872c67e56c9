// A program of its own: it counts what the thread allocates.

#include <catch2/catch.hpp>
#include <cstdlib>
#include <new>
#include <otter/logger.hpp>
#include <otter/simulation.hpp>
#include <string>

namespace {
thread_local std::size_t allocations = 0;
}

void* operator new(std::size_t size) {
  ++allocations;
  if (void* p = std::malloc(size != 0 ? size : 1)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

TEST_CASE("an event whose level is off allocates nothing and prints nothing", "[logger][LOG-1]") {
  constexpr otter::logger::module_log note{"test"};
  std::size_t quiet = 1, loud = 0;
  int printed = 0;
  otter::simulation simulation(1);
  auto const result = simulation.run([&] {
    otter::logger::set_level(otter::logger::level::warning);
    otter::logger::set_module_level("another", otter::logger::level::debug);
    std::string const long_text(1000, 'x');
    std::size_t const before = allocations;
    for (int i = 0; i != 1000; ++i)
      note.info("nothing", {{"i", i}, {"text", long_text}, {"lazy", [&] { return ++printed; }}});
    quiet = allocations - before;
    note.alert("something", {{"text", long_text}});
    loud = allocations - before;
  });
  CHECK(result.finished);
  CHECK(quiet == 0);
  CHECK(printed == 0);
  CHECK(loud > 0);  // so that the count is one
}
