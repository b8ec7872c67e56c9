#pragma once

// otter/gen.hpp - what all behaviours have in common for those who talk to them.
//
//   otter::call()       asks a server and waits for the answer; throws if there is none
//   otter::try_call()   the same, and a missing answer is a value
//   otter::cast()       tells a server something and goes on
//   otter::reply()      answers a call, from any process
//   otter::stop()       asks a server to end and waits until it has
//
//     struct read { using reply = int; };            // a request names its answer
//     int now = otter::call(counter, read{});
//
// A call whose time is over leaves no trace at the caller: a late answer is dropped on its way. The
// server is not told, and treats the request all the same. To ask without waiting, or to ask many
// at once, see otter/request.hpp. To be asked, see otter/gen_server.hpp.

#include <chrono>
#include <otter/accepts.hpp>
#include <otter/detail/call.hpp>
#include <otter/detail/envelope.hpp>
#include <otter/duration.hpp>
#include <otter/exit_reason.hpp>
#include <otter/pid.hpp>
#include <otter/ref.hpp>
#include <otter/server_ref.hpp>
#include <string_view>
#include <tl/expected.hpp>
#include <type_traits>
#include <utility>

namespace otter {

/// How long call() waits if it is not told. A gen_statem that is addressed by its server_ref is
/// waited for without limit (SM-26).
inline constexpr duration default_call_limit = std::chrono::seconds(5);

/// The type name of the `error` with which a call fails that the server does not know.
inline constexpr std::string_view unknown_request = "otter::unknown_request";

namespace detail {

/// How long a call waits that is not told: what the server's class says, if it is known.
template <class Address>
constexpr duration call_limit_of() noexcept {
  using server = typename server_class_of<Address>::type;
  if constexpr (requires { server::call_limit; })
    return server::call_limit;
  else
    return default_call_limit;
}

/// Calls and checks that the answer is of `reply_type`. Without one, `reply` is null.
response call_target(target const& to, envelope_ptr request, duration limit,
                     type_descriptor const& reply_type);
/// A response whose answer is of another type becomes one of that type if it is the answer of
/// another version (detail/message_change.hpp), else one without an answer.
void check_reply_type(response& got, type_descriptor const& reply_type);
[[noreturn]] void throw_call_failed(target const& to, std::string_view request, exit_reason why);
inline void cast_target(target const& to, envelope_ptr message) {
  if (to.process) detail::cast(to.process, std::move(message));
}
void stop_target(target const& to, exit_reason reason, duration limit);

template <class Reply>
Reply unpack_reply(envelope_ptr& answer) {
  if constexpr (!std::is_void_v<Reply>) return std::move(*static_cast<Reply*>(answer->payload()));
}

template <class Address, class Message>
constexpr void check_request() noexcept {
  static_assert(request_message<Message>,
                "otter: this message cannot be called, since it does not name its answer; add "
                "`using reply = ...;` (void is allowed), or cast it");
  static_assert(server_accepts<typename server_class_of<Address>::type, Message>(),
                "otter: the server does not accept this request; see its `accepts`");
}

}  // namespace detail

/// Sends `request` to `server`, waits for its answer at most for `limit`, and returns it.
///
/// Called from: a process, or an attached thread. Blocks: until the answer. Exits: may.
/// Throws: process_exit with a reason of kind call_failed, whose cause() is: noproc, calling_self,
/// timeout, busy, or why the server ended during the call (GC-7); error(timeout_value).
template <server_address Address, class Request>
reply_t<Request> call(Address const& server, Request&& request,
                      duration limit = detail::call_limit_of<Address>()) {
  using message = std::decay_t<Request>;
  detail::check_request<Address, message>();
  const detail::target to = detail::locate(server);
  detail::response got = detail::call_target(
      to, detail::pack<message>(detail::signal_kind::request, std::forward<Request>(request)),
      limit, descriptor_of<detail::wire_reply<reply_t<message>>>());
  if (!got.reply) detail::throw_call_failed(to, type_name<message>(), std::move(got.why));
  return detail::unpack_reply<reply_t<message>>(got.reply);
}

/// As call(), but a missing answer is returned: why there is none (the cause, not wrapped).
///
/// Called from: a process, or an attached thread. Blocks: until the answer. Exits: may.
template <server_address Address, class Request>
tl::expected<reply_t<Request>, exit_reason> try_call(
    Address const& server, Request&& request, duration limit = detail::call_limit_of<Address>()) {
  using message = std::decay_t<Request>;
  detail::check_request<Address, message>();
  detail::response got = detail::call_target(
      detail::locate(server),
      detail::pack<message>(detail::signal_kind::request, std::forward<Request>(request)), limit,
      descriptor_of<detail::wire_reply<reply_t<message>>>());
  if (!got.reply) return tl::unexpected<exit_reason>(std::move(got.why));
  if constexpr (std::is_void_v<reply_t<message>>)
    return {};
  else
    return detail::unpack_reply<reply_t<message>>(got.reply);
}

/// Sends `message` to `server` and returns at once. Nobody has that name, or the server has
/// ended: the message is dropped, which is not an error (GC-10).
///
/// Called from: a process, or an attached thread. Blocks: never, unless the server bounds its
/// mailbox with overflow::block. Exits: may, once the turn's budget is used up.
template <server_address Address, class Message>
void cast(Address const& server, Message&& message) {
  using type = std::decay_t<Message>;
  static_assert(detail::server_accepts<typename detail::server_class_of<Address>::type, type>(),
                "otter: the server does not accept this message; see its `accepts`");
  detail::cast_target(detail::locate(server), detail::pack<type>(detail::signal_kind::cast,
                                                                 std::forward<Message>(message)));
}

/// Answers a call. The caller has left, or was answered: nothing happens (GC-9).
///
/// With a plain `from` the type of `value` must be exactly the one that the request names; with a
/// caller<Request> it is converted to it.
///
/// Called from: any process, or an attached thread. Blocks: never. Exits: never.
template <class Reply>
void reply(from to, Reply&& value) {
  detail::reply(to, detail::pack<std::decay_t<Reply>>(detail::signal_kind::reply,
                                                      std::forward<Reply>(value)));
}
template <class Request, class Reply>
void reply(caller<Request> const& to, Reply&& value) {
  using wire = reply_t<Request>;
  static_assert(std::is_convertible_v<Reply, wire>,
                "otter: this is not the answer that the request names (see its `reply`)");
  detail::reply(to,
                detail::pack<wire>(detail::signal_kind::reply, wire(std::forward<Reply>(value))));
}
/// Answers a request with `using reply = void`.
inline void reply(from to) {
  detail::reply(to,
                detail::pack<detail::void_reply>(detail::signal_kind::reply, detail::void_reply{}));
}

/// Asks `server` to end with `reason` and returns when it has. It runs its terminate(), whether or
/// not it traps exits.
///
/// Called from: a process, or an attached thread. Blocks: until the server has ended. Exits: may.
/// Throws: process_exit: noproc if there is no such server; timeout if it takes longer than `limit`
/// (it may still end later); otherwise the reason with which it ended instead (PL-9, GC-19).
template <server_address Address>
void stop(Address const& server, exit_reason reason = exit_reason::normal(),
          duration limit = infinity) {
  detail::stop_target(detail::locate(server), std::move(reason), limit);
}

}  // namespace otter
