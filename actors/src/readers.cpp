// Who reads what others change.

#include "readers.hpp"

#include <array>
#include <atomic>
#include <functional>
#include <thread>
#include <utility>

namespace otter::detail {
namespace {

constexpr std::size_t counters = 32;  // a bit of unseen_ each
constexpr std::uint32_t all_counters = 0xffffffff;

struct alignas(64) counter {
  std::atomic<std::uint32_t> inside{0};
};
// One set for the whole program: a thread is in one place at a time.
std::array<counter, counters> readers;

/// Those of `which` that are not at zero.
std::uint32_t occupied(std::uint32_t which) noexcept {
  std::uint32_t found = 0;
  for (std::size_t i = 0; i != counters; ++i) {
    std::uint32_t const bit = std::uint32_t{1} << i;
    // [E1], [E2]
    if ((which & bit) != 0 && readers[i].inside.load(std::memory_order_seq_cst) != 0) found |= bit;
  }
  return found;
}

}  // namespace

// By thread only so that few share a line: which counter it is decides nothing else.
reading::reading() noexcept
    : counter_(std::hash<std::thread::id>{}(std::this_thread::get_id()) % counters) {
  readers[counter_].inside.fetch_add(1, std::memory_order_seq_cst);  // [E1]
}

reading::~reading() {
  // [E2] release; a later count of another reader continues the sequence.
  readers[counter_].inside.fetch_sub(1, std::memory_order_release);
}

void unread::dispose(retirable* list) noexcept {
  while (list != nullptr) std::exchange(list, list->next_)->dispose();
}

retired::~retired() { static_cast<void>(take_all()); }

void retired::add(std::unique_ptr<retirable> gone) noexcept {
  gone->next_ = fresh_;
  fresh_ = gone.release();
}

unread retired::take_unread() noexcept {
  unread found;
  // Twice: what was added while others waited may be unread as well.
  for (retirable** to : {&found.first_, &found.second_}) {
    if (waiting_ == nullptr) {
      if (fresh_ == nullptr) break;
      waiting_ = std::exchange(fresh_, nullptr);
      unseen_ = all_counters;
    }
    unseen_ = occupied(unseen_);
    if (unseen_ != 0) break;
    *to = std::exchange(waiting_, nullptr);
  }
  return found;
}

unread retired::take_all() noexcept {
  unread found;
  found.first_ = std::exchange(waiting_, nullptr);
  found.second_ = std::exchange(fresh_, nullptr);
  return found;
}

void wait_for_readers() noexcept {
  std::uint32_t unseen = all_counters;
  while ((unseen = occupied(unseen)) != 0) std::this_thread::yield();
}

}  // namespace otter::detail
