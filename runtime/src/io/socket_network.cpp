// io/socket_network.cpp - the network of the operating system.

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <limits>
#include <mutex>
#include <new>
#include <system_error>

#include "base/sanitizers.hpp"
#include "io/discard.hpp"
#include "io/network.hpp"
#include "scheduler/scheduler.hpp"

namespace otter::rts {
namespace {

struct system_address {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);
  sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
};

system_address to_system(tcp_address const& a) noexcept {
  system_address out;
  if (a.is_local()) {
    auto& un = reinterpret_cast<sockaddr_un&>(out.storage);
    un.sun_family = AF_UNIX;
    std::memcpy(un.sun_path, a.path.data(), std::min(a.path.size(), tcp_address::longest_path + 1));
    // An abstract name ends where its length says, a path with a zero.
    bool const abstract = !a.path.empty() && !a.has_file();
    out.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + a.path.size() +
                                      (abstract ? 0 : 1));
  } else if (a.family == tcp_address::family_type::v6) {
    auto& in6 = reinterpret_cast<sockaddr_in6&>(out.storage);
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(a.port);
    in6.sin6_scope_id = a.scope;
    std::memcpy(&in6.sin6_addr, a.bytes.data(), 16);
    out.size = sizeof in6;
  } else {
    auto& in = reinterpret_cast<sockaddr_in&>(out.storage);
    in.sin_family = AF_INET;
    in.sin_port = htons(a.port);
    std::memcpy(&in.sin_addr, a.bytes.data(), 4);
    out.size = sizeof in;
  }
  return out;
}

/// Throws: std::bad_alloc, for the name of a local one.
tcp_address from_system(sockaddr const* a, socklen_t size) {
  tcp_address out;
  if (a->sa_family == AF_INET6) {
    sockaddr_in6 in6;
    std::memcpy(&in6, a, sizeof in6);
    out.family = tcp_address::family_type::v6;
    out.port = ntohs(in6.sin6_port);
    out.scope = in6.sin6_scope_id;
    std::memcpy(out.bytes.data(), &in6.sin6_addr, 16);
  } else if (a->sa_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, a, sizeof in);
    out.family = tcp_address::family_type::v4;
    out.port = ntohs(in.sin_port);
    std::memcpy(out.bytes.data(), &in.sin_addr, 4);
  } else if (a->sa_family == AF_UNIX) {
    out.family = tcp_address::family_type::local;
    auto const* const name = reinterpret_cast<sockaddr_un const*>(a)->sun_path;
    std::size_t const n = size - std::min<std::size_t>(size, offsetof(sockaddr_un, sun_path));
    // A path's length may or may not count its zero.
    if (n != 0) out.path.assign(name, name[0] == '\0' ? n : ::strnlen(name, n));
  }
  return out;
}

int set_int(int fd, int level, int name, int value) noexcept {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0 ? 0 : -errno;
}

/// Options that a listener's sockets inherit from it in the kernel too.
void apply(int fd, tcp_options const& o) noexcept {
  if (o.nodelay) set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (o.keepalive) set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  if (o.send_buffer) set_int(fd, SOL_SOCKET, SO_SNDBUF, *o.send_buffer);
  if (o.receive_buffer) set_int(fd, SOL_SOCKET, SO_RCVBUF, *o.receive_buffer);
}

int new_socket(tcp_address const& a) noexcept {
  int const family = a.is_local()                               ? AF_UNIX
                     : a.family == tcp_address::family_type::v6 ? AF_INET6
                                                                : AF_INET;
  int const fd = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return fd >= 0 ? fd : -errno;
}

/// What close() does to a connection, for where that may come late: the kernel holds a socket until
/// the poll of an io_uring that was cancelled has let go of it, which the thread that asked for the
/// poll does when it next enters the kernel.
void end_at_once(int fd, bool reset) noexcept {
  if (reset) {
    sockaddr const nobody{AF_UNSPEC, {}};
    ::connect(fd, &nobody, sizeof nobody);
  } else {
    ::shutdown(fd, SHUT_RDWR);
  }
}

int close_with(int fd, int error) noexcept {
  ::close(fd);
  return -error;
}

std::vector<tcp_address> resolve(std::string const& host, std::uint16_t port) {
  if (is_localhost(host)) return loopbacks(port);
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  std::vector<tcp_address> found;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &list) != 0) return found;
  struct release {
    addrinfo* list;
    ~release() { ::freeaddrinfo(list); }
  } later{list};
  for (addrinfo* i = list; i != nullptr; i = i->ai_next) {
    tcp_address a = from_system(i->ai_addr, i->ai_addrlen);
    a.port = port;
    if (a.family != tcp_address::family_type::none) found.push_back(a);
  }
  return found;
}

