#pragma once

// io/direct_table.hpp - sockets in the table of an io_uring: no descriptors of the OS process, so
// they do not count for RLIMIT_NOFILE. doc/io.md, "More connections than descriptors".
//
// A direct descriptor is a number with direct_bit, so that a port can keep it where it keeps any:
//
//   bit 30: direct_bit    bits 20-29: which table    bits 0-19: the slot in it

#include <atomic>
#include <cstddef>
#include <string>

#include "poller/descriptor.hpp"
#include "poller/poll_ring.hpp"
#include "poller/poller.hpp"

namespace otter::rts {

constexpr int direct_bit = 1 << 30;
constexpr unsigned most_tables = 1u << 10;
constexpr bool is_direct(int fd) noexcept { return fd >= direct_bit; }
constexpr unsigned table_of(int fd) noexcept {
  return (static_cast<unsigned>(fd) >> poll_ring::slot_bits) & (most_tables - 1);
}

/// Functions are those of network (io/network.hpp), for one table; results likewise. Each is a
/// system call, under the ring's lock.
///
/// Ownership: of its slots. The poller that it is registered with, as a source, brings what
///            completes; released() is never called.
/// Threads:   any; ready() as in poll_source.
/// Invariant: used_ is at least the number of sockets in the table, so none is accepted for which
///            there is no room.
class direct_table final : public poll_source {
 public:
  /// Throws: std::system_error.
  direct_table(unsigned number, unsigned slots);

  void ready(std::uint32_t) noexcept override;

  /// -EMFILE if the table is full.
  int accept(int listener) noexcept;
  std::ptrdiff_t receive(int socket, void* into, std::size_t size, int flags) noexcept;
  std::ptrdiff_t send(int socket, void const* data, std::size_t size) noexcept;
  /// Some time soon, by a thread of the kernel's.
  void shutdown_write(int socket) noexcept;
  void close(int socket) noexcept;
  int set_option(int socket, int level, int name, void const* value, unsigned size) noexcept;
  /// An ordinary descriptor of the same socket, to be closed by the caller.
  int borrow_descriptor(int socket) noexcept;

  int watch(poll_source& source) noexcept { return -ring_.add(source); }
  void unwatch(poll_source& source) noexcept {
    if (ring_.remove(source)) signal();
  }

 private:
  template <class Prepare>
  int perform(Prepare prepare) noexcept;
  void signal() noexcept;

  unsigned const number_;
  unsigned const slots_;
  descriptor completed_;  // an eventfd
  poll_ring ring_;
  std::atomic<unsigned> used_{0};  // relaxed: only compared with slots_
};

/// Tries on a connection of its own what a table needs of the kernel, Linux 6.13 or later. Gives
/// what is refused, or nothing.
std::string why_no_direct_tables() noexcept;

}  // namespace otter::rts
