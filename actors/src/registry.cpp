// The registry: a table that everybody reads, and a process that hears of ends.

#include <fmt/format.h>

#include <map>
#include <mutex>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <otter/link.hpp>
#include <otter/name.hpp>
#include <otter/process_info.hpp>
#include <otter/registry.hpp>
#include <shared_mutex>

#include "process_table.hpp"
#include "running_tables.hpp"

namespace otter::detail {

/// What all users of one registry share.
///
/// Ownership: of the entries and the metadata; itself of its process and of those that use it just
///            now.
/// Threads:   any. entries locks for itself; metadata is guarded by metadata_mutex; the rest is
///            constant once the process has published it.
/// Invariant: whoever has an entry is linked to owner, by a link that was made after the insertion:
///            so the owner hears of the end, and finds the entry.
class registry_table {
 public:
  registry_table(std::string its_name, registry_options how, registry_types const& of)
      : name(std::move(its_name)),
        options(std::move(how)),
        types(of),
        entries(options.partitions, options.max_entries) {}

  struct metadatum {
    type_descriptor const* type;
    std::shared_ptr<void const> value;
  };

  std::string const name;
  registry_options const options;
  registry_types const types;
  pid owner;
  pid parent;  // whose link to the owner is not the table's
  process_table entries;
  mutable std::shared_mutex metadata_mutex;
  std::map<std::string, metadatum, std::less<>> metadata;
};

namespace {

using any_event = any_message (*)(std::string const& registry, table_entry const& entry);

/// Tells the listeners that run. One whose mailbox does not take it misses it.
void tell_listeners(registry_table const& table, any_event event, table_entry const& entry) {
  for (std::string const& listener : table.options.listeners) {
    pid const to = whereis(listener);
    if (!to) continue;
    try {
      otter::send(to, event(table.name, entry));
    } catch (error const& e) {
      if (e.code() != errc::mailbox_full) throw;
    }
  }
}

}  // namespace

/// Ownership: of the table, with others. Threads: its own process.
class registry_process : public gen_server<registry_process> {
 public:
  using accepts = otter::accepts<>;

  explicit registry_process(registry_ptr const& table) : table_(prepared(table)) {
    trap_exit(true);
  }

  void handle_info(exited const& end) {
    // A signal that somebody sent is no end of his.
    if (is_alive(end.process)) return;
    for (table_entry const& e : table_->entries.erase_process(end.process))
      tell_listeners(*table_, table_->types.unregistered, e);
  }

 private:
  static registry_ptr const& prepared(registry_ptr const& table) {
    table->owner = self();
    return table;
  }

