#pragma once

// otter/accepts.hpp - which messages a server understands, and which of them want an answer.
//
//   otter::accepts<M...>      the list: `using accepts = otter::accepts<add, read>;`
//   otter::request_message    a message that names its answer: `struct read { using reply = int;
//   };` otter::reply_t<M>         that answer otter::caller<M>          who called with an M: a
//   `from` that knows the type of the answer
//
// `using reply = void;` is a request too: the caller waits until the server has dealt with it.
// A message without `reply` can be cast or sent, never called.

#include <otter/ref.hpp>
#include <otter/reflection.hpp>
#include <otter/server_ref.hpp>
#include <tl/expected.hpp>
#include <type_traits>

namespace otter {

/// The messages that a server understands: its calls, casts and plain messages.
template <class... Messages>
struct accepts {
  template <class Message>
  static constexpr bool contains = (std::is_same_v<Message, Messages> || ...);
};

template <class Message>
concept request_message = requires {
  typename std::remove_cvref_t<Message>::reply;
};

namespace detail {

template <class Message>
struct reply_of {
  using type = void;  // no request: refused by a static_assert with a better text
};
template <request_message Message>
struct reply_of<Message> {
  using type = typename std::remove_cvref_t<Message>::reply;
};

/// What travels for `using reply = void`.
struct void_reply {};

/// A reply type as it travels.
template <class Reply>
using wire_reply = std::conditional_t<std::is_void_v<Reply>, void_reply, Reply>;

}  // namespace detail

/// The answer that a request names.
template <class Message>
using reply_t = typename detail::reply_of<Message>::type;

/// Who called, and with what: reply() converts the answer to reply_t<Request>, or does not compile.
///
/// It is a `from`, and like it a plain value that may be kept and sent on.
template <class Request>
class caller : public from {
 public:
  constexpr caller() noexcept = default;
  constexpr explicit caller(from who) noexcept : from{who} {}
  /// What `from` calls caller(): the class has taken that name here.
  [[nodiscard]] constexpr pid process() const noexcept { return from::caller(); }
};

namespace detail {

/// tl::expected<void, E> has an operator== that does not compile; a reply of that type is fine.
template <class Error>
inline constexpr bool comparable<tl::expected<void, Error>> = false;

template <class Server, class Message>
constexpr bool server_accepts() noexcept {
  if constexpr (std::is_same_v<Server, any_server>) {
    return true;
  } else if constexpr (requires { typename Server::accepts; }) {
    return Server::accepts::template contains<Message>;
  } else {
    return true;
  }
}

}  // namespace detail
}  // namespace otter
