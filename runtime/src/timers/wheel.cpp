// timers/wheel.cpp - finding what is due, moving down what comes near.

#include "timers/wheel.hpp"

#include <algorithm>

namespace otter::rts {

timer_wheel::timer_wheel(std::int64_t now_ns, backlog_hook on_backlog, void* whom) noexcept
    : elapsed_{std::max<std::int64_t>(now_ns, 0)}, on_backlog_{on_backlog}, whom_{whom} {
  for (timer_link& slot : slots_) slot.prev = slot.next = &slot;
}

bool timer_wheel::earliest(position& found) const noexcept {
  // A lower level shares more digits with the present than a higher one, so all of it comes first.
  // The exception is a slot that is half moved down: its rest may be as early as what was moved.
  if (cascading_level_ != 0) {
    auto const slot = static_cast<unsigned>(static_cast<std::uint64_t>(elapsed_) >>
                                            (cascading_level_ * digit_bits)) &
                      (slots_per_level - 1);
    timer_link const& list = slots_[cascading_level_ * slots_per_level + slot];
    if (list.next != &list) {
      found = {cascading_level_, slot};
      return true;
    }
  }
  while (occupied_levels_ != 0) {
    auto const level = static_cast<unsigned>(std::countr_zero(occupied_levels_));
    std::uint64_t& slots = occupied_[level];
    while (slots != 0) {
      auto const slot = static_cast<unsigned>(std::countr_zero(slots));
      timer_link const& list = slots_[level * slots_per_level + slot];
      if (list.next != &list) {
        found = {level, slot};
        return true;
      }
      slots &= slots - 1;
    }
    occupied_levels_ &= occupied_levels_ - 1;
  }
  return false;
}

std::int64_t timer_wheel::start_of(position at) const noexcept {
  unsigned const shift = at.level * digit_bits;
  auto const elapsed = static_cast<std::uint64_t>(elapsed_);
  // The digits above the slot's are the present's. Above the top level there are none.
  std::uint64_t const above =
      at.level + 1 == levels ? 0 : elapsed >> (shift + digit_bits) << (shift + digit_bits);
  return static_cast<std::int64_t>(above | std::uint64_t{at.slot} << shift);
}

std::int64_t timer_wheel::next_due() const noexcept {
  if (released_ != nullptr || !remote_.empty()) return elapsed_;
  position at{};
  if (!earliest(at)) return std::numeric_limits<std::int64_t>::max();
  std::int64_t const start = start_of(at);
  if (at.level == 0 || start <= elapsed_) return start;
  // Waking at the start of a wide slot only to move one timer down is a wake-up for nothing.
  std::int64_t first = std::numeric_limits<std::int64_t>::max();
  timer_link const& list = slots_[at.level * slots_per_level + at.slot];
  int looked_at = 0;
  for (timer_link const* link = list.next; link != &list; link = link->next) {
    if (++looked_at > exact_scan) return start;
    auto const& node = static_cast<timer_node const&>(*link);
    first = std::min(first, node.due_ns.load(std::memory_order_relaxed));
  }
  return first;
}

timer_node* timer_wheel::take_due(std::int64_t now_ns, std::size_t& work) noexcept {
  position at{};
  while (work > 0) {
    if (!earliest(at)) {
      cascading_level_ = 0;
      elapsed_ = std::max(elapsed_, now_ns);
      return nullptr;
    }
    std::int64_t const start = start_of(at);
    if (start > now_ns) {
      // All that is left lies beyond now in a digit that now still shares with elapsed_, so moving
      // the present up changes nobody's place.
      cascading_level_ = 0;
      elapsed_ = std::max(elapsed_, now_ns);
      return nullptr;
    }
    --work;
    timer_link const& list = slots_[at.level * slots_per_level + at.slot];
    auto& node = static_cast<timer_node&>(*list.next);
    std::int64_t const due = node.due_ns.load(std::memory_order_relaxed);
    // Alone in a slot that is not half moved down, a node precedes all others, and need not go down
    // level by level.
    bool const alone = node.next == &list && start > elapsed_;
    unlink(node);
    if (at.level != 0 && !(alone && due <= now_ns)) {
      cascading_level_ = alone ? 0 : at.level;
      elapsed_ = alone ? now_ns : start;
      place(node, due);
      continue;
    }
    cascading_level_ = 0;
    elapsed_ = at.level == 0 ? start : due;
    node.next = nullptr;
    std::uint64_t word = node.word.load(std::memory_order_relaxed);
    if ((word & state_mask) == bits(timer_state::armed) &&
        // Release: [W2] whoever sees the next start's home or due_ns sees this first.
        node.word.compare_exchange_strong(word, (word & ~state_mask) | bits(timer_state::fired),
                                          std::memory_order_acq_rel, std::memory_order_relaxed)) {
      --size_;
      return &node;
    }
    // Cancelled elsewhere. The canceller may still be about to hand it in: only from remote_ may
    // it be released.
  }
  return nullptr;
}

timer_node* timer_wheel::take_released(std::size_t& work) noexcept {
  if (work == 0) return nullptr;
  if (released_ == nullptr) {
    released_ = remote_.take_all();
    if (released_ == nullptr) return nullptr;
    backlog_.store(0, std::memory_order_relaxed);
  }
  --work;
  timer_node* const node = released_;
  released_ = way_home::next_of(*node);
  if (node->next != nullptr) unlink(*node);
  --size_;
  std::uint64_t const word = node->word.load(std::memory_order_relaxed);
  node->word.store((word & ~state_mask) | bits(timer_state::idle), std::memory_order_release);
  return node;
}

void timer_wheel::hand_in(timer_node& node) noexcept {
  backlog_hook const hook = on_backlog_;
  remote_.push(node);  // the node is the home's from here on
  if (backlog_.fetch_add(1, std::memory_order_relaxed) + 1 == backlog_limit && hook != nullptr)
    hook(whom_);
}

}  // namespace otter::rts
