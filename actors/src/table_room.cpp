// The tables of one node.

#include "table_room.hpp"

#include <fmt/format.h>
#include <malloc.h>

#include <otter/detail/node_log.hpp>
#include <otter/error.hpp>
#include <otter/process_info.hpp>
#include <otter/spawn.hpp>

namespace otter::detail {

struct table_room::named final : retirable {
  named(table_ptr its, std::size_t its_hash) : table(std::move(its)), hash(its_hash) {}
  table_ptr const table;
  std::size_t const hash;
};

/// Where destructors of users may run.
table_room::belongings::~belongings() {
  for (table_ptr const& table : ended) table->free_remains();
}

table_room& table_room::of_caller() {
  node_estates* room = current_node_estates();  // asks no lock
  if (room == nullptr)
    room = make_node_estates(
        []() -> std::unique_ptr<node_estates> { return std::make_unique<table_room>(); });
  if (room == nullptr)
    throw error(errc::not_in_process,
                "tables are made, found and given by processes and attached "
                "threads");
  return *static_cast<table_room*>(room);
}

/// Tables that nobody has ended are those of processes that were never told to end.
table_room::~table_room() {
  names_.for_each([](named& n) { delete &n; });
}

// --- names ---

table_room::named* table_room::entry_of(std::string_view name) const {
  return names_.find(keyed_hash(key_, name), [&](named const& n) { return n.table->name == name; });
}

table_ptr table_room::find(std::string_view name) const {
  reading here;
  named const* const found = entry_of(name);
  return found != nullptr ? found->table : nullptr;
}

void table_room::add_name(table_ptr const& table) {
  if (table->name.empty()) return;
  if (named const* const there = entry_of(table->name))
    throw error(errc::badarg,
                fmt::format("create a table \"{}\": the name is taken by a table of {}",
                            table->name, there->table->owner));
  auto fresh = std::make_unique<named>(table, keyed_hash(key_, table->name));
  names_.insert(*fresh, gone_);
  fresh.release();
}

// --- owners ---

table_room::belongings& table_room::belongings_of(pid owner) {
  auto const at = owned_.find(owner);
  if (at != owned_.end()) return *at->second;
  return *owned_.emplace(owner, std::make_unique<belongings>()).first->second;
}

/// Who owns nothing any more leaves nothing behind.
void table_room::forget_if_empty(pid owner) noexcept {
  auto const at = owned_.find(owner);
  if (at != owned_.end() && at->second->tables.empty() && at->second->ended.empty())
    owned_.erase(at);
}

void table_room::add(table_ptr const& table, pid owner) {
  std::lock_guard lock(mutex_);
  std::list<table_ptr>& its = belongings_of(owner).tables;
  its.push_front(table);
  table->place = its.begin();
  try {
    add_name(table);
  } catch (...) {
    its.pop_front();
    forget_if_empty(owner);
    throw;
  }
  gone_.free_unread();
}

table_ptr table_room::make(table_types const& types, table_options&& options) {
  if (options.name.size() > 255)
    throw error(errc::badarg, fmt::format("create a table: a name of {} bytes, 255 is the most",
                                          options.name.size()));
  pid const owner = self();
  auto table = std::make_shared<table_core>(types, std::move(options), *this, owner, key_);
  add(table, owner);
  if (!mark_owner(owner)) {
    remove(table);
    throw error(errc::exiting, fmt::format("create a {}: {} has ended", describe(*table), owner));
  }
  return table;
}

/// Under both locks. Throws: std::bad_alloc; then nothing has changed.
void table_room::move_to(table_core& table, pid to) {
  std::list<table_ptr>& next = belongings_of(to).tables;
  pid const from = table.owner;
  next.splice(next.begin(), belongings_of(from).tables, table.place);
  table.change_owner(to);
  forget_if_empty(from);
}

void table_room::give_away(table_ptr const& table, pid to, std::string const& data) {
  pid const me = self();
  if (to && !is_local(to))
    throw error(errc::nolocal,
                fmt::format("give away {}: {} is of another node", describe(*table), to));
  if (to == me)
    throw error(errc::badarg, fmt::format("give away {}: {} has it already", describe(*table), to));
  any_message message = table->types.transfer(table, me, data);
  {
    std::lock_guard lock(mutex_);
    if (table->has_ended()) throw_ended(table.get());
    if (table->room != this || !table->owned_by(me)) throw_not_owner(*table, "give it away");
    std::lock_guard inner(table->mutex);
    move_to(*table, to);
  }
  if (!mark_owner(to)) {  // estate.hpp: it has not gone there, unless `to` ended with it just now
    std::unique_lock lock(mutex_);
    std::unique_lock inner(table->mutex);
    if (!table->has_ended() && table->owner == to) {
      move_to(*table, me);
      inner.unlock();
      lock.unlock();
      throw error(errc::badarg, fmt::format("give away {}: {} has ended", describe(*table), to));
    }
  }
  post_envelope(to, message.release());
}

/// Under the room's lock. No code of a user runs: rows wait for free_remains().
void table_room::end(table_core& table) noexcept {
  {
    std::lock_guard lock(table.mutex);
    table.end();
  }
  if (table.name.empty()) return;
  named* const entry = entry_of(table.name);
  if (entry == nullptr || entry->table.get() != &table) return;
  names_.erase(*entry);
  gone_.add(std::unique_ptr<retirable>(entry));
  gone_.free_unread();
}

void table_room::remove(table_ptr const& table) {
  {
    std::lock_guard lock(mutex_);
    if (table->has_ended()) throw_ended(table.get());
    end(*table);
    belongings_of(table->owner).tables.erase(table->place);
    forget_if_empty(table->owner);
  }
  table->free_remains();
}

/// Under the room's lock, when the owner has ended: the next owner, and what tells it. None: there
/// is no heir, or it has ended, or there is no memory.
pid table_room::inherit(table_ptr const& table, any_message& message) noexcept {
  std::lock_guard lock(table->mutex);
  pid const heir = table->heir;
  if (!heir || heir == table->owner || !mark_owner(heir)) return {};
  try {
    message = table->types.transfer(table, table->owner, table->heir_data);
    move_to(*table, heir);
    return heir;
  } catch (...) {
    return {};
  }
}

std::unique_ptr<estate> table_room::owner_ended(pid owner) noexcept {
  for (;;) {
    any_message message;
    pid heir;
    {
      std::lock_guard lock(mutex_);
      auto const at = owned_.find(owner);
      if (at == owned_.end()) return nullptr;
      belongings& its = *at->second;
      if (its.tables.empty()) {
        std::unique_ptr<estate> left = std::move(at->second);
        owned_.erase(at);
        return left;
      }
      table_ptr const table = its.tables.back();  // in the order of creation
      heir = inherit(table, message);
      if (!heir) {
        end(*table);
        its.ended.splice(its.ended.end(), its.tables, table->place);
      }
    }
    // Behind it the heir hears of the owner's end.
    if (heir) post_envelope(heir, message.release());
  }
}

// --- the operations ---

table_ptr make_table(table_types const& types, table_options options) {
  return table_room::of_caller().make(types, std::move(options));
}

table_ptr find_table(std::string_view name, table_types const& types) {
  table_ptr table = table_room::of_caller().find(name);
  if (table == nullptr) return nullptr;
  table_types const& its = table->types;
  if (!same_type(*its.key, *types.key) || !same_type(*its.value, *types.value) ||
      its.order != types.order)
    throw error(errc::badarg,
                fmt::format("{} is {} of {} to {}, and is used as {} of {} to {}", describe(*table),
                            its.order == table_order::by_key ? "an ordered one" : "a set",
                            its.key->name, its.value->name,
                            types.order == table_order::by_key ? "an ordered one" : "a set",
                            types.key->name, types.value->name));
  return table;
}

void give_table_away(table_ptr const& table, pid to, std::string data) {
  if (table == nullptr) throw_ended(nullptr);
  table_room::of_caller().give_away(table, to, data);
}

void set_table_heir(table_core* table, pid heir, std::string data) {
  if (table == nullptr) throw_ended(nullptr);
  if (table->has_ended()) throw_ended(table);
  if (!table->owned_by(self())) throw_not_owner(*table, "name an heir");
  if (heir && !is_local(heir))
    throw error(errc::nolocal,
                fmt::format("the heir of {}: {} is of another node", describe(*table), heir));
  std::lock_guard lock(table->mutex);
  table->heir = heir;
  table->heir_data = std::move(data);
}

void delete_table(table_ptr const& table) {
  must_write(table.get());
  table_room& room = table_room::of_caller();
  if (table->room != &room) throw_not_owner(*table, "delete it");
  room.remove(table);
}

bool describe_table(table_core const* table, table_info& to) {
  if (table == nullptr || table->has_ended()) return false;
  to.name = table->name;
  to.access = table->access;
  to.ordered = table->types.order == table_order::by_key;
  to.max_size = table->max_size;
  std::lock_guard lock(table->mutex);
  to.owner = table->owner;
  to.heir = table->heir;
  to.size = table->size.load(std::memory_order_relaxed);
  to.memory =
      sizeof(table_core) + table->row_bytes.load(std::memory_order_relaxed) + table->index.bytes();
  return !table->has_ended();
}

void table_room::each_memory(memory_look const& look) const {
  // A row, a branch or what waits to be freed is an object of a class with virtual functions, and
  // begins where its block does.
  auto const block_of = [](retirable const& r) {
    auto const* const start = static_cast<std::byte const*>(dynamic_cast<void const*>(&r));
    return std::span(start, ::malloc_usable_size(const_cast<std::byte*>(start)));
  };
  std::lock_guard lock(mutex_);
  for (auto const& [owner, theirs] : owned_) {
    for (std::list<table_ptr> const* const list : {&theirs->tables, &theirs->ended}) {
      for (table_ptr const& table : *list) {
        std::string const what = "a row of " + describe(*table);
        std::lock_guard of_table(table->mutex);
        look(std::as_bytes(std::span(&table->types, 1)), owner, "the types of " + describe(*table));
        for (table_row const* row = table->index.end(table_end::first); row != nullptr;
             row = table->index.beside({row->hash, row->text}, table_end::last))
          look(block_of(*row), owner, what);
        table->gone.each([&](retirable const& r) { look(block_of(r), owner, what); });
      }
    }
  }
}

}  // namespace otter::detail
