// io/accept_gate.cpp - the limits of a listener.

#include "io/accept_gate.hpp"

#include <algorithm>

#include "io/ports.hpp"

namespace otter::rts {

accept_gate::answer accept_gate::may_accept(std::int64_t now_ns) noexcept {
  answer a;
  std::uint32_t const n = alive_.load(std::memory_order_seq_cst);  // [G1]
  if (limits_.connections != 0 && n >= limits_.connections) {
    a.open = false;
    if (!std::exchange(full_, true)) {
      ++times_full_;
      a.begins = "max_connections";
    }
    return a;
  }
  // An eighth below, or a listener that is just about full would tell of each connection.
  if (n + std::max(limits_.connections / 8, 1u) <= limits_.connections) full_ = false;
  if (limits_.per_second == 0) return a;
  if (earliest_ns_ <= now_ns) fast_ = false;
  std::int64_t const may_ns =
      earliest_ns_ == INT64_MIN ? INT64_MIN : earliest_ns_ - (limits_.burst - 1) * interval_ns();
  if (may_ns <= now_ns) return a;
  a.open = false;
  a.until_ns = may_ns;
  if (!std::exchange(fast_, true)) {
    ++times_fast_;
    a.begins = "accept_rate";
  }
  return a;
}

void accept_gate::accepted(std::int64_t now_ns) noexcept {
  alive_.fetch_add(1, std::memory_order_relaxed);
  if (limits_.per_second != 0) earliest_ns_ = std::max(earliest_ns_, now_ns) + interval_ns();
}

void accept_gate::left() noexcept {
  alive_.fetch_sub(1, std::memory_order_seq_cst);  // [G1]
  if (limits_.connections == 0) return;
  wakes woken;
  port& listener = *io_.at(index_);
  port_lock lock(listener.mutex());
  if (listener.generation() == generation_ && listener.phase() == port_phase::listening)
    listener.wake_next(woken);
}

}  // namespace otter::rts
