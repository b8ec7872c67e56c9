#pragma once

// base/number_set.hpp - a set of numbers, for owners that mostly hold none or one: a process's
// links.
//
// Empty or with one element it is 16 bytes; more lie in one array, 14 bytes each on the average. A
// set of nodes (keyed_set) has a block of 64 bytes for each, since the slab gives none smaller.
//
//   number_set<Hash>    Hash::hash(number) spreads what differs little; its low bits are used
//
// Every order in which elements come out depends on the numbers and on what was inserted and erased
// when: the simulation relies on it.

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "base/array_memory.hpp"

namespace otter::rts {

/// Ownership: of its array.
/// Threads:   one at a time.
/// Invariant: 0 is no element. Without an array (mask_ is 0) there is room for one, single_. The
///            array has mask_ + 1 places, a power of two, of which a quarter is free. An element
///            stands at its home place or behind it, with no free place in between.
template <class Hash>
class number_set {
 public:
  number_set() noexcept = default;
  ~number_set() { drop_array(); }
  number_set(number_set const&) = delete;
  number_set& operator=(number_set const&) = delete;

  [[nodiscard]] bool contains(std::uint64_t number) const noexcept {
    if (mask_ == 0) return number != 0 && single_ == number;
    return array_[place_of(number)] != 0;
  }

  /// Room for one more. False if memory is short; then nothing has changed.
  [[nodiscard]] bool reserve_one() noexcept {
    if (has_room()) [[likely]]
      return true;
    return resize(mask_ == 0 ? smallest_array : 2 * (mask_ + 1));
  }

  /// After reserve_one(). `number` is neither 0 nor in the set.
  void insert(std::uint64_t number) noexcept {
    if (mask_ == 0)
      single_ = number;
    else
      array_[place_of(number)] = number;
    ++size_;
  }

  /// False if it is not there.
  bool erase(std::uint64_t number) noexcept {
    if (mask_ == 0) {
      if (number == 0 || single_ != number) return false;
      single_ = 0;
      size_ = 0;
      return true;
    }
    std::uint32_t const place = place_of(number);
    if (array_[place] == 0) return false;
    close_gap(place);
    // Hysteresis: a set that breathes by less than a factor of six keeps its array, a small one in
    // any case.
    if (--size_ < mask_ / 8 && mask_ >= 2 * kept_array) resize((mask_ + 1) / 2);
    return true;
  }

  /// Some element, 0 if there is none. Emptying a set by asking for one and erasing it takes time
  /// in proportion to its size: the search goes on where the last one ended.
  [[nodiscard]] std::uint64_t any() noexcept {
    if (size_ == 0) return 0;
    if (mask_ == 0) return single_;
    std::uint32_t& cursor = head_of(array_)->cursor;
    while (array_[cursor] == 0) cursor = (cursor + 1) & mask_;
    return array_[cursor];
  }

  /// Calls f(number) for each. f may neither insert nor erase.
  template <class F>
  void for_each(F&& f) const {
    if (mask_ == 0) {
      if (single_ != 0) f(single_);
      return;
    }
    for (std::uint32_t i = 0; i <= mask_; ++i)
      if (array_[i] != 0) f(array_[i]);
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// Of the array.
  [[nodiscard]] std::size_t bytes() const noexcept { return mask_ == 0 ? 0 : bytes_for(mask_ + 1); }

  /// Gives back memory that the present size does not need; for an owner that goes to sleep.
  void shrink() noexcept {
    if (mask_ == 0) return;
    if (size_ <= 1) {
      std::uint64_t const last = any();
      drop_array();
      mask_ = 0;
      single_ = last;
      return;
    }
    std::uint32_t wanted = smallest_array;
    while (most_in(wanted) < size_) wanted *= 2;
    if (wanted <= mask_) resize(wanted);
  }

 private:
  /// In front of the places.
  struct array_head {
    std::uint32_t cursor = 0;  // where any() goes on
  };
  static constexpr std::size_t head_bytes = sizeof(std::uint64_t);
  static_assert(sizeof(array_head) <= head_bytes);

  static constexpr std::uint32_t smallest_array = 8;
  static constexpr std::uint32_t kept_array = 256;  // 2 KiB: growing costs more than they do
  static constexpr std::uint32_t largest_array = std::uint32_t{1} << 30;

  static array_head* head_of(std::uint64_t* array) noexcept {
    return reinterpret_cast<array_head*>(array - 1);
  }
  static constexpr std::size_t bytes_for(std::uint32_t places) noexcept {
    return head_bytes + std::size_t{places} * sizeof(std::uint64_t);
  }
  static constexpr std::uint32_t most_in(std::uint32_t places) noexcept {
    return places - places / 4;
  }
  [[nodiscard]] bool has_room() const noexcept {
    return mask_ == 0 ? size_ == 0 : size_ < most_in(mask_ + 1);
  }
  [[nodiscard]] std::uint32_t home_of(std::uint64_t number) const noexcept {
    return static_cast<std::uint32_t>(Hash::hash(number)) & mask_;
  }
  /// Where it is, or the free place where it would go.
  [[nodiscard]] std::uint32_t place_of(std::uint64_t number) const noexcept {
    std::uint32_t place = home_of(number);
    while (array_[place] != 0 && array_[place] != number) place = (place + 1) & mask_;
    return place;
  }
  /// Empties `gap`, and moves up what would not be found any more behind a free place.
  void close_gap(std::uint32_t gap) noexcept {
    for (std::uint32_t next = (gap + 1) & mask_; array_[next] != 0; next = (next + 1) & mask_) {
      // It may move if its home is not between the gap and where it stands.
      if (((next - home_of(array_[next])) & mask_) < ((next - gap) & mask_)) continue;
      array_[gap] = array_[next];
      gap = next;
    }
    array_[gap] = 0;
  }

  void drop_array() noexcept {
    if (mask_ != 0) free_array(head_of(array_), bytes_for(mask_ + 1));
  }
  /// To `places` > 1, enough for what is there. False, and all is as it was, if memory is short.
  bool resize(std::uint32_t places) noexcept {
    if (places > largest_array) return false;
    void* const memory = allocate_array(bytes_for(places));
    if (memory == nullptr) return false;
    ::new (memory) array_head;
    auto* const bigger =
        ::new (static_cast<std::byte*>(memory) + head_bytes) std::uint64_t[places]{};
    std::uint32_t const old_mask = std::exchange(mask_, places - 1);
    if (old_mask == 0) {
      std::uint64_t const single = single_;
      array_ = bigger;
      if (single != 0) array_[place_of(single)] = single;
      return true;
    }
    std::uint64_t* const old = std::exchange(array_, bigger);
    for (std::uint32_t i = 0; i <= old_mask; ++i)
      if (old[i] != 0) array_[place_of(old[i])] = old[i];
    free_array(head_of(old), bytes_for(old_mask + 1));
    return true;
  }

  union {
    std::uint64_t single_ = 0;  // while mask_ is 0; 0: none
    std::uint64_t* array_;      // otherwise
  };
  std::uint32_t size_ = 0;
  std::uint32_t mask_ = 0;
};

}  // namespace otter::rts
