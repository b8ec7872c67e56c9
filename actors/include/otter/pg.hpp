#pragma once

// otter/pg.hpp - process groups: named sets of processes, which anybody can send to.
//
//   otter::pg::scope<Group>              names a space of groups; joins, leaves, reads, follows
//   otter::pg::joined, otter::pg::left   what who follows a group gets
//
//     inline const otter::pg::scope<std::string> rooms{"rooms"};
//
//     rooms.start_link();                                   // usually by a supervisor
//     rooms.join("lobby", otter::self());
//     rooms.broadcast("lobby", otter::share(said{"hello"}));   // one text, however many hear it
//
// A group needs no making: it is there as long as somebody is in it, and an unknown group is an
// empty one. Who has ended has left. Reading asks no process, and may be old when it arrives.
//
// For keys that processes hold with a value, or that one process at most may hold, see
// otter/registry.hpp.

#include <chrono>
#include <concepts>
#include <cstddef>
#include <memory>
#include <otter/detail/pg_core.hpp>
#include <otter/message.hpp>
#include <otter/receive.hpp>
#include <otter/server_ref.hpp>
#include <otter/shared.hpp>
#include <otter/start.hpp>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace otter::pg {

/// Processes have joined a group that is followed under `ref`; one that joined twice is there
/// twice.
template <class Group>
struct joined {
  monitor_ref ref;
  Group group;
  std::vector<pid> processes;
};
/// Processes have left it, or have ended.
template <class Group>
struct left {
  monitor_ref ref;
  Group group;
  std::vector<pid> processes;
};

/// What monitor() returns.
struct monitored_group {
  monitor_ref ref;
  std::vector<pid> members;
};
/// What monitor_scope() returns.
template <class Group>
struct monitored_scope {
  struct row {
    Group group;
    std::vector<pid> members;
  };
  monitor_ref ref;
  std::vector<row> groups;  ///< the oldest first
};

/// Names a scope by the name of its process, whether or not it runs; a value that may be global,
/// copied, and used by every process of the node.
///
/// Scopes know nothing of each other (PG-1). A Group is a text, an integer, an enumeration, a pid
/// or a ref, or a pair, tuple or plain struct of such; two are equal if all their parts are.
///
/// Memberships live as long as the scope's process: one that is started again is empty, and members
/// that want to be in it join again (PG-7). Members and scope are not linked.
///
/// All operations are called from a process, or an attached thread. Throws: error(badarg) if the
/// name is that of a scope whose groups have another type; std::bad_alloc; what copying a Group
/// throws.
template <class Group>
class scope {
  static_assert(std::is_object_v<Group> && !std::is_pointer_v<Group>,
                "otter: a group is named by a value: a text is kept as a std::string");
  static_assert(std::copy_constructible<Group>, "otter: names of groups are copied");

 public:
  explicit scope(std::string name = "pg") : name_(std::move(name)) {}

  [[nodiscard]] std::string const& name() const noexcept { return name_; }

  /// Starts the scope's process, under the name; `options.name` is not used.
  /// Blocks: until it runs. Exits: may.
  start_result<scope> start_link(start_options const& options = {}) const {
    return started(options, detail::start_mode::link);
  }
  start_result<scope> start(start_options const& options = {}) const {
    return started(options, detail::start_mode::alone);
  }

  // --- joining and leaving: when they return, everybody can see it ---
  //
  // Any process may say it of any process of its node. Blocks: until the scope's process has done
  // it. Exits: may. Throws also: process_exit(noproc) if the scope does not run (PG-9);
  // error(nolocal) for a process of another node (PG-2); error(badarg) for no process.

  /// Puts `process` into the group, once more if it is there already: it then appears as often, and
  /// has to leave as often. One that has ended is out again in a moment.
  void join(Group const& group, pid process) const { join(group, std::vector<pid>{process}); }
  void join(Group const& group, std::vector<pid> processes) const {
    detail::join_group(name_, types, named(group), std::move(processes));
  }
  /// Takes `process` out of the group, once. False: it was not in it. Of several each is taken out
  /// that was in it; false if none was (PG-3).
  bool leave(Group const& group, pid process) const {
    return leave(group, std::vector<pid>{process});
  }
  bool leave(Group const& group, std::vector<pid> processes) const {
    return detail::leave_group(name_, types, named(group), std::move(processes));
  }

