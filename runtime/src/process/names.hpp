#pragma once

// process/names.hpp - registered names: a lock-free look-up, and writers one at a time.
//
// A reader compares a 128-bit keyed hash of the name, not the name: slots are of a fixed size and
// can be read while they are written. Two different names with one hash are as likely as a broken
// memory; the key is the node's secret, so nobody can make such a pair.
//
// Considered and refused: interned atoms (users' names would be kept for ever, RN-8); a copy of
// the table per registration (a thousand names cost a thousand copies); reader locks (every send
// to a name would write to a shared line).

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <otter/pid.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace otter::rts {

/// Threads:   find() any, without locks. The rest: any, one at a time by mutex_.
/// Invariant: a slot's sequence is odd while it is being written. A slot whose `used` is false was
///            never used: probing ends there.
///            A table that was replaced may be filled again later; its version is odd meanwhile.
/// Ordering:  [N1] carries a slot's contents to readers; [N2] a new table to readers; [N3] tells a
///            reader that its table was emptied under it.
class name_table {
 public:
  explicit name_table(std::uint64_t secret);
  ~name_table();

  /// A hash of any text under the node's secret.
  std::uint64_t keyed_hash(std::string_view text) const noexcept;
  /// Bits of the pid that has the name, or 0.
  std::uint64_t find(std::string_view name) const noexcept;
  /// Who may be named is the caller's: `claim()` is asked, under the mutex, once the name is known
  /// to be free.
  enum class inserted : std::uint8_t { done, taken, refused };
  template <class Claim>
  inserted insert(std::string_view name, std::uint64_t bits, Claim&& claim) {
    std::lock_guard lock(mutex_);
    if (names_.find(name) != names_.end()) return inserted::taken;
    auto const [entry, fresh] = by_bits_.try_emplace(bits, name);  // allocates before it is claimed
    // Not fresh: it has another name, by which its death will find it. claim() will refuse.
    auto const forget = [&, at = entry, ours = fresh] {
      if (ours) by_bits_.erase(at);
    };
    try {
      make_room(name, bits);
    } catch (...) {
      forget();
      throw;
    }
    if (!claim()) {
      forget();
      names_.erase(names_.find(name));
      publish(name, 0);  // the table may have been renewed with it
      return inserted::refused;
    }
    publish(name, bits);
    return inserted::done;
  }
  /// `release()` is called under the mutex if somebody had the name. False if nobody had.
  template <class Release>
  bool erase(std::string_view name, Release&& release) {
    std::lock_guard lock(mutex_);
    auto const at = names_.find(name);
    if (at == names_.end()) return false;
    std::uint64_t const bits = at->second;
    erase_entry(at);
    release(bits);
    return true;
  }
  /// Its owner dies.
  void erase_bits(std::uint64_t bits) noexcept;
  std::string name_of(std::uint64_t bits) const;
  /// f(name), under the mutex, if it has one. With `wait` false only if the mutex is free: for
  /// signal handlers.
  template <class F>
  void with_name_of(std::uint64_t bits, bool wait, F&& f) const {
    std::unique_lock lock(mutex_, std::defer_lock);
    if (wait) {
      lock.lock();
    } else if (!lock.try_lock()) {
      return;
    }
    if (auto const who = by_bits_.find(bits); who != by_bits_.end()) f(who->second);
  }
  std::vector<std::string> all() const;
  std::size_t size() const noexcept;
  /// Slots of all tables together: what names that are gone may cost.
  std::size_t capacity() const noexcept;

 private:
  struct digest {
    std::uint64_t a = 0, b = 0;
  };
  struct slot {
    std::atomic<std::uint32_t> sequence{0};
    std::atomic<bool> used{false};
    std::atomic<std::uint64_t> a{0}, b{0}, bits{0};  // bits 0: a name that is gone
  };
  struct table {
    explicit table(std::size_t size) : mask(size - 1), slots(new slot[size]) {}
    std::size_t mask;
    std::unique_ptr<slot[]> slots;
    std::atomic<std::uint64_t> version{0};
  };

  digest hash(std::string_view name) const noexcept;
  static void write(slot& s, digest d, std::uint64_t bits) noexcept;
  void renew();
  void make_room(std::string_view name, std::uint64_t bits);
  void publish(std::string_view name, std::uint64_t bits) noexcept;
  std::uint64_t find_in(table const& t, digest d) const noexcept;
  void put(table& t, digest d, std::uint64_t bits) noexcept;

  std::array<std::uint64_t, 4> const key_;
  std::atomic<table*> current_;
  mutable std::mutex mutex_;
  // guarded by mutex_
  using name_map = std::map<std::string, std::uint64_t, std::less<>>;  // looked up without a copy
  name_map names_;
  std::unordered_map<std::uint64_t, std::string> by_bits_;
  std::vector<std::unique_ptr<table>> tables_;  // readers may be in any: reused, never freed
  void erase_entry(name_map::iterator at) noexcept;
  std::size_t filled_ = 0;  // slots of the current table that were ever used
};

}  // namespace otter::rts
