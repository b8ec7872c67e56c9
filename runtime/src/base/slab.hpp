#pragma once

// base/slab.hpp - blocks of up to 1 KiB that one thread allocates and any thread frees.
//
//   slab       one thread's allocator: allocate() and free() are a handful of instructions
//   slab_set   owns the slabs of one node and the memory under them
//
// Messages are the customers: A allocates and B frees, in both directions, millions a second. The
// freeing thread pushes a block back to the slab that it came from, and the owner collects them all
// with one exchange when its own list has run dry. So a block never changes slabs, nobody needs a
// lock, and a thread that only frees hoards nothing.
//
// But chunks do change slabs, or each would keep the peak of its own, and the same load on another
// worker would take the same memory again. Tidying sorts what is free into lists per chunk; a chunk
// that becomes all free goes back to the set, and serves whoever wants one. It is never part of
// allocate() and free(). Who does it, in steps of so many blocks:
//  - the owner, when it is about to sleep;
//  - a busy owner between two turns, while some slab of the set grows;
//  - for an owner that sleeps, whoever wants a chunk and finds none: see slab::rest().
// The price: 20 to 30 ns for each free block if they were freed in the order of their addresses,
// 600 if each is a cache miss; once, and only blocks freed or allocated since the last time are
// looked at again.
//
// Considered and refused:
//  - freeing into the freeing thread's own list (tcmalloc's thread caches): one-way traffic then
//    needs a central list to carry the blocks back, with locks and thresholds;
//  - a count of used blocks per chunk: two more memory operations per message, for a number that
//    only tidying wants, which counts for itself;
//  - one remote list for all classes: the owner would have to sort what it takes.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/cache_line.hpp"
#include "base/sanitizers.hpp"

namespace otter::rts {

class slab;
class slab_set;

namespace slab_detail {

/// Chunks are aligned to their size: masking a block's address finds its chunk.
constexpr std::size_t chunk_bytes = std::size_t{64} * 1024;

/// 32, 64, 128, ... 512, 768, 1024. Half a line is for what there is one of in each of a million
/// processes; two neighbours share the line.
constexpr std::size_t class_count = 11;
constexpr std::size_t smallest = cache_line / 2;
constexpr std::size_t largest_small = 1024;

constexpr std::size_t class_of(std::size_t bytes) noexcept {
  if (bytes <= smallest) return 0;
  std::size_t const lines = (bytes + cache_line - 1) / cache_line;
  return lines <= 8 ? lines : lines <= 12 ? 9 : 10;
}
constexpr std::size_t class_bytes(std::size_t index) noexcept {
  if (index == 0) return smallest;
  return index <= 8 ? index * cache_line : index == 9 ? 768 : 1024;
}
/// The first cache line of a chunk is its header.
constexpr std::size_t blocks_per_chunk(std::size_t index) noexcept {
  return (chunk_bytes - cache_line) / class_bytes(index);
}

/// What a block holds while it is free. Under ASan all of it is poisoned, the link too, so that no
/// use after free goes unnoticed; hence the accessors.
struct free_block {
  free_block* next;
};
OTTER_NO_ASAN inline free_block* next_of(free_block const* block) noexcept { return block->next; }
OTTER_NO_ASAN inline void set_next(free_block* block, free_block* next) noexcept {
  block->next = next;
}

/// The header of a chunk. Owner and class are written while its slab takes it from the set, the
/// rest when the slab is tidied or uses what was sorted: so its line mostly stays shared between
/// all who free.
struct alignas(cache_line) chunk {
  slab* owner;
  std::uint32_t size_class;
  std::uint32_t sorted_count = 0;
  free_block* sorted = nullptr;  // blocks of this chunk that tidying has found free
  chunk* next = nullptr;         // all chunks of this class in the slab; in the set's lists: any
  chunk* prev = nullptr;
  chunk* next_sorted = nullptr;  // those of them with sorted blocks
  chunk* prev_sorted = nullptr;

