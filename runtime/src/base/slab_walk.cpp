// base/slab_walk.cpp - every block of a slab that is in use, for who looks for something in all of
// them. A slab keeps lists of what is free and none of what is not, so these are struck out first.

#include <algorithm>
#include <array>
#include <unordered_map>

#include "base/slab_large.hpp"

namespace otter::rts {

using namespace slab_detail;

namespace {

/// The free blocks of a chunk, by their numbers.
class free_marks {
 public:
  void add(chunk const* c, void const* block) noexcept {
    std::size_t const n = number_of(c, block);
    words_[n / 64] |= std::uint64_t{1} << n % 64;
  }
  [[nodiscard]] bool contains(std::size_t n) const noexcept {
    return (words_[n / 64] >> n % 64 & 1) != 0;
  }

 private:
  static std::size_t number_of(chunk const* c, void const* block) noexcept {
    auto const* const first = reinterpret_cast<std::byte const*>(c) + cache_line;
    return static_cast<std::size_t>(static_cast<std::byte const*>(block) - first) /
           class_bytes(c->size_class);
  }
  std::array<std::uint64_t, blocks_per_chunk(0) / 64 + 1> words_{};
};

}  // namespace

void slab::each_block_in_use(
    std::function<void(std::byte const* block, std::size_t bytes)> const& look) const {
  std::unordered_map<std::uintptr_t, free_marks> marks;  // by their chunk; never walked
  auto const strike_out = [&](free_block const* b) {
    for (; b != nullptr; b = next_of(b)) {
      chunk const* const c = chunk_of(const_cast<free_block*>(b));
      marks[reinterpret_cast<std::uintptr_t>(c)].add(c, b);
    }
  };
  for (std::size_t index = 0; index < class_count; ++index) {
    for (chunk const* c = chunks_[index]; c != nullptr; c = c->next) strike_out(c->sorted);
    strike_out(local_[index]);
    // [B1] acquire: the links of remotely freed blocks were written by others.
    strike_out(remote_[index].head.load(std::memory_order_acquire));
  }
  strike_out(pile_);
  for (std::size_t index = 0; index < class_count; ++index) {
    for (chunk const* c = chunks_[index]; c != nullptr; c = c->next) {
      free_marks const& free = marks[reinterpret_cast<std::uintptr_t>(c)];
      auto const* block = reinterpret_cast<std::byte const*>(c) + cache_line;
      for (std::size_t n = 0; n < blocks_per_chunk(index); ++n, block += class_bytes(index)) {
        bool const fresh = fresh_[index].next <= block && block < fresh_[index].end;
        if (!fresh && !free.contains(n)) look(block, class_bytes(index));
      }
    }
  }
  std::lock_guard const lock{large_mutex_};
  for (large_header const* h = large_; h != nullptr; h = h->next)
    look(reinterpret_cast<std::byte const*>(h + 1), h->bytes);
}

bool slab_set::each_block_in_use(
    std::span<slab* const> still,
    std::function<void(std::byte const* block, std::size_t bytes)> const& look) const {
  // As for blocks_in_use_at_rest(): a hand is never waited for under the mutex.
  std::lock_guard const lock{mutex_};
  bool all = true;
  for (auto const& s : slabs_) {
    if (std::find(still.begin(), still.end(), s.get()) != still.end()) {
      s->each_block_in_use(look);
      continue;
    }
    if (!s->take_in_hand()) {
      all = false;
      continue;
    }
    struct hand {
      slab& of;
      ~hand() { of.rest(); }
    } const in_hand{*s};
    s->each_block_in_use(look);
  }
  return all;
}

}  // namespace otter::rts
