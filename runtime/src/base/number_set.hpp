#pragma once

// base/number_set.hpp - a set of numbers, for owners that mostly hold none or one: a process's
// links.
//
// Empty or with one element it is a word and a mark; more lie in one array, 12 bytes each on the
// average of large sets, 14 of small ones. A set of nodes (keyed_set) has a block of 64 bytes for
// each, since the slab gives none smaller.
//
//   number_set<Hash>    Hash::hash(number) spreads what differs little; its low 32 bits are used
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
/// Invariant: 0 is no element. Without an array there is room for one, single_. Of the places of
///            the array a quarter is free. An element stands at its home place or behind it, with
///            no free place in between.
template <class Hash>
class number_set {
 public:
  number_set() noexcept = default;
  ~number_set() { drop_array(); }
  number_set(number_set const&) = delete;
  number_set& operator=(number_set const&) = delete;

  [[nodiscard]] bool contains(std::uint64_t number) const noexcept {
    if (!has_array_) return number != 0 && single_ == number;
    return array_[place_of(number)] != 0;
  }

  /// Room for one more. False if memory is short; then nothing has changed.
  [[nodiscard]] bool reserve_one() noexcept {
    if (has_room()) [[likely]]
      return true;
    return resize(has_array_ ? grown(head().places) : smallest_array);
  }

  /// After reserve_one(). `number` is neither 0 nor in the set.
  void insert(std::uint64_t number) noexcept {
    if (!has_array_) {
      single_ = number;
      return;
    }
    array_[place_of(number)] = number;
    ++head().size;
  }

  /// False if it is not there.
  bool erase(std::uint64_t number) noexcept {
    if (!has_array_) {
      if (number == 0 || single_ != number) return false;
      single_ = 0;
      return true;
    }
    std::uint32_t const place = place_of(number);
    if (array_[place] == 0) return false;
    close_gap(place);
    // Hysteresis: a set that breathes by less than a factor of six keeps its array, a small one in
    // any case.
    std::uint32_t const places = head().places;
    if (--head().size < places / 8 && places > 2 * kept_array) resize(places / 2);
    return true;
  }

  /// Some element, 0 if there is none. Emptying a set by asking for one and erasing it takes time
  /// in proportion to its size: the search goes on where the last one ended.
  [[nodiscard]] std::uint64_t any() noexcept {
    if (!has_array_) return single_;
    if (head().size == 0) return 0;
    std::uint32_t& cursor = head().cursor;
    while (array_[cursor] == 0) cursor = after(cursor);
    return array_[cursor];
  }

  /// Calls f(number) for each. f may neither insert nor erase.
  template <class F>
  void for_each(F&& f) const {
    if (!has_array_) {
      if (single_ != 0) f(single_);
      return;
    }
    for (std::uint32_t i = 0; i < head().places; ++i)
      if (array_[i] != 0) f(array_[i]);
  }

  [[nodiscard]] std::size_t size() const noexcept {
    return has_array_ ? head().size : single_ != 0 ? 1 : 0;
  }
  /// Of the array.
  [[nodiscard]] std::size_t bytes() const noexcept {
    return has_array_ ? bytes_for(head().places) : 0;
  }

  /// Gives back memory that the present size does not need; for an owner that goes to sleep.
  void shrink() noexcept {
    if (!has_array_) return;
    if (head().size <= 1) {
      std::uint64_t const last = any();
      drop_array();
      has_array_ = false;
      single_ = last;
      return;
    }
    std::uint32_t wanted = smallest_array;
    while (most_in(wanted) < head().size) wanted = grown(wanted);
    if (wanted < head().places) resize(wanted);
  }

 private:
  /// In front of the places.
  struct alignas(std::uint64_t) array_head {
    std::uint32_t cursor = 0;  // where any() goes on
    std::uint32_t size = 0;
    std::uint32_t places = 0;
  };
  static constexpr std::size_t head_bytes = sizeof(array_head);

