#pragma once

// otter/detail/registry_core.hpp - what a registry does without knowing the types of its keys and
// values.
//
//   otter::detail::table_entry      one registration, types erased
//   otter::detail::registry_types   the types of one registry, and how its events are made

#include <cstddef>
#include <cstdint>
#include <memory>
#include <otter/detail/key_text.hpp>
#include <otter/message.hpp>
#include <otter/pid.hpp>
#include <otter/type_descriptor.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace otter {

struct registry_options;

namespace detail {

/// One registration. Key and value are immutable and shared with whoever copied them out.
struct table_entry {
  pid process;
  std::uint64_t number = 0;  ///< its place in the order of registration
  std::shared_ptr<void const> key;
  std::shared_ptr<void const> value;
};

/// The types of a registry, as the module sees them that uses it.
struct registry_types {
  type_descriptor const* key;
  type_descriptor const* value;
  any_message (*registered)(std::string const& registry, table_entry const& entry);
  any_message (*unregistered)(std::string const& registry, table_entry const& entry);
  /// The key and the value of a process that registers via a name; null if keys are no text.
  std::shared_ptr<void const> (*key_of_name)(std::string_view name);
  std::shared_ptr<void const> (*value_of_name)();
};

class registry_table;
using registry_ptr = std::shared_ptr<registry_table>;

/// The table of the registry that runs under that name, or null.
/// Throws: error(badarg) if its types are others.
registry_ptr find_registry(std::string_view name, registry_types const& types);
/// Throws: error(noproc) if there is none.
registry_ptr get_registry(std::string_view name, registry_types const& types);

/// The owner, which is no process if `text` is free and the caller has it now; else who has it.
pid register_entry(registry_table& table, std::string const& text, table_entry entry);
std::vector<table_entry> entries_of_key(registry_table const& table, std::string_view text);
std::vector<table_entry> entries_of_both(registry_table const& table, std::string_view text,
                                         pid process);
std::vector<table_entry> entries_of_process(registry_table const& table, pid process);
std::vector<table_entry> all_entries(registry_table const& table);
std::size_t count_entries(registry_table const& table);
/// Who has the key and lives, or no process. Blocks: until a holder has answered.
pid living_holder(registry_table const& table, std::string_view text);
/// Removes the caller's entries of that key: all, or those with these numbers.
std::size_t unregister_entries(registry_table& table, std::string_view text,
                               std::vector<std::uint64_t> const* numbers);
/// False if the caller has lost the key meanwhile.
bool replace_value(registry_table& table, std::string_view text, std::uint64_t number,
                   std::shared_ptr<void const> value);
/// Throws: error(badarg) if the registry's keys are not unique.
void must_be_unique(registry_table const& table, std::string_view what);
pid owner_of(registry_table const& table) noexcept;

void put_metadata(registry_table& table, std::string name, type_descriptor const& type,
                  std::shared_ptr<void const> value);
std::shared_ptr<void const> get_metadata(registry_table const& table, std::string_view name,
                                         type_descriptor const& type);
bool erase_metadata(registry_table& table, std::string_view name);

}  // namespace detail
}  // namespace otter
