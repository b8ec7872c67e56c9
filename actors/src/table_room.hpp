#pragma once

// table_room.hpp - the tables of one node: who owns them, and their names.

#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <otter/detail/estate.hpp>
#include <otter/detail/keyed_hash.hpp>
#include <otter/pid.hpp>
#include <string>
#include <string_view>

#include "read_index.hpp"
#include "readers.hpp"
#include "table_core.hpp"

namespace otter::detail {

/// Ownership: of the node (estate.hpp); of each table, with its handles, until it ends.
/// Threads:   find() any, lock-free. The rest any, one at a time by mutex_, under which no code of
/// a
///            user runs. Then the mutex of one table may be locked, never the other way round.
/// Invariant: a table that has not ended is in the list of its owner, which is marked (estate.hpp)
///            or about to be; and among the names if it has one.
/// Ordering:  names reach readers by the index, [X1].
class table_room final : public node_estates {
 public:
  ~table_room() override;

  /// That of the calling process. Throws: error(not_in_process).
  static table_room& of_caller();

  table_ptr make(table_types const& types, table_options&& options);
  [[nodiscard]] table_ptr find(std::string_view name) const;
  void give_away(table_ptr const& table, pid to, std::string const& data);
  void remove(table_ptr const& table);
  std::unique_ptr<estate> owner_ended(pid owner) noexcept override;
  void each_memory(memory_look const& look) const override;

 private:
  /// The tables of an owner; when it has ended, those that ended with it.
  struct belongings final : estate {
    ~belongings() override;
    std::list<table_ptr> tables;
    std::list<table_ptr> ended;
  };
  struct named;

  named* entry_of(std::string_view name) const;
  belongings& belongings_of(pid owner);
  void forget_if_empty(pid owner) noexcept;
  void add(table_ptr const& table, pid owner);
  void add_name(table_ptr const& table);
  void move_to(table_core& table, pid to);
  pid inherit(table_ptr const& table, any_message& message) noexcept;
  void end(table_core& table) noexcept;

  hash_key const key_ = make_hash_key();
  read_index<named> names_;  // read by all, written under mutex_
  mutable std::mutex mutex_;
  // guarded by mutex_
  std::map<pid, std::unique_ptr<belongings>> owned_;
  retired gone_;  // of the names: no code of a user
};

}  // namespace otter::detail
