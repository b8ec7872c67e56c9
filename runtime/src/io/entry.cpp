// io/entry.cpp - coming in, and waiting at a port.

#include "io/entry.hpp"

namespace otter::rts {

void io_call::refuse(runtime_entry const& border, char const* what) {
  if (border.refused())
    throw error(errc::abandoned, std::string(what) + ": this process was given up by its node");
  // An attached thread has no poller.
  throw error(errc::not_in_process, std::string(what) + ": sockets belong to processes");
}

void close_port(detail::port_name name, bool resets) noexcept {
  quiet_io_call call;
  if (call.self == nullptr) return;
  wakes woken;
  held_port p(*call.self, name);
  if (p) p->close(p.lock(), woken, call.self, resets && p->set.reset_on_close);
}

tcp_result<tcp_address> local_address_of(detail::port_name name) noexcept {
  quiet_io_call call;
  if (call.self == nullptr) return io_failure(tcp_errc::closed);
  held_port p(*call.self, name);
  tcp_address a;
  if (!p || p->fd < 0) return io_failure(tcp_errc::closed);
  int const result = p->net().local_address(p->fd, a);
  if (result < 0) return io_failure(-result);
  return a;
}

pid owner_of(detail::port_name name) noexcept {
  quiet_io_call call;
  if (call.self == nullptr) return {};
  held_port p(*call.self, name);
  return p ? p->owner() : pid{};
}

waiting_place::waiting_place(process& self, port& at, wait_place what)
    : self_(self), port_(at), waiter_(new waiter(self.self_pid())) {
  self_.set_waiting_in(what);
}

waiting_place::~waiting_place() {
  {
    wakes woken;
    port_lock lock(port_.mutex());
    if (waiter_->listed) {
      if (port_.reader == waiter_) {
        port_.reader = nullptr;
        waiter_->listed = false;
      } else {
        port_.waiters.remove(*waiter_);
        // It may have been woken for something that it leaves to the next one.
        port_.wake_next(woken);
      }
    }
  }
  if (self_.take_notice(*waiter_)) waiter_->landed();
  waiter_->release();
  self_.set_waiting_in(wait_place::none);
}

bool waiting_place::wait(wait_limit& limit) {
  bool const in_time = self_.wait(limit);
  // Out of the mailbox, so that it can fly again.
  if (self_.take_notice(*waiter_)) waiter_->landed();
  return in_time;
}

std::int64_t due_after(process& self, duration limit) {
  limit = detail::checked_limit(limit);
  if (limit == infinity) return std::numeric_limits<std::int64_t>::max();
  return self.sched().now() + limit.count();
}

}  // namespace otter::rts
