#pragma once

// otter/registry.hpp - a table of keys, each with the processes that stand under it.
//
//   otter::registry<Key, Value>    names such a table; registers, looks up, dispatches
//   otter::registry_options        unique or duplicate keys, listeners, bounds
//   otter::registry_entry<Value>   a process under a key, and its value
//   otter::key_registered, otter::key_unregistered   what listeners get
//
//     inline const otter::registry<std::string, int> rooms{"rooms"};
//
//     rooms.start_link({.keys = otter::registry_keys::duplicate});   // usually by a supervisor
//     rooms.register_key("lobby", 7);                                // the caller, and nobody else
//     for (auto const& e : rooms.lookup("lobby")) otter::send(e.process, ping{});
//
// Reading asks no process: a lookup copies what stands in the table, and may be old when it
// arrives. So may a pid in it: it leaves the table a moment after its end (REG-2).
//
// Names of the node (otter/name.hpp) are for few processes that all know.

#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <otter/detail/registry_core.hpp>
#include <otter/server_ref.hpp>
#include <otter/spawn.hpp>
#include <otter/start.hpp>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <type_traits>
#include <utility>
#include <vector>

namespace otter {

/// How many processes may stand under a key.
enum class registry_keys : unsigned char {
  unique,     ///< one at most
  duplicate,  ///< any number, a process also several times
};

struct registry_options {
  registry_keys keys = registry_keys::unique;
  /// Parts of the table that are locked each for itself, 1 to 1024; more serve more writers.
  unsigned partitions = 8;
  /// With so many entries in the table, register_key() is refused.
  std::size_t max_entries = std::numeric_limits<std::size_t>::max();
  /// Names of processes that hear of every registration and its end.
  std::vector<std::string> listeners = {};
};

/// What stands for the value where there is none.
struct no_value {
  friend bool operator==(no_value, no_value) noexcept = default;
};

/// A process under a key.
template <class Value>
struct registry_entry {
  pid process;
  Value value;
};

/// A process under a key, with the key.
template <class Key, class Value>
struct registry_row {
  Key key;
  pid process;
  Value value;
};

/// What a listener gets for a registration, also by a change of its owner.
template <class Key, class Value>
struct key_registered {
  std::string registry;
  Key key;
  pid process;
  Value value;
};
/// What a listener gets when a process has left a key, or has ended. Of a unique key that has gone
/// from one process to another, it may come behind the `key_registered` of the other.
template <class Key>
struct key_unregistered {
  std::string registry;
  Key key;
  pid process;
};

namespace detail {

struct registry_server;  // what the owner of a table is, seen from outside

tl::expected<pid, start_error> start_registry(std::string const& name, registry_options options,
                                              registry_types const& types,
                                              start_options const& start, start_mode mode);

/// The name_registry of a registry whose keys are texts.
class registry_names : public name_registry {
 public:
  registry_names(std::string_view name, registry_types const& types) noexcept
      : name_(name), types_(types) {}
  pid whereis(std::string_view key) override;
  bool register_name(std::string_view key, pid process) override;
  void unregister_name(std::string_view key) override;

 private:
  std::string name_;
  registry_types const& types_;
};

template <class Key, class Value>
struct registry_types_of {
  static any_message registered(std::string const& registry, table_entry const& e) {
    return any_message::of(
        key_registered<Key, Value>{registry, *static_cast<Key const*>(e.key.get()), e.process,
                                   *static_cast<Value const*>(e.value.get())});
  }
  static any_message unregistered(std::string const& registry, table_entry const& e) {
    return any_message::of(
        key_unregistered<Key>{registry, *static_cast<Key const*>(e.key.get()), e.process});
  }
  static std::shared_ptr<void const> key_of_name(std::string_view name) {
    if constexpr (std::is_constructible_v<Key, std::string_view>)
      return std::make_shared<Key const>(name);
    else
      return nullptr;
  }
  static std::shared_ptr<void const> value_of_name() {
    if constexpr (std::is_default_constructible_v<Value>)
      return std::make_shared<Value const>();
    else
      return nullptr;
  }
  static constexpr registry_types make() {
    return {&descriptor_of<Key>(), &descriptor_of<Value>(), &registered, &unregistered,
            &key_of_name,          &value_of_name};
  }
  static constexpr registry_types value = make();
};

}  // namespace detail

/// Names a registry by the name of its process, whether or not it runs; a value that may be
/// global, copied, and used by every process and node of the program.
///
/// A Key is a text, an integer, an enumeration, a pid or a ref, or a pair, tuple or plain struct of
/// such; two are equal if all their parts are. A Value can be copied; each lookup copies it, so a
/// large one is an otter::shared<T>.
///
/// All operations are called from a process, or an attached thread. Unless they say more they do
/// not block and never exit; those that take a function run it in the caller, with nothing locked.
/// Throws: error(noproc) if no registry runs under the name; error(badarg) if one runs that has
/// other types; std::bad_alloc; what copying keys and values throws.
///
/// Registry and registrant are linked (REG-2): a process that ends leaves all its keys; and if the
/// registry ends abnormally, or is shut down, so do those that are registered and do not trap
/// exits.
template <class Key, class Value = no_value>
class registry {
  static_assert(std::is_object_v<Key> && !std::is_pointer_v<Key>,
                "otter: a key is a value: a text is kept as a std::string");
  static_assert(std::copy_constructible<Key> && std::copy_constructible<Value>,
                "otter: keys and values of a registry are copied out by a lookup");

