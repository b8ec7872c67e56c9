#pragma once

// base/stable_table.hpp - blocks that never move and never go, found by a 28-bit index.
//
//   stable_table<T>          the blocks; at(index) is a comparison and an addition
//   stable_table<T>::cache   one owner's stock of free indices: acquire() and release()
//
// A T is constructed once, when its index is first handed out, and destroyed with the table. What
// is acquired and released is the *slot*: whoever uses T keeps a generation in it, so that a stale
// index finds a living T that says "not me any more".
//
// T needs a constructor from its index (std::uint32_t, noexcept) and a public member
// `std::uint32_t table_next`, which belongs to the table while the slot is free and to nobody
// in between.
//
// The blocks lie in one reservation of address space, made accessible as it fills: no directory,
// so no second cache miss in at(), no bytes per entry, and one mapping for a million blocks.
//
// Considered and refused: a directory of separately mapped chunks (a dependent load on the path of
// every send); a LIFO of free slots (an index would come back within microseconds, and a
// generation of 32 bits wraps in minutes).

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <mutex>
#include <new>
#include <type_traits>

#include "base/cache_line.hpp"

namespace otter::rts {

/// Ownership: of all T. Caches belong to their owners, and must end before the table.
/// Threads:   at(), for_each() any. A cache: its owner. Construction and destruction: alone.
/// Invariant: blocks [0, constructed_) are constructed; every other one is never touched.
///            A slot is in use, or in exactly one cache, or in the shared queue.
/// Ordering:  [T1] carries constructed blocks to whoever finds them by index.
template <class T>
class stable_table {
 public:
  using index_type = std::uint32_t;
  static constexpr unsigned index_bits = 28;
  static constexpr std::size_t index_limit = std::size_t{1} << index_bits;
  /// So many releases into the same cache, at least, lie between a slot's release and its reuse.
  static constexpr std::size_t reuse_gap = 4096;
  /// Indices move between a cache and the table by so many at a time.
  static constexpr std::size_t batch = 64;

  static_assert(std::is_nothrow_constructible_v<T, index_type>);

  class cache;

  /// At most `limit` slots may be in use at once. For limits of up to 65,536 that is exact; above,
  /// up to 2 * batch more may be handed out for each cache after the first, since counting them
  /// exactly would mean one line that every spawn on every core writes to.
  /// `max_caches` bounds how many caches can exist at one time. Throws: std::bad_alloc.
  explicit stable_table(std::size_t limit, std::size_t max_caches = 64)
      : limit_{std::min(limit, index_limit)},
        credit_batch_{limit_ > 65536 ? batch : 0},
        capacity_{capacity_for(limit_, max_caches)},
        max_caches_{max_caches},
        credits_{static_cast<std::int64_t>(limit_)} {
    void* const reserved = ::mmap(nullptr, reserved_bytes(), PROT_NONE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reserved == MAP_FAILED) throw std::bad_alloc{};
    ::madvise(reserved, reserved_bytes(), MADV_NOHUGEPAGE);
    blocks_ = static_cast<T*>(reserved);
  }

  ~stable_table() {
    for (std::size_t i = constructed_.load(std::memory_order_relaxed); i > 0; --i)
      blocks_[i - 1].~T();
    ::munmap(static_cast<void*>(blocks_), reserved_bytes());
  }
  stable_table(stable_table const&) = delete;
  stable_table& operator=(stable_table const&) = delete;

  /// The block, in use or not, or nullptr if no such index was ever handed out. Any thread.
  [[nodiscard]] T* at(std::size_t index) const noexcept {
    // [T1] acquire: meets the release in construct_batch().
    if (index >= constructed_.load(std::memory_order_acquire)) return nullptr;
    return blocks_ + index;
  }

  /// The block of an index that was handed out to who asks.
  [[nodiscard]] T& operator[](index_type index) const noexcept { return blocks_[index]; }

  /// Calls f(T&) for every block that was ever handed out, in use or not, by ascending index. Any
  /// thread; what T says meanwhile is T's business.
  template <class F>
  void for_each(F&& f) const {
    std::size_t const count = constructed_.load(std::memory_order_acquire);  // [T1]
    for (std::size_t i = 0; i < count; ++i) f(blocks_[i]);
  }

