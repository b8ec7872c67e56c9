#pragma once

// otter/spawn_request.hpp - starting a process without waiting to learn how it went.
//
//   otter::spawn_request()           asks for a process; a spawn_reply tells which, or why not
//   otter::spawn_reply               that message
//   otter::spawn_reply_mode          which replies are wanted
//   otter::spawn_request_abandon()   gives an unanswered request up
//
// spawn() of otter/spawn.hpp throws where this sends a message. Until the reply has been received
// the request is *outstanding*: it can be abandoned, and its monitor cannot be removed.

#include <optional>
#include <otter/error.hpp>
#include <otter/ref.hpp>
#include <otter/spawn.hpp>
#include <string>
#include <utility>

namespace otter {

/// The answer to a spawn_request(). It is received before anything that the new process does to
/// the requester, `exited` and `down` included (SP-9).
struct spawn_reply {
  request_id request;
  pid process;                ///< the new one; none if it was refused
  std::optional<errc> error;  ///< why it was refused: badarg, system_limit
  std::string text;           ///< for people, if it was refused
};

/// The reply of a request that was made with a tag (SP-7).
template <class Tag>
struct tagged_spawn_reply {
  Tag tag;
  spawn_reply what;
};

enum class spawn_reply_mode : unsigned char { yes, no, error_only, success_only };

namespace detail {
/// Makes the message of a tagged request out of the reply; `tag` is the tag's envelope, reused.
using spawn_reply_maker = envelope_ptr (*)(envelope_ptr tag, spawn_reply&& what);
request_id request_spawn(spawn_options const& options, spawn_reply_mode mode, reactive_ptr body,
                         envelope_ptr tag, spawn_reply_maker make);
}  // namespace detail

/// Asks for a process that runs `f(args...)`; returns at once. By default exactly one spawn_reply
/// follows (SP-8).
///
/// With options.monitor the request names the monitor as well: monitor_ref(request). It cannot be
/// removed before the reply has been received (SP-10). Should the caller end first, a linked child
/// ends with its reason (SP-12).
///
/// Called from: a process, or an attached thread. Blocks: never. Exits: may.
/// Throws: std::bad_alloc if there is no memory for the request itself.
template <class Function, class... Args>
request_id spawn_request(spawn_options const& options, spawn_reply_mode mode, Function&& f,
                         Args&&... args) {
  return detail::request_spawn(
      options, mode,
      detail::make_function_body(std::forward<Function>(f), std::forward<Args>(args)...), nullptr,
      nullptr);
}
template <class Function, class... Args>
requires std::is_invocable_v<std::decay_t<Function>, std::decay_t<Args>...> request_id
spawn_request(spawn_options const& options, Function&& f, Args&&... args) {
  return spawn_request(options, spawn_reply_mode::yes, std::forward<Function>(f),
                       std::forward<Args>(args)...);
}

/// As spawn_request(); a tagged_spawn_reply<Tag> arrives in place of spawn_reply.
template <class Tag, class Function, class... Args>
request_id spawn_request_with_tag(Tag tag, spawn_options const& options, spawn_reply_mode mode,
                                  Function&& f, Args&&... args) {
  return detail::request_spawn(
      options, mode,
      detail::make_function_body(std::forward<Function>(f), std::forward<Args>(args)...),
      detail::pack<Tag>(detail::signal_kind::message, std::move(tag)),
      [](detail::envelope_ptr t, spawn_reply&& what) {
        return detail::pack<tagged_spawn_reply<Tag>>(
            detail::signal_kind::message,
            tagged_spawn_reply<Tag>{std::move(*static_cast<Tag*>(t->payload())), std::move(what)});
      });
}

/// Gives a request up while it is outstanding, and only then returns true: no reply, link or
/// monitor of it reaches the caller any more. A child that was started all the same and is linked
/// gets an exit signal with reason `abandoned` (SP-11); one that is not linked lives on.
///
/// Called from: the process that made the request. Blocks: never. Exits: never. Throws: never.
bool spawn_request_abandon(request_id request) noexcept;

}  // namespace otter