 public:
  using entry = registry_entry<Value>;
  using row = registry_row<Key, Value>;
  /// The old value and the new one, of update_value().
  struct updated {
    Value now;
    Value before;
  };

  explicit registry(std::string name)
      : name_(std::move(name)), names_(name_, detail::registry_types_of<Key, Value>::value) {}

  [[nodiscard]] std::string const& name() const noexcept { return name_; }

  /// Starts the process that owns the table, under the name; `start.name` is not used.
  /// Blocks: until it runs. Exits: may. Throws: error(badarg) for options that cannot be obeyed.
  start_result<registry> start_link(registry_options options = {},
                                    start_options const& start = {}) const {
    return started(std::move(options), start, detail::start_mode::link);
  }
  start_result<registry> start(registry_options options = {}, start_options const& how = {}) const {
    return started(std::move(options), how, detail::start_mode::alone);
  }

  // --- for the calling process: what it registers (REG-1, REG-3) ---

  /// Puts the caller under `key` and links it to the registry's process, which is returned. A
  /// unique key whose holder has ended is free at once (REG-2).
  ///
  /// Blocks: until the holder of a unique key has said that it lives; listeners may bound their
  /// mailboxes. Exits: may. Throws also: error(system_limit) if there are max_entries.
  tl::expected<pid, already_started> register_key(Key const& key, Value value = Value()) const {
    const auto t = table();
    detail::table_entry e;
    e.key = std::make_shared<Key const>(key);
    e.value = std::make_shared<Value const>(std::move(value));
    if (pid const holder = detail::register_entry(*t, detail::key_text(key), std::move(e)))
      return tl::unexpected<already_started>(already_started{holder});
    return detail::owner_of(*t);
  }
  /// Takes the caller away from `key`, however often it stands there; how many entries that were.
  /// Exits: may.
  std::size_t unregister(Key const& key) const {
    return detail::unregister_entries(*table(), detail::key_text(key), nullptr);
  }
  /// The same for those entries of the caller whose value `predicate(value)` accepts. Exits: may.
  template <class Predicate>
  std::size_t unregister_match(Key const& key, Predicate&& predicate) const {
    const auto t = table();
    const std::string text = detail::key_text(key);
    std::vector<std::uint64_t> numbers;
    for (detail::table_entry const& e : detail::entries_of_both(*t, text, self()))
      if (predicate(value_of(e))) numbers.push_back(e.number);
    return detail::unregister_entries(*t, text, &numbers);
  }
  /// Gives the caller's entry the value `f(old value)`; nothing if the caller has not the key.
  /// Throws also: error(badarg) if keys are not unique.
  template <class F>
  std::optional<updated> update_value(Key const& key, F&& f) const {
    const auto t = table();
    detail::must_be_unique(*t, "update_value");
    const std::string text = detail::key_text(key);
    const auto mine = detail::entries_of_both(*t, text, self());
    if (mine.empty()) return std::nullopt;
    auto const now = std::make_shared<Value const>(f(value_of(mine.front())));
    if (!detail::replace_value(*t, text, mine.front().number, now)) return std::nullopt;
    return updated{*now, value_of(mine.front())};
  }

  // --- for everybody: what is registered (REG-3) ---