/// Files that local listeners have made: each is removed with its listener, if it is still the one
/// that was made.
///
/// Threads:   any. Invariant: count_ is the size of files_, so that who closes a connection need
/// not
///            lock when there are none; whoever closes a listener came by its descriptor after
///            listen(), and so sees the count.
class bound_files {
 public:
  ~bound_files() {
    for (file const& f : files_) remove(f);
  }
  /// Throws: std::bad_alloc.
  void add(int fd, std::string const& path) {
    struct stat s {};
    if (::lstat(path.c_str(), &s) != 0) return;
    std::lock_guard lock(mutex_);
    files_.push_back({fd, s.st_dev, s.st_ino, path});
    count_.store(files_.size(), std::memory_order_relaxed);
  }
  void closing(int fd) noexcept {
    if (count_.load(std::memory_order_relaxed) == 0) return;
    std::lock_guard lock(mutex_);
    for (auto f = files_.begin(); f != files_.end(); ++f) {
      if (f->fd != fd) continue;
      remove(*f);
      files_.erase(f);
      count_.store(files_.size(), std::memory_order_relaxed);
      return;
    }
  }

 private:
  struct file {
    int fd;
    dev_t device;
    ino_t number;
    std::string path;
  };
  static void remove(file const& f) noexcept {
    struct stat s {};
    if (::lstat(f.path.c_str(), &s) == 0 && s.st_dev == f.device && s.st_ino == f.number)
      ::unlink(f.path.c_str());
  }

  std::atomic<std::size_t> count_{0};
  std::mutex mutex_;
  std::vector<file> files_;  // guarded by mutex_
};

// ::recv and ::send are cancellation points, and in a process of several threads each pays two
// locked instructions for that. No worker is ever cancelled. (ThreadSanitizer knows the library's
// functions and takes order from them.)
#if defined(SYS_recvfrom) && defined(SYS_sendto) && !OTTER_TSAN
ssize_t receive_now(int fd, void* into, std::size_t size) noexcept {
  return ::syscall(SYS_recvfrom, fd, into, size, 0, nullptr, nullptr);
}
ssize_t send_now(int fd, void const* data, std::size_t size) noexcept {
  return ::syscall(SYS_sendto, fd, data, size, MSG_NOSIGNAL, nullptr, 0);
}
#else
ssize_t receive_now(int fd, void* into, std::size_t size) noexcept {
  return ::recv(fd, into, size, 0);
}
ssize_t send_now(int fd, void const* data, std::size_t size) noexcept {
  return ::send(fd, data, size, MSG_NOSIGNAL);
}
#endif

class socket_network final : public network {
 public:
  explicit socket_network(scheduler& node) noexcept : node_(node) {}

