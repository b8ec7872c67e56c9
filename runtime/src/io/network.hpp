#pragma once

// io/network.hpp - the seam under the ports: everything that they ask of the operating system.
//
// Two implementations: sockets of the system, and a simulated network in which every delay, short
// write and reset is chosen by the simulation's seed. Nothing else in this room calls a socket
// function.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <otter/tcp_address.hpp>
#include <otter/tcp_options.hpp>
#include <otter/udp.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "poller/poller.hpp"

namespace otter::rts {

class scheduler;

/// Descriptors are non-blocking. Functions give a result of 0 or more, or minus an errno;
/// -EAGAIN means: an event will come (edge-triggered, see poll_source).
///
/// Threads: any, several at once for different descriptors. For one descriptor the port's lock
///          keeps callers apart. watch() on a worker.
class network {
 public:
  virtual ~network() = default;

  virtual int listen(tcp_address const& at, tcp_options const& options) noexcept = 0;
  virtual int accept(int listener) noexcept = 0;
  /// A descriptor on which a connection is being made; an event says when it is time for
  /// finish_connect(). -EAGAIN: the queue of a local listener is full, and no event will come.
  virtual int connect(tcp_address const& to, tcp_options const& options) noexcept = 0;
  /// 0, or minus the reason why there is no connection; -EINPROGRESS: not decided yet.
  virtual int finish_connect(int fd) noexcept = 0;

  /// 0: the peer has ended its side.
  virtual std::ptrdiff_t receive(int fd, void* into, std::size_t size) noexcept = 0;
  virtual std::ptrdiff_t send(int fd, void const* data, std::size_t size) noexcept = 0;
  /// A socket of datagrams.
  virtual int open_datagrams(tcp_address const& at, udp_options const& options) noexcept = 0;
  /// Gives the length that the datagram had, which may be more than `size`.
  virtual std::ptrdiff_t receive_from(int fd, void* into, std::size_t size,
                                      tcp_address& from) noexcept = 0;
  /// The whole of it, or minus an errno.
  virtual std::ptrdiff_t send_to(int fd, std::string_view data, tcp_address const& to) noexcept = 0;
  virtual void shutdown_write(int fd) noexcept = 0;
  /// Drops what has come and was not read: closing with unread bytes would send a reset, which may
  /// overtake what we sent last.
  virtual void discard_input(int fd) noexcept = 0;
  /// The descriptor may not be watched any more. `reset`: at once, with a reset.
  virtual void close(int fd, bool reset) noexcept = 0;

  /// The node is gone: no worker runs, nobody watches.
  virtual void close_at_end(int fd) noexcept = 0;

  virtual int set_nodelay(int fd, bool on) noexcept = 0;
  virtual int set_keepalive(int fd, bool on) noexcept = 0;
  /// A closed socket whose peer takes nothing for so long is given up.
  virtual void limit_flush(int fd, std::int64_t limit_ns) noexcept = 0;
  virtual int local_address(int fd, tcp_address& out) noexcept = 0;
  virtual int peer_address(int fd, tcp_address& out) noexcept = 0;

  /// Events go to `source` from now on. 0 or minus an errno.
  virtual int watch(poll_source& source) noexcept = 0;
  /// The process that the source is for runs on this worker. True: its events come here. `again`:
  /// the last time they did not, so they are made to, if that can be.
  virtual bool follow(poll_source&, bool) noexcept { return true; }
  /// Before close(), which is next. True: it is over; else released() follows.
  virtual bool unwatch(poll_source& source) noexcept = 0;

  /// Gives the addresses of a name, or none. A plain function, since the pool's thread that runs
  /// it may outlive the network.
  using resolver = std::vector<tcp_address> (*)(std::string const& host, std::uint16_t port);
  virtual resolver name_resolver() const noexcept = 0;
  /// True: it blocks, and belongs on the blocking pool.
  virtual bool resolver_blocks() const noexcept = 0;

  /// How many sockets find room that are no descriptors (io/direct_network.hpp).
  virtual std::size_t direct_slots() const noexcept { return 0; }
};

/// An error of accept that is one connection's, lost while it waited: the next may be good.
bool is_of_one_connection(int error) noexcept;

/// RFC 6761: localhost and what is below it are the loopback addresses. Nobody is asked: on a
/// machine without /etc/hosts that would be a name server, and it should not know.
bool is_localhost(std::string_view host) noexcept;
std::vector<tcp_address> loopbacks(std::uint16_t port);

std::unique_ptr<network> make_socket_network(scheduler& node);
std::unique_ptr<network> make_simulated_network(scheduler& node);

}  // namespace otter::rts
