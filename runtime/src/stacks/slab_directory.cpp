#include "stacks/slab_directory.hpp"

#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <new>

namespace otter::rts {
namespace {

// Two levels over the 48 bits that user space has: 14 + 13 bits name a unit of 2 MiB. The upper
// level is 128 KiB of zeroes that are not resident until used; a lower one (64 KiB, likewise)
// covers 16 GiB and is never freed.
//
// Not chosen: a hash table (a reader in a signal handler could meet it while it grows), and a list
// of slabs (30,000 of them for a million stacks).
constexpr std::size_t leaf_bits = 13;
constexpr std::size_t root_bits = 14;
constexpr std::size_t unit_bits = 21;
static_assert(slab_unit == std::size_t{1} << unit_bits);

using entry = std::atomic<stack_slab*>;
struct leaf {
  std::array<entry, std::size_t{1} << leaf_bits> entries;
};
std::array<std::atomic<leaf*>, std::size_t{1} << root_bits> root;
static_assert(entry::is_always_lock_free, "read in signal handlers");

std::mutex mutex;  // makes leaves; guards free_slabs
std::array<stack_slab*, slab_unit / (64 * 1024) + 1> free_slabs{};  // by number of headers

entry* find_entry(std::uintptr_t address) noexcept {
  std::uintptr_t const unit = address >> unit_bits;
  if (unit >> leaf_bits >= root.size()) return nullptr;
  // [D1] acquire: meets the release in make_entry(), so that the leaf's zeroes are seen.
  leaf* const found = root[unit >> leaf_bits].load(std::memory_order_acquire);
  if (found == nullptr) return nullptr;
  return &found->entries[unit & ((std::uintptr_t{1} << leaf_bits) - 1)];
}

entry& make_entry(std::uintptr_t address) {
  if (entry* const found = find_entry(address)) return *found;
  std::size_t const index = address >> (unit_bits + leaf_bits);
  if (index >= root.size()) throw std::bad_alloc();
  std::lock_guard const lock(mutex);
  if (root[index].load(std::memory_order_relaxed) == nullptr) {  // the mutex orders the writers
    root[index].store(new leaf(), std::memory_order_release);    // [D1] release
  }
  return *find_entry(address);
}

}  // namespace

stack_slab* acquire_slab(std::size_t count) {
  {
    std::lock_guard const lock(mutex);
    if (stack_slab* const slab = free_slabs[count]) {
      free_slabs[count] = slab->next;
      slab->next = nullptr;
      return slab;
    }
  }
  static_assert(alignof(slab_stack) <= alignof(std::max_align_t) &&
                sizeof(stack_slab) % alignof(slab_stack) == 0);
  void* const memory = ::operator new(sizeof(stack_slab) + count * sizeof(slab_stack));
  auto* const slab = new (memory) stack_slab();
  slab->count = count;
  for (std::size_t i = 0; i < count; ++i) new (slab->stacks() + i) slab_stack();
  return slab;
}

void release_slab(stack_slab* slab) noexcept {
  std::lock_guard const lock(mutex);
  slab->next = free_slabs[slab->count];
  free_slabs[slab->count] = slab;
}

void publish_slab(stack_slab& slab) {
  auto const first = reinterpret_cast<std::uintptr_t>(slab.base);
  for (std::size_t at = 0; at < slab.bytes; at += slab_unit) make_entry(first + at);
  for (std::size_t at = 0; at < slab.bytes; at += slab_unit) {
    // [D2] release: the slab and its headers are completely written for who finds them.
    make_entry(first + at).store(&slab, std::memory_order_release);
  }
}

void withdraw_slab(stack_slab& slab) noexcept {
  auto const first = reinterpret_cast<std::uintptr_t>(slab.base);
  for (std::size_t at = 0; at < slab.bytes; at += slab_unit) {
    // relaxed: who still finds the slab reads a header that exists for ever.
    if (entry* const found = find_entry(first + at)) {
      found->store(nullptr, std::memory_order_relaxed);
    }
  }
}

stack_slab* slab_at(std::uintptr_t address) noexcept {
  entry const* const found = find_entry(address);
  // [D2] acquire: meets the release in publish_slab().
  return found == nullptr ? nullptr : found->load(std::memory_order_acquire);
}

}  // namespace otter::rts
