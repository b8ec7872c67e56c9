// io/input.cpp - reading, cutting into packets, and telling of the end.
//
// What was read and not delivered is kept in buffers_->in, so an idle connection keeps nothing.

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "io/ports.hpp"
#include "process/process.hpp"

namespace otter::rts {
namespace {

/// What the peer sent cannot be read any further: there is no use in hearing the rest.
constexpr bool is_unreadable(int error) noexcept {
  return error == EMSGSIZE || error == EBADMSG || error == ENOMEM;
}

tl::unexpected<std::error_code> fail(tcp_errc e) { return tl::unexpected(make_error_code(e)); }

}  // namespace

/// A read of the socket: how many bytes, 0 at the end, or minus an errno.
std::ptrdiff_t port::read_wire(char* into, std::size_t room) noexcept {
  std::ptrdiff_t const r = net().receive(fd, into, room);
  if (r == -EAGAIN) hint_ = hung_up_ = false;  // nobody has hung up who has not ended
  if (r <= 0) return r;
  count(port_count::received_bytes, static_cast<std::uint64_t>(r));
  note_activity();
  // A short read has emptied the socket. Unless it has hung up: there is no event for an end
  // that was there already when the last event came.
  if (static_cast<std::size_t>(r) < room && !hung_up_) hint_ = false;
  return r;
}

/// We read here: the second time in a row that this is not where events come they are made to. Who
/// has hung up has little more to say.
void port::follow_owner() noexcept {
  if (!hung_up_) strayed_ = !net().follow(*this, strayed_);
}

port::got port::read(char* into, std::size_t room, std::size_t& n, wakes& woken) noexcept {
  n = 0;
  if (input_ended_ || fd < 0) return got::end;
  if (!hint_) return got::nothing;  // edge-triggered: an event will come
  follow_owner();
  if (tls() != nullptr) return read_tls(into, room, n, woken);
  std::ptrdiff_t const r = read_wire(into, room);
  if (r == -EAGAIN) return got::nothing;
  if (r > 0) {
    n = static_cast<std::size_t>(r);
    return got::bytes;
  }
  input_ended(static_cast<int>(-r), woken);
  return got::end;
}

void port::input_ended(int error, wakes& woken) noexcept {
  input_ended_ = true;
  hint_ = true;
  // A send may have met the reset first; then a read finds an ordinary end.
  if (error != 0) error_ = error;
  if (error_ == 0 && !set.exit_on_close) return;
  if (error_ == 0) say_farewell(woken);
  phase_ = port_phase::ended;
  if (error_ != 0) {
    drop_output(woken);
    close_descriptor(is_unreadable(error_), woken);
  } else if (queued() == 0) {
    close_descriptor(false, woken);
  }
  // else the last answers go out first: flush() closes
  congested_ = false;
  wake_next(woken);
}

void port::drop_input() noexcept {
  if (!buffers_) return;
  std::string().swap(buffers_->in);
  buffers_->in_at = buffers_->scanned = 0;
}

void port::keep(std::string_view came) {
  port_buffers& b = buffers();
  if (b.in_at > 0 && b.in_at >= b.in.size() / 2) {
    b.in.erase(0, b.in_at);
    b.in_at = 0;
  }
  b.in.append(came);
}

packet_cut port::cut(std::string_view stream, std::size_t seen) const noexcept {
  if (stream.empty()) return {};
  return next_packet(set.packet, stream, seen, tuning().limits,
                     set.extras ? set.extras->framer.get() : nullptr);
}

/// The stream goes on with what is no packet: nothing behind it means anything.
void port::refuse_input(packet_cut::kind why, wakes& woken) noexcept {
  drop_input();
  input_ended(why == packet_cut::kind::too_long ? EMSGSIZE : EBADMSG, woken);
}

tcp_bytes port::take_input(packet_cut const& what) {
  port_buffers& b = *buffers_;
  tcp_bytes taken;
  if (b.in_at == 0 && what.body(b.in).size() == b.in.size()) {
    taken = std::move(b.in);
    b.in = {};
  } else {
    taken = tcp_bytes(what.body(b.input()));
    b.in_at += what.length;
  }
  b.scanned = 0;
  trim_buffers();
  count(port_count::received_packets);
  return taken;
}

/// Why there will be no more input, once for each way of asking: the reason, and then `closed`.
std::error_code port::end_reason() noexcept {
  int const error = std::exchange(error_, error_ == ECONNRESET ? ECONNRESET : 0);
  end_told_ = true;
  if (error == 0 || (error == ECONNRESET && !set.show_econnreset))
    return make_error_code(tcp_errc::closed);
  return code_of(error);
}

// --- passive: receiving ---

std::error_code port::receive_refused(waiter const* mine) const noexcept {
  if (phase_ == port_phase::connecting || phase_ == port_phase::listening ||
      phase_ == port_phase::handshaking)
    return make_error_code(tcp_errc::enotconn);
  if (set.mode != active::off) return make_error_code(tcp_errc::einval);
  if (reader != nullptr && reader != mine) return make_error_code(tcp_errc::ealready);
  return {};
}

std::optional<tcp_result<tcp_bytes>> port::try_recv(std::size_t length, wakes& woken) {
  if (length > most_at_once) return fail(tcp_errc::enomem);
  if (length != 0 && set.packet != packet::raw) return fail(tcp_errc::einval);
  borrowed_scratch const scratch;
  for (;;) {
    if (buffers_) {
      std::string_view const stream = buffers_->input();
      if (length != 0) {
        if (stream.size() >= length) return take_input(packet_cut::packet(length));
      } else {
        packet_cut const found = cut(stream, buffers_->scanned);
        if (found.what == packet_cut::kind::packet) return take_input(found);
        if (found.what != packet_cut::kind::incomplete) {
          refuse_input(found.what, woken);
          return tl::unexpected(end_reason());
        }
        buffers_->scanned = stream.size();
      }
    }
    std::size_t n = 0;
    switch (read(scratch.get(), scratch_bytes, n, woken)) {
      case got::nothing:
        return std::nullopt;
      case got::end:
        if (length != 0) drop_input();  // a shorter rest is lost (TCP-7)
        return tl::unexpected(end_reason());
      case got::bytes:
        break;
    }
    std::string_view const came(scratch.get(), n);
    // The common case without a detour through the kept input.
    if (!buffers_ && set.packet == packet::raw && length == 0 && n <= tuning().limits.buffer) {
      count(port_count::received_packets);
      return tcp_bytes(came);
    }
    keep(came);
  }
}

std::optional<tcp_result<std::size_t>> port::try_recv_some(std::span<std::byte> into,
                                                           wakes& woken) {
  if (set.packet != packet::raw) return fail(tcp_errc::einval);
  if (buffers_ && !buffers_->input().empty()) {
    std::string_view const stream = buffers_->input();
    std::size_t const n = std::min(stream.size(), into.size());
    std::memcpy(into.data(), stream.data(), n);
    buffers_->in_at += n;
    buffers_->scanned = 0;
    trim_buffers();
    count(port_count::received_packets);
    return n;
  }
  std::size_t n = 0;
  switch (read(reinterpret_cast<char*>(into.data()), into.size(), n, woken)) {
    case got::nothing:
      return std::nullopt;
    case got::end:
      return tl::unexpected(end_reason());
    case got::bytes:
      break;
  }
  count(port_count::received_packets);
  return n;
}

// --- active: messages ---

bool port::delivers() const noexcept { return wants_notice() && set.mode != active::ready; }

tcp_result<void> port::set_active(port_lock& lock, active_mode mode, process& self) noexcept {
  if (end_told_ || (phase_ != port_phase::open && phase_ != port_phase::ended))
    return fail(tcp_errc::einval);
  if (mode.mode != active::off && reader != nullptr) return fail(tcp_errc::einval);
  bool const mine = is_owned_by(self);
  // `direct` is the owner's.
  if ((mode.mode == active::ready || direct) && !mine) return fail(tcp_errc::not_owner);
  if (mode.mode == active::count) {
    if (mode.by < -32768 || mode.by > 32767) return fail(tcp_errc::einval);
    int const sum = (set.mode == active::count ? set.count : 0) + mode.by;
    if (sum > 32767) return fail(tcp_errc::einval);
    if (sum <= 0) {
      set.mode = active::off;
      set.count = 0;
      passive_due_ = true;
    } else {
      set.mode = active::count;
      set.count = static_cast<std::int16_t>(sum);
    }
  } else {
    set.mode = mode.mode;
    set.count = 0;
  }
  if (mine) direct = set.mode == active::ready;
  bool const something = hint_ || input_ended_ || (buffers_ && !buffers_->input().empty());
  if (passive_due_ || (set.mode != active::off && something)) tell_owner(lock);
  return {};
}

void port::append_packet(std::string_view packet_bytes, message_sink& sink) {
  auto const name = port_access::name_of<tcp_socket>(*this);
  sink.append(detail::pack<tcp_data>(detail::signal_kind::message,
                                     tcp_data{name, tcp_bytes(packet_bytes)}));
  count(port_count::received_packets);
  count_down();
}

/// One message less until the socket is passive.
void port::count_down() noexcept {
  if (set.mode == active::once) set.mode = active::off;
  if (set.mode == active::count && --set.count == 0) {
    set.mode = active::off;
    passive_due_ = true;
  }
}

/// Sends the complete packets at the front of `stream`. Gives how many bytes those were, and what
/// it stopped at: `packet` if the owner wants no more.
port::delivered port::deliver_from(std::string_view stream, message_sink& sink) {
  delivered done;
  std::size_t seen = buffers_ ? buffers_->scanned : 0;
  while (delivers()) {
    packet_cut const found = cut(stream.substr(done.bytes), seen);
    seen = 0;
    done.at = found.what;
    if (found.what != packet_cut::kind::packet) break;
    append_packet(found.body(stream.substr(done.bytes)), sink);
    done.bytes += found.length;
  }
  return done;
}

void port::deliver_kept(message_sink& sink, wakes& woken) {
  if (!buffers_) return;
  delivered const done = deliver_from(buffers_->input(), sink);
  buffers_->in_at += done.bytes;
  // If it stopped for want of an end, all that is left has been looked at.
  buffers_->scanned = done.at == packet_cut::kind::incomplete ? buffers_->input().size() : 0;
  if (done.is_refused() && !input_ended_) refuse_input(done.at, woken);
  trim_buffers();
}

/// In the owner, when it reaches the notice: what was kept, and then one read.
void port::deliver(message_sink& sink, wakes& woken) noexcept {
  if (datagrams_) return deliver_datagrams(sink);
  try {
    if (delivers()) deliver_kept(sink, woken);
    if (delivers() && !input_ended_) {
      borrowed_scratch const scratch;
      std::size_t n = 0;
      if (read(scratch.get(), scratch_bytes, n, woken) == got::bytes) {
        std::string_view came(scratch.get(), n);
        if (!buffers_ || buffers_->input().empty()) {
          delivered const done = deliver_from(came, sink);
          came.remove_prefix(done.bytes);
          if (done.is_refused())
            refuse_input(done.at, woken);
          else if (!came.empty())
            keep(came);
          if (buffers_) {
            buffers_->scanned =
                done.at == packet_cut::kind::incomplete ? buffers_->input().size() : 0;
          }
        } else {
          keep(came);
          deliver_kept(sink, woken);
        }
      }
    }
    if (passive_due_) {
      sink.append(detail::pack<tcp_passive>(detail::signal_kind::message,
                                            tcp_passive{port_access::name_of<tcp_socket>(*this)}));
      passive_due_ = false;
    }
  } catch (...) {
    // No memory for a message: its bytes are lost, so the connection cannot go on.
    drop_input();
    if (!input_ended_) input_ended(ENOMEM, woken);
  }
}

/// tcp_error where there was an error, and tcp_closed. True if that was the end of the port.
bool port::report_end(port_lock& lock, process& owner, message_sink& sink, wakes& woken) noexcept {
  auto const name = port_access::name_of<tcp_socket>(*this);
  try {
    detail::envelope_ptr error;
    if (error_ != 0 && (error_ != ECONNRESET || set.show_econnreset))
      error =
          detail::pack<tcp_error>(detail::signal_kind::message, tcp_error{name, code_of(error_)});
    auto closed = detail::pack<tcp_closed>(detail::signal_kind::message, tcp_closed{name});
    if (error) sink.append(std::move(error));
    sink.append(std::move(closed));
  } catch (...) {
    return false;  // no memory now: expand() posts the notice again
  }
  end_told_ = true;
  set.mode = active::off;
  if (phase_ != port_phase::ended) return false;  // half open: sending goes on
  close(lock, woken, &owner, false);
  return true;
}

// --- ready: the owner reads in place ---

void port::lend(port_lock& lock, wakes& woken, process& self, char* scratch,
                detail::lent_input& out) noexcept {
  if (!is_owned_by(self)) [[unlikely]] {
    out.error = make_error_code(tcp_errc::not_owner);
    return;
  }
  if (set.mode != active::ready || lent_) [[unlikely]] {
    out.error = make_error_code(tcp_errc::einval);
    return;
  }
  std::string_view const kept = buffers_ ? buffers_->input() : std::string_view{};
  std::size_t const before = kept.size();
  if (before == scratch_bytes) input_ended(EMSGSIZE, woken);
  if (before != 0) std::memcpy(scratch, kept.data(), before);
  std::size_t n = 0;
  if (read(scratch + before, scratch_bytes - before, n, woken) == got::end) {
    out.error = end_reason();
    if (phase_ == port_phase::ended) close(lock, woken, &self, false);
    return;
  }
  if (before + n == 0) return;
  if (buffers_) {
    drop_input();
    trim_buffers();
  }
  count(port_count::received_packets);
  lent_ = true;
  out.view = {reinterpret_cast<std::byte const*>(scratch), before + n};
  out.buffer = scratch;
}

void port::take_back(port_lock& lock, process const& self, std::string_view rest) noexcept {
  if (is_owned_by(self)) lent_ = false;  // else given away meanwhile, and perhaps lent again
  try {
    if (!rest.empty()) keep(rest);
  } catch (std::bad_alloc const&) {
    wakes woken;
    input_ended(ENOMEM, woken);
  }
  if (wants_notice() && hint_) tell_owner(lock);
}

}  // namespace otter::rts
