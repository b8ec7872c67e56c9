#pragma once

// otter/tcp.hpp - TCP sockets, used in plain blocking style, from processes.
//
//   otter::tcp_listen()     a listener
//   otter::tcp_accept()     waits for a connection
//   otter::tcp_connect()    makes one
//   otter::resolve()        the addresses of a name
//   otter::explain_listen_failure()   who is in the way, and what to do
//   otter::tcp_socket       a connection: send(), recv(), read(), set_active(), close() ...
//   otter::tcp_data, tcp_closed, tcp_error, tcp_passive   what an active socket tells its owner
//   otter::tcp_busy, tcp_drained   what a socket tells of its queue, if it is asked to
//
// The same by a name on this machine instead of an internet address: tcp_address::local().
//
// A socket belongs to one process, its *owner*, which gets its messages; it closes when the owner
// ends, before anybody hears of that. A blocking call stops the calling process only. An idle
// connection holds no buffer.
//
// tcp_socket and tcp_listener are names, as a pid is: small values that may be copied and sent, and
// keep nothing alive. Using one whose socket is gone gives `closed`, never another socket. To wait
// without a stack, see active::ready and tcp_socket::read().

#include <cstddef>
#include <cstdint>
#include <functional>
#include <otter/duration.hpp>
#include <otter/pid.hpp>
#include <otter/reactive.hpp>
#include <otter/tcp_address.hpp>
#include <otter/tcp_error.hpp>
#include <otter/tcp_framer.hpp>
#include <otter/tcp_options.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace otter {

namespace rts {
struct port_access;
}

/// Bytes of a peer, owned. A std::string, since short lines then need no block of their own.
using tcp_bytes = std::string;

/// What a socket has done so far.
struct tcp_statistics {
  std::uint64_t received_bytes = 0;
  std::uint64_t received_packets = 0;  ///< messages and successful receives
  std::uint64_t sent_bytes = 0;        ///< handed to the system
  std::uint64_t sends = 0;
  std::size_t queued_bytes = 0;  ///< accepted by send() and not yet handed to the system
};

struct tcp_listener_statistics {
  std::uint64_t accepted = 0;
  std::uint32_t connections = 0;  ///< of it that live; counted only with limits
  std::uint64_t times_full = 0;   ///< that accepting began to pause for max_connections
  std::uint64_t times_fast = 0;   ///< and for accept_rate
};

namespace detail {

/// Names one port of one node. 16 bytes.
class port_name {
 public:
  constexpr port_name() noexcept = default;
  constexpr explicit operator bool() const noexcept { return generation_ != 0; }
  friend constexpr bool operator==(port_name const&, port_name const&) noexcept = default;
  friend constexpr auto operator<=>(port_name const&, port_name const&) noexcept = default;
  std::size_t hash() const noexcept {
    return static_cast<std::size_t>(mix_bits(generation_ ^ (std::uint64_t{index_} << 40)));
  }

 protected:
  friend struct rts::port_access;
  std::uint32_t node_ = 0;
  std::uint32_t index_ = 0;
  std::uint64_t generation_ = 0;  // starts at 1 and counts the closings of the slot
};

/// What has come for a socket, in a buffer that is lent until end_read().
struct lent_input {
  std::span<std::byte const> view;
  std::error_code error;  // set: nothing was lent
  void* buffer = nullptr;
};

}  // namespace detail

/// Names one connection.
class tcp_socket : public detail::port_name {
 public:
  constexpr tcp_socket() noexcept = default;

  /// Sends `data`: to the system what it takes, the rest into the socket's queue. Returns once
  /// that is done, not when it has arrived. Bytes of one call stay together (TCP-24).
  ///
  /// While the queue is above high_watermark the calling process, and nobody else, waits its turn.
  /// After `timeout` (option send_timeout) nothing of this call was sent.
  ///
  /// Called from: a process. Blocks: while the queue is full. Exits: may.
  /// Errors: closed, timeout, econnreset; emsgsize if the length does not fit the mode's header.
  /// Throws: error(would_suspend) under no_suspend.
  tcp_result<void> send(std::string_view data) const;
  tcp_result<void> send(std::span<std::byte const> data) const;

