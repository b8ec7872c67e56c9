#pragma once

// otter/table.hpp - objects by key that many processes read at once, without asking anybody.
//
//   otter::table<Key, Value>           a set: found by hash
//   otter::ordered_table<Key, Value>   the same in the order of its keys
//   otter::table_options               name, access, heir, bound
//   otter::table_transfer<Table>       the message to who becomes the owner
//   otter::counter_step                how update_counter() counts
//
//     auto hits = otter::table<std::string, long>::create({.name = "hits"});
//     hits.insert("/", 0);
//     hits.update_counter("/", 1);
//     if (auto n = hits.lookup("/")) ...                          // in any process
//     auto again = otter::table<std::string, long>::whereis("hits");
//
// A table belongs to the process that created it and ends with it, before anybody hears of that
// end, unless an heir gets it. A handle keeps nothing alive but an empty shell.
//
// For keys that name processes and go when these end, see otter/registry.hpp; for a value that many
// change, otter/agent.hpp.

#include <atomic>
#include <concepts>
#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <otter/detail/table_core.hpp>
#include <otter/reflection.hpp>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace otter {

/// Who may read and write a table.
enum class table_access : unsigned char {
  public_table,     ///< everybody may do both
  protected_table,  ///< everybody may read, the owner writes
  private_table,    ///< the owner alone
};

struct table_options {
  std::string name = {};  ///< whereis() finds it; names of tables are no names of processes
  table_access access = table_access::protected_table;
  /// Gets the table, and a table_transfer with heir_data, if the owner ends before it.
  pid heir = {};
  std::string heir_data = {};
  /// With so many objects in it an insertion of another key is refused.
  std::size_t max_size = std::numeric_limits<std::size_t>::max();
};

struct table_info {
  std::string name;
  pid owner;
  pid heir;
  table_access access;
  bool ordered;
  std::size_t size;  ///< objects
  std::size_t max_size;
  std::size_t memory;  ///< bytes, without what keys and values hold elsewhere
};

/// Arrives at a process that has become the owner of a table: by give_away(), or as its heir. It is
/// the owner already, and if it is the heir, has heard nothing of the end of `from` yet.
template <class Table>
struct table_transfer {
  Table table;
  pid from;
  std::string data;  ///< of give_away(), or the heir_data
};

/// What update_counter() adds. With a threshold: a sum beyond it, seen in the direction of `by`,
/// becomes `set_value`.
template <class Number>
struct counter_step {
  using difference = std::make_signed_t<Number>;
  struct bound {
    Number threshold;
    Number set_value;
  };
  counter_step(difference step) noexcept : by(step) {}
  counter_step(difference step, Number threshold, Number set_value) noexcept
      : by(step), wrap(bound{threshold, set_value}) {}

  difference by;
  std::optional<bound> wrap;
};

namespace detail {

/// Whether copying a T runs no code of a user: then it is copied where it stands.
template <class T>
constexpr bool copies_plainly() noexcept {
  if constexpr (std::is_trivially_copy_constructible_v<T> || std::is_same_v<T, std::string>)
    return true;
  else if constexpr (tuple_like<T>)
    return []<std::size_t... I>(std::index_sequence<I...>) {
      return (copies_plainly<std::tuple_element_t<I, T>>() && ...);
    }
  (std::make_index_sequence<std::tuple_size_v<T>>());
  else if constexpr (reflectable<T>) return []<std::size_t... I>(std::index_sequence<I...>) {
    return (copies_plainly<field_type<T, I>>() && ...);
  }
  (std::make_index_sequence<field_count<T>>());
  else return false;
}

template <class T>
concept number = std::integral<T> && !std::is_same_v<T, bool>;

/// A number is changed in its place, so that counting allocates nothing.
template <class Value>
inline constexpr bool counts_in_place = [] {
  if constexpr (number<Value>) return std::atomic<Value>::is_always_lock_free;
  return false;
}();

/// Ordering: [R2] of a number in its place: what happened before it was written happens before what
/// follows its being read.
template <class Value>
class row_value {
 public:
  explicit row_value(Value&& v) : value_(std::move(v)) {}
  Value const& get() const noexcept { return value_; }

