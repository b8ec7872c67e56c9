// io/output.cpp - sending: straight to the socket, and into the queue only what it does not take.

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>

#include "io/ports.hpp"

namespace otter::rts {
namespace {

tl::unexpected<std::error_code> fail(tcp_errc e) { return tl::unexpected(make_error_code(e)); }

}  // namespace

std::error_code port::send_refused() const noexcept {
  if (phase_ == port_phase::connecting || phase_ == port_phase::listening ||
      phase_ == port_phase::handshaking)
    return make_error_code(tcp_errc::enotconn);
  if (may_send()) return {};
  if (error_ == ECONNRESET && set.show_econnreset) return make_error_code(tcp_errc::econnreset);
  return make_error_code(tcp_errc::closed);
}

/// The bytes of one call, together and in order, behind the length that their mode puts ahead of
/// them. The caller has waited its turn.
tcp_result<void> port::write(std::string_view data, wakes& woken) noexcept {
  if (set.packet == otter::packet::raw) [[likely]] {
    count(port_count::sends);
    if (buffers_ || data.empty()) return write_bytes(data, woken);
    // Neither TLS nor anything that waits: mostly the socket takes it all.
    note_activity();
    std::ptrdiff_t const n = net().send(fd, data.data(), data.size());
    if (n != static_cast<std::ptrdiff_t>(data.size())) [[unlikely]]
      return send_rest(data, n, woken);
    count(port_count::sent_bytes, data.size());
    return {};
  }
  std::optional<length_header> const header = header_of(set.packet, data.size());
  if (!header) return fail(tcp_errc::emsgsize);
  count(port_count::sends);
  if (header->size == 0) return write_bytes(data, woken);
  // Together with the first bytes, so that a small packet is one segment and one system call.
  std::array<char, 1024> front;
  std::size_t const n = std::min(data.size(), front.size() - header->size);
  std::memcpy(front.data(), header->bytes.data(), header->size);
  if (n != 0) std::memcpy(front.data() + header->size, data.data(), n);
  auto result = write_bytes({front.data(), header->size + n}, woken);
  data.remove_prefix(n);
  if (!result || data.empty()) return result;
  result = write_bytes(data, woken);
  // Half a packet is out: what followed it would be taken for the rest of it.
  if (!result && phase_ == port_phase::open && !write_shut_) return write_failed(ENOMEM, woken);
  return result;
}

tcp_result<void> port::write_bytes(std::string_view data, wakes& woken) noexcept {
  return tls() == nullptr ? send_wire(data, woken) : write_tls(data, woken);
}

/// A send of `data`, with nothing queued, gave `n`.
tcp_result<void> port::send_rest(std::string_view data, std::ptrdiff_t n, wakes& woken) noexcept {
  if (n == -EAGAIN) return queue_output(data, woken);
  if (n < 0) return write_failed(static_cast<int>(-n), woken);
  count(port_count::sent_bytes, static_cast<std::uint64_t>(n));
  return send_wire(data.substr(static_cast<std::size_t>(n)), woken);
}

/// Bytes as they are on the wire.
tcp_result<void> port::send_wire(std::string_view data, wakes& woken) noexcept {
  note_activity();
  if (queued() == 0) {
    while (!data.empty()) {
      std::ptrdiff_t const n = net().send(fd, data.data(), data.size());
      if (n == -EAGAIN) break;
      if (n < 0) return write_failed(static_cast<int>(-n), woken);
      count(port_count::sent_bytes, static_cast<std::uint64_t>(n));
      data.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  return data.empty() ? tcp_result<void>{} : queue_output(data, woken);
}

tcp_result<void> port::queue_output(std::string_view data, wakes& woken) noexcept {
  try {
    buffers().out.append(data);
  } catch (std::bad_alloc const&) {
    return fail(tcp_errc::enomem);
  }
  account_output();
  set_congested(queued() >= tuning().high || io_->marks().output_above(), woken);
  return {};
}

/// On an event: sends what is queued as far as the socket takes it.
void port::flush(wakes& woken) noexcept {
  while (queued() > 0) {
    port_buffers& b = *buffers_;
    std::ptrdiff_t const n = net().send(fd, b.out.data() + b.out_at, b.queued());
    if (n == -EAGAIN) break;
    if (n < 0) {
      static_cast<void>(write_failed(static_cast<int>(-n), woken));
      return;
    }
    b.out_at += static_cast<std::size_t>(n);
    count(port_count::sent_bytes, static_cast<std::uint64_t>(n));
    note_activity();
  }
  account_output();
  if (queued() == 0) {
    output_drained(woken);
  } else if (buffers_->out_at > buffers_->out.size() / 2) {
    buffers_->out.erase(0, buffers_->out_at);
    buffers_->out_at = 0;
  }
  if (congested_ && (queued() == 0 || (queued() < tuning().low && !io_->marks().output_above()))) {
    set_congested(false, woken);
    wake_next(woken);
  }
}

bool port::is_congested(wakes& woken) noexcept {
  // Above the node's mark whoever has something queued waits for that, and nobody for others: a
  // peer that takes nothing must not hold up those that do.
  if (!congested_ && queued() > 0 && io_->marks().output_above()) set_congested(true, woken);
  return congested_;
}

void port::account_output() noexcept {
  if (buffers_) buffers_->account.set(io_->marks(), queued());
}

void port::output_drained(wakes& woken) noexcept {
  if (buffers_) {
    std::string().swap(buffers_->out);
    buffers_->out_at = 0;
  }
  trim_buffers();
  if (shutdown_due_ && fd >= 0) {
    shutdown_due_ = false;
    write_shut_ = true;
    net().shutdown_write(fd);
  }
  if (phase_ == port_phase::flushing) {
    close_descriptor(false, woken);
    become_closed();
  } else if (phase_ == port_phase::ended) {
    close_descriptor(false, woken);
  }
}

void port::drop_output(wakes& woken) noexcept {
  if (buffers_) {
    std::string().swap(buffers_->out);
    buffers_->out_at = 0;
    account_output();
  }
  congested_ = false;
  shutdown_due_ = false;
  wake_next(woken);  // each that leaves wakes the next
}

/// The connection cannot be written to. What the peer sent before may still lie there to be read,
/// so reading ends by itself, when it meets the end.
tcp_result<void> port::write_failed(int error, wakes& woken) noexcept {
  write_shut_ = true;
  hint_ = true;
  hung_up_ = true;
  // The system tells of a reset once; the reader must know of it too.
  if (error == ECONNRESET) error_ = ECONNRESET;
  drop_output(woken);
  if (phase_ == port_phase::flushing) {
    close_descriptor(true, woken);
    become_closed();
  } else if (phase_ == port_phase::ended) {
    close_descriptor(true, woken);
  }
  if (error == ECONNRESET && set.show_econnreset) return fail(tcp_errc::econnreset);
  if (error == ECONNRESET || error == EPIPE) return fail(tcp_errc::closed);
  return tl::unexpected(code_of(error));
}

void port::shutdown_write(wakes& woken) noexcept {
  if (write_shut_ || shutdown_due_) return;
  say_farewell(woken);
  if (write_shut_) return;  // that has found the connection broken
  if (queued() > 0) {
    shutdown_due_ = true;
    return;
  }
  write_shut_ = true;
  net().shutdown_write(fd);
}

void port::trim_buffers() noexcept {
  if (!buffers_ || !buffers_->input().empty() || buffers_->queued() != 0) return;
  if (!buffers_->tls) {
    buffers_.reset();
    return;
  }
  drop_input();
  std::string().swap(buffers_->out);
  buffers_->out_at = 0;
}

}  // namespace otter::rts
