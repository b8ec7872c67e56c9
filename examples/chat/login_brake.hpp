#pragma once

// login_brake.hpp - how long an address has to wait for its next login, after how many that failed.
//
// Only failures count, so a thousand users behind one address do not slow each other down. An
// address is remembered while it owes something.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>

#include "rate_limit.hpp"

namespace chat {

/// Threads: one at a time. `now` is any steady clock.
class login_brake {
 public:
  using address = std::array<std::uint8_t, 16>;

  explicit login_brake(rate_limit limit) noexcept : limit_{limit} {}

  [[nodiscard]] std::chrono::milliseconds wait_of(address const& who,
                                                  std::chrono::milliseconds now) {
    auto const found = failures_.find(who);
    if (found == failures_.end()) return std::chrono::milliseconds{0};
    return found->second.bucket.take(limit_, 0, now);
  }

  void failed(address const& who, std::chrono::milliseconds now) {
    if (limit_.per_second == 0) return;
    if (now >= sweep_at_) sweep(now);
    auto& mine = failures_[who];
    static_cast<void>(mine.bucket.take(limit_, 1, now));
    mine.last = now;
  }

  [[nodiscard]] std::size_t remembered() const noexcept { return failures_.size(); }

 private:
  struct failures_of {
    token_bucket bucket;
    std::chrono::milliseconds last{0};
  };

  /// Forgets those who owe nothing: the time since their last failure has paid for all of it.
  void sweep(std::chrono::milliseconds now) {
    auto const whole = std::chrono::milliseconds{(std::int64_t{limit_.burst} + limit_.per_second) *
                                                 1000 / limit_.per_second};
    sweep_at_ = now + whole;
    std::erase_if(failures_, [&](auto const& one) {
      auto bucket = one.second.bucket;
      return now - one.second.last >= whole && bucket.take(limit_, 0, now).count() == 0;
    });
  }

  rate_limit limit_;
  std::map<address, failures_of> failures_;
  std::chrono::milliseconds sweep_at_{0};
};

}  // namespace chat