 private:
  Value const value_;
};
template <class Value>
requires counts_in_place<Value>
class row_value<Value> {
 public:
  explicit row_value(Value v) noexcept : value_(v) {}
  Value get() const noexcept { return value_.load(std::memory_order_acquire); }  // [R2]
  void set(Value v) noexcept { value_.store(v, std::memory_order_release); }     // [R2]

 private:
  std::atomic<Value> value_;
};

struct nothing_kept {};

template <class Key, class Value>
class typed_row final : public table_row {
 public:
  typed_row(Key&& k, Value&& v)
      : table_row(sizeof(typed_row)), key(std::move(k)), value(std::move(v)) {
    if constexpr (is_text_key<Key>)
      text = std::string_view(key);
    else
      text = bytes_ = table_text(key);
  }

  Key const key;
  row_value<Value> value;

 private:
  [[no_unique_address]] std::conditional_t<is_text_key<Key>, nothing_kept, std::string> bytes_;
};

template <number Number>
Number stepped(Number now, counter_step<Number> const& step) {
  Number sum;
  bool const beyond_all = __builtin_add_overflow(now, step.by, &sum);
  if (step.wrap) {
    Number const threshold = step.wrap->threshold;
    if (beyond_all || (step.by < 0 ? sum < threshold : sum > threshold))
      return step.wrap->set_value;
  } else if (beyond_all) {
    throw_counter_overflow();
  }
  return sum;
}

/// f(value) changes it and returns nothing, or returns the new one.
template <class Value, class F>
void change_value(Value& value, F& f) {
  if constexpr (std::is_void_v<std::invoke_result_t<F&, Value&>>)
    std::invoke(f, value);
  else
    value = std::invoke(f, value);
}

}  // namespace detail

/// One object of a table.
template <class Key, class Value>
struct table_object {
  Key key;
  Value value;
};

/// A handle on a table: a value that can be copied, sent and captured. One that was made by default
/// is on no table, and is false.
///
/// A Key is a text, an integer, an enumeration, a pid or a ref, or a pair, tuple or plain struct of
/// such; two are equal if all their parts are, and ordered by the first that differs. A Value can
/// be copied: what is read is a copy, so a large one is an otter::shared<T>.
///
/// Each operation on one object is atomic, and seen at once by all that begin after it. Reading
/// takes no lock and waits for nobody; writers of one table wait for each other for the moment that
/// a change takes. No function or copy of a user runs while anybody can be kept waiting by it. What
/// is replaced or erased is destroyed by whoever held it last, in whatever process that is: so
/// destructors of keys and values call nothing of otter.
///
/// Called from: reading, any thread; if the table is private, its owner. Writing, a process or an
/// attached thread. Blocks: never. Exits: never, but in walks (fold, select and the like).
/// Throws: error(badarg) if the table has ended, or the caller is not its owner and the access asks
/// for that; std::bad_alloc; what copying and comparing of keys and values throws.
template <class Key, class Value, detail::table_order Order>
class basic_table {
  static_assert(std::is_object_v<Key> && !std::is_pointer_v<Key>,
                "otter: a key is a value: a text is kept as a std::string");
  static_assert(std::copy_constructible<Key> && std::copy_constructible<Value>,
                "otter: keys and values of a table are copied out by a look-up");
  static_assert(!std::is_pointer_v<Value>,
                "otter: a table gives out no pointers: two processes never share mutable state. "
                "Keep a value, or otter::shared<T>");

 public:
  using key_type = Key;
  using value_type = Value;
  using object = table_object<Key, Value>;
  /// How keys are passed: a text without making a std::string of it.
  using key_view =
      std::conditional_t<detail::is_text_key<Key> && std::is_constructible_v<Key, std::string_view>,
                         std::string_view, Key const&>;
  /// What a select() with a limit has found, and where the next one goes on.
  struct selection {
    std::vector<object> objects;
    table_continuation next;
  };