  /// Who stands under the key, in the order of registration.
  [[nodiscard]] std::vector<entry> lookup(Key const& key) const {
    return entries(detail::entries_of_key(*table(), detail::key_text(key)));
  }
  /// The keys of a process, in the order of registration; one for each entry.
  [[nodiscard]] std::vector<Key> keys(pid process) const {
    std::vector<Key> all;
    for (detail::table_entry const& e : detail::entries_of_process(*table(), process))
      all.push_back(key_of(e));
    return all;
  }
  /// The values of a process under a key.
  [[nodiscard]] std::vector<Value> values(Key const& key, pid process) const {
    std::vector<Value> all;
    for (detail::table_entry const& e :
         detail::entries_of_both(*table(), detail::key_text(key), process))
      all.push_back(value_of(e));
    return all;
  }
  /// The entries under a key whose value `predicate(value)` accepts.
  template <class Predicate>
  [[nodiscard]] std::vector<entry> match(Key const& key, Predicate&& predicate) const {
    std::vector<entry> all;
    for (detail::table_entry const& e : detail::entries_of_key(*table(), detail::key_text(key)))
      if (predicate(value_of(e))) all.push_back({e.process, value_of(e)});
    return all;
  }
  template <class Predicate>
  [[nodiscard]] std::size_t count_match(Key const& key, Predicate&& predicate) const {
    std::size_t n = 0;
    for (detail::table_entry const& e : detail::entries_of_key(*table(), detail::key_text(key)))
      n += predicate(value_of(e)) ? 1 : 0;
    return n;
  }
  /// All entries that `predicate(key, process, value)` accepts. Copies the whole table; the parts
  /// of it are not of one moment.
  template <class Predicate>
  [[nodiscard]] std::vector<row> select(Predicate&& predicate) const {
    std::vector<row> all;
    for (detail::table_entry const& e : detail::all_entries(*table()))
      if (predicate(key_of(e), e.process, value_of(e)))
        all.push_back({key_of(e), e.process, value_of(e)});
    return all;
  }
  template <class Predicate>
  [[nodiscard]] std::size_t count_select(Predicate&& predicate) const {
    std::size_t n = 0;
    for (detail::table_entry const& e : detail::all_entries(*table()))
      n += predicate(key_of(e), e.process, value_of(e)) ? 1 : 0;
    return n;
  }
  /// How many entries there are.
  [[nodiscard]] std::size_t count() const { return detail::count_entries(*table()); }

  /// Calls `f(std::span<entry const>)` once, in the caller, with all entries of the key; not at all
  /// if there are none. What `f` throws comes out (REG-4).
  template <class F>
  void dispatch(Key const& key, F&& f) const {
    const std::vector<entry> all = lookup(key);
    if (!all.empty()) f(std::span<entry const>(all));
  }

  // --- names and metadata (REG-5) ---

  /// Addresses the process under a unique key, for calls and casts, and registers a server that is
  /// started with it in start_options; its value is Value(). The registry object and the text of
  /// `key` must live as otter::via says. Who has ended is not found: that a call asks so before it
  /// is sent costs it another round.
  [[nodiscard]] otter::via via(std::string_view key) const noexcept
      requires(detail::is_text_key<Key>) {
    return {&names_, key};
  }

  /// Keeps a value for the registry as long as it runs, in place of one under that name.
  template <class T>
  void put_meta(std::string name, T value) const {
    detail::put_metadata(*table(), std::move(name), descriptor_of<T>(),
                         std::make_shared<T const>(std::move(value)));
  }
  /// Nothing if there is none under that name, or one of another type.
  template <class T>
  [[nodiscard]] std::optional<T> meta(std::string_view name) const {
    const auto found = detail::get_metadata(*table(), name, descriptor_of<T>());
    if (found == nullptr) return std::nullopt;
    return *static_cast<T const*>(found.get());
  }
  /// True if there was one.
  bool erase_meta(std::string_view name) const { return detail::erase_metadata(*table(), name); }

 private:
  [[nodiscard]] detail::registry_ptr table() const {
    return detail::get_registry(name_, detail::registry_types_of<Key, Value>::value);
  }
  start_result<registry> started(registry_options options, start_options const& start,
                                 detail::start_mode mode) const {
    auto owner = detail::start_registry(name_, std::move(options),
                                        detail::registry_types_of<Key, Value>::value, start, mode);
    if (!owner) return tl::unexpected<start_error>(std::move(owner.error()));
    return server_ref<registry>(*owner);
  }
  static Key const& key_of(detail::table_entry const& e) noexcept {
    return *static_cast<Key const*>(e.key.get());
  }
  static Value const& value_of(detail::table_entry const& e) noexcept {
    return *static_cast<Value const*>(e.value.get());
  }
  static std::vector<entry> entries(std::vector<detail::table_entry> const& found) {
    std::vector<entry> all;
    all.reserve(found.size());
    for (detail::table_entry const& e : found) all.push_back({e.process, value_of(e)});
    return all;
  }

  std::string name_;
  mutable detail::registry_names names_;  // constant; otter::via wants it so
};

}  // namespace otter
