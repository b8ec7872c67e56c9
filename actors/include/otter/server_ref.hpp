#pragma once

// otter/server_ref.hpp - how a server is addressed.
//
//   otter::server_ref<T>    a pid that knows which kind of server it names; what a start returns
//   otter::name_registry    a registry of the program's own, for addressing through `via`
//   otter::via              a key in such a registry; send() takes one too
//
// call(), cast(), send_request() and stop() take any of: a pid, a name (text), a server_ref, a via.
// A server_ref<T> lets the compiler check each message against T::accepts where it is *sent*; with
// the other forms it is checked by the server that receives it.
//
// None of them keeps the server alive, and none notices when it ends.

#include <concepts>
#include <cstddef>
#include <functional>
#include <otter/message.hpp>
#include <otter/name.hpp>
#include <otter/pid.hpp>
#include <string_view>
#include <type_traits>
#include <utility>

namespace otter {

/// Names one server of the class `Server`, alive or not. A value of 16 bytes; converts to pid.
template <class Server>
class server_ref {
 public:
  constexpr server_ref() noexcept = default;
  /// Trusts the caller that `process` is a `Server`. If it is not, messages are refused there.
  constexpr explicit server_ref(pid process) noexcept : process_{process} {}

  [[nodiscard]] constexpr pid process() const noexcept { return process_; }
  constexpr operator pid() const noexcept { return process_; }
  constexpr explicit operator bool() const noexcept { return static_cast<bool>(process_); }

  friend constexpr bool operator==(server_ref const&, server_ref const&) noexcept = default;

 private:
  pid process_;
};

/// A registry of names that the program keeps itself: OTP's `via` module (RN-7).
///
/// All of them are called from the process that addresses or registers, and may block and throw. A
/// registry watches whom it has registered: a process that is killed cannot take its name back.
class name_registry {
 public:
  virtual ~name_registry() = default;
  /// Who has the key, or no process.
  virtual pid whereis(std::string_view key) = 0;
  /// True: the key is `process`'s now. False: somebody has it.
  virtual bool register_name(std::string_view key, pid process) = 0;
  /// A key that nobody has is not an error.
  virtual void unregister_name(std::string_view key) = 0;
  /// Sends to who has the key. Throws: error(badarg) if nobody has it, as otter::send to a name.
  virtual void send(std::string_view key, any_message message);
};

/// The server that `registry` knows under `key`. Both must live while a call is made with it, or,
/// in start_options, until the server has ended.
struct via {
  name_registry* registry = nullptr;
  std::string_view key;
};

/// Sends `message` to the process that the registry knows under the key.
template <class Message>
void send(via const& to, Message&& message) {
  if constexpr (std::is_same_v<std::decay_t<Message>, any_message>)
    to.registry->send(to.key, std::move(message));
  else
    to.registry->send(to.key, any_message::of(std::forward<Message>(message)));
}

namespace detail {

/// Where a message goes, and how the sender said it (for error messages).
struct target {
  pid process;
  std::string_view name;
};

constexpr target locate(pid process) noexcept { return {process, {}}; }
inline target locate(std::string_view name) noexcept { return {otter::whereis(name), name}; }
inline target locate(via const& address) {
  return {address.registry->whereis(address.key), address.key};
}
/// An address that another header declares knows by itself where it leads.
template <class Address>
requires requires(Address const& address) {
  { address.locate() } -> std::same_as<target>;
}
target locate(Address const& address) { return address.locate(); }

/// What is known at compile time of the server behind an address: nothing, or its class.
struct any_server;
template <class Address>
struct server_class_of {
  using type = any_server;
};
template <class Server>
struct server_class_of<server_ref<Server>> {
  using type = Server;
};

}  // namespace detail

/// Whatever names a server: a pid, a name, a server_ref or a via.
template <class Address>
concept server_address = requires(Address const& address) {
  { detail::locate(address) } -> std::same_as<detail::target>;
};

}  // namespace otter

template <class Server>
struct std::hash<otter::server_ref<Server>> {
  std::size_t operator()(otter::server_ref<Server> const& ref) const noexcept {
    return std::hash<otter::pid>{}(ref.process());
  }
};

template <class Server>
struct fmt::formatter<otter::server_ref<Server>> : fmt::formatter<otter::pid> {
  template <class Context>
  auto format(otter::server_ref<Server> const& ref, Context& context) const {
    return fmt::formatter<otter::pid>::format(ref.process(), context);
  }
};
