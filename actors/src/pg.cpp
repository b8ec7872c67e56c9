// A scope of process groups: a table that everybody reads, and the process that writes it.

#include <fmt/format.h>

#include <map>
#include <optional>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/gen.hpp>
#include <otter/gen_server.hpp>
#include <otter/monitor.hpp>
#include <otter/name.hpp>
#include <otter/pg.hpp>
#include <otter/process_info.hpp>
#include <unordered_map>

#include "group_table.hpp"
#include "running_tables.hpp"

namespace otter::detail {

// --- what the operations send ---

struct join_request {
  using reply = void;
  named_group group;
  std::vector<pid> processes;
};
struct leave_request {
  using reply = bool;
  named_group group;
  std::vector<pid> processes;
};
struct watch_request {
  using reply = watched_groups;
  std::optional<std::string> group;  // none: all
};
struct unwatch_request {
  using reply = bool;
  monitor_ref watch;
};

// --- the table and its process ---

/// What all who use one scope share.
///
/// Ownership: with the scope's process. Threads: `groups` says; the rest is constant.
struct scope_table {
  explicit scope_table(scope_types const& of) : types(of) {}
  scope_types const types;
  group_table groups;
};

/// Those who follow one group, or the scope: in the order in which they came.
using followers = std::map<monitor_ref, pid>;

/// Ownership: of the monitors of members and followers. Threads: its own process.
/// Invariant: whoever is in a group is in ends_. Whoever follows is in watched_; and in of_group_
///            under the group that stands there, or in of_scope_ if none does.
class scope_process : public gen_server<scope_process> {
 public:
  using accepts = otter::accepts<join_request, leave_request, watch_request, unwatch_request>;

  explicit scope_process(std::shared_ptr<scope_table> table) : table_(std::move(table)) {}

  void handle_call(join_request const& request) {
    for (pid const p : request.processes) {
      table_->groups.join(request.group.text, request.group.key, p);
      // One that has ended is heard of at once, behind its joining (PG-4).
      if (auto const [at, fresh] = ends_.try_emplace(p); fresh) at->second = otter::monitor(p);
    }
    tell(table_->types.joined, request.group, request.processes);
  }

  bool handle_call(leave_request const& request) {
    std::vector<pid> gone;
    for (pid const p : request.processes) {
      if (!table_->groups.leave(request.group.text, p)) continue;
      gone.push_back(p);
      if (table_->groups.has(p)) continue;
      auto const end = ends_.find(p);
      // Its `down` may be here already: then it is found to be of no monitor any more.
      otter::demonitor(end->second);
      ends_.erase(end);
    }
    tell(table_->types.left, request.group, gone);
    return !gone.empty();
  }

  watched_groups handle_call(watch_request request, caller<watch_request> who) {
    pid const follower = who.process();
    watched_groups now{otter::monitor(follower), {}};
    reading here;
    if (request.group) {
      now.groups.push_back({nullptr, table_->groups.members(*request.group, here)});
      of_group_[*request.group].emplace(now.ref, follower);
    } else {
      for (group_table::listing& r : table_->groups.groups(group_table::with_members::yes, here))
        now.groups.push_back({std::move(r.key), std::move(r.members)});
      of_scope_.emplace(now.ref, follower);
    }
    watched_.emplace(now.ref, std::move(request.group));
    return now;
  }

  bool handle_call(unwatch_request request) {
    if (!forget(request.watch)) return false;
    otter::demonitor(request.watch);
    return true;
  }

  void handle_info(down const& end) {
    if (forget(end.ref)) return;
    auto const at = ends_.find(end.process);
    if (at == ends_.end() || !(at->second == end.ref)) return;
    ends_.erase(at);
    for (group_table::departure& d : table_->groups.leave_all(end.process))
      tell(table_->types.left, {std::move(d.text), std::move(d.key)},
           std::vector<pid>(d.places, end.process));
  }

 private:
  void tell(group_event event, named_group const& group, std::vector<pid> const& processes) {
    if (processes.empty()) return;
    tell_all(of_scope_, event, group, processes);
    if (auto const at = of_group_.find(group.text); at != of_group_.end())
      tell_all(at->second, event, group, processes);
  }
  static void tell_all(followers const& all, group_event event, named_group const& group,
                       std::vector<pid> const& processes) {
    // Under it a full mailbox with overflow::block takes the event all the same: no follower holds
    // the scope up, and none misses anything.
    defer_exit at_once;
    for (auto const& [watch, follower] : all)
      otter::send(follower, event(watch, group.key.get(), processes));
  }

