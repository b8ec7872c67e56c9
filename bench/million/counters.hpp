#pragma once

// counters.hpp - a page that a server, its clients and `run` share: how far they are.
//
//   bench::counters        the numbers, each in a line of its own
//   bench::map_counters()  the page in the file that `run` has made
//
// The clients look at `accepted` so that never more connections wait at the listener than its queue
// holds; `run` draws its progress from the page without asking anybody.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace bench {

/// Threads: any, of any of the programs. Ordering: none; they are counts, nothing is read by them.
struct counters {
  alignas(64) std::atomic<std::uint64_t> accepted;  ///< by the server
  alignas(64) std::atomic<std::uint64_t> ended;     ///< of those, by the server
  alignas(64) std::atomic<std::uint64_t> echoed;    ///< reads that were answered
  alignas(64) std::atomic<std::uint64_t> stop;      ///< set by `run`: no further connections
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);  // shared between programs

inline void add(std::atomic<std::uint64_t>& count, std::uint64_t by = 1) noexcept {
  count.fetch_add(by, std::memory_order_relaxed);
}
inline std::uint64_t value(std::atomic<std::uint64_t> const& count) noexcept {
  return count.load(std::memory_order_relaxed);
}

/// Ends the program when there is no such file.
inline counters& map_counters(std::string const& path) {
  int const fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  void* page = MAP_FAILED;
  if (fd >= 0) page = ::mmap(nullptr, sizeof(counters), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) {
    std::fprintf(stderr, "counters: cannot map '%s': %s\n", path.c_str(), std::strerror(errno));
    std::exit(2);
  }
  ::close(fd);
  return *static_cast<counters*>(page);
}

}  // namespace bench
