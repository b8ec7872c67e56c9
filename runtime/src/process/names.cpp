#include "process/names.hpp"

#include <bit>
#include <cstring>
#include <otter/detail/keyed_hash.hpp>

#include "base/random.hpp"

namespace otter::rts {
namespace {

std::array<std::uint64_t, 4> keys_from(std::uint64_t secret) {
  random_generator random(secret);
  return {random.next(), random.next(), random.next(), random.next()};
}

/// SipHash-2-4 of `text` under the key k0, k1.
std::uint64_t sip_hash(std::uint64_t k0, std::uint64_t k1, std::string_view text) noexcept {
  std::uint64_t v0 = k0 ^ 0x736f6d6570736575u, v1 = k1 ^ 0x646f72616e646f6du;
  std::uint64_t v2 = k0 ^ 0x6c7967656e657261u, v3 = k1 ^ 0x7465646279746573u;
  auto const round = [&] {
    v0 += v1, v1 = std::rotl(v1, 13) ^ v0, v0 = std::rotl(v0, 32);
    v2 += v3, v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3, v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1, v1 = std::rotl(v1, 17) ^ v2, v2 = std::rotl(v2, 32);
  };
  auto const word = [&](std::uint64_t m) {
    v3 ^= m;
    round(), round();
    v0 ^= m;
  };
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t m;
    std::memcpy(&m, text.data() + at, 8);
    word(m);
  }
  std::uint64_t last = static_cast<std::uint64_t>(text.size()) << 56;
  std::memcpy(&last, text.data() + at, text.size() - at);  // at most seven bytes: the low ones
  word(last);
  v2 ^= 0xff;
  round(), round(), round(), round();
  return v0 ^ v1 ^ v2 ^ v3;
}

constexpr std::size_t first_size = 64;

}  // namespace
}  // namespace otter::rts

std::uint64_t otter::detail::keyed_hash(hash_key const& key, std::string_view text) noexcept {
  return rts::sip_hash(key.first, key.second, text);
}

