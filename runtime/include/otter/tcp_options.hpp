#pragma once

// otter/tcp_options.hpp - how a socket behaves: modes, framing, limits.
//
//   otter::active        who moves: the owner by receiving, or the socket by sending messages
//   otter::active_n()    so many messages, then silence
//   otter::packet        how bytes are cut into packets; otter/tcp_framer.hpp: in ways of your own
//   otter::tcp_options   all of it; sockets inherit their listener's (TCP-19)

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <otter/duration.hpp>

namespace otter {

class tcp_framer;

enum class active : unsigned char {
  off,    ///< no messages: recv()
  once,   ///< one packet as a message, then off
  on,     ///< every packet as a message: no flow control
  count,  ///< made by active_n(): off when the counter has come down to 0, with tcp_passive
  ready,  ///< for a reactive: an event of kind `ready` when there is something to read()
};

struct active_mode {
  otter::active mode = otter::active::off;
  int by = 0;

  constexpr active_mode() noexcept = default;
  constexpr active_mode(otter::active m) noexcept : mode(m) {}
  constexpr active_mode(otter::active m, int n) noexcept : mode(m), by(n) {}
};

/// Adds `n` (-32768 .. 32767) to the socket's counter. A sum above 32767 is refused with einval; at
/// or below 0 the socket becomes passive and says so with tcp_passive (TCP-3).
constexpr active_mode active_n(int n) noexcept { return {active::count, n}; }

enum class packet : unsigned char {
  raw,   ///< what has come, in whatever pieces
  line,  ///< up to and including '\n'
  /// As many bytes as the one ahead of them says. In these three modes send() puts the length ahead
  /// of what it is given, and receiving takes it off again; big-endian, without counting itself. A
  /// packet may be empty.
  length_1,
  length_2,  ///< two bytes
  length_4,  ///< four bytes; more than packet_size, or than 64 MiB if that is 0, is emsgsize
  /// What HTTP and its kin begin with: lines up to and including an empty one. Set another mode for
  /// what follows it. Longer than packet_size, or than `buffer` if that is 0, is emsgsize.
  header,
  framer,  ///< as tcp_options::framer says
};

/// Default: passive, raw. OTP's default is active; a socket without flow control is left to who
/// asks for it.
struct tcp_options {
  active_mode active = {};
  otter::packet packet = otter::packet::raw;
  /// A longer packet kills the socket with emsgsize (TCP-6). 0: no limit; a line longer than
  /// `buffer` then comes in pieces.
  std::uint32_t packet_size = 0;
  std::shared_ptr<tcp_framer const> framer = {};  ///< for packet::framer, and only there
  /// The most bytes that one raw message or unlimited recv carries. 1 .. 64 KiB.
  std::uint32_t buffer = 65536;

  bool nodelay = false;
  bool keepalive = false;
  /// Closing waits for nothing and sends a reset if 0. Not set: what is queued is sent first.
  std::optional<duration> linger = {};
  /// The peer's end of sending closes the socket in both directions. Off: reading ends, sending
  /// goes on (TCP-11).
  bool exit_on_close = true;
  /// A reset by the peer is told as econnreset; else it looks like an ordinary close (TCP-13).
  bool show_econnreset = false;

  /// A sender waits while so many bytes are queued, until fewer than `low_watermark` are (TCP-22).
  std::uint32_t high_watermark = 8192;
  std::uint32_t low_watermark = 4096;
  duration send_timeout = infinity;
  /// A send that runs out of time closes the socket (TCP-23).
  bool send_timeout_close = false;

  /// The owner gets tcp_busy when so much is queued that a sender would wait, and tcp_drained when
  /// none would any more: for an owner that must not wait itself, with a send_timeout of 0.
  bool tell_busy = false;
  /// When the node is above its memory mark (node_options::memory_shed_idle), the socket may be
  /// closed if nothing was received or sent for so long: error `shed`, then closed.
  std::optional<duration> shed_when_idle = {};

  std::optional<int> send_buffer = {};     ///< of the system, bytes
  std::optional<int> receive_buffer = {};  ///< of the system, bytes

  // --- listeners only ---
  int backlog = 1024;
  bool reuse_address = true;
  bool reuse_port = false;  ///< several listeners share the address, each with its own queue
  bool v6_only = false;
  /// So many connections of this listener may live; 0: any number. Above that, accepting waits
  /// until one is closed, and connections wait in the system's queue.
  std::uint32_t max_connections = 0;
  /// So many connections a second are accepted; 0: any. After a pause up to `accept_burst` at once;
  /// 0: as many as in a second.
  std::uint32_t accept_rate = 0;
  std::uint32_t accept_burst = 0;
  /// A local name with a file: who may connect, as in 0660, whatever the umask says, from the
  /// moment that it listens. Not set: as the umask says.
  std::optional<unsigned> permissions = {};
};

}  // namespace otter
