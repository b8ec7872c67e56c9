// io/socket.cpp - the public functions of a connection.

#include <cerrno>
#include <optional>

#include "io/receive_loop.hpp"

namespace otter {

using namespace rts;  // this room's own names; the file defines only functions of the public header

// --- sending (doc/io.md, "Sending") ---

namespace {

/// A first attempt found others ahead, or too much queued: waits for its turn.
OTTER_NOINLINE tcp_result<void> send_in_turn(process& self, tcp_socket socket,
                                             std::string_view data) {
  wait_limit until(INT64_MAX);
  std::optional<waiting_place> place;
  bool close_late = false;
  std::optional<tcp_result<void>> done;
  for (;;) {
    port* at = nullptr;
    {
      wakes woken;
      held_port p(self, socket);
      if (!p) return io_failure(tcp_errc::closed);
      if (std::error_code const why = p->send_refused()) return tl::unexpected(why);
      bool const my_turn = place ? p->waiters.first() == &place->entry() : p->waiters.empty();
      if (my_turn && !p->congested(woken)) done = p->write(data, woken);
      at = &*p;
      if (done) {
        // below, without the lock
      } else if (place) {
        if (!place->entry().listed) p->waiters.append(place->entry());
      } else if (std::int64_t const most = p->tuning().send_timeout_ns; most != INT64_MAX) {
        until.set_due(self.sched().now() + most);
      }
      close_late = p->set.send_timeout_close;
    }
    if (done) return *done;
    if (!place) {  // allocates: not under the lock. The next round enters it into the list.
      self.note_busy_port();
      place.emplace(self, *at, wait_place::tcp_send);
      continue;
    }
    if (!place->wait(until)) {
      place.reset();
      if (close_late) socket.close();
      return io_failure(tcp_errc::timeout);
    }
  }
}

}  // namespace

tcp_result<void> tcp_socket::send(std::string_view data) const {
  io_call call("tcp_socket::send");
  process& self = call.self;
  self.charge(4 + static_cast<int>(std::min<std::size_t>(data.size() / 1024, 400)),
              call.border.here());
  node_marks* const marks = marks_of(self, *this);
  if (marks == nullptr) return io_failure(tcp_errc::closed);
  tcp_result<void> done;
  bool at_once = false;
  {
    wakes woken;
    held_port p(self, *this);
    at_once = p && p->may_send() && p->waiters.empty() && !p->congested(woken);
    if (at_once) [[likely]]
      done = p->write(data, woken);
  }
  if (!at_once) done = send_in_turn(self, *this, data);
  marks->tell_of_output();
  return done;
}

tcp_result<void> tcp_socket::send(std::span<std::byte const> data) const {
  return send(as_text(data));
}

// --- receiving ---

tcp_result<tcp_bytes> tcp_socket::recv(std::size_t length, duration limit) const {
  io_call call("tcp_socket::recv");
  return receive_at<tcp_bytes>(call.self, *this, limit, [length](port& p, wakes& woken) {
    return p.try_recv(length, woken);
  });
}

tcp_result<std::size_t> tcp_socket::recv_some(std::span<std::byte> into, duration limit) const {
  io_call call("tcp_socket::recv_some");
  if (into.empty()) throw error(errc::badarg, "tcp_socket::recv_some: no room to receive into");
  return receive_at<std::size_t>(call.self, *this, limit, [into](port& p, wakes& woken) {
    return p.try_recv_some(into, woken);
  });
}

// --- reading in place ---

detail::lent_input tcp_socket::begin_read() const {
  io_call call("tcp_socket::read");
  process& self = call.self;
  self.charge(4, call.border.here());
  detail::lent_input input;
  if (!*this || port_access::node(*this) != self.system().node_index()) {
    input.error = make_error_code(tcp_errc::closed);
    return input;
  }
  local_state* const near = here::now(call.border).local;
  char* const scratch = take_scratch(near);
  {
    wakes woken;
    held_port p(self, *this);
    if (p) [[likely]]
      p->lend(p.lock(), woken, self, scratch, input);
    else
      input.error = make_error_code(tcp_errc::closed);
  }
  if (input.buffer == nullptr) keep_scratch(near, scratch);
  return input;
}

void tcp_socket::end_read(detail::lent_input const& input, std::size_t used) const noexcept {
  quiet_io_call call;
  if (call.self == nullptr) return;  // abandoned: the buffer stays with the frames
  port* const at = held_port::find(*call.self, *this);
  bool const all = used >= input.view.size();
  if (!all || at == nullptr || !at->end_read(*call.self, port_access::generation(*this))) {
    held_port p(*call.self, *this);
    if (p)
      p->take_back(p.lock(), *call.self,
                   as_text(input.view).substr(std::min(used, input.view.size())));
  }
  keep_scratch(here::now(call.border).local, static_cast<char*>(input.buffer));
}

tcp_socket tcp_socket::of(event& what) noexcept {
  if (what.what() != event::kind::ready) return {};
  runtime_entry border;
  if (border.refused()) return {};
  // Only ports have notices that become events.
  auto& p = static_cast<port&>(static_cast<notice&>(*what.envelope()));
  port_lock lock(p.mutex());
  if (p.phase() == port_phase::free) return {};
  return port_access::name_of<tcp_socket>(p);
}

// --- modes and options ---

namespace {

/// Runs `f(held_port&, process&)` on the port, if there is one.
template <class Result, class F>
tcp_result<Result> with_port(tcp_socket socket, tcp_errc gone, F f) noexcept {
  quiet_io_call call;
  if (call.self == nullptr) return io_failure(tcp_errc::closed);
  held_port p(*call.self, socket);
  if (!p) return io_failure(gone);
  return f(p, *call.self);
}

tcp_result<void> outcome(int result) noexcept {
  if (result < 0) return io_failure(-result);
  return {};
}

tcp_result<void> tuned(bool done) noexcept {
  if (!done) return io_failure(tcp_errc::enomem);
  return {};
}

}  // namespace

tcp_result<void> tcp_socket::set_active(active_mode mode) const noexcept {
  return with_port<void>(*this, tcp_errc::einval, [mode](held_port& p, process& self) {
    return p->set_active(p.lock(), mode, self);
  });
}

tcp_result<void> tcp_socket::set_packet(otter::packet mode, std::uint32_t size) const noexcept {
  if (mode == packet::framer) return io_failure(tcp_errc::einval);
  return with_port<void>(*this, tcp_errc::einval,
                         [=](held_port& p, process&) { return tuned(p->set_packet(mode, size)); });
}

tcp_result<void> tcp_socket::set_framer(std::shared_ptr<tcp_framer const> framer,
                                        std::uint32_t size) const noexcept {
  if (!framer) return io_failure(tcp_errc::einval);
  // For a port that has none yet, and made before its lock is taken.
  extras_ptr extras;
  {
    quiet_io_call call;
    if (call.self == nullptr) return io_failure(tcp_errc::closed);
    port* at = nullptr;
    if (held_port const p(*call.self, *this); p) at = &*p;
    if (at == nullptr) return io_failure(tcp_errc::einval);
    extras.reset(new (std::nothrow) port_extras(*at));  // for this block, whoever lives in it
    if (!extras) return io_failure(tcp_errc::enomem);
  }
  // What is replaced ends here, not under the lock: it may be the last to hold a framer.
  return with_port<void>(*this, tcp_errc::einval, [&](held_port& p, process&) {
    return tuned(p->set_framer(framer, extras, size));
  });
}

tcp_result<void> tcp_socket::set_nodelay(bool on) const noexcept {
  return with_port<void>(*this, tcp_errc::einval, [on](held_port& p, process&) {
    if (p->fd < 0) return tcp_result<void>(io_failure(tcp_errc::einval));
    return outcome(p->net().set_nodelay(p->fd, on));
  });
}

tcp_result<void> tcp_socket::set_keepalive(bool on) const noexcept {
  return with_port<void>(*this, tcp_errc::einval, [on](held_port& p, process&) {
    if (p->fd < 0) return tcp_result<void>(io_failure(tcp_errc::einval));
    return outcome(p->net().set_keepalive(p->fd, on));
  });
}

tcp_result<void> tcp_socket::set_linger(std::optional<duration> linger) const noexcept {
  return with_port<void>(*this, tcp_errc::einval, [linger](held_port& p, process&) {
    p->set.reset_on_close = linger && linger->count() == 0;
    return tcp_result<void>{};
  });
}

tcp_result<void> tcp_socket::set_exit_on_close(bool on) const noexcept {
  return with_port<void>(*this, tcp_errc::einval, [on](held_port& p, process&) {
    p->set.exit_on_close = on;
    return tcp_result<void>{};
  });
}

tcp_result<void> tcp_socket::set_send_timeout(duration limit, bool close_then) const {
  limit = detail::checked_limit(limit);
  return with_port<void>(*this, tcp_errc::einval, [=](held_port& p, process&) {
    port_tuning t = p->tuning();
    t.send_timeout_ns = limit == infinity ? INT64_MAX : limit.count();
    if (!p->tune(t)) return tuned(false);
    p->set.send_timeout_close = close_then;
    return tcp_result<void>{};
  });
}

tcp_result<void> tcp_socket::set_watermarks(std::uint32_t high, std::uint32_t low) const noexcept {
  if (low > high) return io_failure(tcp_errc::einval);
  return with_port<void>(*this, tcp_errc::einval, [=](held_port& p, process&) {
    port_tuning t = p->tuning();
    t.high = high;
    t.low = low;
    return tuned(p->tune(t));
  });
}

// --- the end ---

tcp_result<void> tcp_socket::shutdown_write() const noexcept {
  wakes woken;
  return with_port<void>(*this, tcp_errc::closed, [&woken](held_port& p, process&) {
    if (p->phase() == port_phase::connecting || p->phase() == port_phase::handshaking)
      return tcp_result<void>(io_failure(tcp_errc::enotconn));
    if (p->phase() != port_phase::open) return tcp_result<void>(io_failure(tcp_errc::closed));
    p->shutdown_write(woken);
    return tcp_result<void>{};
  });
}

void tcp_socket::close() const noexcept { close_port(*this, true); }

// --- facts ---

tcp_result<tcp_address> tcp_socket::local_address() const noexcept {
  return local_address_of(*this);
}

tcp_result<tcp_address> tcp_socket::peer_address() const noexcept {
  return with_port<tcp_address>(*this, tcp_errc::closed, [](held_port& p, process&) {
    tcp_address a;
    if (p->fd < 0) return tcp_result<tcp_address>(io_failure(tcp_errc::closed));
    int const result = p->net().peer_address(p->fd, a);
    return result < 0 ? tcp_result<tcp_address>(io_failure(-result)) : tcp_result<tcp_address>(a);
  });
}

tcp_result<tcp_statistics> tcp_socket::statistics() const noexcept {
  return with_port<tcp_statistics>(*this, tcp_errc::closed, [](held_port& p, process&) {
    return tcp_result<tcp_statistics>(tcp_statistics{
        p->counted(port_count::received_bytes), p->counted(port_count::received_packets),
        p->counted(port_count::sent_bytes), p->counted(port_count::sends), p->queued()});
  });
}

pid tcp_socket::owner() const noexcept { return owner_of(*this); }

}  // namespace otter
