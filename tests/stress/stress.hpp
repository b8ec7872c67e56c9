#pragma once

// stress.hpp - sizes, and what a node holds between two rounds.
//
//   sized()       a number for every day, and one for the full run (OTTER_FULL_SIZES=1)
//   two_rounds()  runs the same twice on one node: at the end nothing is left, and at the full
//                 sizes the second round takes no more memory than the first

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <otter/node.hpp>
#include <string>

#include "base/sanitizers.hpp"

namespace stress {

inline bool full_sizes() { return std::getenv("OTTER_FULL_SIZES") != nullptr; }
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

/// `round()` is the first process of each round; it ends when all that it started has ended.
template <class Round>
void two_rounds(std::string const& what, Round round) {
  std::size_t const descriptors = open_descriptors();
  {
    otter::node node({.workers = 4, .on_event = [](otter::node_event const&) {}});
    std::size_t memory[3] = {resident_kib(), 0, 0};
    for (int i = 1; i <= 2; ++i) {
      otter::exit_reason const end = node.run(round);
      INFO("round " << i);
      CHECK(to_string(end) == "normal");
      memory[i] = resident_kib();
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
      fmt::print("{}: {} MiB before, {} after one round, {} after two\n", what, memory[0] / 1024,
                 memory[1] / 1024, memory[2] / 1024);
      std::fflush(stdout);
    }
    // What the first round took is kept for the second. Each worker keeps stocks of its own, and
    // work is spread differently each time: some MiB of difference mean nothing, which at the
    // small sizes would hide everything. At the full ones 64 bytes left per call are seen.
    // Sanitizers keep freed memory away from use.
    if (full_sizes() && !otter::rts::built_with_asan && !otter::rts::built_with_tsan)
      CHECK(memory[2] <= memory[1] + memory[1] / 8 + 32 * 1024);
  }
  CHECK(open_descriptors() == descriptors);
}

}  // namespace stress
