#pragma once

// timers/timer_table.hpp - timers that anybody can name: send_after's, held by users as a value.
//
//   timer_id               28 bits of index, 36 of generation; keeps nothing alive
//   timer_table<Payload>   index -> block, where the generation says whether it is still that timer
//
// For a timer that only its own process cancels, embed a timer_node instead.

#include <cstdint>
#include <optional>

#include "base/stable_table.hpp"
#include "timers/wheel.hpp"

namespace otter::rts {

/// Names one start of one timer. Never 0 within the first 2^36 starts of a block.
struct timer_id {
  static constexpr unsigned generation_bits = 36;
  static constexpr std::uint64_t generation_mask = (std::uint64_t{1} << generation_bits) - 1;

  std::uint64_t value = 0;  // index << 36 | generation; 0 names no timer

  [[nodiscard]] constexpr std::uint32_t index() const noexcept {
    return static_cast<std::uint32_t>(value >> generation_bits);
  }
  [[nodiscard]] constexpr std::uint64_t generation() const noexcept {
    return value & generation_mask;
  }
  friend constexpr bool operator==(timer_id, timer_id) noexcept = default;
};

/// Ownership: of the blocks. The life of one: acquire() from a cache, start(), then exactly one of
///            fired (collect() gave it to fire()), cancelled at home (cancel() gave it back), or
///            cancelled elsewhere (collect() at home gives it to release()). Whoever was given it
///            empties the payload and releases the index into its own cache.
/// Threads:   cancel() and due() any.
/// Ordering:  timer_wheel's [W1] and [W2]; the payload travels with them: written before start(),
///            touched afterwards only by whoever was given the block.
template <class Payload>
class timer_table {
 public:
  struct entry : timer_node {
    explicit entry(std::uint32_t i) noexcept : index{i} {}
    std::uint32_t const index;
    std::uint32_t table_next = 0;
    Payload payload{};
  };
  using table = stable_table<entry>;
  using cache = typename table::cache;

  /// What a successful cancel found.
  struct cancelled {
    std::int64_t due_ns;
    entry* mine;  // to be disposed of by the caller; nullptr if its home does that
  };

  explicit timer_table(std::size_t limit, std::size_t max_caches = 64)
      : entries_{limit, max_caches} {}

  /// For the construction of caches.
  [[nodiscard]] table& entries() noexcept { return entries_; }

  static entry& entry_of(timer_node& node) noexcept { return static_cast<entry&>(node); }

  static timer_id start(timer_wheel& wheel, entry& timer, std::int64_t due_ns) noexcept {
    std::uint64_t const generation = wheel.start(timer, due_ns);
    return {std::uint64_t{timer.index} << timer_id::generation_bits |
            (generation & timer_id::generation_mask)};
  }

  /// Empty if the timer has fired, was cancelled, or never was. Any thread.
  std::optional<cancelled> cancel(timer_id id, timer_wheel* mine) noexcept {
    entry* const timer = entries_.at(id.index());
    if (timer == nullptr) return std::nullopt;
    std::uint64_t const word = timer->word.load(std::memory_order_acquire);  // [W1]
    if (((word >> 2) & timer_id::generation_mask) != id.generation()) return std::nullopt;
    // Read before the cancel: after it a foreign home may release and restart the block at any
    // moment. Were this another start's home already, [W2] lets the cancel fail.
    bool const at_home = timer->home.load(std::memory_order_acquire) == mine;
    cancelled result{0, at_home ? timer : nullptr};
    if (!timer_wheel::cancel(*timer, word >> 2, mine, &result.due_ns)) return std::nullopt;
    return result;
  }

  /// When it will fire, if it is armed. Any thread.
  [[nodiscard]] std::optional<std::int64_t> due(timer_id id) const noexcept {
    entry const* const timer = entries_.at(id.index());
    if (timer == nullptr) return std::nullopt;
    std::uint64_t const word = timer->word.load(std::memory_order_acquire);  // [W1]
    if ((word & 3) != static_cast<std::uint64_t>(timer_state::armed) ||
        ((word >> 2) & timer_id::generation_mask) != id.generation()) {
      return std::nullopt;
    }
    std::int64_t const due_ns = timer->due_ns.load(std::memory_order_acquire);  // [W2]
    if (timer->word.load(std::memory_order_relaxed) != word) return std::nullopt;
    return due_ns;
  }

 private:
  table entries_;
};

}  // namespace otter::rts