  /// One packet; in raw mode exactly `length` bytes, or with 0 what there is (TCP-7). Bytes that
  /// came before a time-out stay buffered.
  ///
  /// Called from: a process. Blocks: until there is one, at most `limit`. Exits: may.
  /// Errors: closed, once all complete packets before it have been received; timeout; einval if the
  /// socket is not passive, or for a length in a mode other than raw; ealready if another process
  /// is receiving; emsgsize, ebadmsg, econnreset.
  tcp_result<tcp_bytes> recv(std::size_t length = 0, duration limit = infinity) const;
  /// Some bytes, straight into `into`; raw mode. As recv() otherwise. Gives how many, at least 1.
  tcp_result<std::size_t> recv_some(std::span<std::byte> into, duration limit = infinity) const;

  /// For the owner of a socket in mode active::ready, upon an event of kind ready: calls
  /// `f(std::span<std::byte const>) -> std::size_t` with what has come, in a buffer of the worker.
  /// `f` says how much of it it has used; the rest is kept and shown again, with more behind it, at
  /// the next read. `f` may do whatever a process may, waiting included. It is called at most once;
  /// if there is more, another ready event follows.
  ///
  /// Gives the number of bytes shown; 0 if there was nothing (`f` was not called).
  /// Called from: the owner. Blocks: as f does. Exits: may.
  /// Errors: closed after the last bytes, einval in another mode, not_owner, econnreset, emsgsize
  /// when 64 KiB were shown and none used.
  template <class F>
  tcp_result<std::size_t> read(F&& f) const;

  /// Changes who moves (TCP-2 to TCP-4). Data that waits is delivered at once.
  ///
  /// Called from: a process; active::ready: the owner. Blocks: never. Exits: never.
  /// Errors: einval if the socket is gone, the counter too large, a receive is going on, or the
  /// mode is packet::framer, which set_framer() sets.
  tcp_result<void> set_active(active_mode mode) const noexcept;
  tcp_result<void> set_packet(otter::packet mode, std::uint32_t packet_size = 0) const noexcept;
  /// packet::framer with this framer. Errors: einval without one or if the socket is gone, enomem.
  tcp_result<void> set_framer(std::shared_ptr<tcp_framer const> framer,
                              std::uint32_t packet_size = 0) const noexcept;
  tcp_result<void> set_nodelay(bool on) const noexcept;
  tcp_result<void> set_keepalive(bool on) const noexcept;
  tcp_result<void> set_linger(std::optional<duration> linger) const noexcept;
  tcp_result<void> set_exit_on_close(bool on) const noexcept;
  tcp_result<void> set_send_timeout(duration limit, bool close_then = false) const;
  tcp_result<void> set_watermarks(std::uint32_t high, std::uint32_t low) const noexcept;

  /// Makes `next` the owner. Messages of this socket that lie in the caller's mailbox move to it,
  /// in order, before all later ones: no byte is lost, doubled or overtaken (TCP-17).
  ///
  /// Called from: the owner. Blocks: never. Exits: may.
  /// Errors: not_owner, badarg if `next` is not alive, closed.
  tcp_result<void> controlling_process(pid next) const;

  /// No more sending: the peer sees the end after what is queued. Receiving goes on (TCP-12).
  tcp_result<void> shutdown_write() const noexcept;
  /// Ends the connection; what is queued is still sent, without anybody waiting for it. Closing
  /// what is closed already is fine. Called from: a process. Blocks: never. Exits: never.
  void close() const noexcept;

  tcp_result<tcp_address> local_address() const noexcept;
  tcp_result<tcp_address> peer_address() const noexcept;
  tcp_result<tcp_statistics> statistics() const noexcept;
  /// The owner, or no pid if the socket is gone.
  pid owner() const noexcept;

  /// The socket that an event of kind `ready` is for.
  static tcp_socket of(event& ready) noexcept;

 private:
  detail::lent_input begin_read() const;
  void end_read(detail::lent_input const& input, std::size_t used) const noexcept;
};

/// Names one listener.
class tcp_listener : public detail::port_name {
 public:
  constexpr tcp_listener() noexcept = default;
  tcp_result<tcp_address> local_address() const noexcept;
  tcp_result<tcp_listener_statistics> statistics() const noexcept;
  /// Everybody who waits in accept gets `closed`. Called from: a process. Blocks: never.
  void close() const noexcept;
};

