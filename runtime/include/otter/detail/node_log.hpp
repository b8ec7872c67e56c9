#pragma once

// otter/detail/node_log.hpp - what a node offers to the room above that keeps its log.
//
//   otter::detail::node_log           what that room keeps for one node, and gets its events by
//   otter::detail::current_node_log() the one of the calling thread's node
//   otter::detail::post()             a message from wherever something is to be logged
//   otter::detail::may_wait()         whether the caller can be made to wait for the log
//
// The runtime knows nothing of levels, filters and handlers: otter/logger.hpp implements them.

#include <memory>
#include <otter/message.hpp>
#include <otter/node.hpp>
#include <otter/pid.hpp>
#include <type_traits>
#include <utility>

namespace otter::detail {

/// Ownership: the node's, from the first use on; it goes when no thread of the node is left.
class node_log {
 public:
  virtual ~node_log() = default;
  /// An event of the node. True: there is somebody who shows such events, so it need not go to
  /// stderr. Called from: any thread, also in the middle of the runtime: must not wait.
  virtual bool take(node_event const& event) noexcept = 0;
};

/// Of the node that the calling thread works for: as a process, as an attached thread, or with a
/// job of blocking() or offload(). Null: it works for none, or nothing has asked for a log there.
/// Called from: any thread. Exits: never.
node_log* current_node_log() noexcept;

/// The same, made by `make` if it is not there yet. Null: the calling thread works for no node.
/// Throws: what `make` throws.
node_log* make_node_log(std::unique_ptr<node_log> (*make)());

/// True if the calling thread's node has an on_event, which gets all events whatever their level.
bool has_listener() noexcept;

/// What is left to do with an event that a log has seen: the trace, on_event, and stderr unless
/// it was taken. Called from: any thread; one that works for no node has stderr only.
void hand_on(node_event event, bool taken) noexcept;

/// The process that something is logged by: the calling one, or the one that waits for the calling
/// thread's job. None: the thread does nobody's job. Exits: never.
pid logging_process() noexcept;

/// True if the caller may be made to wait: it is a process or an attached thread, is not ending,
/// and no guard or exception on its way forbids it. Exits: never.
bool may_wait() noexcept;

/// While it lives, the calling thread can make messages, if it works for a node.
class message_memory {
 public:
  message_memory();
  ~message_memory();
  message_memory(message_memory const&) = delete;
  message_memory& operator=(message_memory const&) = delete;

 private:
  void* lent_ = nullptr;
};

/// Takes it over; drops it if `to` has ended.
void post_envelope(pid to, envelope_ptr e) noexcept;

/// Sends a plain message as send() does, but from any thread that works for the node, in the
/// middle of the runtime too; nobody pays for it with his turn.
/// Called from: any thread. Blocks: never. Exits: never.
/// Throws: std::bad_alloc; error(not_in_process) from a thread that works for no node.
template <class Message>
void post(pid to, Message&& message) {
  message_memory memory;
  post_envelope(to,
                pack<std::decay_t<Message>>(signal_kind::message, std::forward<Message>(message)));
}

}  // namespace otter::detail