  /// False: nobody follows under that name.
  bool forget(monitor_ref watch) {
    auto const at = watched_.find(watch);
    if (at == watched_.end()) return false;
    if (at->second) {
      auto const group = of_group_.find(*at->second);
      group->second.erase(watch);
      if (group->second.empty()) of_group_.erase(group);
    } else {
      of_scope_.erase(watch);
    }
    watched_.erase(at);
    return true;
  }

  published<scope_table> table_;
  std::unordered_map<pid, monitor_ref> ends_;
  followers of_scope_;
  std::map<std::string, followers, std::less<>> of_group_;
  std::unordered_map<monitor_ref, std::optional<std::string>> watched_;
};

// --- the operations ---

namespace {

/// The table of a scope's process, or null if it is none. Throws: error(badarg): see pg_core.hpp.
scope_table* table_of(pid process, std::string_view scope, scope_types const& types,
                      reading const& here) {
  scope_table* const table = running_tables<scope_table>::instance().find(process, here);
  if (table != nullptr && !same_type(*table->types.group, *types.group))
    throw error(errc::badarg,
                fmt::format("scope \"{}\" has groups named by {}, and is used with {}", scope,
                            table->types.group->name, types.group->name));
  return table;
}

/// The scope's process, or none.
pid find_process(std::string_view scope, scope_types const& types) {
  pid const process = whereis(scope);
  reading here;
  return table_of(process, scope, types, here) == nullptr ? pid{} : process;
}

/// The scope's process. Throws: process_exit(noproc) if it does not run.
pid process_of(std::string_view scope, scope_types const& types, std::string_view what) {
  if (pid const process = find_process(scope, types)) return process;
  throw_call_failed({{}, scope}, what, exit_reason::noproc());
}

void must_be_local(std::string_view scope, std::vector<pid> const& processes) {
  for (pid const p : processes) {
    if (!p)
      throw error(errc::badarg, fmt::format("scope \"{}\": no process joins or leaves", scope));
    if (!is_local(p))
      throw error(
          errc::nolocal,
          fmt::format("scope \"{}\": {} is of another node; let it join or leave there", scope, p));
  }
}

}  // namespace

tl::expected<pid, start_error> start_scope(std::string const& scope, scope_types const& types,
                                           start_options const& start, start_mode mode) {
  return start_owner<scope_process>("scope", scope, start, mode,
                                    std::make_shared<scope_table>(types));
}

void join_group(std::string_view scope, scope_types const& types, named_group group,
                std::vector<pid> processes) {
  must_be_local(scope, processes);
  otter::call(process_of(scope, types, "pg::join"),
              join_request{std::move(group), std::move(processes)}, infinity);
}

bool leave_group(std::string_view scope, scope_types const& types, named_group group,
                 std::vector<pid> processes) {
  must_be_local(scope, processes);
  return otter::call(process_of(scope, types, "pg::leave"),
                     leave_request{std::move(group), std::move(processes)}, infinity);
}

std::vector<pid> members_of(std::string_view scope, scope_types const& types,
                            std::string_view group) {
  pid const process = whereis(scope);
  reading here;
  scope_table const* const table = table_of(process, scope, types, here);
  if (table == nullptr) return {};
  return table->groups.members(group, here);
}

std::vector<group_key> groups_of(std::string_view scope, scope_types const& types) {
  std::vector<group_key> keys;
  pid const process = whereis(scope);
  reading here;
  scope_table const* const table = table_of(process, scope, types, here);
  if (table == nullptr) return keys;
  for (group_table::listing& r : table->groups.groups(group_table::with_members::no, here))
    keys.push_back(std::move(r.key));
  return keys;
}

watched_groups watch_group(std::string_view scope, scope_types const& types,
                           std::string const& group) {
  return otter::call(process_of(scope, types, "pg::monitor"), watch_request{group}, infinity);
}

watched_groups watch_scope(std::string_view scope, scope_types const& types) {
  return otter::call(process_of(scope, types, "pg::monitor_scope"), watch_request{{}}, infinity);
}

bool unwatch(std::string_view scope, scope_types const& types, monitor_ref watch) {
  // To no process, and to one that ends meanwhile: nobody knows it any more.
  return otter::try_call(find_process(scope, types), unwatch_request{watch}, infinity)
      .value_or(false);
}

}  // namespace otter::detail
