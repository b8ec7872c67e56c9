#pragma once

// login_brake.hpp - how long a login has to wait, after how many that failed.
//
//   failure_count<Key>   failures per key, each paid off by time
//   login_brake          both keys that matter: where a login comes from, and whose it is
//
// Only failures count, so a thousand users behind one address do not slow each other down. Counting
// by address alone would leave an account to somebody who guesses from many; counting by account
// alone would let anybody lock its owner out. So the failures of an account do not count where its
// owner has logged in before.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "rate_limit.hpp"

namespace chat {

/// A key is remembered while it owes something.
/// Threads: one at a time. `now` is any steady clock.
template <typename Key>
class failure_count {
 public:
  explicit failure_count(rate_limit limit) noexcept : limit_{limit} {}

  [[nodiscard]] std::chrono::milliseconds wait_of(Key const& who, std::chrono::milliseconds now) {
    auto const found = failures_.find(who);
    if (found == failures_.end()) return std::chrono::milliseconds{0};
    return found->second.bucket.take(limit_, 0, now);
  }

  void failed(Key const& who, std::chrono::milliseconds now) {
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
  std::map<Key, failures_of> failures_;
  std::chrono::milliseconds sweep_at_{0};
};

/// Names are prepared local parts, of accounts or not: whether one exists makes no difference.
/// Threads: one at a time.
class login_brake {
 public:
  using address = std::array<std::uint8_t, 16>;

  explicit login_brake(rate_limit limit) noexcept : addresses_{limit}, names_{limit} {}

  [[nodiscard]] std::chrono::milliseconds wait_of(std::string const& name, address const& from,
                                                  std::chrono::milliseconds now) {
    auto const wait = addresses_.wait_of(from, now);
    return is_familiar(name, from) ? wait : std::max(wait, names_.wait_of(name, now));
  }

  void failed(std::string const& name, address const& from, std::chrono::milliseconds now) {
    addresses_.failed(from, now);
    names_.failed(name, now);
  }

  /// The owner of `name` is at `from`.
  void succeeded(std::string const& name, address const& from) {
    auto& places = familiar_[name];
    std::erase(places, from);
    places.insert(places.begin(), from);
    if (places.size() > most_familiar) places.pop_back();
  }

 private:
  static constexpr std::size_t most_familiar = 4;  // the latest

  [[nodiscard]] bool is_familiar(std::string const& name, address const& from) const {
    auto const found = familiar_.find(name);
    return found != familiar_.end() &&
           std::find(found->second.begin(), found->second.end(), from) != found->second.end();
  }

  failure_count<address> addresses_;
  failure_count<std::string> names_;
  std::unordered_map<std::string, std::vector<address>> familiar_;  // of accounts only
};

}  // namespace chat