  std::byte* blocks() noexcept { return reinterpret_cast<std::byte*>(this) + cache_line; }
};
static_assert(sizeof(chunk) == cache_line);

inline chunk* chunk_of(void* block) noexcept {
  auto const address = reinterpret_cast<std::uintptr_t>(block);
  return reinterpret_cast<chunk*>(address & ~(std::uintptr_t{chunk_bytes} - 1));
}

/// Blocks from a slab start on a half of a cache line, large ones in the middle of a half. That one
/// bit tells free() which it has, without a look at memory.
inline bool is_large(void* block) noexcept {
  return (reinterpret_cast<std::uintptr_t>(block) & (smallest / 2)) != 0;
}

struct large_header;

}  // namespace slab_detail

/// Small blocks for one thread.
///
/// Ownership: the slab_set owns the slab and its memory; slab and blocks outlive the thread. A slab
///            is lent to one thread at a time.
/// Threads:   free() any; everything else the thread that has the slab in hand: the one that it is
///            lent to, except between rest() and resume(), when another may take it for a step.
/// Invariant: a block is in use, or on exactly one list: its slab's local, remote or pile, or its
///            chunk's. A chunk of the slab has a block that is not on the chunk's list.
/// Ordering:  [B1] carries a freed block, and all that was done to it, back to its slab's owner.
///            [B2] carries the slab itself from hand to hand.
class slab {
 public:
  static constexpr std::size_t largest_small = slab_detail::largest_small;
  /// Up to so many bytes a block is aligned to as many.
  static constexpr std::size_t smallest = slab_detail::smallest;
  /// Alignment of blocks of up to `largest_small` bytes, and of larger ones, which lie so far
  /// behind twice their alignment.
  static constexpr std::size_t small_alignment = cache_line;
  static constexpr std::size_t large_alignment = smallest / 2;

  slab(slab const&) = delete;
  slab& operator=(slab const&) = delete;

  /// A block of at least `bytes`. The owner's thread only. Throws: std::bad_alloc.
  [[nodiscard]] void* allocate(std::size_t bytes) {
    // The countdown starts so high that it never ends unless a test lowers it: two instructions on
    // a line that is hot anyway. It counts the allocations as well.
    if (--until_failure_ == 0) [[unlikely]]
      fail();
    if (bytes <= largest_small) [[likely]] {
      std::size_t const index = slab_detail::class_of(bytes);
      slab_detail::free_block*& list = local_[index];
      slab_detail::free_block* const block = list;
      if (block == nullptr) [[unlikely]]
        return refill(index, bytes);
      list = slab_detail::next_of(block);
      asan_unpoison(block, bytes);
      return block;
    }
    return allocate_large(bytes);
  }

  /// Takes back a block of any slab of any set. `mine` is the calling thread's own slab, or
  /// nullptr. Any thread. `block` is not nullptr.
  static void free(void* block, slab* mine) noexcept {
    if (slab_detail::is_large(block)) [[unlikely]] {
      free_large(block);
      return;
    }
    slab_detail::chunk* const home = slab_detail::chunk_of(block);
    asan_poison(block, slab_detail::class_bytes(home->size_class));
    auto* const freed = static_cast<slab_detail::free_block*>(block);
    if (home->owner == mine) [[likely]] {
      slab_detail::free_block*& list = mine->local_[home->size_class];
      slab_detail::set_next(freed, list);
      list = freed;
    } else {
      free_remote(freed, home);
    }
  }

  /// Lets the n-th following allocate() throw bad_alloc (1 is the next one), once; 0 calls it off.
  void fail_after(std::uint64_t n) noexcept;

  /// Begins to sort what is free now, unless a sorting is under way.
  void begin_tidying() noexcept {
    if (!tidying()) to_sort_ = every_source;
  }
  /// Sorts at most so many blocks more, and gives chunks without a block in use back to the set.
  /// True if there is more to sort. Nothing that is freed meanwhile is waited for.
  bool tidy(std::size_t blocks) noexcept;
  [[nodiscard]] bool tidying() const noexcept { return to_sort_ != 0 || pile_ != nullptr; }
  /// False for a slab that is too small for tidying to be worth anything.
  [[nodiscard]] bool worth_tidying() const noexcept { return chunk_count_ > 4; }
  /// Tidies all of it, and returns the surplus of the set. In proportion to what is free: for
  /// tests, and for who has the time.
  void trim() noexcept;

