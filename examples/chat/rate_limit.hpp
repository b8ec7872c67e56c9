#pragma once

// rate_limit.hpp - a token bucket: so much per second, with a reserve for bursts.
//
// Whoever is over the limit is not cut off and loses nothing: reading from it pauses until the debt
// is paid, and TCP makes the peer wait.

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace chat {

/// `per_second` 0: no limit.
struct rate_limit {
  std::uint32_t per_second = 0;
  std::uint32_t burst = 0;
};

/// 16 bytes; one per limited thing and connection.
class token_bucket {
 public:
  /// Takes `amount` at `now` and returns how long to wait before the next read: zero while there is
  /// a reserve. The amount is taken in any case, since it has been read already.
  [[nodiscard]] std::chrono::milliseconds take(rate_limit const& limit, std::uint32_t amount,
                                               std::chrono::milliseconds now) noexcept {
    if (limit.per_second == 0) return std::chrono::milliseconds{0};
    auto const burst = static_cast<double>(std::max(limit.burst, 1U));
    if (!used_) {
      level_ = static_cast<float>(burst);
      used_ = true;
    } else {
      auto const gained = static_cast<double>(std::max<std::int64_t>(now.count() - at_, 0)) *
                          limit.per_second / 1000.0;
      level_ = static_cast<float>(std::min(burst, static_cast<double>(level_) + gained));
    }
    at_ = now.count();
    level_ -= static_cast<float>(amount);
    if (level_ >= 0) return std::chrono::milliseconds{0};
    auto const debt = -static_cast<double>(level_);
    return std::chrono::milliseconds{static_cast<std::int64_t>(debt * 1000.0 / limit.per_second) +
                                     1};
  }

 private:
  std::int64_t at_ = 0;  // milliseconds, when level_ was right
  float level_ = 0;
  bool used_ = false;
};

}  // namespace chat
