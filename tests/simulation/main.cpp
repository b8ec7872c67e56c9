// otter_simulate - runs the scenario set in the simulation, from seeds.
//
//     otter_simulate --seeds 200 --first 1       many seeds; the last line counts them
//     otter_simulate --seed 17                   one, with what went wrong
//     otter_simulate --seed 17 --trace FILE      ... and every choice, signal, timer and byte
//
// A seed that crashes, or hangs until somebody ends the program, is named too.

#include <signal.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "trial.hpp"

namespace {

using simulate::scenario;
using simulate::scenarios;
using simulate::trial;

constexpr char usage[] =
    "usage: otter_simulate [--seeds N] [--first S] [--only SCENARIO] [--failures N]\n"
    "       otter_simulate --seed S [--only SCENARIO] [--digest FILE] [--trace FILE]\n"
    "\n"
    "Runs the scenario set in the simulation: one OS thread, virtual time, every choice taken "
    "from\n"
    "the seed. Exit status 0 only if no seed failed.\n"
    "\n"
    "  --seeds N        how many seeds (default 100)\n"
    "  --first S        the first of them (default 1)\n"
    "  --failures N     stops at the N-th seed that fails (default 10; 0: never)\n"
    "  --seed S         this one alone\n"
    "  --digest FILE    writes the digest of its trace\n"
    "  --trace FILE     writes the trace: every choice, signal, timer and byte, a line each\n"
    "  --only SCENARIO  this scenario alone:\n";

struct options {
  std::uint64_t seeds = 100, first = 1, failures = 10;
  std::optional<std::uint64_t> seed;
  std::string digest, trace, only;
};

void print_usage(std::FILE* to) {
  std::fputs(usage, to);
  for (scenario const& s : scenarios())
    std::fprintf(to, "                     %-12s %s\n", s.name, s.what);
}

[[noreturn]] void refuse(std::string const& why) {
  std::fprintf(stderr, "otter_simulate: %s (--help says more)\n", why.c_str());
  std::exit(2);
}

std::uint64_t number(char const* option, char const* text) {
  std::uint64_t value = 0;
  char const* const end = text + std::strlen(text);
  auto const [at, error] = std::from_chars(text, end, value);
  if (error != std::errc() || at != end || text == end)
    refuse(std::string(option) + " wants a number, not '" + text + "'");
  return value;
}

options parse(int argc, char** argv) {
  options o;
  for (int i = 1; i < argc; ++i) {
    std::string_view const option = argv[i];
    if (option == "--help" || option == "-h") {
      print_usage(stdout);
      std::exit(0);
    }
    if (i + 1 == argc) refuse(std::string(option) + " is unknown, or wants a value");
    char const* const value = argv[++i];
    if (option == "--seeds")
      o.seeds = number("--seeds", value);
    else if (option == "--first")
      o.first = number("--first", value);
    else if (option == "--failures")
      o.failures = number("--failures", value);
    else if (option == "--seed")
      o.seed = number("--seed", value);
    else if (option == "--digest")
      o.digest = value;
    else if (option == "--trace")
      o.trace = value;
    else if (option == "--only")
      o.only = value;
    else
      refuse("unknown option " + std::string(option));
  }
  if (!o.seed && !(o.digest.empty() && o.trace.empty())) refuse("--digest and --trace want --seed");
  return o;
}

// --- a seed that ends the program, or does not end: its name is said all the same ---

struct named_signal {
  int number;
  char const* what;
};
constexpr std::array<named_signal, 7> ends = {{{SIGSEGV, "crashes"},
                                               {SIGBUS, "crashes"},
                                               {SIGILL, "crashes"},
                                               {SIGFPE, "crashes"},
                                               {SIGABRT, "aborts"},
                                               {SIGTERM, "was stopped"},
                                               {SIGINT, "was stopped"}}};
std::array<struct sigaction, ends.size()> ends_before;
char running[256];  // "seed 17, bonds"; where to go on; written before each scenario

/// Writes what ran; then whoever handled the signal before us has it (a sanitizer, or the default).
/// Only what a signal handler may call; on a stack of its own, since a process's may be used up.
void on_end(int number) {
  auto const say = [](char const* text) {
    if (::write(STDOUT_FILENO, text, std::strlen(text)) < 0) return;
  };
  for (std::size_t i = 0; i < ends.size(); ++i) {
    if (ends[i].number != number) continue;
    say("\nthis ");
    say(ends[i].what);
    say(": ");
    say(running);
    ::sigaction(number, &ends_before[i], nullptr);
  }
  if (number == SIGTERM || number == SIGINT) ::raise(number);  // else it happens again by itself
}

void watch_ends() {
  static std::array<char, 65536> memory;
  stack_t stack{};
  stack.ss_sp = memory.data();
  stack.ss_size = memory.size();
  ::sigaltstack(&stack, nullptr);
  for (std::size_t i = 0; i < ends.size(); ++i) {
    struct sigaction ours {};
    ours.sa_handler = on_end;
    ours.sa_flags = SA_ONSTACK;
    ::sigaction(ends[i].number, &ours, &ends_before[i]);
  }
}

/// How to see one seed of one scenario again.
std::string again(std::uint64_t seed, scenario const& s) {
  return fmt::format("otter_simulate --seed {} --only {}, or ./dev simulate --seed {} -- --only {}",
                     seed, s.name, seed, s.name);
}

struct verdict {
  bool good = true;
  std::uint64_t digest = 0xcbf29ce484222325;
};

/// Runs the scenarios of one seed, and says what went wrong.
verdict run_seed(std::uint64_t seed, options const& o) {
  verdict v;
  bool any = false;
  for (scenario const& s : scenarios()) {
    if (o.only.empty() ? s.only_by_name : o.only != s.name) continue;
    any = true;
    if (!o.trace.empty()) {
      std::FILE* const file = std::fopen(o.trace.c_str(), "a");
      if (file == nullptr) refuse("cannot write " + o.trace);
      std::fprintf(file, "scenario %s\n", s.name);
      std::fclose(file);
    }
    std::snprintf(running, sizeof running, "seed %llu, %s\n  again: %s\n",
                  static_cast<unsigned long long>(seed), s.name, again(seed, s).c_str());
    trial t(seed, o.trace);
    s.run(t);
    v.digest = (v.digest ^ t.digest()) * 0x100000001b3;
    if (t.complaints().empty()) continue;
    v.good = false;
    std::printf("seed %llu, %s:\n", static_cast<unsigned long long>(seed), s.name);
    for (std::string const& c : t.complaints()) std::printf("  %s\n", c.c_str());
    std::printf("  again: %s\n", again(seed, s).c_str());
    std::fflush(stdout);
  }
  if (!any) refuse("no scenario is called '" + o.only + "'");
  return v;
}

int run_one(options const& o) {
  if (!o.trace.empty()) std::remove(o.trace.c_str());
  verdict const v = run_seed(*o.seed, o);
  if (!o.digest.empty()) {
    std::FILE* const file = std::fopen(o.digest.c_str(), "w");
    if (file == nullptr) refuse("cannot write " + o.digest);
    std::fprintf(file, "%016llx\n", static_cast<unsigned long long>(v.digest));
    std::fclose(file);
  }
  std::printf("seed %llu %s, digest %016llx\n", static_cast<unsigned long long>(*o.seed),
              v.good ? "passed" : "FAILED", static_cast<unsigned long long>(v.digest));
  return v.good ? 0 : 1;
}

int run_many(options const& o) {
  bool const terminal = ::isatty(STDERR_FILENO) == 1;
  std::uint64_t passed = 0, failed = 0;
  for (std::uint64_t i = 0; i < o.seeds; ++i) {
    if (terminal) {
      std::fprintf(stderr, "\r%llu of %llu seeds, %llu failed ", static_cast<unsigned long long>(i),
                   static_cast<unsigned long long>(o.seeds),
                   static_cast<unsigned long long>(failed));
    }
    ++(run_seed(o.first + i, o).good ? passed : failed);
    if (failed == o.failures && failed > 0) {
      std::printf("stopped at seed %llu: %llu failed\n",
                  static_cast<unsigned long long>(o.first + i),
                  static_cast<unsigned long long>(failed));
      break;
    }
  }
  if (terminal) std::fprintf(stderr, "\r%40s\r", "");
  std::printf("%llu passed, %llu failed\n", static_cast<unsigned long long>(passed),
              static_cast<unsigned long long>(failed));
  return failed == 0 && passed > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  options const o = parse(argc, argv);
  watch_ends();
  return o.seed ? run_one(o) : run_many(o);
}