  /// The owner sleeps: until it resumes, another thread that wants memory may tidy its slab.
  void rest() noexcept {
    in_hand_.store(false, std::memory_order_release);  // [B2]
  }
  /// The owner goes on. Waits for who is at the slab to finish its step: 50 us, 1 ms at worst.
  void resume() noexcept {
    if (!take_in_hand()) [[unlikely]]
      wait_for_hand();
  }

  /// Calls look(block, bytes) for each block in use, whole as it came from the slab: what lies
  /// behind the bytes that were asked for is what somebody left there. The owner's thread, or who
  /// knows that it does nothing; one that is freed meanwhile counts as in use. Throws:
  /// std::bad_alloc.
  void each_block_in_use(
      std::function<void(std::byte const* block, std::size_t bytes)> const& look) const;

  /// Blocks allocated and not yet freed, large ones included. Exact when no other thread is
  /// freeing. Walks the free lists: for tests and diagnostics.
  [[nodiscard]] std::size_t blocks_in_use() const noexcept;

  /// Memory held: whole chunks, and large blocks.
  [[nodiscard]] std::size_t bytes_mapped() const noexcept;

 private:
  friend class slab_set;
  friend struct std::default_delete<slab>;

  explicit slab(slab_set& set) noexcept : set_{set} {}
  ~slab() = default;

  struct fresh_range {  // blocks of the newest chunk that nobody ever had
    std::byte* next = nullptr;
    std::byte* end = nullptr;
  };
  struct alignas(cache_line) remote_list {
    std::atomic<slab_detail::free_block*> head{nullptr};
  };

  /// Two bits for each class: its remote list, its local list.
  static constexpr std::uint32_t every_source =
      (std::uint32_t{1} << 2 * slab_detail::class_count) - 1;

  static constexpr std::uint64_t never_fails = std::numeric_limits<std::uint64_t>::max();

  OTTER_COLD void fail();
  OTTER_NOINLINE void* refill(std::size_t index, std::size_t bytes);
  OTTER_NOINLINE void* allocate_large(std::size_t bytes);
  OTTER_NOINLINE static void free_large(void* block) noexcept;
  OTTER_NOINLINE static void free_remote(slab_detail::free_block* block,
                                         slab_detail::chunk* home) noexcept;
  void take_chunk(std::size_t index);
  bool take_in_hand() noexcept {
    // [B2] acquire: meets the release in rest().
    return !in_hand_.exchange(true, std::memory_order_acquire);
  }
  OTTER_NOINLINE void wait_for_hand() noexcept;
  bool next_pile() noexcept;
  bool sort(slab_detail::free_block* block) noexcept;
  void unlist_sorted(slab_detail::chunk* c) noexcept;
  void unlist(slab_detail::chunk* c) noexcept;
  [[nodiscard]] std::size_t fresh_blocks(std::size_t index) const noexcept {
    return static_cast<std::size_t>(fresh_[index].end - fresh_[index].next) /
           slab_detail::class_bytes(index);
  }

  // --- the owner's thread ---
  std::uint64_t until_failure_ = never_fails;
  std::array<slab_detail::free_block*, slab_detail::class_count> local_{};
  std::array<fresh_range, slab_detail::class_count> fresh_{};
  std::array<slab_detail::chunk*, slab_detail::class_count> chunks_{};
  std::array<slab_detail::chunk*, slab_detail::class_count> sorted_{};  // chunks with such blocks
  std::size_t chunk_count_ = 0;
  slab_detail::free_block* pile_ = nullptr;  // blocks of one class that wait to be sorted
  std::size_t pile_class_ = 0;
  std::uint32_t to_sort_ = 0;  // of every_source: lists that this tidying has not yet taken
  slab_set& set_;

  // --- any thread; a line each, since each is hammered by whoever frees that size ---
  std::array<remote_list, slab_detail::class_count> remote_{};

  alignas(cache_line) std::atomic<bool> in_hand_{true};  // [B2]

