// A stack that overflows says whose it was.

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <otter/exit.hpp>
#include <otter/node.hpp>
#include <otter/spawn.hpp>
#include <string>

#include "base/sanitizers.hpp"

namespace {

// Touches a page per call and uses what the call gave, so that no compiler makes a loop of it.
[[gnu::noinline]] int deeper(int n) {
  char volatile room[2048];
  room[0] = static_cast<char>(n);
  room[2047] = room[0];
  return n == 1'000'000 ? n : deeper(n + 1) + room[2047];  // far more than any stack holds
}

}  // namespace

TEST_CASE("a stack overflow names the process", "[process][stacks]") {
#if OTTER_ASAN || OTTER_TSAN
  WARN("skipped: the sanitizer's own handler takes the signal");
  SUCCEED();
#else
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  pid_t const child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::dup2(ends[1], 2);
    for (int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGTERM})
      ::signal(signal, SIG_DFL);  // not Catch2's
    otter::node node({.workers = 1, .crash_report = true});
    node.run([] {
      otter::spawn(otter::spawn_options{.label = "digger"}, [] { deeper(0); });
      for (;;) otter::checkpoint();
    });
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string text;
  char part[512];
  for (ssize_t n = 0; (n = ::read(ends[0], part, sizeof part)) > 0;)
    text.append(part, static_cast<std::size_t>(n));
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  INFO(text);
  CHECK(WIFSIGNALED(status));
  CHECK(text.find("stack overflow in process <") != std::string::npos);
  CHECK(text.find("(digger)") != std::string::npos);
#endif
}