  int listen(tcp_address const& at, tcp_options const& o) noexcept override {
    int const fd = new_socket(at);
    if (fd < 0) return fd;
    if (o.reuse_address) set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (o.reuse_port) set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (at.family == tcp_address::family_type::v6)
      set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, o.v6_only ? 1 : 0);
    apply(fd, o);
    system_address a = to_system(at);
    bool const has_file = at.has_file();
    // The file gets the socket's mode less the umask, so it is never wider than asked for; and
    // exactly that before anybody can connect.
    if (has_file && o.permissions) ::fchmod(fd, *o.permissions);
    if (::bind(fd, a.get(), a.size) != 0) return close_with(fd, errno);
    if (has_file) {
      try {
        files_.add(fd, at.path);
      } catch (std::bad_alloc const&) {
        ::unlink(at.path.c_str());
        return close_with(fd, ENOMEM);
      }
      if (o.permissions && ::chmod(at.path.c_str(), *o.permissions) != 0) {
        int const why = errno;
        files_.closing(fd);
        return close_with(fd, why);
      }
    }
    if (::listen(fd, o.backlog) != 0) return close_with(fd, errno);
    return fd;
  }

  int accept(int listener) noexcept override {
    for (;;) {
      int const fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) return fd;
      if (!is_of_one_connection(errno)) return -errno;
    }
  }

  int connect(tcp_address const& to, tcp_options const& o) noexcept override {
    int const fd = new_socket(to);
    if (fd < 0) return fd;
    apply(fd, o);
    system_address a = to_system(to);
    if (::connect(fd, a.get(), a.size) == 0 || errno == EINPROGRESS || errno == EINTR) return fd;
    return close_with(fd, errno);
  }

  int finish_connect(int fd) noexcept override {
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return -errno;
    if (error != 0) return -error;
    system_address peer;
    if (::getpeername(fd, peer.get(), &peer.size) == 0) return 0;
    return errno == ENOTCONN ? -EINPROGRESS : -errno;
  }

  std::ptrdiff_t receive(int fd, void* into, std::size_t size) noexcept override {
    for (;;) {
      ssize_t const n = receive_now(fd, into, size);
      if (n >= 0) return n;
      if (errno != EINTR) return -errno;
    }
  }

  std::ptrdiff_t send(int fd, void const* data, std::size_t size) noexcept override {
    for (;;) {
      ssize_t const n = send_now(fd, data, size);
      if (n >= 0) return n;
      if (errno != EINTR) return -errno;
    }
  }

  int open_datagrams(tcp_address const& at, udp_options const& o) noexcept override {
    int const family = at.family == tcp_address::family_type::v6 ? AF_INET6 : AF_INET;
    int const fd = ::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    if (o.reuse_address) set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (o.reuse_port) set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (o.broadcast) set_int(fd, SOL_SOCKET, SO_BROADCAST, 1);
    if (family == AF_INET6) set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, o.v6_only ? 1 : 0);
    if (o.send_buffer) set_int(fd, SOL_SOCKET, SO_SNDBUF, *o.send_buffer);
    if (o.receive_buffer) set_int(fd, SOL_SOCKET, SO_RCVBUF, *o.receive_buffer);
    system_address a = to_system(at);
    if (::bind(fd, a.get(), a.size) != 0) return close_with(fd, errno);
    return fd;
  }

  std::ptrdiff_t receive_from(int fd, void* into, std::size_t size,
                              tcp_address& from) noexcept override {
    for (;;) {
      system_address a;
      ssize_t const n = ::recvfrom(fd, into, size, MSG_TRUNC, a.get(), &a.size);
      if (n >= 0) {
        int const result = take(a, from);
        return result < 0 ? result : n;
      }
      if (errno != EINTR) return -errno;
    }
  }

  std::ptrdiff_t send_to(int fd, std::string_view data, tcp_address const& to) noexcept override {
    system_address a = to_system(to);
    for (;;) {
      ssize_t const n = ::sendto(fd, data.data(), data.size(), MSG_NOSIGNAL, a.get(), a.size);
      if (n >= 0) return n;
      if (errno != EINTR) return -errno;
    }
  }

  void shutdown_write(int fd) noexcept override { ::shutdown(fd, SHUT_WR); }

  void discard_input(int fd) noexcept override {
    discard_what_came([fd](void* into, std::size_t size, int flags) noexcept {
      std::ptrdiff_t const n = ::recv(fd, into, size, flags | MSG_DONTWAIT);
      return n >= 0 ? n : std::ptrdiff_t{-errno};
    });
  }

  void close(int fd, bool reset) noexcept override {
    files_.closing(fd);
    if (reset) {
      linger const at_once{1, 0};
      ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    if (node_.poller() == poller_kind::io_uring) end_at_once(fd, reset);
    ::close(fd);
  }

  void close_at_end(int fd) noexcept override { ::close(fd); }

  int set_nodelay(int fd, bool on) noexcept override {
    int const result = set_int(fd, IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0);
    return result == -EOPNOTSUPP ? 0 : result;  // a local socket never holds bytes back
  }
  int set_keepalive(int fd, bool on) noexcept override {
    return set_int(fd, SOL_SOCKET, SO_KEEPALIVE, on ? 1 : 0);
  }
  void limit_flush(int fd, std::int64_t limit_ns) noexcept override {
    std::int64_t const ms =
        std::min<std::int64_t>(limit_ns / 1'000'000, std::numeric_limits<int>::max());
    set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(ms));
  }

  int local_address(int fd, tcp_address& out) noexcept override {
    system_address a;
    if (::getsockname(fd, a.get(), &a.size) != 0) return -errno;
    return take(a, out);
  }
  int peer_address(int fd, tcp_address& out) noexcept override {
    system_address a;
    if (::getpeername(fd, a.get(), &a.size) != 0) return -errno;
    return take(a, out);
  }

  int watch(poll_source& source) noexcept override {
    try {
      node_.watch(source);
      return 0;
    } catch (std::system_error const& e) {
      return -e.code().value();
    } catch (std::bad_alloc const&) {
      return -ENOMEM;
    }
  }
  bool follow(poll_source& source, bool again) noexcept override {
    return node_.follow(source, again);
  }
  bool unwatch(poll_source& source) noexcept override { return node_.forget(source); }

  resolver name_resolver() const noexcept override { return &resolve; }
  bool resolver_blocks() const noexcept override { return true; }

 private:
  static int take(system_address& a, tcp_address& out) noexcept {
    try {
      out = from_system(a.get(), a.size);
      return 0;
    } catch (std::bad_alloc const&) {
      return -ENOMEM;
    }
  }

  scheduler& node_;
  bound_files files_;
};

}  // namespace

bool is_of_one_connection(int error) noexcept {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

bool is_localhost(std::string_view host) noexcept {
  constexpr std::string_view name = "localhost";
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.size() < name.size()) return false;
  std::string_view const last = host.substr(host.size() - name.size());
  return ::strncasecmp(last.data(), name.data(), name.size()) == 0 &&
         (host.size() == name.size() || host[host.size() - name.size() - 1] == '.');
}

std::vector<tcp_address> loopbacks(std::uint16_t port) {
  return {*tcp_address::parse("::1", port), tcp_address::loopback(port)};
}

std::unique_ptr<network> make_socket_network(scheduler& node) {
  return std::make_unique<socket_network>(node);
}

}  // namespace otter::rts