  basic_table() = default;
  explicit operator bool() const noexcept { return table_ != nullptr; }
  /// Whether both are on the same table.
  friend bool operator==(basic_table const&, basic_table const&) = default;

  // --- birth, name, owner, end ---

  /// A new table, which the caller owns.
  /// Throws also: error(badarg) if the name is taken or longer than 255 bytes.
  [[nodiscard]] static basic_table create(table_options options = {}) {
    return basic_table(detail::make_table(types, std::move(options)));
  }
  /// The table of the node that has that name, or none. Lock-free.
  /// Called from: a process or an attached thread. Throws also: error(badarg) if its types, or its
  /// order, are others.
  [[nodiscard]] static basic_table whereis(std::string_view name) {
    return basic_table(detail::find_table(name, types));
  }
  /// Nothing if the table has ended. Anybody may ask.
  [[nodiscard]] std::optional<table_info> info() const {
    table_info found{};
    if (!detail::describe_table(core(), found)) return std::nullopt;
    return found;
  }
  /// Makes `to` the owner, which gets a table_transfer<> with `data`. By the owner, who may go on
  /// using the table as its access says.
  /// Throws also: error(badarg) if `to` has ended or is the caller; error(nolocal) if it is of
  /// another node.
  void give_away(pid to, std::string data = {}) const {
    detail::give_table_away(table_, to, std::move(data));
  }
  /// Makes `heir` the heir, or nobody. By the owner.
  void set_heir(pid heir, std::string data = {}) const {
    detail::set_table_heir(core(), heir, std::move(data));
  }
  /// Ends the table. By whoever may write.
  void delete_table() const { detail::delete_table(table_); }

  // --- reading ---

  [[nodiscard]] std::size_t size() const { return detail::table_size(core()); }
  [[nodiscard]] bool member(key_view key) const {
    return detail::has_row(core(), detail::table_text(key));
  }
  [[nodiscard]] std::optional<Value> lookup(key_view key) const {
    std::optional<Value> found;
    auto const& text = detail::table_text(key);
    if constexpr (detail::copies_plainly<Value>())
      detail::copy_row(core(), text, &copy_value, &found);
    else if (detail::row_ptr const row = detail::find_row(core(), text))
      found.emplace(value_of(*row));
    return found;
  }
  /// What `f(value)` returns, as an optional; if it returns nothing, whether it was called. The
  /// value is not copied; it stays what it is, also if it is replaced or erased meanwhile. `f` may
  /// do whatever its caller may.
  template <class F>
  auto lookup(key_view key, F&& f) const {
    using returned = std::invoke_result_t<F&, Value const&>;
    detail::row_ptr const row = detail::find_row(core(), detail::table_text(key));
    if constexpr (std::is_void_v<returned>) {
      if (row != nullptr) std::invoke(f, value_of(*row));
      return row != nullptr;
    } else {
      using answer = std::optional<std::decay_t<returned>>;
      return row != nullptr ? answer(std::invoke(f, value_of(*row))) : answer();
    }
  }

  // The order is that of the keys, or in a set one that means nothing. The key that is passed need
  // not be in the table.

  [[nodiscard]] std::optional<Key> first() const {
    return key_of(detail::end_row(core(), detail::table_end::first));
  }
  [[nodiscard]] std::optional<Key> last() const {
    return key_of(detail::end_row(core(), detail::table_end::last));
  }
  [[nodiscard]] std::optional<Key> next(key_view key) const {
    return key_of(detail::row_beside(core(), detail::table_text(key), detail::table_end::last));
  }
  [[nodiscard]] std::optional<Key> prev(key_view key) const {
    return key_of(detail::row_beside(core(), detail::table_text(key), detail::table_end::first));
  }

  // --- reading all ---
  //
  // In order; each object that is there all the time comes once, one that comes or goes meanwhile
  // may be among them. Functions run in the caller, with nothing locked, and may do whatever it
  // may, also with this table. Exits: may.

