// otter_simulate - runs the scenario set in the simulation, from seeds.
//
//     otter_simulate --seeds 200 --first 1       many seeds; the last line counts them
//     otter_simulate --seed 17                   one, with what went wrong
//     otter_simulate --seed 17 --trace FILE      ... and every choice, signal, timer and byte

#include <unistd.h>

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
    "usage: otter_simulate [--seeds N] [--first S] [--only SCENARIO] [--keep-going]\n"
    "       otter_simulate --seed S [--only SCENARIO] [--digest FILE] [--trace FILE]\n"
    "\n"
    "Runs the scenario set in the simulation: one OS thread, virtual time, every choice taken "
    "from\n"
    "the seed. Exit status 0 only if no seed failed.\n"
    "\n"
    "  --seeds N        how many seeds (default 100)\n"
    "  --first S        the first of them (default 1)\n"
    "  --keep-going     do not stop at the tenth seed that fails\n"
    "  --seed S         this one alone\n"
    "  --digest FILE    writes the digest of its trace\n"
    "  --trace FILE     writes the trace: every choice, signal, timer and byte, a line each\n"
    "  --only SCENARIO  this scenario alone:\n";

struct options {
  std::uint64_t seeds = 100, first = 1;
  std::optional<std::uint64_t> seed;
  std::string digest, trace, only;
  bool keep_going = false;
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
    if (option == "--keep-going") {
      o.keep_going = true;
      continue;
    }
    if (i + 1 == argc) refuse(std::string(option) + " is unknown, or wants a value");
    char const* const value = argv[++i];
    if (option == "--seeds")
      o.seeds = number("--seeds", value);
    else if (option == "--first")
      o.first = number("--first", value);
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

struct verdict {
  bool good = true;
  std::uint64_t digest = 0xcbf29ce484222325;
};

/// Runs the scenarios of one seed, and says what went wrong.
verdict run_seed(std::uint64_t seed, options const& o) {
  verdict v;
  bool any = false;
  for (scenario const& s : scenarios()) {
    if (!o.only.empty() && o.only != s.name) continue;
    any = true;
    if (!o.trace.empty()) {
      std::FILE* const file = std::fopen(o.trace.c_str(), "a");
      if (file == nullptr) refuse("cannot write " + o.trace);
      std::fprintf(file, "scenario %s\n", s.name);
      std::fclose(file);
    }
    trial t(seed, o.trace);
    s.run(t);
    v.digest = (v.digest ^ t.digest()) * 0x100000001b3;
    if (t.complaints().empty()) continue;
    v.good = false;
    std::printf("seed %llu, %s:\n", static_cast<unsigned long long>(seed), s.name);
    for (std::string const& c : t.complaints()) std::printf("  %s\n", c.c_str());
    std::printf("  again: otter_simulate --seed %llu --only %s, or ./dev simulate --seed %llu\n",
                static_cast<unsigned long long>(seed), s.name,
                static_cast<unsigned long long>(seed));
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
  constexpr std::uint64_t enough_failures = 10;
  bool const terminal = ::isatty(STDERR_FILENO) == 1;
  std::uint64_t passed = 0, failed = 0;
  for (std::uint64_t i = 0; i < o.seeds; ++i) {
    if (terminal) {
      std::fprintf(stderr, "\r%llu of %llu seeds, %llu failed ", static_cast<unsigned long long>(i),
                   static_cast<unsigned long long>(o.seeds),
                   static_cast<unsigned long long>(failed));
    }
    ++(run_seed(o.first + i, o).good ? passed : failed);
    if (failed == enough_failures && !o.keep_going) {
      std::printf("stopped: %llu seeds failed\n", static_cast<unsigned long long>(failed));
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
  return o.seed ? run_one(o) : run_many(o);
}
