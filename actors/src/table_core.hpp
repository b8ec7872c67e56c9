#pragma once

// table_core.hpp - one table: its rows, and who may do what with them.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <otter/detail/keyed_hash.hpp>
#include <otter/pid.hpp>
#include <otter/table.hpp>
#include <string>
#include <string_view>

#include "readers.hpp"
#include "table_index.hpp"

namespace otter::detail {

class table_room;

/// Ownership: shared by the handles, and by the room of its node while it has an owner. Its rows go
///            with the owner, not with the handles: those keep an empty shell.
/// Threads:   reading any, without a lock. Writing any that may, one at a time by `mutex`, under
///            which no code of a user runs and nothing waits.
/// Invariant: ended is set before the index is emptied, and is never taken back: who finds nothing
///            and sees it not yet set has begun before the end. `size` counts the rows in the
///            index.
/// Ordering:  [K1] the end, and whatever the owner did before, happens before a reader's finding
///            the index empty: `ended` is written before the root, [T1], and read after it.
class table_core {
 public:
  table_core(table_types const& its_types, table_options&& how, table_room& its_room, pid its_owner,
             hash_key const& its_key)
      : types(its_types),
        name(std::move(how.name)),
        access(how.access),
        max_size(how.max_size),
        room(&its_room),
        key(its_key),
        owner(its_owner),
        heir(how.heir),
        heir_data(std::move(how.heir_data)),
        owner_number_(number_of(its_owner)) {}
  ~table_core() { table_index::dispose(remains_); }
  table_core(table_core const&) = delete;
  table_core& operator=(table_core const&) = delete;

  [[nodiscard]] table_key key_of(std::string_view text) const noexcept {
    return {types.order == table_order::by_hash ? keyed_hash(key, text) : 0, text};
  }
  /// Any thread; as exact as asking can be.
  [[nodiscard]] bool owned_by(pid process) const noexcept {
    return owner_number_.load(std::memory_order_relaxed) == number_of(process);
  }
  [[nodiscard]] bool has_ended() const noexcept { return ended_.load(std::memory_order_acquire); }

  // --- under the lock ---
  void change_owner(pid to) noexcept {
    owner = to;
    owner_number_.store(number_of(to), std::memory_order_relaxed);
  }
  /// Nobody finds anything from here on. What it had waits for free_remains().
  void end() noexcept {
    ended_.store(true, std::memory_order_seq_cst);  // [K1]
    remains_ = index.take_all();
    size.store(0, std::memory_order_relaxed);
  }

  /// Once, behind end(), without the lock: destructors of users run. Blocks its thread for the rest
  /// of the longest read of this moment.
  void free_remains() noexcept;

  table_types const types;
  std::string const name;
  table_access const access;
  std::size_t const max_size;
  table_room const* const room;  // to be compared with that of the caller: it may be gone
  hash_key const key;

  mutable std::mutex mutex;
  // guarded by mutex
  pid owner;
  pid heir;
  std::string heir_data;
  retired gone;

  table_index index;                      // written under mutex
  std::atomic<std::size_t> size{0};       // written under mutex; relaxed: it publishes nothing
  std::atomic<std::size_t> row_bytes{0};  // likewise

  std::list<table_ptr>::iterator place;  // among those of its owner; guarded by the room's mutex

 private:
  /// One to one, among the processes of a node.
  static std::size_t number_of(pid process) noexcept { return std::hash<pid>{}(process); }

  table_node* remains_ = nullptr;  // written by end(), taken by free_remains()
  std::atomic<bool> ended_{false};
  std::atomic<std::size_t> owner_number_;  // relaxed: a process knows whether it is the owner
};

[[noreturn]] void throw_ended(table_core const* table);
/// For who changes more than rows: the caller must own it.
[[noreturn]] void throw_not_owner(table_core const& table, std::string_view what);
/// How errors call it.
std::string describe(table_core const& table);

}  // namespace otter::detail
