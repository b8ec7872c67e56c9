#pragma once

// process_table.hpp - keys and the processes that stand under them; read by all, without a process.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <otter/detail/registry_core.hpp>
#include <otter/pid.hpp>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace otter::detail {

/// Entries by key and by process, in shards that are chosen by the key.
///
/// Ownership: of its entries; key and value of each are shared with those who copied it out.
/// Threads:   any thread may call anything. Each call locks one shard at a time, shared if it only
///            reads, for as long as it takes to copy entries or to move them out. Nothing of a
///            user's runs under a lock: keys are compared as bytes, values are copied as pointers
///            and destroyed by the caller. No call waits for a process.
/// Invariant: an entry of a shard is in exactly one group, and in by_process under its process; no
///            group and no process is there without an entry. entries_ is the number of entries,
///            and of those that are about to be inserted.
/// Ordering:  what happened before an insert or replace happens before the use of a copy: by the
///            shard's mutex. Copies of several shards are not of one moment.
class process_table {
 public:
  explicit process_table(std::size_t shards, std::size_t max_entries);

  /// What an insertion met.
  struct insertion {
    bool full = false;  ///< there are max_entries: nothing was inserted
    pid holder = {};    ///< of a unique key that somebody has: nothing was inserted
    std::uint64_t number = 0;
    std::vector<table_entry> replaced = {};
  };
  insertion insert(std::string_view key, table_entry entry);
  /// Only if nobody has the key, or `dead` has it, whose entry is then replaced.
  insertion insert_unique(std::string_view key, table_entry entry, pid dead);

  // Copies, in the order of insertion.
  [[nodiscard]] std::vector<table_entry> of_key(std::string_view key) const;
  [[nodiscard]] std::vector<table_entry> of_both(std::string_view key, pid process) const;
  [[nodiscard]] std::vector<table_entry> of_process(pid process) const;
  [[nodiscard]] std::vector<table_entry> all() const;
  [[nodiscard]] bool has(pid process) const;
  [[nodiscard]] std::size_t size() const noexcept;

  // What is removed is handed to the caller, who destroys it without a lock.
  std::vector<table_entry> erase(std::string_view key, pid process);
  std::optional<table_entry> erase(std::string_view key, pid process, std::uint64_t number);
  std::vector<table_entry> erase_process(pid process);

  /// The old value is left in `value`. False: there is no such entry.
  bool replace_value(std::string_view key, pid process, std::uint64_t number,
                     std::shared_ptr<void const>& value);

 private:
  struct group {
    std::uint64_t id = 0;
    std::map<std::uint64_t, table_entry> entries;  // by number
  };
  // Trees: whoever chooses keys from outside cannot make them slow.
  using groups = std::map<std::string, group, std::less<>>;
  /// By group and number: the entries of a process under one key stand together.
  using holdings = std::map<std::pair<std::uint64_t, std::uint64_t>, groups::iterator>;
  struct shard {
    mutable std::shared_mutex mutex;
    groups by_key;                                 // guarded by mutex
    std::unordered_map<pid, holdings> by_process;  // guarded by mutex
    std::uint64_t last_group = 0;                  // guarded by mutex
  };

  shard& shard_of(std::string_view key) const noexcept;
  bool reserve() noexcept;
  insertion insert_if(std::string_view key, table_entry entry, bool unique, pid dead);
  /// The caller holds the lock.
  std::uint64_t insert_into(shard& s, std::string_view key, table_entry& entry);
  table_entry erase_from(shard& s, pid process, holdings::iterator at);
  static std::pair<holdings::iterator, holdings::iterator> held(shard& s, std::string_view key,
                                                                pid process);

  std::size_t const count_;
  std::size_t const max_entries_;
  std::unique_ptr<shard[]> const shards_;
  std::atomic<std::uint64_t> last_number_{0};  // relaxed: only to be unique and to grow
  std::atomic<std::size_t> entries_{0};        // relaxed: a count, it publishes nothing
};

}  // namespace otter::detail