/// A packet, in active mode.
struct tcp_data {
  tcp_socket socket;
  tcp_bytes bytes;
};
/// The connection has ended: once, and after everything else about this socket.
struct tcp_closed {
  tcp_socket socket;
};
/// Something went wrong; tcp_closed follows (TCP-14).
struct tcp_error {
  tcp_socket socket;
  std::error_code error;
};
/// The counter of active_n() has come down to 0.
struct tcp_passive {
  tcp_socket socket;
};

/// With tcp_options::tell_busy: so much is queued that a sender would wait.
struct tcp_busy {
  tcp_socket socket;
  std::size_t queued_bytes = 0;
};
/// And now none would.
struct tcp_drained {
  tcp_socket socket;
};

/// Listens on `address`; port 0 lets the system choose. The caller becomes the owner. The file of a
/// local name is removed when the listener closes. One that lies there already is eaddrinuse: it
/// may be somebody's, so removing it is the operator's business.
///
/// Called from: a process. Blocks: never. Exits: never.
/// Errors: eaddrinuse, eacces, emfile ... Throws: error(badarg) for options out of range.
tcp_result<tcp_listener> tcp_listen(tcp_address const& address, tcp_options const& options = {});

/// What to tell an operator when tcp_listen(`address`) gave `why`: what is wrong, which process is
/// in the way as far as that can be seen, and what to do.
///
/// Called from: anywhere. Blocks: while it looks into /proc, some milliseconds.
std::string explain_listen_failure(tcp_address const& address, std::error_code why);

/// Waits for a connection; the caller becomes its owner. Any process may wait, several are served
/// in the order of their coming (TCP-18).
///
/// Called from: a process. Blocks: until there is one, at most `limit`. Exits: may.
/// Errors: closed, timeout; emfile or enfile after a pause of 100 ms if descriptors have run out:
/// the listener goes on, and trying again is right.
tcp_result<tcp_socket> tcp_accept(tcp_listener listener, duration limit = infinity);

/// The addresses of a name, in the order in which they should be tried, or of a numeric address
/// that one; "localhost" and what ends in ".localhost" are this machine, whatever a name server
/// says. The system's resolver works in the pool of blocking().
///
/// Called from: a process. Blocks: at most `limit`. Exits: may. Errors: nxdomain, timeout.
tcp_result<std::vector<tcp_address>> resolve(std::string_view host, std::uint16_t port,
                                             duration limit = infinity);

/// Connects to `host`, a name or a numeric address, see resolve(). The addresses of a name are
/// tried in turn; each has at most its share of the time that is left, so one that does not answer
/// does not keep us from the others.
///
/// Called from: a process. Blocks: at most `limit`. Exits: may.
/// Errors: econnrefused, timeout, nxdomain, ehostunreach, emfile ...
tcp_result<tcp_socket> tcp_connect(std::string_view host, std::uint16_t port,
                                   tcp_options const& options = {}, duration limit = infinity);
tcp_result<tcp_socket> tcp_connect(tcp_address const& address, tcp_options const& options = {},
                                   duration limit = infinity);

template <class F>
tcp_result<std::size_t> tcp_socket::read(F&& f) const {
  static_assert(std::is_invocable_r_v<std::size_t, F&, std::span<std::byte const>>,
                "otter: read() takes a function of a span of bytes that returns how many it used");
  detail::lent_input const input = begin_read();
  if (input.error) return tl::unexpected(input.error);
  if (input.view.empty()) return std::size_t{0};
  struct give_back {
    tcp_socket socket;
    detail::lent_input const& input;
    std::size_t used = 0;
    ~give_back() { socket.end_read(input, used); }
  } later{*this, input};
  later.used = std::invoke(f, input.view);
  return input.view.size();
}

/// The characters of a view, for parsers that want text.
inline std::string_view as_text(std::span<std::byte const> view) noexcept {
  return {reinterpret_cast<char const*>(view.data()), view.size()};
}

}  // namespace otter

template <>
struct std::hash<otter::tcp_socket> {
  std::size_t operator()(otter::tcp_socket const& s) const noexcept { return s.hash(); }
};
template <>
struct std::hash<otter::tcp_listener> {
  std::size_t operator()(otter::tcp_listener const& l) const noexcept { return l.hash(); }
};
