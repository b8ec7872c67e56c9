// What is printed when a stack overflows, and what is left to others.

#include "stacks/overflow_handler.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdio>
#include <string>
#include <thread>

#include "coroutine.hpp"
#include "forked.hpp"

using namespace otter::rts;
using otter::rts::testing::coroutine;
using otter::rts::testing::forked;
using otter::rts::testing::say;

namespace {

// Noinline, and with work after the call, so that it is a real recursion.
__attribute__((noinline)) int recurse(int volatile* depth) {
  char volatile room[512];
  room[0] = static_cast<char>(*depth);
  *depth = *depth + 1;
  return *depth > 100'000'000 ? 0 : recurse(depth) + room[0];
}

void describe_by_owner(stack const& s, char* buffer, std::size_t size) noexcept {
  std::snprintf(buffer, size, "process %s", static_cast<char const*>(s.owner));
}

void overflow_on(stack_class kind, guard_kind guard = guard_kind::none) {
  static stack_source source({.guard = guard});
  stack* const s = source.take(kind);
  static char name[] = "<0.7.0> (greedy)";
  s->owner = name;
  thread_stack home;
  coroutine body(home, *s, [](coroutine&) {
    int volatile depth = 0;
    recurse(&depth);
  });
  body.resume();
}

struct sigaction handler_of(int signal) {
  struct sigaction present {};
  ::sigaction(signal, nullptr, &present);
  return present;
}

}  // namespace

TEST_CASE("an overflow is reported with name, size and backtrace, and is fatal", "[stacks]") {
  auto const kind = GENERATE(stack_class::small, stack_class::medium, stack_class::large);
  // With the kernel's markers where it has them, and with what else there is where it has not.
  auto const guard = GENERATE(guard_kind::none, guard_kind::protection);
  auto const end = forked([kind, guard] {
    alternate_signal_stack const for_handlers;
    install_overflow_handler({.describe = describe_by_owner});
    overflow_on(kind, guard);
  });
  INFO(end.output);
  CHECK(end.of_signal(SIGSEGV));
  CHECK(end.said("stack overflow in process <0.7.0> (greedy): " +
                 std::to_string(stack_size(kind) / 1024) + " KiB stack (" + to_string(kind)));
  CHECK(end.said("stacks_tests"));  // the frames, one a line
}

TEST_CASE("an overflow on a plain thread with a signal stack of its own is reported", "[stacks]") {
  auto const end = forked([] {
    install_overflow_handler({.describe = describe_by_owner});
    std::thread([] {
      alternate_signal_stack const for_handlers;
      overflow_on(stack_class::small);
    }).join();
  });
  INFO(end.output);
  CHECK(end.of_signal(SIGSEGV));
  CHECK(end.said("stack overflow in process <0.7.0> (greedy)"));
}

TEST_CASE("without a describer an overflow is reported all the same", "[stacks]") {
  auto const end = forked([] {
    alternate_signal_stack const for_handlers;
    install_overflow_handler({});
    overflow_on(stack_class::small);
  });
  CHECK(end.of_signal(SIGSEGV));
  CHECK(end.said("stack overflow in an unnamed stack: "));
}

TEST_CASE("any other fault goes to the handler that was there before", "[stacks]") {
  auto const end = forked([] {
    struct sigaction earlier {};
    earlier.sa_flags = SA_SIGINFO;
    earlier.sa_sigaction = [](int, siginfo_t*, void*) {
      say("the earlier handler");
      ::_exit(7);
    };
    ::sigaction(SIGSEGV, &earlier, nullptr);
    install_overflow_handler({.describe = describe_by_owner});
    stack_source source;
    stack* const s = source.take(stack_class::exact, 4096);
    auto* const unmapped = const_cast<std::byte volatile*>(s->low());
    source.give_back(s);
    source.trim();
    *unmapped = std::byte{1};
  });
  CHECK(end.with_code(7));
  CHECK(end.said("the earlier handler"));
  CHECK_FALSE(end.said("stack overflow"));
}

TEST_CASE("an earlier handler also gets the overflow, after the report", "[stacks]") {
  auto const end = forked([] {
    alternate_signal_stack const for_handlers;
    struct sigaction earlier {};
    earlier.sa_flags = SA_ONSTACK;
    earlier.sa_handler = [](int) {
      say("the earlier handler");
      ::_exit(7);
    };
    ::sigaction(SIGSEGV, &earlier, nullptr);
    install_overflow_handler({});
    overflow_on(stack_class::small);
  });
  CHECK(end.with_code(7));
  CHECK(end.said("stack overflow"));
  CHECK(end.output.find("stack overflow") < end.output.find("the earlier handler"));
}

TEST_CASE("a SIGSEGV that somebody sent still kills, and is no overflow", "[stacks]") {
  auto const end = forked([] {
    install_overflow_handler({});
    ::kill(::getpid(), SIGSEGV);
    for (;;) ::pause();
  });
  CHECK(end.of_signal(SIGSEGV));
  CHECK_FALSE(end.said("stack overflow"));
}

TEST_CASE("using stacks touches no signal handler", "[stacks]") {
  auto const before = handler_of(SIGSEGV);
  {
    stack_source source;
    stack* const s = source.take(stack_class::small);
    thread_stack home;
    coroutine body(home, *s, [](coroutine& self) { self.pause(); });
    body.resume();
    source.give_back(s);
  }
  CHECK(handler_of(SIGSEGV).sa_sigaction == before.sa_sigaction);
}

TEST_CASE("uninstalling puts back the handlers that were found", "[stacks]") {
  auto const before = handler_of(SIGSEGV);
  install_overflow_handler({});
  CHECK(handler_of(SIGSEGV).sa_sigaction != before.sa_sigaction);
  uninstall_overflow_handler();
  CHECK(handler_of(SIGSEGV).sa_sigaction == before.sa_sigaction);
}

TEST_CASE("an address is traced to its stack, and only guards count as overflow", "[stacks]") {
  stack_source source;
  stack* const s = source.take(stack_class::small);
  stack* const alone = source.take(stack_class::exact, 100'000);
  CHECK(find_stack(s->low()) == s);
  CHECK(find_stack(s->high() - 1) == s);
  CHECK(find_overflowed(s->low()) == nullptr);
  CHECK(find_overflowed(s->low() - 1) == s);
  CHECK(find_overflowed(alone->low() - 1) == alone);
  CHECK(find_overflowed(alone->low() - 40'000) == alone);  // a large frame below the guard
  CHECK(find_overflowed(alone->low() - 400'000) != alone);
  CHECK(find_stack(alone->high()) != alone);
  CHECK(find_stack(nullptr) == nullptr);
  int on_the_thread = 0;
  CHECK(find_stack(&on_the_thread) == nullptr);
  source.give_back(s);
  std::byte const* const was = alone->low();
  source.give_back(alone);
  source.trim();
  CHECK(find_stack(was) == nullptr);
}

TEST_CASE("a thread has a signal stack while the object lives", "[stacks]") {
  stack_t before{};
  stack_t during{};
  stack_t after{};
  std::thread([&] {
    ::sigaltstack(nullptr, &before);
    {
      alternate_signal_stack const for_handlers;
      ::sigaltstack(nullptr, &during);
    }
    ::sigaltstack(nullptr, &after);
  }).join();
  CHECK((during.ss_flags & SS_DISABLE) == 0);
  CHECK(during.ss_size >= 8 * 1024);
  CHECK((after.ss_flags & SS_DISABLE) == (before.ss_flags & SS_DISABLE));
}
