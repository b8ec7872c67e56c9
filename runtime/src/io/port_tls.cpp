// io/port_tls.cpp - what TLS does to a port's input and output (doc/io.md, "TLS").

#include <cerrno>
#include <new>

#include "io/ports.hpp"
#include "io/tls_stream.hpp"
#include "process/process.hpp"

namespace otter::rts {
namespace {

/// Answers that OpenSSL made while reading and that the peer does not take: more of them, and it is
/// not reading, only asking.
constexpr std::size_t most_answers = 16384;

}  // namespace

void end_tls::operator()(tls_stream* s) const noexcept { delete s; }

std::error_code code_of(int error) noexcept {
  if (error >= static_cast<int>(tls_errc::not_tls))
    return make_error_code(static_cast<tls_errc>(error));
  return make_error_code(static_cast<tcp_errc>(error));
}

// --- the handshake ---

std::error_code port::begin_handshake(process const& self, waiter& who,
                                      std::string& ahead) noexcept {
  if (phase_ == port_phase::connecting || phase_ == port_phase::listening)
    return make_error_code(tcp_errc::enotconn);
  if (!is_owned_by(self)) return make_error_code(tcp_errc::not_owner);
  if (phase_ == port_phase::handshaking || reader != nullptr)
    return make_error_code(tcp_errc::ealready);
  if (set.mode != active::off || lent_ || tls() != nullptr || write_shut_ || shutdown_due_)
    return make_error_code(tcp_errc::einval);
  if (phase_ == port_phase::ended || input_ended_) return end_reason();
  if (buffers_) ahead.assign(buffers_->input());
  drop_input();
  trim_buffers();
  phase_ = port_phase::handshaking;
  reader = &who;
  who.listed = true;
  return {};
}

port::wire_input port::handshake_input(char* into, std::size_t room, wakes& woken) noexcept {
  wire_input came;
  if (input_ended_ || fd < 0) {
    came.ended = end_reason();
    return came;
  }
  if (!hint_) return came;
  follow_owner();
  std::ptrdiff_t const r = read_wire(into, room);
  if (r == -EAGAIN) return came;
  if (r > 0) {
    came.n = static_cast<std::size_t>(r);
    return came;
  }
  input_ended(static_cast<int>(-r), woken);
  came.ended = end_reason();
  return came;
}

void port::end_handshake(tls_ptr stream) {
  buffers().tls = std::move(stream);
  if (phase_ == port_phase::handshaking) phase_ = port_phase::open;
  hint_ = true;  // bytes behind the handshake may be in the stream already
  if (reader != nullptr) reader->listed = false;
  reader = nullptr;
}

// --- input ---

/// As read(), of a TLS connection: reads the wire once or, if that gave nothing for the user,
/// again. A stream limits how much may come without anything for the user.
port::got port::read_tls(char* into, std::size_t room, std::size_t& n, wakes& woken) noexcept {
  using got_tls = tls_stream::got;
  tls_stream& stream = *tls();
  got_tls outcome = got_tls::nothing;
  if (stream.has_more()) {
    outcome = stream.read({}, into, room, n);
    if (!send_said(woken)) outcome = got_tls::failed;
  } else {
    try {
      borrowed_scratch const wire;
      do {
        std::ptrdiff_t const r = read_wire(wire.get(), scratch_bytes);
        if (r == -EAGAIN) return got::nothing;
        if (r <= 0) {
          int const cut_off = stream.show_truncation() ? static_cast<int>(tls_errc::truncated) : 0;
          input_ended(r == 0 ? cut_off : static_cast<int>(-r), woken);
          return got::end;
        }
        outcome = stream.read({wire.get(), static_cast<std::size_t>(r)}, into, room, n);
        if (!send_said(woken)) outcome = got_tls::failed;
      } while (outcome == got_tls::nothing && hint_);
    } catch (std::bad_alloc const&) {
      input_ended(ENOMEM, woken);
      return got::end;
    }
  }
  if (stream.has_more()) hint_ = true;
  switch (outcome) {
    case got_tls::bytes:
      return got::bytes;
    case got_tls::nothing:
      return got::nothing;
    case got_tls::end:
      input_ended(0, woken);
      return got::end;
    case got_tls::failed:
      break;
  }
  n = 0;
  input_ended(stream.error() != 0 ? stream.error() : static_cast<int>(tls_errc::flood), woken);
  return got::end;
}

/// What the stream has to say besides what the user sends: alerts, answers, the farewell. False:
/// the peer does not read them.
bool port::send_said(wakes& woken) noexcept {
  std::string& out = tls()->out();
  if (out.empty()) return true;
  if (!write_shut_ && fd >= 0) static_cast<void>(send_wire(out, woken));
  tls()->unread_answers = queued() == 0 ? 0 : tls()->unread_answers + out.size();
  std::string().swap(out);
  return tls()->unread_answers <= most_answers;
}

// --- output ---

tcp_result<void> port::write_tls(std::string_view data, wakes& woken) noexcept {
  tls_stream& stream = *tls();
  while (!data.empty()) {
    std::string_view const record = data.substr(0, tls_stream::most_at_once);
    data.remove_prefix(record.size());
    if (!stream.write(record))
      return write_failed(stream.error() != 0 ? stream.error() : EPIPE, woken);
    auto const sent = send_wire(stream.out(), woken);
    std::string().swap(stream.out());
    // A record that is not sent is missed by the peer: nothing behind it could be read.
    if (!sent) return write_shut_ ? sent : write_failed(ENOMEM, woken);
  }
  return {};
}

/// What is sent last, before the end of our side.
void port::say_farewell(wakes& woken) noexcept {
  if (tls() == nullptr || write_shut_ || fd < 0) return;
  tls()->say_farewell();
  static_cast<void>(send_said(woken));
}

}  // namespace otter::rts
