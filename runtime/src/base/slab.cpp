// base/slab.cpp - where a slab's lists run dry: chunks, large blocks, the way back from other
// threads, and the set that owns it all.

#include "base/slab.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <new>
#include <thread>
#include <utility>

#include "base/slab_large.hpp"

namespace otter::rts {

using namespace slab_detail;

namespace {

/// Cuts the first few blocks off a list and gives them as a list, and how many they are.
std::pair<free_block*, std::uint32_t> take_some(free_block*& from) noexcept {
  free_block* const first = from;
  free_block* last = first;
  std::uint32_t count = 1;
  for (; count < 32 && next_of(last) != nullptr; ++count) last = next_of(last);
  from = next_of(last);
  set_next(last, nullptr);
  return {first, count};
}

}  // namespace

// --- slab ---

void slab::fail_after(std::uint64_t n) noexcept { until_failure_ = n == 0 ? never_fails : n; }

void slab::fail() {
  until_failure_ = never_fails;
  throw std::bad_alloc{};
}

void* slab::refill(std::size_t index, std::size_t bytes) {
  free_block* list = nullptr;
  // A look before the exchange: while the slab grows nothing comes back, and a load does not take
  // the line away from the threads that free.
  std::atomic<free_block*>& remote = remote_[index].head;
  if (remote.load(std::memory_order_relaxed) != nullptr) {
    // [B1] acquire: meets the releases in free_remote(). Taking all of it at once leaves no ABA.
    list = remote.exchange(nullptr, std::memory_order_acquire);
  } else if (pile_ != nullptr && pile_class_ == index) {
    list = take_some(pile_).first;  // a few at a time, so that the rest gets sorted
  } else if (chunk* const c = sorted_[index]; c != nullptr) {
    auto const [some, count] = take_some(c->sorted);
    list = some;
    c->sorted_count -= count;
    if (c->sorted == nullptr) unlist_sorted(c);
  }
  if (list != nullptr) {
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
  auto* const taken = ::new (set_.take_chunk())
      chunk{.owner = this, .size_class = static_cast<std::uint32_t>(index), .next = chunks_[index]};
  if (taken->next != nullptr) taken->next->prev = taken;
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
  *header = {.owner = this, .prev = nullptr, .next = large_, .bytes = bytes, .gap = {}};
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

// --- tidying ---

bool slab::tidy(std::size_t blocks) noexcept {
  chunk* empty = nullptr;
  while (blocks != 0 && (pile_ != nullptr || next_pile())) {
    free_block* const block = pile_;
    pile_ = next_of(block);
    --blocks;
    if (!sort(block)) continue;
    chunk* const c = chunk_of(block);
    unlist_sorted(c);
    unlist(c);
    c->next = empty;
    empty = c;
  }
  if (empty != nullptr) set_.return_chunks(empty);
  return tidying();
}

void slab::trim() noexcept {
  constexpr std::size_t all = std::numeric_limits<std::size_t>::max();
  tidy(all);  // what is under way: lists that it has taken already may have filled again
  begin_tidying();
  tidy(all);
  while (set_.return_surplus()) {
  }
}

/// Takes the next list that is to be sorted; false if there is none.
bool slab::next_pile() noexcept {
  while (to_sort_ != 0) {
    auto const source = static_cast<std::size_t>(std::countr_zero(to_sort_));
    to_sort_ &= to_sort_ - 1;
    pile_class_ = source / 2;
    if (source % 2 != 0) {
      pile_ = std::exchange(local_[pile_class_], nullptr);
    } else if (auto& remote = remote_[pile_class_].head;
               remote.load(std::memory_order_relaxed) != nullptr) {
      // [B1] acquire: meets the releases in free_remote().
      pile_ = remote.exchange(nullptr, std::memory_order_acquire);
    }
    if (pile_ != nullptr) return true;
  }
  return false;
}

/// Puts a free block on its chunk's list. True if nothing of the chunk is in use any more.
bool slab::sort(free_block* block) noexcept {
  chunk* const c = chunk_of(block);
  std::size_t const index = c->size_class;
  set_next(block, c->sorted);
  c->sorted = block;
  if (c->sorted_count++ == 0) {
    c->prev_sorted = nullptr;
    c->next_sorted = sorted_[index];
    if (c->next_sorted != nullptr) c->next_sorted->prev_sorted = c;
    sorted_[index] = c;
  }
  if (c->sorted_count == blocks_per_chunk(index)) return true;
  // Blocks that nobody ever had are as good as free. They lie in the newest chunk.
  if (c != chunks_[index] || c->sorted_count + fresh_blocks(index) != blocks_per_chunk(index))
    return false;
  fresh_[index] = {};
  return true;
}

void slab::unlist_sorted(chunk* c) noexcept {
  (c->prev_sorted != nullptr ? c->prev_sorted->next_sorted : sorted_[c->size_class]) =
      c->next_sorted;
  if (c->next_sorted != nullptr) c->next_sorted->prev_sorted = c->prev_sorted;
}

void slab::unlist(chunk* c) noexcept {
  (c->prev != nullptr ? c->prev->next : chunks_[c->size_class]) = c->next;
  if (c->next != nullptr) c->next->prev = c->prev;
  --chunk_count_;
}

void slab::wait_for_hand() noexcept {
  do {
    std::this_thread::yield();
  } while (!take_in_hand());
}

// --- counting ---

std::size_t slab::blocks_in_use() const noexcept {
  std::size_t used = 0;
  for (std::size_t index = 0; index < class_count; ++index) {
    for (chunk const* c = chunks_[index]; c != nullptr; c = c->next)
      used += blocks_per_chunk(index) - c->sorted_count;
    used -= fresh_blocks(index);
    for (free_block const* b = local_[index]; b != nullptr; b = next_of(b)) --used;
    // [B1] acquire: the links of remotely freed blocks were written by others.
    free_block const* b = remote_[index].head.load(std::memory_order_acquire);
    for (; b != nullptr; b = next_of(b)) --used;
  }
  for (free_block const* b = pile_; b != nullptr; b = next_of(b)) --used;
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
  slab* lent = nullptr;
  {
    std::lock_guard const lock{mutex_};
    if (idle_.empty()) {
      idle_.reserve(slabs_.size() + 1);
      slabs_.reserve(slabs_.size() + 1);
      slabs_.emplace_back(new slab{*this});
      return *slabs_.back();
    }
    lent = idle_.back();
    idle_.pop_back();
  }
  lent->resume();  // not under the mutex, which whoever is at the slab may want
  return *lent;
}

void slab_set::give_back(slab& lent) noexcept {
  lent.rest();
  std::lock_guard const lock{mutex_};
  idle_.push_back(&lent);
}

bool slab_set::tidy_resting(std::size_t blocks) noexcept {
  std::array<slab*, 4> look{};
  std::size_t from = 0;
  {
    std::lock_guard const lock{mutex_};
    from = next_resting_;
    for (std::size_t i = 0; i < std::min(look.size(), slabs_.size()); ++i)
      look[i] = slabs_[(from + i) % slabs_.size()].get();
    next_resting_ = (from + look.size()) % std::max<std::size_t>(slabs_.size(), 1);
  }
  for (std::size_t i = 0; i < look.size() && look[i] != nullptr; ++i) {
    // Slabs stay as long as the set. A look before the exchange: most are in their owner's hand.
    slab& s = *look[i];
    if (s.in_hand_.load(std::memory_order_relaxed) || !s.take_in_hand()) continue;
    bool more = false;
    if (s.worth_tidying()) {
      s.begin_tidying();
      more = s.tidy(blocks);
    }
    s.rest();
    if (!more) continue;
    std::lock_guard const lock{mutex_};
    next_resting_ = (from + i) % slabs_.size();
    return true;
  }
  return false;
}

std::size_t slab_set::blocks_in_use() const {
  std::lock_guard const lock{mutex_};
  std::size_t used = 0;
  for (auto const& owned : slabs_) used += owned->blocks_in_use();
  return used;
}

slab_set::at_rest slab_set::blocks_in_use_at_rest() const {
  // Who has a slab in hand may want the mutex: so we only try, and never wait for a hand here.
  std::lock_guard const lock{mutex_};
  at_rest result;
  for (auto const& s : slabs_) {
    if (!s->take_in_hand()) {
      result.all = false;
      continue;
    }
    result.blocks += s->blocks_in_use();
    s->rest();
  }
  return result;
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
  std::unique_lock lock{mutex_};
  if (warm_.empty()) {
    // Somebody else may have more than enough. Two blocks sorted for each that a chunk has of one
    // line: what is free is found sooner than it is needed, and the step stays short.
    shortages_.fetch_add(1, std::memory_order_relaxed);
    lock.unlock();
    tidy_resting(2 * blocks_per_chunk(class_of(cache_line)));
    lock.lock();
  }
  std::vector<void*>* from = &warm_;
  if (warm_.empty()) {
    if (cold_.empty()) map_region();
    from = &cold_;
    // What was returned lies on top, so the never used ones are at the bottom.
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
    warm_.push_back(c);
  }
}

bool slab_set::return_surplus() noexcept {
  std::unique_lock lock{mutex_};
  if (warm_.size() <= reserve_chunks_) return false;
  void* const c = warm_.back();
  warm_.pop_back();
  lock.unlock();
  ::madvise(c, chunk_bytes, MADV_DONTNEED);
  lock.lock();
  cold_.push_back(c);
  return warm_.size() > reserve_chunks_;
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
