#pragma once

// running_tables.hpp - the tables of processes that others read without asking the process.
//
//   otter::detail::running_tables   which process has which table
//   otter::detail::published        makes a table findable while it lives

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <otter/pid.hpp>
#include <otter/spawn.hpp>
#include <shared_mutex>
#include <unordered_map>
#include <utility>

namespace otter::detail {

/// Ownership: shared with those that found a table: one that they hold outlives its process, and
///            nobody finds it any more.
/// Threads:   any. Each call locks one shard, for the copy of a pointer.
/// Invariant: a process has one table at most.
/// Ordering:  what was written to a table before add() is seen by who finds it: by the mutex.
///
/// One for the whole program, not for a node: pids of different nodes differ, and the pid of a node
/// that is no more is replaced when it comes again.
template <class Table>
class running_tables {
 public:
  static running_tables& instance() {
    // Never destroyed: processes of a node that nobody stopped may still use it.
    static auto& tables = *new running_tables;
    return tables;
  }

  std::shared_ptr<Table> find(pid owner) const {
    shard const& s = shard_of(owner);
    std::shared_lock lock(s.mutex);
    auto const at = s.tables.find(owner);
    return at == s.tables.end() ? nullptr : at->second;
  }
  void add(pid owner, std::shared_ptr<Table> table) {
    shard& s = shard_of(owner);
    std::unique_lock lock(s.mutex);
    s.tables[owner].swap(table);
  }
  void remove(pid owner, std::shared_ptr<Table> const& table) noexcept {
    shard& s = shard_of(owner);
    std::unique_lock lock(s.mutex);
    auto const at = s.tables.find(owner);
    if (at != s.tables.end() && at->second == table) s.tables.erase(at);
  }

 private:
  struct shard {
    mutable std::shared_mutex mutex;
    std::unordered_map<pid, std::shared_ptr<Table>> tables;  // guarded by mutex
  };
  shard& shard_of(pid owner) const noexcept {
    return shards_[std::hash<pid>{}(owner) % shards_.size()];
  }

  mutable std::array<shard, 16> shards_;
};

/// A member of the process's object: the table can be found from its construction in the process
/// on, until the object is gone, which is before anybody hears of the process's end.
template <class Table>
class published {
 public:
  explicit published(std::shared_ptr<Table> table) : owner_(self()), table_(std::move(table)) {
    running_tables<Table>::instance().add(owner_, table_);
  }
  ~published() { running_tables<Table>::instance().remove(owner_, table_); }
  published(published const&) = delete;
  published& operator=(published const&) = delete;

  Table& operator*() const noexcept { return *table_; }
  Table* operator->() const noexcept { return table_.get(); }

 private:
  pid owner_;
  std::shared_ptr<Table> table_;
};

}  // namespace otter::detail
