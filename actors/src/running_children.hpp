#pragma once

// running_children.hpp - the children of a dynamic supervisor that run, found by their process.
//
// There may be a million: 16 bytes each, 24 with the places that are free. A std::unordered_map has
// a block of 64 and a bucket for each.

#include <cstddef>
#include <cstdint>
#include <otter/pid.hpp>
#include <utility>
#include <vector>

namespace otter::detail {

/// Ownership: of its places; what a word means is its user's.
/// Threads:   one process.
/// Invariant: at most three quarters of the places are taken. A child stands at its home place or
///            behind it, with no free place in between. 0 is no process's number.
class running_children {
 public:
  struct place {
    std::uint64_t process = 0;  // its number
    std::uintptr_t word = 0;
  };

  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  /// Null if it is not here. Valid until the next change.
  [[nodiscard]] place const* find(std::uint64_t process) const noexcept {
    if (process == 0 || size_ == 0) return nullptr;
    place const& there = places_[index_of(process)];
    return there.process == process ? &there : nullptr;
  }
  /// Throws: std::bad_alloc; then nothing has changed. `process` is not 0, and not here.
  void insert(std::uint64_t process, std::uintptr_t word) {
    if (size_ >= places_.size() - places_.size() / 4) grow();
    places_[index_of(process)] = {process, word};
    ++size_;
  }
  /// Takes out what find() has found.
  void erase(place const* found) noexcept {
    auto gap = static_cast<std::size_t>(found - places_.data());
    for (std::size_t next = after(gap); places_[next].process != 0; next = after(next)) {
      // It may move up if its home is not between the gap and where it stands.
      if (distance(home_of(places_[next].process), next) < distance(gap, next)) continue;
      places_[gap] = places_[next];
      gap = next;
    }
    places_[gap] = {};
    --size_;
  }
  void clear() noexcept {
    places_ = {};
    size_ = 0;
  }

  /// Calls f(place const&) for each until it gives false. f may change nothing here.
  template <class F>
  void for_each(F&& f) const {
    for (place const& p : places_)
      if (p.process != 0 && !f(p)) return;
  }

 private:
  static constexpr std::size_t doubled_to = 4096;  // 64 KiB: from here on by a quarter

  [[nodiscard]] std::size_t after(std::size_t index) const noexcept {
    return index + 1 == places_.size() ? 0 : index + 1;
  }
  [[nodiscard]] std::size_t distance(std::size_t from, std::size_t to) const noexcept {
    return to >= from ? to - from : to + places_.size() - from;
  }
  /// 32 bits of hash, scaled to the number of places, which need be no power of two.
  [[nodiscard]] std::size_t home_of(std::uint64_t process) const noexcept {
    std::uint64_t const hash = static_cast<std::uint32_t>(mix_bits(process));
    return static_cast<std::size_t>(hash * places_.size() >> 32);
  }
  /// Where it is, or the free place where it would go.
  [[nodiscard]] std::size_t index_of(std::uint64_t process) const noexcept {
    std::size_t index = home_of(process);
    while (places_[index].process != 0 && places_[index].process != process) index = after(index);
    return index;
  }
  void grow() {
    std::size_t const now = places_.size();
    std::vector<place> bigger(now == 0 ? 8 : now + (now < doubled_to ? now : now / 4));
    places_.swap(bigger);
    for (place const& p : bigger)
      if (p.process != 0) places_[index_of(p.process)] = p;
  }

  std::vector<place> places_;
  std::size_t size_ = 0;
};

}  // namespace otter::detail
