// io/transfer.cpp - giving a socket to another process (TCP-17).
//
// doc/io.md, "Who owns a socket": hold still, move what lies in our mailbox, let the notice carry
// the port to its next owner.

#include <otter/exit.hpp>
#include <otter/message.hpp>
#include <otter/udp.hpp>

#include "io/entry.hpp"

namespace otter {

using namespace rts;  // this room's own names; the file defines only functions of the public header

namespace {

bool is_from(detail::envelope& e, detail::port_name socket) noexcept {
  if (e.kind != detail::signal_kind::message || e.type == nullptr) return false;
  auto names = [&]<class Message>(Message*) {
    return same_type(*e.type, descriptor_of<Message>()) &&
           static_cast<detail::port_name const&>(static_cast<Message*>(e.payload())->socket) ==
               socket;
  };
  return names(static_cast<udp_data*>(nullptr)) || names(static_cast<udp_error*>(nullptr)) ||
         names(static_cast<udp_passive*>(nullptr)) || names(static_cast<tcp_data*>(nullptr)) ||
         names(static_cast<tcp_passive*>(nullptr)) || names(static_cast<tcp_error*>(nullptr)) ||
         names(static_cast<tcp_busy*>(nullptr)) || names(static_cast<tcp_drained*>(nullptr)) ||
         names(static_cast<tcp_closed*>(nullptr));
}

/// Messages on their way from one mailbox to the next. Needs no memory, so it cannot fail.
class moved_messages {
 public:
  moved_messages() noexcept = default;
  moved_messages(moved_messages const&) = delete;
  moved_messages& operator=(moved_messages const&) = delete;
  ~moved_messages() {
    while (pop()) {
    }
  }
  void append(detail::envelope* e) noexcept {
    e->next = nullptr;
    *last_ = e;
    last_ = &e->next;
  }
  detail::envelope_ptr pop() noexcept {
    detail::envelope* const e = first_;
    if (e == nullptr) return {};
    first_ = e->next;
    if (first_ == nullptr) last_ = &first_;
    return detail::envelope_ptr(e);
  }

 private:
  detail::envelope* first_ = nullptr;
  detail::envelope** last_ = &first_;
};

}  // namespace

tcp_result<void> tcp_socket::controlling_process(pid next) const {
  io_call call("tcp_socket::controlling_process");
  return give_away(call.self, *this, next);
}

tcp_result<void> rts::give_away(process& self, detail::port_name socket, pid next) {
  self.charge(10);
  active_mode resume;
  {
    held_port p(self, socket);
    if (!p) return io_failure(tcp_errc::closed);
    if (!p->is_owned_by(self)) return io_failure(tcp_errc::not_owner);
    if (next == self.self_pid()) return {};
    if (self.system().find(next) == nullptr) return io_failure(tcp_errc::badarg);
    resume = p->hold_still();
  }
  // Whatever happens below, an end by a kill included: the socket is ours, and closes with us.
  moved_messages moved;
  self.drain();
  envelope** place = self.messages().first();
  while (*place != nullptr) {
    if (!is_from(**place, socket)) {
      place = &(*place)->next;
      continue;
    }
    envelope* const e = self.messages().remove(place);
    self.message_left(e);
    moved.append(e);
  }
  {
    defer_exit whole;  // half of it moved would be a loss
    while (auto m = moved.pop()) detail::send_envelope(next, std::move(m));
  }
  held_port p(self, socket);
  if (!p) return io_failure(tcp_errc::closed);
  p->hand_over(p.lock(), self, next, resume);
  return {};
}

}  // namespace otter
