#pragma once

// otter/message.hpp - sending, and a message whose type is not known beforehand.
//
//   otter::send()        sends a message to a pid, a name or an alias
//   otter::any_message   one message of any type, owned; what catch-all handlers get
//
// To wait for messages, see otter/receive.hpp; to ask a server for an answer, otter/request.hpp.

#include <otter/detail/envelope.hpp>
#include <string_view>

namespace otter {

/// One message of any type. It owns the message, and can be sent on.
class any_message {
 public:
  any_message() noexcept = default;
  explicit any_message(detail::envelope_ptr e) noexcept : envelope_(std::move(e)) {}
  template <class T>
  requires(!std::is_same_v<std::remove_cvref_t<T>, any_message> &&
           !std::is_same_v<std::remove_cvref_t<T>, detail::envelope_ptr>) static any_message
      of(T&& value) {
    return any_message(
        detail::pack<std::decay_t<T>>(detail::signal_kind::message, std::forward<T>(value)));
  }

  explicit operator bool() const noexcept { return envelope_ != nullptr; }

  /// The type of the message; null when there is none.
  type_descriptor const* type() const noexcept { return envelope_ ? envelope_->type : nullptr; }

  /// The message if it is a `T`, else null. Throws: never.
  template <class T>
  T* get_if() noexcept {
    if (!envelope_ || !same_type(*envelope_->type, descriptor_of<T>())) return nullptr;
    return static_cast<T*>(envelope_->payload());
  }

  detail::envelope* envelope() noexcept { return envelope_.get(); }
  detail::envelope_ptr release() noexcept { return std::move(envelope_); }

 private:
  detail::envelope_ptr envelope_;
};

namespace detail {
void send_envelope(pid to, envelope_ptr e);
void send_envelope(std::string_view name, envelope_ptr e);
void send_envelope(alias_ref to, envelope_ptr e);
envelope_ptr pack_for(alias_ref, any_message&&);

template <class Message>
envelope_ptr pack_plain(Message&& message, signal_kind kind = signal_kind::message) {
  using type = std::decay_t<Message>;
  static_assert(!std::is_array_v<std::remove_reference_t<Message>>,
                "otter: an array (or string literal) is not a message; send a std::string");
  if constexpr (std::is_same_v<type, any_message>) {
    static_assert(!std::is_lvalue_reference_v<Message>,
                  "otter: an any_message is owned by one; send(to, std::move(message))");
    return message.release();
  } else {
    return pack<type>(kind, std::forward<Message>(message));
  }
}
}  // namespace detail

/// Sends `message` to the process `to`; it is moved into the mailbox and the call returns.
///
/// If `to` has ended, or never was, the message is dropped: that is not an error (P-7). Messages
/// from one process to another arrive in the order of their sending, whatever way they were
/// addressed (P-3).
///
/// Called from: a process, or an attached thread. Blocks: never, unless the receiver bounds its
/// mailbox with overflow::block. Exits: may, once the turn's budget is used up.
/// Throws: std::bad_alloc, and what moving the message throws; nothing is sent then.
template <class Message>
void send(pid to, Message&& message) {
  detail::send_envelope(to, detail::pack_plain(std::forward<Message>(message)));
}

/// Sends to the process registered as `name` on this node.
/// Throws: error(badarg) if nobody has that name (P-8).
template <class Message>
void send(std::string_view name, Message&& message) {
  detail::send_envelope(name, detail::pack_plain(std::forward<Message>(message)));
}

/// Sends through an alias: dropped without notice once the alias is inactive (AL-5).
template <class Message>
void send(alias_ref to, Message&& message) {
  if constexpr (std::is_same_v<std::decay_t<Message>, any_message>) {
    detail::send_envelope(to, detail::pack_for(to, std::forward<Message>(message)));
  } else {
    detail::send_envelope(
        to, detail::pack_plain(std::forward<Message>(message), detail::signal_kind::alias_message));
  }
}

}  // namespace otter
