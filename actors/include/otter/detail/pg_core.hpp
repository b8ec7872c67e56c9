#pragma once

// otter/detail/pg_core.hpp - what a scope of process groups does without knowing how its groups are
// named.
//
//   otter::detail::group_key      the name of a group, its type erased
//   otter::detail::scope_types    the type of such names, and how events are made of them

#include <memory>
#include <otter/detail/key_text.hpp>
#include <otter/message.hpp>
#include <otter/pid.hpp>
#include <otter/ref.hpp>
#include <otter/start.hpp>
#include <otter/type_descriptor.hpp>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace otter::detail {

/// Immutable, and shared with whoever copied it out.
using group_key = std::shared_ptr<void const>;
using group_event = any_message (*)(monitor_ref watch, void const* group,
                                    std::vector<pid> const& processes);

/// The types of a scope, as the module sees them that uses it.
struct scope_types {
  type_descriptor const* group;
  group_event joined;
  group_event left;
};

struct group_members {
  group_key key;
  std::vector<pid> members;
};
struct watched_groups {
  monitor_ref ref;
  std::vector<group_members> groups;
};
/// A group as it is sent to the scope's process.
struct named_group {
  std::string text;
  group_key key;
};

// Of all of them: `scope` is the name of the scope's process.
// Throws: error(badarg) if its types are others.

tl::expected<pid, start_error> start_scope(std::string const& scope, scope_types const& types,
                                           start_options const& start, start_mode mode);
void join_group(std::string_view scope, scope_types const& types, named_group group,
                std::vector<pid> processes);
bool leave_group(std::string_view scope, scope_types const& types, named_group group,
                 std::vector<pid> processes);
std::vector<pid> members_of(std::string_view scope, scope_types const& types,
                            std::string_view group);
std::vector<group_key> groups_of(std::string_view scope, scope_types const& types);
/// One group, or all of them.
watched_groups watch_group(std::string_view scope, scope_types const& types,
                           std::string const& group);
watched_groups watch_scope(std::string_view scope, scope_types const& types);
bool unwatch(std::string_view scope, scope_types const& types, monitor_ref watch);

}  // namespace otter::detail
