// io/udp.cpp - a port of datagrams: its public functions, and what is its own in receiving.

#include <fmt/format.h>

#include <cerrno>
#include <new>
#include <optional>
#include <otter/detail/call.hpp>
#include <otter/udp.hpp>

#include "io/receive_loop.hpp"

namespace otter {

using namespace rts;  // this room's own names; the file defines only functions of the public header

namespace rts {
namespace {

/// So many datagrams are delivered for one turn of the notice, and not many more bytes than these:
/// others of the owner's signals come in between.
constexpr int batch = 64;
constexpr std::size_t batch_bytes = 65536;

}  // namespace

/// One datagram; an error; or nothing.
std::optional<tcp_result<udp_datagram>> port::take_datagram(char* scratch) {
  if (!hint_) return std::nullopt;  // edge-triggered: an event will come
  udp_datagram d;
  std::ptrdiff_t const r = net().receive_from(fd, scratch, tuning().limits.buffer, d.from);
  if (r == -EAGAIN) {
    hint_ = false;
    return std::nullopt;
  }
  if (r < 0) return tl::unexpected(code_of(static_cast<int>(-r)));
  std::size_t const length = static_cast<std::size_t>(r);
  d.truncated = length > tuning().limits.buffer;
  d.bytes.assign(scratch, std::min<std::size_t>(length, tuning().limits.buffer));
  count(port_count::received_bytes, d.bytes.size());
  count(port_count::received_packets);
  return d;
}

std::optional<tcp_result<udp_datagram>> port::try_recv_from() {
  borrowed_scratch const scratch;
  return take_datagram(scratch.get());
}

void port::deliver_datagrams(message_sink& sink) noexcept {
  auto const name = port_access::name_of<udp_socket>(*this);
  try {
    borrowed_scratch const scratch;
    std::size_t taken = 0;
    for (int i = 0; i < batch && taken < batch_bytes && delivers(); ++i) {
      auto came = take_datagram(scratch.get());
      if (!came) break;
      if (!*came) {
        sink.append(
            detail::pack<udp_error>(detail::signal_kind::message, udp_error{name, came->error()}));
        continue;
      }
      taken += (*came)->bytes.size();
      sink.append(detail::pack<udp_data>(
          detail::signal_kind::message,
          udp_data{name, (*came)->from, std::move((*came)->bytes), (*came)->truncated}));
      count_down();
    }
    if (passive_due_) {
      sink.append(detail::pack<udp_passive>(detail::signal_kind::message, udp_passive{name}));
      passive_due_ = false;
    }
  } catch (std::bad_alloc const&) {
    // A datagram less: they may be lost.
  }
}

}  // namespace rts

tcp_result<udp_socket> udp_open(tcp_address const& address, udp_options const& options) {
  io_call call("udp_open");
  auto refuse = [](std::string const& text) { throw error(errc::badarg, "udp_open: " + text); };
  if (address.family != tcp_address::family_type::v4 &&
      address.family != tcp_address::family_type::v6)
    refuse("no internet address");
  if (options.buffer == 0 || options.buffer > scratch_bytes)
    refuse(fmt::format("buffer is {} bytes; allowed: 1 to {}", options.buffer, scratch_bytes));
  if (options.active.mode == active::ready) refuse("active::ready is for streams");
  if (options.active.mode == active::count && (options.active.by <= 0 || options.active.by > 32767))
    refuse(fmt::format("active_n({}); allowed: 1 to 32767", options.active.by));
  tcp_options o;
  o.active = options.active;
  o.buffer = options.buffer;
  o.send_timeout = detail::checked_limit(options.send_timeout);
  if (call.self.is_dying())
    throw error(errc::exiting, "udp_open: the process is ending, nobody would own it");
  io_state& io = io_state::of(call.self.system());
  int const fd = io.net().open_datagrams(address, options);
  if (fd < 0) return io_failure(-fd);
  port* const p = io.acquire();
  if (p == nullptr) {
    io.net().close(fd, false);
    return io_failure(tcp_errc::system_limit);
  }
  port_lock lock(p->mutex());
  int why = 0;
  if (!p->begin(io, call.self, fd, port_phase::open, o, why)) {
    io.net().close(fd, false);
    p->release(lock);
    return io_failure(why);
  }
  p->carry_datagrams();
  return port_access::name_of<udp_socket>(*p);
}

tcp_result<void> udp_socket::send_to(tcp_address const& to, std::string_view data) const {
  io_call call("udp_socket::send_to");
  process& self = call.self;
  self.charge(4 + static_cast<int>(std::min<std::size_t>(data.size() / 1024, 64)));
  wait_limit until(INT64_MAX);
  std::optional<waiting_place> place;
  for (;;) {
    port* at = nullptr;
    {
      held_port p(self, *this);
      if (!p) return io_failure(tcp_errc::closed);
      bool const my_turn = place ? p->waiters.first() == &place->entry() : p->waiters.empty();
      if (my_turn) {
        std::ptrdiff_t const r = p->net().send_to(p->fd, data, to);
        if (r >= 0) {
          p->count(port_count::sends);
          p->count(port_count::sent_bytes, data.size());
          return {};
        }
        if (r != -EAGAIN) return io_failure(static_cast<int>(-r));
      }
      at = &*p;
      if (place && !place->entry().listed) p->waiters.append(place->entry());
      if (std::int64_t const most = p->tuning().send_timeout_ns; !place && most != INT64_MAX)
        until.set_due(self.sched().now() + most);
    }
    if (!place) {  // allocates: not under the lock. The next round enters it into the list.
      place.emplace(self, *at, wait_place::tcp_send);
      continue;
    }
    if (!place->wait(until)) return io_failure(tcp_errc::timeout);
  }
}

tcp_result<udp_datagram> udp_socket::recv_from(duration limit) const {
  io_call call("udp_socket::recv_from");
  return receive_at<udp_datagram>(call.self, *this, limit,
                                  [](port& p, wakes&) { return p.try_recv_from(); });
}

tcp_result<void> udp_socket::set_active(active_mode mode) const noexcept {
  quiet_io_call call;
  if (call.self == nullptr) return io_failure(tcp_errc::closed);
  held_port p(*call.self, *this);
  if (!p || mode.mode == active::ready) return io_failure(tcp_errc::einval);
  return p->set_active(p.lock(), mode, *call.self);
}

tcp_result<void> udp_socket::controlling_process(pid next) const {
  io_call call("udp_socket::controlling_process");
  return give_away(call.self, *this, next);
}

void udp_socket::close() const noexcept { close_port(*this, false); }

tcp_result<tcp_address> udp_socket::local_address() const noexcept {
  return local_address_of(*this);
}

pid udp_socket::owner() const noexcept { return owner_of(*this); }

}  // namespace otter