  published<registry_table> table_;
};

tl::expected<pid, start_error> start_registry(std::string const& name, registry_options options,
                                              registry_types const& types,
                                              start_options const& start, start_mode mode) {
  if (options.partitions == 0 || options.partitions > 1024)
    throw error(errc::badarg, fmt::format("registry \"{}\": {} partitions, must be 1 to 1024", name,
                                          options.partitions));
  auto table = std::make_shared<registry_table>(name, std::move(options), types);
  if (mode == start_mode::link) table->parent = self();
  return start_owner<registry_process>("registry", name, start, mode, std::move(table));
}

registry_ptr find_registry(std::string_view name, registry_types const& types) {
  pid const owner = whereis(name);
  if (!owner) return nullptr;
  registry_ptr table = running_tables<registry_table>::instance().share(owner);
  if (table == nullptr) return nullptr;
  if (!same_type(*table->types.key, *types.key) || !same_type(*table->types.value, *types.value))
    throw error(errc::badarg,
                fmt::format("registry \"{}\" has keys {} and values {}, and is used with {} and {}",
                            name, table->types.key->name, table->types.value->name, types.key->name,
                            types.value->name));
  return table;
}

registry_ptr get_registry(std::string_view name, registry_types const& types) {
  registry_ptr table = find_registry(name, types);
  if (table == nullptr)
    throw error(errc::noproc, fmt::format("no registry runs under the name \"{}\"", name));
  return table;
}

pid register_entry(registry_table& table, std::string const& text, table_entry entry) {
  bool const unique = table.options.keys == registry_keys::unique;
  entry.process = self();
  process_table::insertion done;
  for (pid dead;; dead = done.holder) {
    done =
        unique ? table.entries.insert_unique(text, entry, dead) : table.entries.insert(text, entry);
    if (!done.holder) break;
    if (done.holder == entry.process || is_alive(done.holder)) return done.holder;
  }
  if (!done.full) {
    try {
      otter::link(table.owner);
    } catch (...) {
      table.entries.erase(text, entry.process, done.number);
      throw;
    }
  }
  for (table_entry const& e : done.replaced) tell_listeners(table, table.types.unregistered, e);
  if (done.full)
    throw error(errc::system_limit,
                fmt::format("registry \"{}\" has {} entries, as many as allowed", table.name,
                            table.options.max_entries));
  tell_listeners(table, table.types.registered, entry);
  return {};
}

std::vector<table_entry> entries_of_key(registry_table const& table, std::string_view text) {
  return table.entries.of_key(text);
}
std::vector<table_entry> entries_of_both(registry_table const& table, std::string_view text,
                                         pid process) {
  return table.entries.of_both(text, process);
}
std::vector<table_entry> entries_of_process(registry_table const& table, pid process) {
  return table.entries.of_process(process);
}
std::vector<table_entry> all_entries(registry_table const& table) { return table.entries.all(); }
std::size_t count_entries(registry_table const& table) { return table.entries.size(); }

pid living_holder(registry_table const& table, std::string_view text) {
  const std::vector<table_entry> found = table.entries.of_key(text);
  if (found.empty()) return {};
  pid const holder = found.front().process;
  return holder == self() || is_alive(holder) ? holder : pid{};
}

std::size_t unregister_entries(registry_table& table, std::string_view text,
                               std::vector<std::uint64_t> const* numbers) {
  pid const me = self();
  std::vector<table_entry> gone;
  if (numbers == nullptr) {
    gone = table.entries.erase(text, me);
  } else {
    for (std::uint64_t const number : *numbers)
      if (auto e = table.entries.erase(text, me, number)) gone.push_back(std::move(*e));
  }
  if (!gone.empty() && me != table.parent && !table.entries.has(me)) unlink(table.owner);
  for (table_entry const& e : gone) tell_listeners(table, table.types.unregistered, e);
  return gone.size();
}

bool replace_value(registry_table& table, std::string_view text, std::uint64_t number,
                   std::shared_ptr<void const> value) {
  return table.entries.replace_value(text, self(), number, value);
}

void must_be_unique(registry_table const& table, std::string_view what) {
  if (table.options.keys != registry_keys::unique)
    throw error(errc::badarg,
                fmt::format("registry \"{}\": {} needs unique keys", table.name, what));
}

pid owner_of(registry_table const& table) noexcept { return table.owner; }

// --- names ---

pid registry_names::whereis(std::string_view key) {
  registry_ptr const table = find_registry(name_, types_);
  if (table == nullptr) return {};
  must_be_unique(*table, "a name");
  return living_holder(*table, key);
}

bool registry_names::register_name(std::string_view key, pid process) {
  registry_ptr const table = get_registry(name_, types_);
  must_be_unique(*table, "a name");
  if (process != self())
    throw error(errc::badarg, fmt::format("registry \"{}\": {} may be registered by itself only",
                                          name_, process));
  table_entry e;
  e.key = types_.key_of_name(key);
  e.value = types_.value_of_name();
  if (e.key == nullptr || e.value == nullptr)
    throw error(errc::badarg,
                fmt::format("registry \"{}\": a name needs a key that is a text, and a value that "
                            "can be made of nothing",
                            name_));
  return !register_entry(*table, std::string(key), std::move(e));
}

void registry_names::unregister_name(std::string_view key) {
  if (registry_ptr const table = find_registry(name_, types_))
    unregister_entries(*table, key, nullptr);
}

// --- metadata ---

void put_metadata(registry_table& table, std::string name, type_descriptor const& type,
                  std::shared_ptr<void const> value) {
  std::unique_lock lock(table.metadata_mutex);
  registry_table::metadatum& there = table.metadata[std::move(name)];
  there.type = &type;
  there.value.swap(value);  // the old one is destroyed by the caller, without the lock
}

std::shared_ptr<void const> get_metadata(registry_table const& table, std::string_view name,
                                         type_descriptor const& type) {
  std::shared_lock lock(table.metadata_mutex);
  auto const at = table.metadata.find(name);
  if (at == table.metadata.end() || !same_type(*at->second.type, type)) return nullptr;
  return at->second.value;
}

bool erase_metadata(registry_table& table, std::string_view name) {
  std::shared_ptr<void const> gone;
  std::unique_lock lock(table.metadata_mutex);
  auto const at = table.metadata.find(name);
  if (at == table.metadata.end()) return false;
  gone = std::move(at->second.value);
  table.metadata.erase(at);
  return true;
}

}  // namespace otter::detail
