#pragma once

// stress.hpp - sizes, and what a node takes from round to round.
//
//   sized()   a number for every day, and one for the full run (OTTER_FULL_SIZES=1)
//   rounds()  runs the same several times on one node: after each round no process is left, at the
//             end nothing at all, and at the full sizes the later rounds take no more memory than
//             the earlier ones did

#include <dirent.h>
#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <otter/monitor.hpp>
#include <otter/node.hpp>
#include <otter/process_info.hpp>
#include <otter/receive.hpp>
#include <string>
#include <vector>

#include "base/sanitizers.hpp"

namespace stress {

inline bool full_sizes() { return std::getenv("OTTER_FULL_SIZES") != nullptr; }
/// On how many workers to run: the full run tries several.
inline std::vector<unsigned> worker_counts() {
  if (full_sizes()) return {1, 2, 4};
  return {4};
}

inline int sized(int every_day, int full) { return full_sizes() ? full : every_day; }

/// Resident memory of this OS process, KiB.
inline std::size_t resident_kib() {
  std::size_t pages = 0, resident = 0;
  if (std::FILE* const f = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(f, "%zu %zu", &pages, &resident) != 2) resident = 0;
    std::fclose(f);
  }
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) / 1024;
}

inline std::size_t open_descriptors() {
  std::size_t n = 0;
  if (DIR* const d = ::opendir("/proc/self/fd")) {
    while (::readdir(d) != nullptr) ++n;
    ::closedir(d);
  }
  return n;
}

/// Forgets how much memory this OS process once had at its peak. False: the kernel cannot.
inline bool forget_peak() {
  std::FILE* const f = std::fopen("/proc/self/clear_refs", "w");
  if (f == nullptr) return false;
  bool const written = std::fputs("5", f) >= 0;
  return std::fclose(f) == 0 && written;
}

/// The most memory that was resident since forget_peak(), KiB.
inline std::size_t peak_kib() {
  std::size_t peak = 0;
  if (std::FILE* const f = std::fopen("/proc/self/status", "r")) {
    char line[256];
    while (std::fgets(line, sizeof line, f) != nullptr)
      if (std::sscanf(line, "VmHWM: %zu", &peak) == 1) break;
    std::fclose(f);
  }
  return peak;
}

/// How many processes of `node` do not end by themselves. Those that are about to are waited for.
inline std::size_t processes_that_stay(otter::node& node) {
  std::size_t stay = 0;
  node.run([&] {
    for (otter::pid const p : otter::processes()) {
      if (p == otter::self() || p == otter::parent()) continue;  // run() itself is the parent
      otter::monitor_ref const end = otter::monitor(p);
      otter::receive(otter::when([&](otter::down const& d) { return d.ref == end; },
                                 [](otter::down const&) {}),
                     otter::after(std::chrono::seconds(20), [&] { ++stay; }));  // only if it stays
      if (stay > 0) break;
    }
  });
  return stay;
}

struct manner {
  unsigned workers = 4;
  int rounds = 2;
};

/// `round()` is the first process of each round; it ends when all that it started has ended.
template <class Round>
void rounds(std::string const& what, manner how, Round round) {
  std::size_t const descriptors = open_descriptors();
  // The C library keeps freed memory for the threads that share an arena. With an arena for each
  // worker it would keep the most that each of them ever needed, and hide what is otter's.
  ::mallopt(M_ARENA_MAX, 1);
  {
    otter::node node({.workers = how.workers, .on_event = [](otter::node_event const&) {}});
    std::size_t const before = resident_kib();
    std::vector<std::size_t> peaks;
    for (int i = 1; i <= how.rounds; ++i) {
      bool const from_here = forget_peak();
      otter::exit_reason const end = node.run(round);
      INFO("round " << i);
      CHECK(to_string(end) == "normal");
      // Where the peak cannot be forgotten, what is there now must do.
      peaks.push_back(from_here ? peak_kib() : resident_kib());
      CHECK(processes_that_stay(node) == 0);
    }
    node.stop();
    otter::node_statistics const left = node.statistics();
    CHECK(left.processes == 0);
    CHECK(left.signals == 0);
    CHECK(left.timers == 0);
    CHECK(left.stacks_in_use == 0);
    CHECK(left.names == 0);
    CHECK(left.ports == 0);
    if (full_sizes()) {
      fmt::print("{}, {} workers: {} MiB before; peaks of the rounds:", what, how.workers,
                 before / 1024);
      for (std::size_t const peak : peaks) fmt::print(" {}", peak / 1024);
      fmt::print(" MiB; {} MiB at the end\n", resident_kib() / 1024);
      std::fflush(stdout);
    }
    // What is lost in each round adds up over the second half of them. What the workers keep in
    // stock does not: it comes to rest in the first half, for a load that is too small to fill all
    // stocks at once only after some rounds, spread differently over the workers. A round that
    // begins while they still tidy up after the one before takes a little more: a thirtieth, and a
    // few chunks, which at the small sizes would hide everything. Sanitizers keep freed memory away
    // from use.
    if (full_sizes() && !otter::rts::built_with_asan && !otter::rts::built_with_tsan) {
      auto const middle = peaks.begin() + how.rounds / 2;
      std::size_t const earlier = *std::max_element(peaks.begin(), middle);
      std::size_t const later = *std::max_element(middle, peaks.end());
      CHECK(later <= earlier + earlier / 32 + 4 * 1024);
    }
  }
  CHECK(open_descriptors() == descriptors);
}

}  // namespace stress