  /// `all = f(all, key, value)` for each object; returns the last.
  template <class All, class F>
  All fold(All all, F&& f) const {
    detail::table_walk walk(core());
    while (detail::table_row const* const row = walk.next())
      all = std::invoke(f, std::move(all), key_in(*row), value_of(*row));
    return all;
  }
  /// The objects that `predicate(key, value)` accepts.
  template <class Predicate>
  [[nodiscard]] std::vector<object> select(Predicate&& predicate) const {
    return select(predicate, std::numeric_limits<std::size_t>::max()).objects;
  }
  /// At most `limit` of them, the first behind where `from` stopped. To go on, call it again with
  /// `next`, as long as that is true; what it finds then may be none.
  /// Throws also: error(badarg) for a limit of 0.
  template <class Predicate>
  [[nodiscard]] selection select(Predicate&& predicate, std::size_t limit,
                                 table_continuation const& from = {}) const {
    if (limit == 0) detail::throw_no_limit();
    selection found;
    detail::table_walk walk(core(), from);
    while (detail::table_row const* const row = walk.next()) {
      decltype(auto) value = value_of(*row);
      if (!std::invoke(predicate, key_in(*row), value)) continue;
      found.objects.push_back({key_in(*row), value});
      if (found.objects.size() == limit) {
        found.next = walk.here();
        break;
      }
    }
    return found;
  }
  template <class Predicate>
  [[nodiscard]] std::size_t select_count(Predicate&& predicate) const {
    return fold(std::size_t{0}, [&](std::size_t n, Key const& key, Value const& value) {
      return n + (std::invoke(predicate, key, value) ? 1 : 0);
    });
  }
  /// Erases them; how many that were. One that changes while `predicate` looks at it stays.
  template <class Predicate>
  std::size_t select_delete(Predicate&& predicate) const {
    detail::must_write(core());
    std::size_t n = 0;
    detail::table_walk walk(core());
    while (detail::table_row const* const row = walk.next()) {
      decltype(auto) value = value_of(*row);
      if (std::invoke(predicate, key_in(*row), value) &&
          detail::erase_row(core(), *row, &has_value, &value))
        ++n;
    }
    return n;
  }

  // --- writing ---

  /// Puts the object into the table, in place of one with its key.
  /// Throws also: error(system_limit) if the table has max_size objects.
  void insert(Key key, Value value) const {
    detail::insert_row(core(), row_of(std::move(key), std::move(value)),
                       detail::insert_mode::always);
  }
  /// The same if there is none with its key; whether it was put in.
  bool insert_new(Key key, Value value) const {
    return detail::insert_row(core(), row_of(std::move(key), std::move(value)),
                              detail::insert_mode::if_new);
  }
  /// Erases the object and gives its value.
  std::optional<Value> take(key_view key) const {
    detail::row_ptr const row = detail::erase_row(core(), detail::table_text(key));
    return row != nullptr ? std::optional<Value>(value_of(*row)) : std::nullopt;
  }
  /// False: there was none.
  bool erase(key_view key) const {
    return detail::erase_row(core(), detail::table_text(key)) != nullptr;
  }
  /// Erases all.
  void clear() const { detail::clear_table(core()); }
  /// Changes a value: `f(value)` changes a copy, or returns the new value. False: there is no such
  /// object. If another writer was faster `f` is called again, with what that one has written: so
  /// it does nothing else.
  template <class F>
  bool update(key_view key, F&& f) const {
    detail::must_write(core());
    auto const& text = detail::table_text(key);
    while (detail::row_ptr const seen = detail::find_row(core(), text)) {
      decltype(auto) before = value_of(*seen);
      Value now = before;
      detail::change_value(now, f);
      if (exchange(*seen, before, std::move(now))) return true;
    }
    return false;
  }
  /// Adds to a number and gives what it is then. With `initial`, an object that is not there begins
  /// with it. Counting is atomic, with everything that others do.
  /// Throws also: error(badarg) if there is no such object and no `initial`, or the number
  /// overflows; then nothing has changed.
  Value update_counter(key_view key, counter_step<Value> step,
                       std::optional<Value> initial = {}) const
      requires(detail::counts_in_place<Value>) {
    struct {
      counter_step<Value> const& step;
      Value now{};
    } job{step};
    auto const& text = detail::table_text(key);
    auto const add = [](detail::table_row& row, void* to) {
      auto& j = *static_cast<decltype(job)*>(to);
      auto& value = static_cast<row_type&>(row).value;
      j.now = detail::stepped(value.get(), j.step);
      value.set(j.now);
    };
    while (!detail::change_row(core(), text, add, &job)) {
      if (!initial) detail::throw_no_counter(core());
      Value const first = detail::stepped(*initial, step);
      if (insert_new(Key(key), first)) return first;
    }
    return job.now;
  }
  /// The same with a field of the value: `update_counter("/", &page::hits, 1)`.
  template <class Object, detail::number Number>
  requires std::same_as<Object, Value> Number
  update_counter(key_view key, Number Object::*field,
                 counter_step<std::type_identity_t<Number>> step, std::optional<Value> initial = {})
  const {
    Number now{};
    auto const add = [&](Value& value) {
      now = detail::stepped<Number>(value.*field, step);
      value.*field = now;
    };
    while (!update(key, add)) {
      if (!initial) detail::throw_no_counter(core());
      Value first = *initial;
      add(first);
      if (insert_new(Key(key), std::move(first))) break;
    }
    return now;
  }

