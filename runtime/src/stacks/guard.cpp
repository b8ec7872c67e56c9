#include "stacks/guard.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "stacks/sanitizer_hooks.hpp"

namespace otter::rts {
namespace {

constexpr int madv_guard_install = 102;  // Linux 6.13; not in the headers of Debian 12

constexpr std::size_t canary_words = 8;
constexpr std::uint64_t canary_pattern = 0x6f74746572a5c3e1;  // "otter", and what no pointer is

// Stacks that may still be guarded by mprotect, in the whole program, since mappings are counted
// for the whole program. relaxed: only the number itself matters.
std::atomic<std::ptrdiff_t>& protections_left() noexcept {
  static std::atomic<std::ptrdiff_t> left{[] {
    std::size_t const mappings = max_map_count();
    return static_cast<std::ptrdiff_t>((mappings - mappings / 8) / 2);
  }()};
  return left;
}

// The kernel answers EFAULT when it cannot read a path: a way of asking whether a page is closed
// that raises no signal.
bool is_closed(void* page) noexcept {
  int const saved = errno;
  bool const closed = ::access(static_cast<char const*>(page), F_OK) != 0 && errno == EFAULT;
  errno = saved;
  return closed;
}

guard_kind probe() noexcept {
  if (sanitizer_hooks::running_on_valgrind()) return guard_kind::protection;
  void* const page =
      ::mmap(nullptr, guard_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return guard_kind::protection;
  bool const works = ::madvise(page, guard_size(), madv_guard_install) == 0 && is_closed(page);
  ::munmap(page, guard_size());
  return works ? guard_kind::marker : guard_kind::protection;
}

bool protect(std::byte* page) noexcept {
  auto& left = protections_left();
  if (left.fetch_sub(1, std::memory_order_relaxed) > 0 &&
      ::mprotect(page, guard_size(), PROT_NONE) == 0) {
    return true;
  }
  left.fetch_add(1, std::memory_order_relaxed);
  return false;
}

}  // namespace

std::size_t guard_size() noexcept {
  static std::size_t const size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

guard_kind best_guard() noexcept {
  static guard_kind const best = probe();
  return best;
}

guard_kind install_guard(std::byte* page, guard_kind wish) noexcept {
  if (wish == guard_kind::marker && best_guard() == guard_kind::marker &&
      ::madvise(page, guard_size(), madv_guard_install) == 0) {
    return guard_kind::marker;
  }
  if (wish != guard_kind::canary && protect(page)) return guard_kind::protection;
  std::uint64_t words[canary_words];
  std::fill_n(words, canary_words, canary_pattern);
  std::memcpy(page + guard_size() - sizeof words, words, sizeof words);
  return guard_kind::canary;
}

void release_protections(std::size_t count) noexcept {
  protections_left().fetch_add(static_cast<std::ptrdiff_t>(count), std::memory_order_relaxed);
}

OTTER_STACKS_NO_ASAN bool canary_intact(std::byte const* low) noexcept {
  auto const* words = reinterpret_cast<std::uint64_t const*>(low) - canary_words;
  std::uint64_t difference = 0;
  for (std::size_t i = 0; i < canary_words; ++i) difference |= words[i] ^ canary_pattern;
  return difference == 0;
}

std::size_t max_map_count() noexcept {
  std::size_t count = 65530;
  int const file = ::open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
  if (file >= 0) {
    char text[32] = {};
    if (::read(file, text, sizeof text - 1) > 0) count = std::strtoul(text, nullptr, 10);
    ::close(file);
  }
  return count;
}

}  // namespace otter::rts
