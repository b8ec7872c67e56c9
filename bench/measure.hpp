#pragma once

// measure.hpp - what the C++ programs of the benchmarks share: otter's, CAF's and Boost.Fiber's.
//
//   bench::job          what to run: the row and its parameters, from the command line
//   bench::stopwatch    the part of a program that counts
//   bench::print_*()    results, one JSON object a line, as bench/run reads them
//
// Every program, in whatever language, is called as
//
//     program ROW workers=1 form=behaviour n=1000000 ...
//
// and prints {"bench":"ping_pong","value":98.2,"unit":"ns"} once for each figure that the row has.
// One measurement is one OS process: nothing is warm that a fresh program would not have warmed.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_TOGGLE_COLLECT
#endif

namespace bench {

/// What the command line asks for. A parameter that is missing has the row's default.
class job {
 public:
  job(int argc, char** argv) {
    if (argc < 2) {
      std::fprintf(stderr, "usage: %s ROW [name=value]...\n", argv[0]);
      std::exit(2);
    }
    row_ = argv[1];
    for (int i = 2; i < argc; ++i) words_.emplace_back(argv[i]);
  }

  std::string const& row() const noexcept { return row_; }

  std::string text(std::string_view name, std::string_view otherwise) const {
    for (std::string_view word : words_) {
      if (word.size() > name.size() && word.substr(0, name.size()) == name &&
          word[name.size()] == '=')
        return std::string(word.substr(name.size() + 1));
    }
    return std::string(otherwise);
  }
  std::uint64_t number(std::string_view name, std::uint64_t otherwise) const {
    std::string const t = text(name, "");
    return t.empty() ? otherwise : std::strtoull(t.c_str(), nullptr, 10);
  }
  unsigned workers() const { return static_cast<unsigned>(number("workers", 1)); }

 private:
  std::string row_;
  std::vector<std::string> words_;
};

inline std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// Processor time of all threads together.
inline std::int64_t cpu_ns() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

/// Time, and under callgrind also instructions, between start() and stop(): both called on the
/// same OS thread. May be used several times, then it adds up.
class stopwatch {
 public:
  void start() {
    begin_cpu_ = cpu_ns();
    begin_ = now_ns();
    CALLGRIND_TOGGLE_COLLECT;
  }
  void stop() {
    CALLGRIND_TOGGLE_COLLECT;
    total_ += now_ns() - begin_;
    cpu_ += cpu_ns() - begin_cpu_;
  }
  double ns() const noexcept { return static_cast<double>(total_); }
  double cpu() const noexcept { return static_cast<double>(cpu_); }

 private:
  std::int64_t begin_ = 0;
  std::int64_t begin_cpu_ = 0;
  std::int64_t total_ = 0;
  std::int64_t cpu_ = 0;
};

/// A line of /proc/self/status, in bytes: "VmRSS", "VmHWM".
inline double status_bytes(char const* name) {
  std::FILE* file = std::fopen("/proc/self/status", "r");
  if (file == nullptr) return 0;
  char line[256];
  double bytes = 0;
  std::size_t const length = std::strlen(name);
  while (std::fgets(line, sizeof line, file) != nullptr) {
    if (std::strncmp(line, name, length) == 0 && line[length] == ':')
      bytes = std::strtod(line + length + 1, nullptr) * 1024;
  }
  std::fclose(file);
  return bytes;
}
inline double resident_bytes() { return status_bytes("VmRSS"); }
inline double peak_bytes() { return status_bytes("VmHWM"); }

inline void print_result(char const* bench, double value, char const* unit) {
  std::printf("{\"bench\":\"%s\",\"value\":%.6g,\"unit\":\"%s\"}\n", bench, value, unit);
  std::fflush(stdout);
}
/// Time per operation. The processor's time goes along: on a machine that others use as well it is
/// the steadier of the two, but it counts spinning and not waiting.
inline void print_time(char const* bench, stopwatch const& watch, std::uint64_t operations) {
  auto const n = static_cast<double>(operations);
  std::printf("{\"bench\":\"%s\",\"value\":%.6g,\"unit\":\"ns\",\"cpu\":%.6g}\n", bench,
              watch.ns() / n, watch.cpu() / n);
  std::fflush(stdout);
}
/// Throughput with the most memory that the program has had, since a mailbox may hold much.
inline void print_throughput(char const* bench, stopwatch const& watch, std::uint64_t operations) {
  auto const n = static_cast<double>(operations);
  std::printf("{\"bench\":\"%s\",\"value\":%.6g,\"unit\":\"M/s\",\"cpu\":%.6g,\"peak_mb\":%.1f}\n",
              bench, n / watch.ns() * 1e3, watch.cpu() / n, peak_bytes() / 1e6);
  std::fflush(stdout);
}
/// A figure of a few at the high end: p50, p99 and the like, of sorted values.
template <class T>
T percentile(std::vector<T> const& sorted, double p) {
  if (sorted.empty()) return T{};
  auto const last = sorted.size() - 1;
  return sorted[std::min(last, static_cast<std::size_t>(p * static_cast<double>(last) + 0.5))];
}

/// For the idle rows: says that all processes are there, and returns when bench/run has seen
/// enough and closes our standard input. The calling thread makes no wake-ups meanwhile.
inline void wait_until_told() {
  std::printf("{\"ready\":true}\n");
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
}

/// A value that the compiler must work out.
template <class T>
void keep(T const& value) {
  asm volatile("" : : "r,m"(value) : "memory");
}

}  // namespace bench
