#pragma once

// otter/detail/estate.hpp - what a node offers to a room above whose things belong to processes and
// end with them, before anybody hears of the end (P-18).
//
//   otter::detail::node_estates   what that room keeps for one node, and hears of ends by
//   otter::detail::mark_owner()   from now on the end of a process is told
//   otter::detail::estate         what is left of an owner, to be destroyed
//
// A socket is in a list of its owner and goes to another one by a signal, since only the owner may
// touch the list. Here a mark on the process is all that the runtime keeps: so ownership changes at
// once, whoever changes it, and who owns nothing pays nothing.

#include <cstddef>
#include <functional>
#include <memory>
#include <otter/pid.hpp>
#include <span>
#include <string_view>

namespace otter::detail {

/// Destroyed where the destructors of users may run.
class estate {
 public:
  estate() = default;
  virtual ~estate() = default;
  estate(estate const&) = delete;
  estate& operator=(estate const&) = delete;
};

/// Ownership: the node's, from the first use on.
class node_estates {
 public:
  virtual ~node_estates() = default;
  /// `owner`, which was marked, has ended, by itself, killed or given up. When this returns nobody
  /// must find what it owned; what is returned is destroyed next. Its name is still taken, links
  /// and monitors have not been told. Called once for each owner, on any worker, in the middle of
  /// the runtime: must not wait, and may post().
  virtual std::unique_ptr<estate> owner_ended(pid owner) noexcept = 0;
  /// Shows all memory of that room in which addresses of a module's code may lie, and whose it is:
  /// a version is unmapped only if there are none. Called while no process of the node runs: no
  /// lock is held by one, and nothing may be sent. Throws: what `look` throws.
  using memory_look =
      std::function<void(std::span<std::byte const>, pid owner, std::string_view what)>;
  virtual void each_memory(memory_look const& look) const = 0;
};

/// Of the calling thread's node. Null: it works for none, or none was made. Exits: never.
node_estates* current_node_estates() noexcept;
/// The same, made by `make` if it is not there yet. Null: the calling thread works for no node.
/// Throws: what `make` throws.
node_estates* make_node_estates(std::unique_ptr<node_estates> (*make)());

/// From now on the end of `owner` is told. False: it has ended, or is of another node; then what
/// was told before is all. So what changes hands does so before this is called, and goes back if it
/// fails and is still there.
///
/// Called from: a process, an attached thread, or owner_ended(). Blocks: never. Exits: never.
bool mark_owner(pid owner) noexcept;

}  // namespace otter::detail
