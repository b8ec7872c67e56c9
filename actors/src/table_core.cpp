// Reading and writing the rows of a table.

#include "table_core.hpp"

#include <fmt/format.h>

#include <otter/detail/node_log.hpp>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/spawn.hpp>

namespace otter::detail {

void append_ordered_text(std::string& out, std::string_view text) {
  for (char const c : text) {
    out += c;
    if (c == '\0') out += '\xff';
  }
  out.append(2, '\0');
}

// --- who may do what ---

std::string describe(table_core const& table) {
  if (!table.name.empty()) return fmt::format("table \"{}\"", table.name);
  // The types may be of a version of a module that has been unmapped since the end.
  if (table.has_ended()) return "table without a name";
  return fmt::format("table of {} to {}", table.types.key->name, table.types.value->name);
}

void throw_ended(table_core const* table) {
  if (table == nullptr)
    throw error(errc::badarg, "this handle is on no table: create one, or look whereis() found it");
  throw error(errc::badarg,
              fmt::format("{} has ended: its owner has, without an heir, or it was deleted",
                          describe(*table)));
}

void throw_not_owner(table_core const& table, std::string_view what) {
  constexpr std::string_view kinds[] = {"public", "protected", "private"};
  std::lock_guard lock(table.mutex);
  throw error(errc::badarg,
              fmt::format("{} is {} and belongs to {}: that one may {}", describe(table),
                          kinds[static_cast<std::size_t>(table.access)], table.owner, what));
}

void throw_no_counter(table_core const* table) {
  throw error(errc::badarg, fmt::format("update_counter: {} has no such object; give the value "
                                        "that it begins with",
                                        describe(*table)));
}

void throw_counter_overflow() {
  throw error(errc::badarg,
              "update_counter: the sum does not fit the number; a threshold makes it begin anew");
}

void throw_no_limit() {
  throw error(errc::badarg, "select: a limit of 0 objects, must be 1 at least");
}

namespace {

table_core const& readable(table_core const* table) {
  if (table == nullptr) throw_ended(table);
  if (table->access == table_access::private_table && !table->owned_by(self()))
    throw_not_owner(*table, "read it");
  return *table;
}

/// For who has found nothing. [K1]
void must_live(table_core const& table) {
  if (table.has_ended()) throw_ended(&table);
}

void must_own(table_core const& table) {
  if (table.access != table_access::public_table && !table.owned_by(self()))
    throw_not_owner(table, "write to it");
}

/// change() as the only writer. What nobody reads any more is destroyed behind the lock.
template <class Change>
auto write(table_core* table, Change&& change) {
  if (table == nullptr) throw_ended(table);
  must_own(*table);
  unread gone;
  std::lock_guard lock(table->mutex);
  must_live(*table);
  auto result = change();
  gone = table->gone.take_unread();
  return result;
}

void count(std::atomic<std::size_t>& n, std::size_t more, std::size_t less) noexcept {
  // One writer: a plain addition that others may see late.
  n.store(n.load(std::memory_order_relaxed) + more - less, std::memory_order_relaxed);
}

std::size_t bytes_of(table_row const& row) noexcept { return row.bytes + row.text.size(); }

/// Under the lock. A row that is not put in goes behind it.
void put_in(table_core& table, row_ptr& row) {
  if (table.size.load(std::memory_order_relaxed) >= table.max_size)
    throw error(errc::system_limit, fmt::format("{} has {} objects, as many as its max_size",
                                                describe(table), table.max_size));
  table.index.insert(*row);
  count(table.size, 1, 0);
  count(table.row_bytes, bytes_of(*row), 0);
  static_cast<void>(row.release());
}

/// Under the lock.
void put_in_place_of(table_core& table, table_row& old, row_ptr& row) noexcept {
  count(table.row_bytes, bytes_of(*row), bytes_of(old));
  table.index.replace(old, *row.release(), table.gone);
}

/// Under the lock.
row_ptr take_out(table_core& table, table_row& row) noexcept {
  row.pin();
  count(table.size, 0, 1);
  count(table.row_bytes, 0, bytes_of(row));
  table.index.erase(row, table.gone);
  return row_ptr(&row);
}

row_ptr pinned(table_row* row) noexcept {
  if (row != nullptr) row->pin();
  return row_ptr(row);
}

}  // namespace

void table_core::free_remains() noexcept {
  wait_for_readers();
  table_node* rows = nullptr;
  unread replaced;
  {
    std::lock_guard lock(mutex);
    rows = std::exchange(remains_, nullptr);
    replaced = gone.take_all();
  }
  table_index::dispose(rows);
}

// --- reading ---

std::size_t table_size(table_core const* table) {
  std::size_t const n = readable(table).size.load(std::memory_order_relaxed);
  must_live(*table);
  return n;
}

row_ptr find_row(table_core const* table, std::string_view text) {
  table_key const key = readable(table).key_of(text);
  {
    reading here;
    if (row_ptr row = pinned(table->index.find(key))) return row;
  }
  must_live(*table);
  return nullptr;
}

bool has_row(table_core const* table, std::string_view text) {
  return copy_row(
      table, text, [](table_row const&, void*) {}, nullptr);
}

bool copy_row(table_core const* table, std::string_view text, void (*copy)(table_row const&, void*),
              void* to) {
  table_key const key = readable(table).key_of(text);
  {
    reading here;
    if (table_row const* const row = table->index.find(key)) {
      copy(*row, to);
      return true;
    }
  }
  must_live(*table);
  return false;
}

row_ptr end_row(table_core const* table, table_end end) {
  table_index const& index = readable(table).index;
  {
    reading here;
    if (row_ptr row = pinned(index.end(end))) return row;
  }
  must_live(*table);
  return nullptr;
}

row_ptr row_beside(table_core const* table, std::string_view text, table_end towards) {
  table_key const key = readable(table).key_of(text);
  {
    reading here;
    if (row_ptr row = pinned(table->index.beside(key, towards))) return row;
  }
  must_live(*table);
  return nullptr;
}

// --- walking ---

table_walk::table_walk(table_core const* table, table_continuation const& behind)
    : table_(table), behind_(behind) {
  readable(table);
  must_live(*table);
}

table_row* table_walk::next() {
  if (at_ == count_) refill();
  if (at_ == count_) {
    must_live(*table_);
    return nullptr;
  }
  return rows_[at_++].get();
}

void table_walk::refill() {
  if (count_ != 0) {
    last_ = std::move(rows_[count_ - 1]);
    for (row_ptr& row : rows_) row.reset();
    at_ = count_ = 0;
    if (may_wait()) checkpoint();
  }
  table_index const& index = readable(table_).index;
  reading here;
  table_row* row = nullptr;
  if (last_ != nullptr)
    row = index.beside({last_->hash, last_->text}, table_end::last);
  else if (behind_)
    row = index.beside({behind_.hash(), behind_.text()}, table_end::last);
  else
    row = index.end(table_end::first);
  while (row != nullptr) {
    rows_[count_++] = pinned(row);
    if (count_ == portion) return;
    row = index.beside({row->hash, row->text}, table_end::last);
  }
}

table_continuation table_walk::here() const {
  table_row const& row = *rows_[at_ - 1];
  return {row.hash, row.text};
}

// --- writing ---

void must_write(table_core const* table) {
  if (table == nullptr) throw_ended(table);
  must_own(*table);
  must_live(*table);
}

bool insert_row(table_core* table, row_ptr row, insert_mode mode) {
  if (table == nullptr) throw_ended(table);
  table_key const key = table->key_of(row->text);
  row->hash = key.hash;
  return write(table, [&] {
    table_row* const there = table->index.find(key);
    if (there == nullptr)
      put_in(*table, row);
    else if (mode == insert_mode::always)
      put_in_place_of(*table, *there, row);
    else
      return false;
    return true;
  });
}

bool replace_row(table_core* table, row_ptr fresh, table_row const& expected) {
  table_key const key{expected.hash, expected.text};
  fresh->hash = key.hash;
  return write(table, [&] {
    table_row* const there = table->index.find(key);
    if (there != &expected) return false;
    put_in_place_of(*table, *there, fresh);
    return true;
  });
}

row_ptr erase_row(table_core* table, std::string_view text) {
  if (table == nullptr) throw_ended(table);
  table_key const key = table->key_of(text);
  return write(table, [&] {
    table_row* const there = table->index.find(key);
    return there != nullptr ? take_out(*table, *there) : nullptr;
  });
}

bool erase_row(table_core* table, table_row const& expected,
               bool (*still)(table_row const&, void const*), void const* with) {
  row_ptr const erased = write(table, [&] {
    table_row* const there = table->index.find({expected.hash, expected.text});
    return there == &expected && still(*there, with) ? take_out(*table, *there) : nullptr;
  });
  return erased != nullptr;
}

bool change_row(table_core* table, std::string_view text, void (*change)(table_row&, void*),
                void* with) {
  if (table == nullptr) throw_ended(table);
  table_key const key = table->key_of(text);
  return write(table, [&] {
    table_row* const there = table->index.find(key);
    if (there == nullptr) return false;
    change(*there, with);
    return true;
  });
}

void clear_table(table_core* table) {
  table_node* const rows = write(table, [&] {
    table->size.store(0, std::memory_order_relaxed);
    table->row_bytes.store(0, std::memory_order_relaxed);
    return table->index.take_all();
  });
  wait_for_readers();
  table_index::dispose(rows);
}

}  // namespace otter::detail