  // --- large blocks, guarded by large_mutex_ ---
  mutable std::mutex large_mutex_;
  slab_detail::large_header* large_ = nullptr;
  std::size_t large_count_ = 0;
  std::size_t large_bytes_ = 0;
};

/// The slabs of one node.
///
/// Ownership: of every slab, every chunk and every large block. All of it is returned to the system
///            when the set goes, blocks in use too: nobody may hold one then.
/// Threads:   any, except destruction.
class slab_set {
 public:
  /// `reserve_chunks`: how many empty chunks of 64 KiB keep their memory, 16 MiB by default; the
  /// memory of others is returned to the system.
  explicit slab_set(std::size_t reserve_chunks = 256) noexcept : reserve_chunks_{reserve_chunks} {}
  ~slab_set();
  slab_set(slab_set const&) = delete;
  slab_set& operator=(slab_set const&) = delete;

  /// A slab for the calling thread: one that was given back, else a new one. Throws:
  /// std::bad_alloc.
  [[nodiscard]] slab& lend();

  /// Blocks of this slab may still be in use, and freed by anybody. It rests.
  void give_back(slab& lent) noexcept;

  /// Tidies slabs that rest, at most so many blocks, and looks at a few only: a later call goes on
  /// with the next ones. True if one of them is not done. Any thread.
  bool tidy_resting(std::size_t blocks) noexcept;

  /// Returns the memory of one free chunk beyond the reserve to the system: some 10 us, on machines
  /// under a sandbox a millisecond, hence for those alone who are about to sleep. True if there are
  /// more. Any thread.
  bool return_surplus() noexcept;

  /// Changes whenever a slab took memory that had to come from the system: then others should look
  /// what they can do without.
  [[nodiscard]] std::uint32_t shortages() const noexcept {
    return shortages_.load(std::memory_order_relaxed);  // a hint, orders nothing
  }

  /// Sums over all slabs; exact when no slab is in use.
  [[nodiscard]] std::size_t blocks_in_use() const;
  /// The same for slabs that rest, and whether all do. While it looks at one, its owner waits in
  /// resume(). Any thread.
  struct at_rest {
    std::size_t blocks = 0;
    bool all = true;
  };
  [[nodiscard]] at_rest blocks_in_use_at_rest() const;
  /// Calls look(block, bytes) for the blocks in use of all slabs that rest, and of `still`, whose
  /// owners do nothing, as the caller knows. While it looks at one that rests, its owner waits in
  /// resume(). False: others are in somebody's hand, and were left out. `look` must not want memory
  /// of the set. Any thread. Throws: std::bad_alloc; what `look` throws.
  bool each_block_in_use(
      std::span<slab* const> still,
      std::function<void(std::byte const* block, std::size_t bytes)> const& look) const;
  /// Address space of all chunks, and the bytes of them that were returned to the system.
  [[nodiscard]] std::size_t bytes_mapped() const;
  [[nodiscard]] std::size_t bytes_returned() const;

 private:
  friend class slab;

  // Chunks are mapped 16 at a time, so that a million messages are hundreds of mappings at most.
  static constexpr std::size_t region_bytes = 16 * slab_detail::chunk_bytes;

  void* take_chunk();  // throws std::bad_alloc
  void return_chunks(slab_detail::chunk* list) noexcept;
  void map_region();

  std::size_t const reserve_chunks_;
  std::atomic<std::uint32_t> shortages_{0};

  mutable std::mutex mutex_;
  // guarded by mutex_
  std::vector<std::unique_ptr<slab>> slabs_;
  std::vector<slab*> idle_;  // capacity for all of slabs_, so that give_back() cannot fail
  std::vector<void*> regions_;
  std::vector<void*> warm_;       // free chunks, memory present; capacity for all chunks
  std::vector<void*> cold_;       // free chunks without memory: never used, or returned
  std::size_t never_used_ = 0;    // how many of cold_, at its bottom, no slab ever had
  std::size_t next_resting_ = 0;  // where tidy_resting() goes on in slabs_
};

}  // namespace otter::rts
