// base/slab.cpp - where a slab's lists run dry: chunks, large blocks, the way back from other
// threads, and the set that owns it all.

#include "base/slab.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <new>
#include <utility>

namespace otter::rts {

using namespace slab_detail;

namespace slab_detail {

/// In front of every large block.
struct large_header {
  slab* owner;
  large_header* prev;
  large_header* next;
  std::size_t bytes;
};
static_assert(sizeof(large_header) == cache_line / 2);

}  // namespace slab_detail

// --- slab ---

void slab::fail_after(std::uint64_t n) noexcept { until_failure_ = n == 0 ? never_fails : n; }

void slab::fail() {
  until_failure_ = never_fails;
  throw std::bad_alloc{};
}

void* slab::refill(std::size_t index, std::size_t bytes) {
  // A look before the exchange: while the slab grows nothing comes back, and a load does not take
  // the line away from the threads that free.
  std::atomic<free_block*>& remote = remote_[index].head;
  if (remote.load(std::memory_order_relaxed) != nullptr) {
    // [B1] acquire: meets the releases in free_remote(). Taking all of it at once leaves no ABA.
    free_block* const list = remote.exchange(nullptr, std::memory_order_acquire);
    local_[index] = next_of(list);
    asan_unpoison(list, bytes);
    return list;
  }
  fresh_range& fresh = fresh_[index];
  if (fresh.next == fresh.end) take_chunk(index);
  // One by one: memory is touched as it is needed, and a small node stays small.
  std::byte* const block = fresh.next;
  fresh.next += class_bytes(index);
  asan_unpoison(block, bytes);
  return block;
}

void slab::take_chunk(std::size_t index) {
  auto* const taken =
      ::new (set_.take_chunk()) chunk{.owner = this,
                                      .size_class = static_cast<std::uint32_t>(index),
                                      .free_count = 0,
                                      .next = chunks_[index]};
  asan_poison(taken->blocks(), chunk_bytes - cache_line);
  chunks_[index] = taken;
  ++chunk_count_;
  fresh_[index].next = taken->blocks();
  fresh_[index].end = taken->blocks() + blocks_per_chunk(index) * class_bytes(index);
}

void slab::free_remote(free_block* block, chunk* home) noexcept {
  std::atomic<free_block*>& remote = home->owner->remote_[home->size_class].head;
  free_block* newest = remote.load(std::memory_order_relaxed);  // a guess; the CAS checks it
  do {
    set_next(block, newest);
    // [B1] release: the link, and whatever this thread did to the block, is visible to refill().
    // Every push is a read-modify-write and continues the release sequence of those below it.
  } while (!remote.compare_exchange_weak(newest, block, std::memory_order_release,
                                         std::memory_order_relaxed));
}

void* slab::allocate_large(std::size_t bytes) {
  if (bytes > std::numeric_limits<std::size_t>::max() / 2) throw std::bad_alloc{};
  auto* const header = static_cast<large_header*>(
      ::operator new (sizeof(large_header) + bytes, std::align_val_t{cache_line}));
  std::lock_guard const lock{large_mutex_};
  *header = {.owner = this, .prev = nullptr, .next = large_, .bytes = bytes};
  if (large_ != nullptr) large_->prev = header;
  large_ = header;
  ++large_count_;
  large_bytes_ += bytes;
  return header + 1;
}

void slab::free_large(void* block) noexcept {
  large_header* const header = static_cast<large_header*>(block) - 1;
  slab& owner = *header->owner;
  {
    std::lock_guard const lock{owner.large_mutex_};
    (header->prev != nullptr ? header->prev->next : owner.large_) = header->next;
    if (header->next != nullptr) header->next->prev = header->prev;
    --owner.large_count_;
    owner.large_bytes_ -= header->bytes;
  }
  ::operator delete (header, std::align_val_t{cache_line});
}

void slab::trim() noexcept {
  chunk* empty = nullptr;
  for (std::size_t index = 0; index < class_count; ++index) {
    gather(index);
    // Count what is free in each chunk. Blocks that nobody ever had lie in the newest chunk, the
    // first of the list, and are as good as free.
    for (chunk* c = chunks_[index]; c != nullptr; c = c->next) c->free_count = 0;
    for (free_block* b = local_[index]; b != nullptr; b = next_of(b)) ++chunk_of(b)->free_count;
    fresh_range& fresh = fresh_[index];
    if (fresh.next != fresh.end) {
      chunks_[index]->free_count += static_cast<std::uint32_t>(
          static_cast<std::size_t>(fresh.end - fresh.next) / class_bytes(index));
    }
    auto const is_empty = [index](chunk const* c) {
      return c->free_count == blocks_per_chunk(index);
    };
    if (chunks_[index] != nullptr && is_empty(chunks_[index])) fresh = {};

    // The free list without the blocks of empty chunks, in the same order.
    free_block* last = nullptr;
    for (free_block* b = std::exchange(local_[index], nullptr); b != nullptr;) {
      free_block* const next = next_of(b);
      if (!is_empty(chunk_of(b))) {
        set_next(b, nullptr);
        if (last != nullptr)
          set_next(last, b);
        else
          local_[index] = b;
        last = b;
      }
      b = next;
    }
    for (chunk** link = &chunks_[index]; *link != nullptr;) {
      chunk* const c = *link;
      if (!is_empty(c)) {
        link = &c->next;
        continue;
      }
      *link = c->next;
      c->next = empty;
      empty = c;
      --chunk_count_;
    }
  }
  if (empty != nullptr) set_.return_chunks(empty);
}

void slab::gather(std::size_t index) noexcept {
  // [B1] acquire: meets the releases in free_remote().
  free_block* const returned = remote_[index].head.exchange(nullptr, std::memory_order_acquire);
  free_block* last = local_[index];
  if (last == nullptr) {
    local_[index] = returned;
    return;
  }
  while (next_of(last) != nullptr) last = next_of(last);
  set_next(last, returned);
}

std::size_t slab::blocks_in_use() const noexcept {
  std::size_t used = 0;
  for (std::size_t index = 0; index < class_count; ++index) {
    for (chunk const* c = chunks_[index]; c != nullptr; c = c->next)
      used += blocks_per_chunk(index);
    used -= static_cast<std::size_t>(fresh_[index].end - fresh_[index].next) / class_bytes(index);
    for (free_block const* b = local_[index]; b != nullptr; b = next_of(b)) --used;
    // [B1] acquire: the links of remotely freed blocks were written by others.
    free_block const* b = remote_[index].head.load(std::memory_order_acquire);
    for (; b != nullptr; b = next_of(b)) --used;
  }
  std::lock_guard const lock{large_mutex_};
  return used + large_count_;
}

std::size_t slab::bytes_mapped() const noexcept {
  std::lock_guard const lock{large_mutex_};
  return chunk_count_ * chunk_bytes + large_bytes_;
}

// --- slab_set ---

slab_set::~slab_set() {
  for (auto& owned : slabs_) {
    while (owned->large_ != nullptr) slab::free_large(owned->large_ + 1);
  }
  for (void* region : regions_) {
    asan_unpoison(region, region_bytes);
    ::munmap(region, region_bytes);
  }
}

slab& slab_set::lend() {
  std::lock_guard const lock{mutex_};
  if (!idle_.empty()) {
    slab* const lent = idle_.back();
    idle_.pop_back();
    return *lent;
  }
  idle_.reserve(slabs_.size() + 1);
  slabs_.reserve(slabs_.size() + 1);
  slabs_.emplace_back(new slab{*this});
  return *slabs_.back();
}

void slab_set::give_back(slab& lent) noexcept {
  std::lock_guard const lock{mutex_};
  idle_.push_back(&lent);
}

std::size_t slab_set::blocks_in_use() const {
  std::lock_guard const lock{mutex_};
  std::size_t used = 0;
  for (auto const& owned : slabs_) used += owned->blocks_in_use();
  return used;
}

std::size_t slab_set::bytes_mapped() const {
  std::lock_guard const lock{mutex_};
  return regions_.size() * region_bytes;
}

std::size_t slab_set::bytes_returned() const {
  std::lock_guard const lock{mutex_};
  return (cold_.size() - never_used_) * chunk_bytes;
}

void* slab_set::take_chunk() {
  std::lock_guard const lock{mutex_};
  std::vector<void*>* from = &warm_;
  if (warm_.empty()) {
    if (cold_.empty()) map_region();
    from = &cold_;
    // trim() pushes on top, so the never used ones are at the bottom.
    if (never_used_ == cold_.size()) --never_used_;
  }
  void* const taken = from->back();
  from->pop_back();
  return taken;
}

void slab_set::return_chunks(chunk* list) noexcept {
  std::lock_guard const lock{mutex_};
  while (list != nullptr) {
    chunk* const c = list;
    list = c->next;
    asan_unpoison(c, chunk_bytes);
    if (warm_.size() < reserve_chunks_) {
      warm_.push_back(c);
    } else {
      ::madvise(c, chunk_bytes, MADV_DONTNEED);
      cold_.push_back(c);
    }
  }
}

void slab_set::map_region() {
  constexpr std::size_t chunks = region_bytes / chunk_bytes;
  // First the room in the vectors, so that nothing can fail once the memory is there, and so that
  // return_chunks() never allocates.
  regions_.reserve(regions_.size() + 1);
  std::size_t const all_chunks = (regions_.size() + 1) * chunks;
  if (warm_.capacity() < all_chunks) warm_.reserve(std::max(all_chunks, 2 * warm_.capacity()));
  if (cold_.capacity() < all_chunks) cold_.reserve(std::max(all_chunks, 2 * cold_.capacity()));

  // One chunk more than needed, so that an aligned region lies inside; the ends go back.
  std::size_t const asked = region_bytes + chunk_bytes;
  void* const mapped =
      ::mmap(nullptr, asked, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc{};
  auto const start = reinterpret_cast<std::uintptr_t>(mapped);
  std::uintptr_t const aligned = (start + chunk_bytes - 1) & ~(std::uintptr_t{chunk_bytes} - 1);
  std::size_t const before = aligned - start;
  std::size_t const after = asked - before - region_bytes;
  auto* const region = static_cast<std::byte*>(mapped) + before;
  if (before != 0) ::munmap(mapped, before);
  if (after != 0) ::munmap(region + region_bytes, after);
  ::madvise(region, region_bytes, MADV_NOHUGEPAGE);  // 64 KiB of envelopes should not cost 2 MiB

  regions_.push_back(region);
  for (std::size_t i = chunks; i > 0; --i) cold_.push_back(region + (i - 1) * chunk_bytes);
  never_used_ = cold_.size();
}

}  // namespace otter::rts
