#pragma once

// running_tables.hpp - the tables of processes that others read without asking the process.
//
//   otter::detail::running_tables   which process has which table
//   otter::detail::published        makes a table findable while it lives
//   otter::detail::start_owner()    starts a process that has one, under the name that finds it

#include <fmt/format.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <otter/error.hpp>
#include <otter/name.hpp>
#include <otter/pid.hpp>
#include <otter/spawn.hpp>
#include <otter/start.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "read_index.hpp"
#include "readers.hpp"

namespace otter::detail {

/// Ownership: shared with those that share() a table: one that they hold outlives its process, and
///            nobody finds it any more.
/// Threads:   any. find() and share() are wait-free; add() and remove() wait for each other and for
///            the readers of this moment: processes with tables begin and end rarely.
/// Invariant: a process has one table at most.
/// Ordering:  what was written to a table before add() is seen by who finds it: by the index, [X1].
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

  /// The table of `owner`, or null. It stays while `here` stands.
  Table* find(pid owner, [[maybe_unused]] reading const& here) const {
    entry const* const e = entry_of(owner);
    return e == nullptr ? nullptr : e->table.get();
  }
  std::shared_ptr<Table> share(pid owner) const {
    reading here;
    entry const* const e = entry_of(owner);
    return e == nullptr ? nullptr : e->table;
  }

  void add(pid owner, std::shared_ptr<Table> table) {
    auto fresh = std::make_unique<entry>(owner, std::move(table));
    std::unique_ptr<entry> before;
    retired arrays;
    std::lock_guard lock(mutex_);
    before.reset(entry_of(owner));
    if (before != nullptr) index_.erase(*before);
    try {
      index_.insert(*fresh, arrays);
      fresh.release();
    } catch (...) {
      wait_for_readers();
      throw;
    }
    wait_for_readers();  // `before` and `arrays` go now
  }
  void remove(pid owner, std::shared_ptr<Table> const& table) noexcept {
    std::unique_ptr<entry> gone;
    std::lock_guard lock(mutex_);
    entry* const e = entry_of(owner);
    if (e == nullptr || e->table != table) return;
    index_.erase(*e);
    gone.reset(e);
    wait_for_readers();
  }

 private:
  struct entry {
    entry(pid who, std::shared_ptr<Table> its)
        : owner(who), hash(std::hash<pid>{}(who)), table(std::move(its)) {}
    pid const owner;
    std::size_t const hash;
    std::shared_ptr<Table> const table;
  };
  entry* entry_of(pid owner) const {
    return index_.find(std::hash<pid>{}(owner), [&](entry const& e) { return e.owner == owner; });
  }

  read_index<entry> index_;  // read by all, written under mutex_
  std::mutex mutex_;
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

/// Starts `Process(table)` under `name`; `what` it is, for errors.
/// Throws: error(badarg) if the name is empty.
template <class Process, class Table>
tl::expected<pid, start_error> start_owner(std::string_view what, std::string const& name,
                                           start_options const& start, start_mode mode,
                                           std::shared_ptr<Table> table) {
  if (name.empty()) throw error(errc::badarg, fmt::format("{}: its name is empty", what));
  start_options how = start;
  how.name = name;
  how.via = {};
  auto started = mode == start_mode::link ? Process::start_link(how, std::move(table))
                                          : Process::start(how, std::move(table));
  if (!started) return tl::unexpected<start_error>(std::move(started.error()));
  return started->process();
}

}  // namespace otter::detail