 private:
  using row_type = detail::typed_row<Key, Value>;

  explicit basic_table(detail::table_ptr table) noexcept : table_(std::move(table)) {}
  [[nodiscard]] detail::table_core* core() const noexcept { return table_.get(); }

  static Key const& key_in(detail::table_row const& row) noexcept {
    return static_cast<row_type const&>(row).key;
  }
  /// A reference; of a number that is changed in its place, what it is now.
  static decltype(auto) value_of(detail::table_row const& row) noexcept {
    return static_cast<row_type const&>(row).value.get();
  }
  static std::optional<Key> key_of(detail::row_ptr const& row) {
    return row != nullptr ? std::optional<Key>(key_in(*row)) : std::nullopt;
  }
  static detail::row_ptr row_of(Key&& key, Value&& value) {
    return detail::row_ptr(new row_type(std::move(key), std::move(value)));
  }
  static void copy_value(detail::table_row const& row, void* to) {
    static_cast<std::optional<Value>*>(to)->emplace(value_of(row));
  }
  /// Of a row that is still there: whether it is what it was.
  static bool has_value(detail::table_row const& row, void const* value) {
    if constexpr (detail::counts_in_place<Value>)
      return value_of(row) == *static_cast<Value const*>(value);
    else
      return true;
  }
  bool exchange(detail::table_row const& seen, Value const& before, Value&& now) const {
    if constexpr (detail::counts_in_place<Value>) {
      struct {
        Value before, now;
        bool done;
      } job{before, now, false};
      detail::change_row(
          core(), seen.text,
          [](detail::table_row& row, void* with) {
            auto& j = *static_cast<decltype(job)*>(with);
            auto& value = static_cast<row_type&>(row).value;
            j.done = value.get() == j.before;
            if (j.done) value.set(j.now);
          },
          &job);
      return job.done;
    } else {
      return detail::replace_row(core(), row_of(Key(key_in(seen)), std::move(now)), seen);
    }
  }
  static any_message transfer(detail::table_ptr const& table, pid from, std::string const& data) {
    return any_message::of(table_transfer<basic_table>{basic_table(table), from, data});
  }
  static constexpr detail::table_types types{&descriptor_of<Key>(), &descriptor_of<Value>(), Order,
                                             &transfer};

  detail::table_ptr table_;
};

/// A set: an object is found by the hash of its key, under a secret of the node.
template <class Key, class Value>
using table = basic_table<Key, Value, detail::table_order::by_hash>;

/// An ordered set: looking up compares, and takes longer the more keys resemble each other.
template <class Key, class Value>
using ordered_table = basic_table<Key, Value, detail::table_order::by_key>;

}  // namespace otter