  // --- reading (PG-5) ---
  //
  // Lock-free, and asks no process; a scope that does not run has no groups. Blocks: never.
  // Exits: never.

  /// Who is in the group, in the order of joining.
  [[nodiscard]] std::vector<pid> get_members(Group const& group) const {
    return detail::members_of(name_, types, detail::key_text(group));
  }
  /// Those of them that are of this node. Nodes are not connected yet: they all are.
  [[nodiscard]] std::vector<pid> get_local_members(Group const& group) const {
    return get_members(group);
  }
  /// The groups that have members, the oldest first.
  [[nodiscard]] std::vector<Group> which_groups() const {
    std::vector<Group> all;
    for (detail::group_key const& key : detail::groups_of(name_, types)) all.push_back(of(key));
    return all;
  }
  [[nodiscard]] std::vector<Group> which_local_groups() const { return which_groups(); }

  /// Sends each member a copy of `message`, a large one best as an otter::shared<T>, which all of
  /// them then read in place. To how many; a process that is in the group twice gets it twice.
  ///
  /// Blocks: never, unless a member bounds its mailbox with overflow::block. Exits: may.
  template <class Message>
  std::size_t broadcast(Group const& group, Message const& message) const {
    static_assert(std::copy_constructible<Message>,
                  "otter: a message to many is copied; send otter::share(message)");
    std::vector<pid> const all = get_members(group);
    for (pid const member : all) otter::send(member, message);
    return all.size();
  }

  // --- following (PG-8) ---
  //
  // What is returned and the events after it have no gap between them and nothing twice; events
  // come in the order in which things happened. They are plain messages: a follower that bounds its
  // mailbox may lose some by a policy that drops. Who follows twice gets each event twice. The end
  // of the follower, or of the scope, ends it.
  //
  // Blocks: until the scope's process has answered. Exits: may. Throws also: process_exit(noproc)
  // if the scope does not run.

  /// From now on the caller gets a `joined<Group>` or `left<Group>` for each change of the group,
  /// which need not be there yet.
  [[nodiscard]] monitored_group monitor(Group const& group) const {
    detail::watched_groups now = detail::watch_group(name_, types, detail::key_text(group));
    if (now.groups.empty()) return {now.ref, {}};
    return {now.ref, std::move(now.groups.front().members)};
  }
  /// The same for all groups of the scope.
  [[nodiscard]] monitored_scope<Group> monitor_scope() const {
    detail::watched_groups now = detail::watch_scope(name_, types);
    monitored_scope<Group> result{now.ref, {}};
    result.groups.reserve(now.groups.size());
    for (detail::group_members& g : now.groups)
      result.groups.push_back({of(g.key), std::move(g.members)});
    return result;
  }
  /// Ends it. No event of `ref` comes after that, and none is left in the caller's mailbox. False:
  /// the scope does not know it, or does not run. Throws: not noproc.
  bool demonitor(monitor_ref ref) const {
    bool const known = detail::unwatch(name_, types, ref);
    auto const its = [ref](auto const& event) { return event.ref == ref; };
    while (receive(when(its, [](joined<Group> const&) { return true; }),
                   when(its, [](left<Group> const&) { return true; }),
                   after(std::chrono::seconds(0), [] { return false; })))
      continue;
    return known;
  }

 private:
  template <class Event>
  static any_message event(monitor_ref ref, void const* group, std::vector<pid> const& processes) {
    return any_message::of(Event{ref, *static_cast<Group const*>(group), processes});
  }
  static constexpr detail::scope_types types{&descriptor_of<Group>(), &event<joined<Group>>,
                                             &event<left<Group>>};

  static detail::named_group named(Group const& group) {
    return {detail::key_text(group), std::make_shared<Group const>(group)};
  }
  static Group const& of(detail::group_key const& key) noexcept {
    return *static_cast<Group const*>(key.get());
  }
  start_result<scope> started(start_options const& options, detail::start_mode mode) const {
    auto process = detail::start_scope(name_, types, options, mode);
    if (!process) return tl::unexpected<start_error>(std::move(process.error()));
    return server_ref<scope>(*process);
  }

  std::string name_;
};

}  // namespace otter::pg
