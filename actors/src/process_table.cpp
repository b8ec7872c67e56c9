// Keys and the processes that stand under them.

#include "process_table.hpp"

#include <algorithm>
#include <mutex>
#include <otter/type_name.hpp>

namespace otter::detail {

process_table::process_table(std::size_t shards, std::size_t max_entries)
    : count_(shards), max_entries_(max_entries), shards_(std::make_unique<shard[]>(shards)) {}

process_table::shard& process_table::shard_of(std::string_view key) const noexcept {
  return shards_[mix_bits(hash_text(key)) % count_];
}

bool process_table::reserve() noexcept {
  if (entries_.fetch_add(1, std::memory_order_relaxed) < max_entries_) return true;
  entries_.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

std::uint64_t process_table::insert_into(shard& s, std::string_view key, table_entry& entry) {
  auto at = s.by_key.find(key);
  bool const fresh = at == s.by_key.end();
  if (fresh) {
    at = s.by_key.try_emplace(std::string(key)).first;
    at->second.id = ++s.last_group;
  }
  entry.number = last_number_.fetch_add(1, std::memory_order_relaxed) + 1;
  pid const process = entry.process;
  std::uint64_t const number = entry.number;
  try {
    s.by_process[process].try_emplace({at->second.id, number}, at);
    at->second.entries.try_emplace(number, std::move(entry));
  } catch (...) {  // no memory: as if nothing had been
    if (auto const mine = s.by_process.find(process); mine != s.by_process.end()) {
      mine->second.erase({at->second.id, number});
      if (mine->second.empty()) s.by_process.erase(mine);
    }
    if (fresh) s.by_key.erase(at);
    throw;
  }
  return number;
}

process_table::insertion process_table::insert(std::string_view key, table_entry entry) {
  return insert_if(key, std::move(entry), false, {});
}

process_table::insertion process_table::insert_unique(std::string_view key, table_entry entry,
                                                      pid dead) {
  return insert_if(key, std::move(entry), true, dead);
}

process_table::insertion process_table::insert_if(std::string_view key, table_entry entry,
                                                  bool unique, pid dead) {
  shard& s = shard_of(key);
  insertion result;
  std::unique_lock lock(s.mutex);
  if (unique) {
    if (auto const at = s.by_key.find(key); at != s.by_key.end()) {
      pid const holder = at->second.entries.begin()->second.process;
      if (holder != dead) {
        result.holder = holder;
        return result;
      }
      result.replaced.reserve(1);
      result.replaced.push_back(erase_from(s, holder, held(s, key, holder).first));
    }
  }
  if (!reserve()) {
    result.full = true;
    return result;
  }
  try {
    result.number = insert_into(s, key, entry);
  } catch (...) {
    entries_.fetch_sub(1, std::memory_order_relaxed);
    throw;
  }
  return result;
}

// --- copies ---

std::vector<table_entry> process_table::of_key(std::string_view key) const {
  shard const& s = shard_of(key);
  std::vector<table_entry> found;
  std::shared_lock lock(s.mutex);
  if (auto const at = s.by_key.find(key); at != s.by_key.end()) {
    found.reserve(at->second.entries.size());
    for (auto const& [number, entry] : at->second.entries) found.push_back(entry);
  }
  return found;
}

std::pair<process_table::holdings::iterator, process_table::holdings::iterator> process_table::held(
    shard& s, std::string_view key, pid process) {
  static holdings none;  // never filled
  auto const group_at = s.by_key.find(key);
  auto const mine = s.by_process.find(process);
  if (group_at == s.by_key.end() || mine == s.by_process.end()) return {none.end(), none.end()};
  std::uint64_t const id = group_at->second.id;
  return {mine->second.lower_bound({id, 0}), mine->second.lower_bound({id + 1, 0})};
}

std::vector<table_entry> process_table::of_both(std::string_view key, pid process) const {
  shard& s = shard_of(key);
  std::vector<table_entry> found;
  std::shared_lock lock(s.mutex);
  auto const [first, last] = held(s, key, process);
  for (auto at = first; at != last; ++at)
    found.push_back(at->second->second.entries.at(at->first.second));
  return found;
}

std::vector<table_entry> process_table::of_process(pid process) const {
  std::map<std::uint64_t, table_entry> found;
  for (std::size_t i = 0; i != count_; ++i) {
    shard const& s = shards_[i];
    std::shared_lock lock(s.mutex);
    auto const mine = s.by_process.find(process);
    if (mine == s.by_process.end()) continue;
    for (auto const& [place, at] : mine->second)
      found.try_emplace(place.second, at->second.entries.at(place.second));
  }
  std::vector<table_entry> result;
  result.reserve(found.size());
  for (auto& [number, entry] : found) result.push_back(std::move(entry));
  return result;
}

std::vector<table_entry> process_table::all() const {
  std::map<std::uint64_t, table_entry> found;
  for (std::size_t i = 0; i != count_; ++i) {
    shard const& s = shards_[i];
    std::shared_lock lock(s.mutex);
    for (auto const& [key, g] : s.by_key) found.insert(g.entries.begin(), g.entries.end());
  }
  std::vector<table_entry> result;
  result.reserve(found.size());
  for (auto& [number, entry] : found) result.push_back(std::move(entry));
  return result;
}

bool process_table::has(pid process) const {
  for (std::size_t i = 0; i != count_; ++i) {
    std::shared_lock lock(shards_[i].mutex);
    if (shards_[i].by_process.contains(process)) return true;
  }
  return false;
}

std::size_t process_table::size() const noexcept {
  return std::min(entries_.load(std::memory_order_relaxed), max_entries_);  // others may be refused
}

// --- removal ---

table_entry process_table::erase_from(shard& s, pid process, holdings::iterator at) {
  auto const group_at = at->second;
  auto const entry_at = group_at->second.entries.find(at->first.second);
  table_entry entry = std::move(entry_at->second);
  group_at->second.entries.erase(entry_at);
  if (group_at->second.entries.empty()) s.by_key.erase(group_at);
  auto const mine = s.by_process.find(process);
  mine->second.erase(at);
  if (mine->second.empty()) s.by_process.erase(mine);
  entries_.fetch_sub(1, std::memory_order_relaxed);
  return entry;
}

std::vector<table_entry> process_table::erase(std::string_view key, pid process) {
  shard& s = shard_of(key);
  std::vector<table_entry> gone;
  std::unique_lock lock(s.mutex);
  auto const [first, last] = held(s, key, process);
  gone.reserve(static_cast<std::size_t>(std::distance(first, last)));
  for (std::size_t left = gone.capacity(); left != 0; --left)
    gone.push_back(erase_from(s, process, held(s, key, process).first));
  return gone;
}

std::optional<table_entry> process_table::erase(std::string_view key, pid process,
                                                std::uint64_t number) {
  shard& s = shard_of(key);
  std::unique_lock lock(s.mutex);
  for (auto [at, last] = held(s, key, process); at != last; ++at)
    if (at->first.second == number) return erase_from(s, process, at);
  return std::nullopt;
}

std::vector<table_entry> process_table::erase_process(pid process) {
  std::vector<table_entry> gone;
  for (std::size_t i = 0; i != count_; ++i) {
    shard& s = shards_[i];
    std::unique_lock lock(s.mutex);
    auto const mine = s.by_process.find(process);
    if (mine == s.by_process.end()) continue;
    std::size_t left = mine->second.size();
    gone.reserve(gone.size() + left);
    while (left-- != 0)
      gone.push_back(erase_from(s, process, s.by_process.find(process)->second.begin()));
  }
  return gone;
}

bool process_table::replace_value(std::string_view key, pid process, std::uint64_t number,
                                  std::shared_ptr<void const>& value) {
  shard& s = shard_of(key);
  std::unique_lock lock(s.mutex);
  auto const [first, last] = held(s, key, process);
  for (auto at = first; at != last; ++at) {
    if (at->first.second != number) continue;
    at->second->second.entries.at(number).value.swap(value);
    return true;
  }
  return false;
}

}  // namespace otter::detail
