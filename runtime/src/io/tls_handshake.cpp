// io/tls_handshake.cpp - the public functions of TLS: the handshake, and what it has given.

#include <fmt/format.h>

#include <cerrno>
#include <optional>
#include <otter/tls.hpp>

#include "io/entry.hpp"
#include "io/tls_stream.hpp"

namespace otter {

using namespace rts;  // this room's own names; the file defines only functions of the public header

namespace {

tl::unexpected<tls_failure> failure(std::error_code code, std::string text = {}) {
  return tl::unexpected(tls_failure{code, std::move(text)});
}

struct close_unless_kept {
  tcp_socket socket;
  bool kept = false;
  ~close_unless_kept() {
    if (!kept) socket.close();
  }
};

/// One handshake, in the process that makes it.
///
/// The cryptography is done outside the port's lock, since nobody else may use the port meanwhile,
/// and the poller must not wait for it. Between two steps the process waits; nothing of OpenSSL is
/// on the stack then.
class handshake {
 public:
  handshake(process& self, tcp_socket socket, port& at, tls_context_data const& context,
            tls_handshake_options const& options)
      : self_(self),
        socket_(socket),
        settings_(context.settings()),
        options_(options),
        io_(io_state::of_existing(self.system())),
        until_(due_after(self, options.limit)),
        place_(self, at, wait_place::tls_handshake),
        gate_(io_.gates(), context, place_.entry()) {}

  /// May be called once. If it fails, or is left by an exit, the connection is closed, but for what
  /// begin() refuses.
  tls_result<tls_info> run() {
    if (auto f = begin()) return tl::unexpected(std::move(*f));
    close_unless_kept guard{socket_};
    if (settings_->role == tls_role::server)
      if (auto f = await_hello()) return tl::unexpected(std::move(*f));
    if (auto f = await_place()) return tl::unexpected(std::move(*f));
    tls_ptr stream(new tls_stream(settings_, options_.server_name));
    if (auto f = converse(*stream)) return tl::unexpected(std::move(*f));
    tls_info info = stream->info();
    held_port p(self_, socket_);
    if (!p) return failure(make_error_code(tcp_errc::closed), closed_here);
    p->end_handshake(std::move(stream));
    guard.kept = true;
    return info;
  }

 private:
  using maybe_failure = std::optional<tls_failure>;
  static constexpr char const* closed_here = "the socket was closed here during the handshake";

  maybe_failure begin() {
    held_port p(self_, socket_);
    if (!p) return tls_failure{make_error_code(tcp_errc::closed), {}};
    if (std::error_code const why = p->begin_handshake(self_, place_.entry(), came_))
      return tls_failure{why, {}};
    return std::nullopt;
  }

  /// Until the peer has sent a whole record: one that says nothing gets neither a place nor
  /// OpenSSL's memory.
  maybe_failure await_hello() {
    for (;;) {
      switch (look_at_first(came_)) {
        case first_record::complete:
          return std::nullopt;
        case first_record::not_tls:
          return not_tls(came_);
        case first_record::incomplete:
          break;
      }
      if (auto f = hear()) return f;
    }
  }

  maybe_failure await_place() {
    while (!gate_.try_enter(settings_->handshakes)) {
      if (!place_.wait(until_))
        return tls_failure{make_error_code(tcp_errc::timeout),
                           fmt::format("no place for a handshake within {}: {} with this context "
                                       "are going on",
                                       limit(), settings_->handshakes)};
      held_port p(self_, socket_);
      if (!p) return tls_failure{make_error_code(tcp_errc::closed), closed_here};
    }
    return std::nullopt;
  }

  maybe_failure converse(tls_stream& stream) {
    for (;;) {
      self_.charge(100);
      auto const outcome = stream.handshake(came_);
      came_ = {};
      if (auto f = say(stream.out()); f && outcome != tls_stream::got::failed) return f;
      if (outcome == tls_stream::got::bytes) return std::nullopt;
      if (outcome == tls_stream::got::failed)
        return tls_failure{code_of(stream.error()), stream.why()};
      if (auto f = hear()) return f;
    }
  }

  /// Waits for bytes, and puts them behind came_.
  maybe_failure hear() {
    for (;;) {
      port::wire_input got;
      {
        borrowed_scratch const scratch;
        wakes woken;
        {
          held_port p(self_, socket_);
          if (!p) return tls_failure{make_error_code(tcp_errc::closed), closed_here};
          got = p->handshake_input(scratch.get(), scratch_bytes, woken);
        }
        came_.append(scratch.get(), got.n);
        heard_ += got.n;
      }
      if (got.n != 0) return std::nullopt;
      if (got.ended)
        return tls_failure{got.ended, fmt::format("the peer has ended the connection during the "
                                                  "handshake; it had sent {} bytes of it",
                                                  heard_)};
      if (!place_.wait(until_))
        return tls_failure{make_error_code(tcp_errc::timeout),
                           fmt::format("the handshake was not over within {}; the peer has sent {} "
                                       "bytes of it",
                                       limit(), heard_)};
    }
  }

  maybe_failure say(std::string& out) {
    std::string const said = std::exchange(out, {});
    if (said.empty()) return std::nullopt;
    wakes woken;
    held_port p(self_, socket_);
    if (!p) return tls_failure{make_error_code(tcp_errc::closed), closed_here};
    auto const sent = p->send_wire(said, woken);
    // A peer that has gone may have said why: that is read before its end is met.
    if (sent || sent.error() != tcp_errc::enomem) return std::nullopt;
    return tls_failure{sent.error(), "no memory for the handshake"};
  }

