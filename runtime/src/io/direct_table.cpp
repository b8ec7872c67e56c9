// io/direct_table.cpp - sockets in the table of an io_uring.

#include "io/direct_table.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace otter::rts {
namespace {

// What Debian 12's <linux/io_uring.h>, of Linux 6.1, does not name.
constexpr std::uint8_t op_fixed_fd_install = 54;     // IORING_OP_FIXED_FD_INSTALL, 6.8
constexpr std::uint32_t socket_op_setsockopt = 3;    // SOCKET_URING_OP_SETSOCKOPT, 6.7
constexpr std::uint16_t accept_or_eagain = 1u << 1;  // IORING_ACCEPT_DONTWAIT, 6.10

constexpr std::size_t longest_piece = std::size_t{1} << 30;  // a length has 32 bits there

constexpr int slot_of(int fd) noexcept { return fd & ((1 << poll_ring::slot_bits) - 1); }

void of_slot(io_uring_sqe& entry, int fd) noexcept {
  entry.fd = slot_of(fd);
  entry.flags |= IOSQE_FIXED_FILE;
}

}  // namespace

direct_table::direct_table(unsigned number, unsigned slots)
    : number_(number),
      slots_(slots),
      completed_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd"),
      ring_(std::max(256u, slots), slots) {
  fd = completed_.get();
  if (int const error = ring_.signal(completed_.get()); error != 0)
    throw std::system_error(error, std::generic_category(), "io_uring_register(eventfd)");
}

void direct_table::signal() noexcept {
  std::uint64_t const one = 1;
  [[maybe_unused]] auto written = ::write(completed_.get(), &one, sizeof one);
}

/// The eventfd is not read: it is watched for edges, and its count has room for centuries.
void direct_table::ready(std::uint32_t) noexcept {
  if (ring_.deliver().more) signal();  // others of the poller's sources first
}

template <class Prepare>
int direct_table::perform(Prepare prepare) noexcept {
  bool came = false;
  int const result = ring_.perform(prepare, came);
  if (came) signal();
  return result;
}

int direct_table::accept(int listener) noexcept {
  if (used_.fetch_add(1, std::memory_order_relaxed) >= slots_) {
    used_.fetch_sub(1, std::memory_order_relaxed);
    return -EMFILE;
  }
  int const slot = perform([&](io_uring_sqe& entry) {
    ::io_uring_prep_accept(&entry, listener, nullptr, nullptr, SOCK_NONBLOCK);
    // Not io_uring_prep_accept_direct: that of liburing 2.3 makes an ordinary descriptor of "any".
    entry.file_index = IORING_FILE_INDEX_ALLOC;
    entry.ioprio |= accept_or_eagain;
  });
  if (slot >= 0) return direct_bit | static_cast<int>(number_ << poll_ring::slot_bits) | slot;
  used_.fetch_sub(1, std::memory_order_relaxed);
  return slot;
}

std::ptrdiff_t direct_table::receive(int socket, void* into, std::size_t size, int flags) noexcept {
  size = std::min(size, longest_piece);
  return perform([&](io_uring_sqe& entry) {
    ::io_uring_prep_recv(&entry, 0, into, size, flags | MSG_DONTWAIT);
    of_slot(entry, socket);
  });
}

std::ptrdiff_t direct_table::send(int socket, void const* data, std::size_t size) noexcept {
  size = std::min(size, longest_piece);
  return perform([&](io_uring_sqe& entry) {
    ::io_uring_prep_send(&entry, 0, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    of_slot(entry, socket);
  });
}

void direct_table::shutdown_write(int socket) noexcept {
  ring_.start([&](io_uring_sqe& entry) {
    ::io_uring_prep_shutdown(&entry, 0, SHUT_WR);
    of_slot(entry, socket);
  });
}

void direct_table::close(int socket) noexcept {
  perform([&](io_uring_sqe& entry) {
    ::io_uring_prep_close_direct(&entry, static_cast<unsigned>(slot_of(socket)));
  });
  used_.fetch_sub(1, std::memory_order_relaxed);
}

int direct_table::set_option(int socket, int level, int name, void const* value,
                             unsigned size) noexcept {
  return perform([&](io_uring_sqe& entry) {
    ::io_uring_prep_rw(IORING_OP_URING_CMD, &entry, 0, nullptr, 0, 0);
    of_slot(entry, socket);
    entry.cmd_op = socket_op_setsockopt;
    int const what[2] = {level, name};
    std::memcpy(&entry.addr, what, sizeof what);            // sqe->level and sqe->optname
    entry.file_index = size;                                // sqe->optlen
    entry.addr3 = reinterpret_cast<std::uintptr_t>(value);  // sqe->optval
  });
}

int direct_table::borrow_descriptor(int socket) noexcept {
  return perform([&](io_uring_sqe& entry) {
    ::io_uring_prep_rw(op_fixed_fd_install, &entry, 0, nullptr, 0, 0);
    of_slot(entry, socket);
  });
}

std::string why_no_direct_tables() noexcept try {
  struct silent final : poll_source {
    void ready(std::uint32_t) noexcept override {}
  } source;
  direct_table table(0, 4);
  descriptor const listener(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
                            "socket");
  descriptor const first(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  descriptor const second(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  auto* const address = reinterpret_cast<sockaddr*>(&at);
  auto const must = [](int result, char const* what) {
    if (result < 0)
      throw std::system_error(result == -1 ? errno : -result, std::generic_category(), what);
    return result;
  };
  must(::bind(listener.get(), address, size), "bind to a port of the loopback");
  must(::listen(listener.get(), 2), "listen");
  must(::getsockname(listener.get(), address, &size), "getsockname");
  must(::connect(first.get(), address, size), "connect to the loopback");
  must(::connect(second.get(), address, size), "connect to the loopback");
  int const kept = must(table.accept(listener.get()), "accepting into a table");
  int const closed = must(table.accept(listener.get()), "accepting into a table");
  int const on = 1;
  must(table.set_option(kept, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on), "setsockopt in a table");
  ::close(must(table.borrow_descriptor(kept), "a descriptor for a socket in a table"));
  source.fd = kept;
  must(table.watch(source), "poll in a table");
  // Before 6.13 a socket that is closed stays until all polls that are older have ended.
  table.close(closed);
  char byte = 0;
  if (::recv(second.get(), &byte, 1, MSG_DONTWAIT) != 0)
    return "sockets in a table are not closed while others are polled";
  return {};
} catch (std::exception const& e) {
  return e.what();
}

}  // namespace otter::rts