  static constexpr std::uint32_t smallest_array = 8;
  static constexpr std::uint32_t kept_array = 256;   // 2 KiB: growing costs more than they do
  static constexpr std::uint32_t doubled_to = 4096;  // 32 KiB: from here on by a quarter
  static constexpr std::uint32_t largest_array = std::uint32_t{1} << 30;

  /// By doubling, a large array would be up to five eighths empty; by a quarter, two fifths at
  /// most. The price: each element is moved four times on the average, not once.
  static constexpr std::uint32_t grown(std::uint32_t places) noexcept {
    return places + (places < doubled_to ? places : places / 4);
  }
  static array_head* head_of(std::uint64_t* array) noexcept {
    return reinterpret_cast<array_head*>(reinterpret_cast<std::byte*>(array) - head_bytes);
  }
  [[nodiscard]] array_head& head() const noexcept { return *head_of(array_); }
  static constexpr std::size_t bytes_for(std::uint32_t places) noexcept {
    return head_bytes + std::size_t{places} * sizeof(std::uint64_t);
  }
  static constexpr std::uint32_t most_in(std::uint32_t places) noexcept {
    return places - places / 4;
  }
  [[nodiscard]] bool has_room() const noexcept {
    return has_array_ ? head().size < most_in(head().places) : single_ == 0;
  }
  /// 32 bits of hash, scaled to the number of places, which need be no power of two. Each number of
  /// places has an order of its own: else what is left of a set that any() has emptied from the
  /// front would all have its home at the end of the smaller array.
  [[nodiscard]] std::uint32_t home_of(std::uint64_t number) const noexcept {
    std::uint32_t const places = head().places;
    std::uint32_t const hash =
        static_cast<std::uint32_t>(Hash::hash(number)) * (places * 0x9e3779b1u | 1u);
    return static_cast<std::uint32_t>(std::uint64_t{hash} * places >> 32);
  }
  [[nodiscard]] std::uint32_t after(std::uint32_t place) const noexcept {
    return place + 1 == head().places ? 0 : place + 1;
  }
  [[nodiscard]] std::uint32_t distance(std::uint32_t from, std::uint32_t to) const noexcept {
    return to >= from ? to - from : to + head().places - from;
  }
  /// Where it is, or the free place where it would go.
  [[nodiscard]] std::uint32_t place_of(std::uint64_t number) const noexcept {
    std::uint32_t place = home_of(number);
    while (array_[place] != 0 && array_[place] != number) place = after(place);
    return place;
  }
  /// Empties `gap`, and moves up what would not be found any more behind a free place.
  void close_gap(std::uint32_t gap) noexcept {
    for (std::uint32_t next = after(gap); array_[next] != 0; next = after(next)) {
      // It may move if its home is not between the gap and where it stands.
      if (distance(home_of(array_[next]), next) < distance(gap, next)) continue;
      array_[gap] = array_[next];
      gap = next;
    }
    array_[gap] = 0;
  }

  void drop_array() noexcept {
    if (has_array_) free_array(&head(), bytes());
  }
  /// To `places` > 1, enough for what is there. False, and all is as it was, if memory is short.
  bool resize(std::uint32_t places) noexcept {
    if (places > largest_array) return false;
    void* const memory = allocate_array(bytes_for(places));
    if (memory == nullptr) return false;
    ::new (memory) array_head{0, static_cast<std::uint32_t>(size()), places};
    auto* const bigger =
        ::new (static_cast<std::byte*>(memory) + head_bytes) std::uint64_t[places]{};
    if (!std::exchange(has_array_, true)) {
      std::uint64_t const single = single_;
      array_ = bigger;
      if (single != 0) array_[place_of(single)] = single;
      return true;
    }
    std::uint64_t* const old = std::exchange(array_, bigger);
    array_head& old_head = *head_of(old);
    for (std::uint32_t i = 0; i < old_head.places; ++i)
      if (old[i] != 0) array_[place_of(old[i])] = old[i];
    free_array(&old_head, bytes_for(old_head.places));
    return true;
  }

  union {
    std::uint64_t single_ = 0;  // without an array; 0: none
    std::uint64_t* array_;      // behind its head
  };
  bool has_array_ = false;
};

}  // namespace otter::rts