  std::string limit() const {
    return fmt::format(
        "{} ms", std::chrono::duration_cast<std::chrono::milliseconds>(options_.limit).count());
  }

  process& self_;
  tcp_socket const socket_;
  std::shared_ptr<tls_settings const> const settings_;
  tls_handshake_options const& options_;
  io_state& io_;
  wait_limit until_;
  std::string came_;
  std::size_t heard_ = 0;
  waiting_place place_;
  tls_gates::place gate_;
};

/// The handshake of a connection that was just made; then it gets its mode.
tls_result<tcp_socket> spoken(close_unless_kept& guard, tls_context const& context,
                              tls_handshake_options const& options, active_mode mode) {
  auto made = tls_handshake(guard.socket, context, options);
  if (!made) return tl::unexpected(std::move(made.error()));
  if (mode.mode != active::off)
    if (auto const set = guard.socket.set_active(mode); !set) return failure(set.error());
  guard.kept = true;
  return guard.socket;
}

/// Runs `f(tls_stream&)` on a connection's TLS, under the port's lock.
template <class Result, class F>
tcp_result<Result> with_tls(char const* what, tcp_socket socket, F f) {
  io_call call(what);
  held_port p(call.self, socket);
  if (!p) return io_failure(tcp_errc::closed);
  tls_stream* const stream = p->tls();
  if (stream == nullptr) return io_failure(tcp_errc::enotconn);
  return f(*stream);
}

}  // namespace

tls_result<tls_info> tls_handshake(tcp_socket socket, tls_context const& context,
                                   tls_handshake_options const& options) {
  io_call call("tls_handshake");
  auto const data = tls_access::data(context);  // kept alive, whatever happens to the caller's
  if (!data) throw error(errc::badarg, "tls_handshake: no context");
  auto const settings = data->settings();
  if (settings->role == tls_role::client && settings->verification == tls_verification::full &&
      options.server_name.empty())
    throw error(errc::badarg,
                "tls_handshake: the name of the server is to be verified, and there is no "
                "server_name; see tls_verification");
  // A dot ahead would mean any name below it.
  if (options.server_name.size() > 253 || options.server_name.starts_with('.') ||
      options.server_name.find('\0') != std::string::npos)
    throw error(errc::badarg, "tls_handshake: server_name is no host name");
  call.self.charge(20);
  port* at = nullptr;
  {
    held_port p(call.self, socket);
    if (!p) return failure(make_error_code(tcp_errc::closed));
    at = &*p;
  }
  return handshake(call.self, socket, *at, *data, options).run();
}

tls_result<tcp_socket> tls_accept(tcp_listener listener, tls_context const& context, duration limit,
                                  tls_handshake_options const& options) {
  auto const socket = tcp_accept(listener, limit);
  if (!socket) return failure(socket.error());
  close_unless_kept guard{*socket};
  // What the listener's sockets are to be, this one is once it speaks TLS.
  active_mode mode;
  {
    io_call const call("tls_accept");
    held_port p(call.self, *socket);
    if (!p) return failure(make_error_code(tcp_errc::closed));
    mode = p->hold_back();
  }
  return spoken(guard, context, options, mode);
}

tls_result<tcp_socket> tls_connect(std::string_view host, std::uint16_t port,
                                   tls_context const& context, tcp_options const& options,
                                   duration limit) {
  std::int64_t due = 0;
  scheduler* clock = nullptr;
  {
    io_call const call("tls_connect");
    due = due_after(call.self, limit);
    clock = &call.self.sched();
  }
  tcp_options passive = options;
  passive.active = {};
  auto const socket = tcp_connect(host, port, passive, limit);
  if (!socket) return failure(socket.error());
  close_unless_kept guard{*socket};
  tls_handshake_options how;
  how.server_name = std::string(host);
  how.limit = infinity;
  if (due != INT64_MAX) how.limit = duration(std::max<std::int64_t>(due - clock->now(), 0));
  return spoken(guard, context, how, options.active);
}

tcp_result<tls_info> connection_information(tcp_socket socket) {
  return with_tls<tls_info>("connection_information", socket,
                            [](tls_stream& s) { return s.info(); });
}

tcp_result<std::vector<std::byte>> peer_certificate(tcp_socket socket) {
  using der = tcp_result<std::vector<std::byte>>;
  return with_tls<std::vector<std::byte>>("peer_certificate", socket, [](tls_stream& s) -> der {
    auto found = s.peer_certificate();
    if (found.empty()) return tl::unexpected(make_error_code(tls_errc::certificate_required));
    return found;
  });
}

tcp_result<std::vector<std::byte>> export_key_material(tcp_socket socket, std::string_view label,
                                                       std::size_t length) {
  if (length == 0 || length > 1024)
    throw error(errc::badarg,
                fmt::format("export_key_material: {} bytes; allowed: 1 to 1024", length));
  using bytes = tcp_result<std::vector<std::byte>>;
  return with_tls<std::vector<std::byte>>(
      "export_key_material", socket, [&](tls_stream& s) -> bytes {
        std::vector<std::byte> material(length);
        if (!s.export_key_material(label, material))
          return tl::unexpected(make_error_code(tls_errc::no_exporter));
        return material;
      });
}

}  // namespace otter
