#pragma once

// otter/detail/table_core.hpp - what a table does without knowing the types of its keys and values.
//
//   otter::detail::table_row     one object of a table; its typed part is derived
//   otter::detail::row_ptr       keeps a row, whether or not it is still in the table
//   otter::detail::table_walk    all rows, one after the other
//   otter::detail::table_types   the types of a table, as the module sees them that uses it

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <otter/detail/ordered_text.hpp>
#include <otter/detail/retirable.hpp>
#include <otter/message.hpp>
#include <otter/pid.hpp>
#include <otter/type_descriptor.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace otter {

struct table_options;
struct table_info;

/// Where a select() with a limit has stopped. False: it has not begun, or has come to the end.
class table_continuation {
 public:
  table_continuation() = default;
  table_continuation(std::uint64_t hash, std::string_view text)
      : hash_(hash), text_(text), goes_on_(true) {}
  explicit operator bool() const noexcept { return goes_on_; }
  [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }
  [[nodiscard]] std::string_view text() const noexcept { return text_; }

 private:
  std::uint64_t hash_ = 0;
  std::string text_;
  bool goes_on_ = false;
};

namespace detail {

/// What stands in the index of a table: a row, or a branch (actors/src/table_index.hpp).
class table_node : public retirable {
 public:
  static constexpr std::size_t of_row = ~std::size_t{0};
  explicit table_node(std::size_t its_depth) noexcept : depth(its_depth) {}
  [[nodiscard]] bool is_row() const noexcept { return depth == of_row; }

  std::size_t const depth;  ///< so many digits the keys below a branch have in common
};

/// Ownership: counted: by the table while the row is in it, by each row_ptr.
/// Threads:   any; what is not atomic is constant once the row is in the table.
/// Ordering:  [R1] all uses happen before the end: each release of a count, the last acquire.
class table_row : public table_node {
 public:
  explicit table_row(std::size_t its_bytes) noexcept : table_node(of_row), bytes(its_bytes) {}

  /// Relaxed: whoever pins it finds it in the table, which counts.
  void pin() noexcept { users_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    if (users_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;  // [R1]
  }
  void dispose() noexcept final { release(); }

  std::size_t const bytes;  ///< what it takes, as far as that can be seen
  std::string_view text;    ///< its key; set by the derived class, which keeps it
  std::uint64_t hash = 0;   ///< set by the table

 private:
  std::atomic<std::uint32_t> users_{1};
};

struct row_release {
  void operator()(table_row* row) const noexcept { row->release(); }
};
using row_ptr = std::unique_ptr<table_row, row_release>;

class table_core;
using table_ptr = std::shared_ptr<table_core>;

enum class table_order : unsigned char { by_hash, by_key };

struct table_types {
  type_descriptor const* key;
  type_descriptor const* value;
  table_order order;
  /// The message that tells `table`'s next owner.
  any_message (*transfer)(table_ptr const& table, pid from, std::string const& data);
};

// --- birth, name, owner, end; see otter/table.hpp ---

table_ptr make_table(table_types const& types, table_options options);
table_ptr find_table(std::string_view name, table_types const& types);
void give_table_away(table_ptr const& table, pid to, std::string data);
void set_table_heir(table_core* table, pid heir, std::string data);
void delete_table(table_ptr const& table);
bool describe_table(table_core const* table, table_info& to);

// --- reading; of all: throws error(badarg) if there is no table, or it is private to another ---

std::size_t table_size(table_core const* table);
/// Keeps what it returns.
row_ptr find_row(table_core const* table, std::string_view text);
bool has_row(table_core const* table, std::string_view text);
/// copy(row, to) while nothing that is found is freed: it runs no code of a user. False: not there.
bool copy_row(table_core const* table, std::string_view text,
              void (*copy)(table_row const& row, void* to), void* to);
enum class table_end : unsigned char { first, last };
row_ptr end_row(table_core const* table, table_end end);
/// The nearest row on the way from the key to that end, itself excluded.
row_ptr row_beside(table_core const* table, std::string_view text, table_end towards);

/// The rows, each that is there all the time once. What it has given is kept until the next one is
/// asked for, and nothing is held up meanwhile: the user's code may do anything in between.
class table_walk {
 public:
  /// The table must outlive it.
  explicit table_walk(table_core const* table, table_continuation const& behind = {});

  /// Null: there are no more. Exits: may, now and then, if the caller may wait.
  table_row* next();
  /// Behind the row that next() gave last.
  [[nodiscard]] table_continuation here() const;

 private:
  void refill();

  static constexpr std::size_t portion = 32;
  table_core const* const table_;
  table_continuation const behind_;
  std::array<row_ptr, portion> rows_;
  std::size_t at_ = 0;     // the next to be given
  std::size_t count_ = 0;  // of those in rows_
  row_ptr last_;           // of the portion before
};

// --- writing; of all: throws error(badarg) if there is no table, or the caller may not write ---

void must_write(table_core const* table);
enum class insert_mode : unsigned char { always, if_new };
/// False: there is one, and `mode` does not replace it.
/// Throws: error(system_limit) if the table is full.
bool insert_row(table_core* table, row_ptr row, insert_mode mode);
/// Puts `fresh` in the place of `expected`. False: that is not there any more.
bool replace_row(table_core* table, row_ptr fresh, table_row const& expected);
/// What was erased, or null.
row_ptr erase_row(table_core* table, std::string_view text);
/// Erases that very row if `still(row, with)` says so, under the lock; no code of a user.
bool erase_row(table_core* table, table_row const& expected,
               bool (*still)(table_row const& row, void const* with), void const* with);
/// change(row, with) as the only writer; no code of a user. False: no such row.
bool change_row(table_core* table, std::string_view text,
                void (*change)(table_row& row, void* with), void* with);
void clear_table(table_core* table);

[[noreturn]] void throw_no_counter(table_core const* table);
[[noreturn]] void throw_counter_overflow();
[[noreturn]] void throw_no_limit();

}  // namespace detail
}  // namespace otter