  [[nodiscard]] std::size_t limit() const noexcept { return limit_; }
  [[nodiscard]] std::size_t constructed() const noexcept {
    return constructed_.load(std::memory_order_relaxed);
  }

 private:
  static constexpr index_type none = std::numeric_limits<index_type>::max();

  /// First in, first out, linked through T::table_next.
  struct index_queue {
    index_type first = none;
    index_type last = none;
    std::size_t count = 0;
  };

  // Beyond the limit there must be room for what waits in caches, or the last slots could not be
  // handed out without breaking the gap.
  static constexpr std::size_t per_cache_slack = reuse_gap + 6 * batch;

  static std::size_t capacity_for(std::size_t limit, std::size_t caches) noexcept {
    std::size_t const wanted = limit + caches * per_cache_slack;
    return std::min(index_limit, (wanted + batch - 1) / batch * batch);
  }
  [[nodiscard]] std::size_t reserved_bytes() const noexcept {
    constexpr std::size_t page = 4096;
    return (capacity_ * sizeof(T) + page - 1) / page * page;
  }

  void append(index_queue& queue, index_type index) noexcept {
    blocks_[index].table_next = none;
    if (queue.count == 0)
      queue.first = index;
    else
      blocks_[queue.last].table_next = index;
    queue.last = index;
    ++queue.count;
  }
  index_type pop(index_queue& queue) noexcept {
    index_type const index = queue.first;
    queue.first = blocks_[index].table_next;
    --queue.count;
    return index;
  }
  /// Moves the oldest `n` (all if there are fewer) to the end of `to`.
  void move_oldest(index_queue& from, index_queue& to, std::size_t n) noexcept {
    for (n = std::min(n, from.count); n > 0; --n) append(to, pop(from));
  }

  /// [first, first + batch) of indices nobody ever had, or false. Holding mutex_.
  bool construct_batch(index_type& first) noexcept {
    std::size_t const start = constructed_.load(std::memory_order_relaxed);
    if (start + batch > capacity_) return false;
    std::size_t const needed = (start + batch) * sizeof(T);
    if (needed > accessible_bytes_) {
      constexpr std::size_t step = std::size_t{256} * 1024;
      std::size_t const wanted = std::min((needed + step - 1) / step * step, reserved_bytes());
      // From the very start, so that the kernel keeps one mapping.
      if (::mprotect(static_cast<void*>(blocks_), wanted, PROT_READ | PROT_WRITE) != 0)
        return false;
      accessible_bytes_ = wanted;
    }
    for (std::size_t i = start; i < start + batch; ++i)
      ::new (static_cast<void*>(blocks_ + i)) T(static_cast<index_type>(i));
    // [T1] release: whoever finds these indices finds them constructed.
    constructed_.store(start + batch, std::memory_order_release);
    first = static_cast<index_type>(start);
    return true;
  }

  // --- constant after construction ---
  std::size_t const limit_;
  std::size_t const credit_batch_;  // 0: every acquire and release goes to credits_
  std::size_t const capacity_;      // limit_ and what may wait in caches
  std::size_t const max_caches_;
  T* blocks_ = nullptr;

  // Read by every at(): away from what others write. Written once per batch, while growing.
  alignas(cache_line) std::atomic<std::size_t> constructed_{0};

  // --- any thread: how many more slots may be taken into use. A count, orders nothing. ---
  alignas(cache_line) std::atomic<std::int64_t> credits_;