namespace otter::rts {

name_table::name_table(std::uint64_t secret) : key_(keys_from(secret)) {
  tables_.push_back(std::make_unique<table>(first_size));
  current_.store(tables_.back().get(), std::memory_order_release);
}

name_table::~name_table() = default;

name_table::digest name_table::hash(std::string_view name) const noexcept {
  return {keyed_hash(name), sip_hash(key_[2], key_[3], name)};
}

std::uint64_t name_table::keyed_hash(std::string_view text) const noexcept {
  return sip_hash(key_[0], key_[1], text);
}

std::uint64_t name_table::find(std::string_view name) const noexcept {
  digest const d = hash(name);
  for (;;) {
    table const& t = *current_.load(std::memory_order_acquire);              // [N2]
    std::uint64_t const before = t.version.load(std::memory_order_acquire);  // [N3]
    std::uint64_t const bits = find_in(t, d);
    // The loads of find_in() are acquires, so this one stays behind them.
    if ((before & 1) == 0 && t.version.load(std::memory_order_relaxed) == before) return bits;
  }
}

std::uint64_t name_table::find_in(table const& t, digest d) const noexcept {
  for (std::size_t i = d.a & t.mask, probes = 0; probes <= t.mask; i = (i + 1) & t.mask, ++probes) {
    slot const& s = t.slots[i];
    for (;;) {
      // [N1] acquire: meets the last release of write(). The second look proves that nothing was
      // written in between. Reads of the contents are atomic with acquire, so that the second look
      // cannot be moved before them.
      std::uint32_t const before = s.sequence.load(std::memory_order_acquire);
      bool const used = s.used.load(std::memory_order_acquire);
      std::uint64_t const a = s.a.load(std::memory_order_acquire);
      std::uint64_t const b = s.b.load(std::memory_order_acquire);
      std::uint64_t const bits = s.bits.load(std::memory_order_acquire);
      if ((before & 1) != 0 || s.sequence.load(std::memory_order_relaxed) != before) continue;
      if (!used) return 0;
      if (a == d.a && b == d.b) return bits;
      break;
    }
  }
  return 0;
}

void name_table::write(slot& s, digest d, std::uint64_t bits) noexcept {
  std::uint32_t const now = s.sequence.load(std::memory_order_relaxed);
  s.sequence.store(now + 1, std::memory_order_relaxed);
  // Release on each: none can be seen before the odd sequence number.
  s.a.store(d.a, std::memory_order_release);
  s.b.store(d.b, std::memory_order_release);
  s.bits.store(bits, std::memory_order_release);
  s.used.store(true, std::memory_order_release);
  s.sequence.store(now + 2, std::memory_order_release);  // [N1]
}

void name_table::put(table& t, digest d, std::uint64_t bits) noexcept {
  // A name keeps its slot when it goes, so that it finds it again: probing never meets a hole.
  for (std::size_t i = d.a & t.mask;; i = (i + 1) & t.mask) {
    slot& s = t.slots[i];
    bool const used = s.used.load(std::memory_order_relaxed);
    if (!used) ++filled_;
    if (!used || (s.a.load(std::memory_order_relaxed) == d.a &&
                  s.b.load(std::memory_order_relaxed) == d.b)) {
      write(s, d, bits);
      return;
    }
  }
}

void name_table::renew() {
  // Sized by the living names: a table full of names that are gone is only renewed.
  std::size_t size = first_size;
  while (size < 4 * (names_.size() + 1)) size *= 2;
  table* const old = current_.load(std::memory_order_relaxed);
  table* next = nullptr;
  for (auto const& t : tables_) {
    if (t.get() != old && t->mask + 1 == size) next = t.get();
  }
  if (next == nullptr) {
    tables_.reserve(tables_.size() + 1);
    tables_.push_back(std::make_unique<table>(size));
    next = tables_.back().get();
  }
  // [N3] odd while it is filled: a reader that is still in it looks again.
  std::uint64_t const version = next->version.load(std::memory_order_relaxed);
  next->version.store(version + 1, std::memory_order_relaxed);
  for (std::size_t i = 0; i <= next->mask; ++i) {
    slot& s = next->slots[i];
    s.used.store(false, std::memory_order_release);
    s.bits.store(0, std::memory_order_release);
  }
  filled_ = 0;
  // A name that is being registered right now is among them; if it is refused, insert() takes it
  // out again.
  for (auto const& [name, bits] : names_) put(*next, hash(name), bits);
  next->version.store(version + 2, std::memory_order_release);  // [N3]
  current_.store(next, std::memory_order_release);              // [N2]
}

void name_table::make_room(std::string_view name, std::uint64_t bits) {
  names_.emplace(std::string(name), bits);
  if (2 * (filled_ + 1) <= current_.load(std::memory_order_relaxed)->mask + 1) return;
  try {
    renew();
  } catch (...) {
    names_.erase(names_.find(name));
    throw;
  }
}

void name_table::publish(std::string_view name, std::uint64_t bits) noexcept {
  put(*current_.load(std::memory_order_relaxed), hash(name), bits);
}

void name_table::erase_entry(name_map::iterator at) noexcept {
  put(*current_.load(std::memory_order_relaxed), hash(at->first), 0);
  by_bits_.erase(at->second);
  names_.erase(at);
}

void name_table::erase_bits(std::uint64_t bits) noexcept {
  std::lock_guard lock(mutex_);
  auto const who = by_bits_.find(bits);
  if (who == by_bits_.end()) return;
  auto const at = names_.find(who->second);
  if (at != names_.end()) erase_entry(at);
}

std::string name_table::name_of(std::uint64_t bits) const {
  std::lock_guard lock(mutex_);
  auto const who = by_bits_.find(bits);
  return who == by_bits_.end() ? std::string() : who->second;
}

std::vector<std::string> name_table::all() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> result;
  result.reserve(names_.size());
  for (auto const& [name, bits] : names_) result.push_back(name);
  return result;
}

std::size_t name_table::size() const noexcept {
  std::lock_guard lock(mutex_);
  return names_.size();
}

std::size_t name_table::capacity() const noexcept {
  std::lock_guard lock(mutex_);
  std::size_t sum = 0;
  for (auto const& t : tables_) sum += t->mask + 1;
  return sum;
}

}  // namespace otter::rts
