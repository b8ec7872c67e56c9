#pragma once

// read_index.hpp - a hash index that is read without a lock while one writer changes it.
//
//   otter::detail::read_index<Entry>   finds entries, which it does not own, by their `hash`

#include <atomic>
#include <cstddef>
#include <memory>

#include "readers.hpp"

namespace otter::detail {

/// Slots are probed in a row. One whose hash is 0 was never used, and a search ends there; one
/// without an entry is free again, and a search goes on.
///
/// Ownership: of its arrays. An entry that was erased is the caller's to retire.
/// Threads:   find() and for_each(): any, while a `reading` of theirs stands, or the writer. The
///            rest: one writer at a time.
/// Invariant: of entries that are equal one is in the index at most. At least half of the slots
///            were never used.
/// Ordering:  [X1] an entry's contents happen before its being found; [X2] an array's likewise.
template <class Entry>
class read_index {
 public:
  read_index() : array_(new array(smallest)) {}
  ~read_index() { delete array_.load(std::memory_order_relaxed); }
  read_index(read_index const&) = delete;
  read_index& operator=(read_index const&) = delete;

  /// The entry with that hash for which `same(entry)` is true, or null. Wait-free.
  template <class Same>
  Entry* find(std::size_t hash, Same&& same) const {
    array const& a = *array_.load(std::memory_order_seq_cst);  // [X2], [E1]
    std::size_t const wanted = nonzero(hash);
    for (std::size_t i = wanted & a.mask;; i = (i + 1) & a.mask) {
      slot const& s = a.slots[i];
      std::size_t const there = s.hash.load(std::memory_order_acquire);
      if (there == 0) return nullptr;
      if (there != wanted) continue;
      Entry* const e = s.entry.load(std::memory_order_seq_cst);  // [X1], [E1]
      if (e != nullptr && same(*e)) return e;
    }
  }

  /// f(entry) for each, in no order. What is inserted or erased meanwhile may be among them.
  template <class F>
  void for_each(F&& f) const {
    array const& a = *array_.load(std::memory_order_seq_cst);  // [X2], [E1]
    for (std::size_t i = 0; i <= a.mask; ++i)
      if (Entry* const e = a.slots[i].entry.load(std::memory_order_seq_cst)) f(*e);  // [X1], [E1]
  }

  /// Throws: std::bad_alloc; then nothing has changed.
  void insert(Entry& entry, retired& gone) {
    array* a = array_.load(std::memory_order_relaxed);
    if (2 * (used_ + 1) > a->mask + 1 || (a->mask + 1 > smallest && 16 * entries_ < a->mask + 1))
      a = renew(gone);
    put(*a, entry);
    ++entries_;
  }

  void erase(Entry const& entry) noexcept {
    array const& a = *array_.load(std::memory_order_relaxed);
    std::size_t i = nonzero(entry.hash) & a.mask;
    while (a.slots[i].entry.load(std::memory_order_relaxed) != &entry) i = (i + 1) & a.mask;
    a.slots[i].entry.store(nullptr, std::memory_order_seq_cst);  // [E1]
    --entries_;
  }

  /// For the writer.
  [[nodiscard]] std::size_t size() const noexcept { return entries_; }

 private:
  static constexpr std::size_t smallest = 16;

  struct slot {
    std::atomic<std::size_t> hash{0};
    std::atomic<Entry*> entry{nullptr};
  };
  struct array final : retirable {
    explicit array(std::size_t size) : mask(size - 1), slots(std::make_unique<slot[]>(size)) {}
    std::size_t const mask;
    std::unique_ptr<slot[]> const slots;
  };

  static constexpr std::size_t nonzero(std::size_t hash) noexcept { return hash == 0 ? 1 : hash; }

  void put(array& a, Entry& entry) noexcept {
    std::size_t const hash = nonzero(entry.hash);
    std::size_t i = hash & a.mask;
    while (a.slots[i].entry.load(std::memory_order_relaxed) != nullptr) i = (i + 1) & a.mask;
    if (a.slots[i].hash.load(std::memory_order_relaxed) == 0) ++used_;
    // A reader that still sees the hash of an earlier entry here compares what it finds.
    a.slots[i].hash.store(hash, std::memory_order_release);
    a.slots[i].entry.store(&entry, std::memory_order_seq_cst);  // [X1]
  }

  /// Sized by what is there: an array full of slots that were used once is only renewed.
  array* renew(retired& gone) {
    std::size_t size = smallest;
    while (size < 4 * (entries_ + 1)) size *= 2;
    auto next = std::make_unique<array>(size);
    used_ = 0;
    for_each([&](Entry& e) { put(*next, e); });
    std::unique_ptr<array> old(array_.load(std::memory_order_relaxed));
    array_.store(next.get(), std::memory_order_seq_cst);  // [X2], [E1]
    gone.add(std::move(old));
    return next.release();
  }

  std::atomic<array*> array_;
  std::size_t entries_ = 0;  // the writer's
  std::size_t used_ = 0;     // the writer's: slots that were ever used
};

}  // namespace otter::detail