  std::mutex mutex_;
  // guarded by mutex_
  index_queue shared_;  // what caches had too much of; has waited for its gap already
  std::size_t caches_ = 0;
  std::size_t accessible_bytes_ = 0;
};

/// One owner's stock of free indices.
///
/// A slot waits in the cache it was released into until reuse_gap others have followed it. What
/// exceeds that moves to the table's shared queue in batches, so a worker that only releases feeds
/// one that only acquires.
///
/// Ownership: of no T; of the right to hand out its indices.
/// Threads:   its owner. Several threads may share one under a mutex of theirs.
template <class T>
class stable_table<T>::cache {
 public:
  /// Throws: std::bad_alloc if the table has max_caches already.
  explicit cache(stable_table& table) : table_{table} {
    std::lock_guard const lock{table_.mutex_};
    if (table_.caches_ == table_.max_caches_) throw std::bad_alloc{};
    // What others hold back must not make anybody fail below the limit.
    if (++table_.caches_ > 1) add_credits(hoard());
  }
  ~cache() {
    std::lock_guard const lock{table_.mutex_};
    if (--table_.caches_ > 0) add_credits(-hoard());
    add_credits(credits_);
    for (; fresh_ != fresh_end_; ++fresh_) table_.append(table_.shared_, fresh_);
    table_.move_oldest(ready_, table_.shared_, ready_.count);
    // These have not waited for their gap here; they wait behind everything in the shared queue.
    table_.move_oldest(aging_, table_.shared_, aging_.count);
  }
  cache(cache const&) = delete;
  cache& operator=(cache const&) = delete;

  /// A slot for use, or nullptr: the limit is reached, or the system gives no memory.
  [[nodiscard]] T* acquire() noexcept {
    if (credits_ == 0) [[unlikely]] {
      if (!take_credits()) return nullptr;
    }
    index_type index;
    if (aging_.count > reuse_gap) {
      index = table_.pop(aging_);
    } else if (ready_.count != 0) {
      index = table_.pop(ready_);
    } else if (fresh_ != fresh_end_) {
      index = fresh_++;
    } else {
      return acquire_slowly();
    }
    --credits_;
    return table_.blocks_ + index;
  }

  /// Takes back a slot that any cache of the table has handed out.
  void release(index_type index) noexcept {
    table_.append(aging_, index);
    if (aging_.count >= reuse_gap + 2 * batch) [[unlikely]]
      share(batch);
    ++credits_;
    if (credits_ > hoard()) [[unlikely]] {
      std::int64_t const back = credits_ - static_cast<std::int64_t>(table_.credit_batch_);
      credits_ -= back;
      add_credits(back);
    }
  }

  /// How many released slots wait here.
  [[nodiscard]] std::size_t waiting() const noexcept { return aging_.count + ready_.count; }

 private:
  [[nodiscard]] std::int64_t hoard() const noexcept {
    return static_cast<std::int64_t>(2 * table_.credit_batch_);
  }
  void add_credits(std::int64_t n) noexcept {
    table_.credits_.fetch_add(n, std::memory_order_relaxed);
  }
  OTTER_NOINLINE bool take_credits() noexcept {
    auto const wanted = static_cast<std::int64_t>(std::max<std::size_t>(table_.credit_batch_, 1));
    std::int64_t left = table_.credits_.load(std::memory_order_relaxed);
    do {
      if (left <= 0) return false;
    } while (!table_.credits_.compare_exchange_weak(left, left - std::min(left, wanted),
                                                    std::memory_order_relaxed));
    credits_ += std::min(left, wanted);
    return true;
  }
  OTTER_NOINLINE T* acquire_slowly() noexcept {
    {
      std::lock_guard const lock{table_.mutex_};
      if (table_.shared_.count != 0) {
        table_.move_oldest(table_.shared_, ready_, batch);
      } else if (index_type first; table_.construct_batch(first)) {
        fresh_ = first;
        fresh_end_ = first + static_cast<index_type>(batch);
      } else {
        return nullptr;  // the credit stays: it is given back when somebody releases
      }
    }
    --credits_;
    return table_.blocks_ + (ready_.count != 0 ? table_.pop(ready_) : fresh_++);
  }
  OTTER_NOINLINE void share(std::size_t n) noexcept {
    std::lock_guard const lock{table_.mutex_};
    table_.move_oldest(aging_, table_.shared_, n);
  }

  stable_table& table_;
  index_queue aging_;  // oldest first
  index_queue ready_;  // from the shared queue: may be used at once
  index_type fresh_ = 0;
  index_type fresh_end_ = 0;
  std::int64_t credits_ = 0;
};

}  // namespace otter::rts
