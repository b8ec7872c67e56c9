// main.cpp - what the machine itself asks for: an echo server that is nothing but epoll loops.
//
// A thread per worker, each with a listener of its own on the same port (SO_REUSEPORT),
// edge-triggered: one read and one write per request, and a share of an epoll_wait. It has no
// timers, no limits, and one connection's slow handling holds up all others of its thread. Nothing
// that does more can need less; the goals of the network rows are ratios to it.
//
// tls=full and tls=resumed: the same loop with OpenSSL between reading and writing, and nothing
// else; which of the two it becomes, the clients decide.

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <thread>

#include "../../measure.hpp"
#include "tls_server.hpp"

namespace {

[[noreturn]] void fail(char const* what) {
  std::fprintf(stderr, "%s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

struct connection {
  int fd;
  std::string unsent;  // while there is some, nothing is read
  std::unique_ptr<bench::tls_over_memory> tls;
};

class loop {
 public:
  /// `tls`: none for plain connections.
  loop(bench::job const& j, SSL_CTX* tls)
      : work_ns_(static_cast<std::int64_t>(j.number("work", 0)) * 1000),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        listener_{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), {}, nullptr},
        tls_(tls) {
    int const on = 1;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(j.number("port", 0)));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::setsockopt(listener_.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ::setsockopt(listener_.fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (::bind(listener_.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener_.fd, 1024) != 0)
      fail("listen");
    watch(listener_);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 256> events;
    for (;;) {
      int const n = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < n; ++i) {
        auto& c = *static_cast<connection*>(events[static_cast<std::size_t>(i)].data.ptr);
        if (&c == &listener_)
          accept_all();
        else if (!serve(c))
          close(c);
      }
    }
  }

 private:
  void watch(connection& c) {
    epoll_event event{};
    event.events = &c == &listener_ ? EPOLLIN | EPOLLET : EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.ptr = &c;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, c.fd, &event) != 0) fail("epoll_ctl");
  }

  void accept_all() {
    for (;;) {
      int const fd = ::accept4(listener_.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
      if (fd < 0) return;
      auto* const c = new connection{fd, {}, nullptr};
      if (tls_ != nullptr) {
        c->tls = std::make_unique<bench::tls_over_memory>(tls_);
        ::SSL_set_accept_state(c->tls->openssl());
      }
      watch(*c);
    }
  }

  static void close(connection& c) {
    ::close(c.fd);
    delete &c;
  }

  /// Until there is nothing to read or no room to write. False: it has ended.
  bool serve(connection& c) {
    if (!c.unsent.empty()) {
      ssize_t const n = send(c, c.unsent);
      if (n < 0) return false;
      c.unsent.erase(0, static_cast<std::size_t>(n));
    }
    while (c.unsent.empty()) {
      ssize_t const n = ::recv(c.fd, buffer_.data(), buffer_.size(), 0);
      if (n < 0) return errno == EAGAIN;
      if (n == 0) return false;
      std::string_view const came(buffer_.data(), static_cast<std::size_t>(n));
      auto const answer = answer_to(c, came);
      if (!answer) return false;
      ssize_t const sent = answer->empty() ? 0 : send(c, *answer);
      if (sent < 0) return false;
      c.unsent = answer->substr(static_cast<std::size_t>(sent));
      if (c.tls) c.tls->drop_wire();
      if (came.size() < buffer_.size()) return true;  // all there was: an edge tells of more
    }
    return true;
  }

  /// What goes back for what came. Nothing: TLS has ended.
  std::optional<std::string_view> answer_to(connection& c, std::string_view came) {
    if (!c.tls) {
      work();
      return came;
    }
    using handshake = bench::tls_over_memory::handshake;
    c.tls->take(came);
    handshake const at = c.tls->shake_hands();
    std::ptrdiff_t n = at == handshake::failed ? -1 : 0;
    while (at == handshake::done && (n = c.tls->read(plain_)) > 0) {
      work();
      c.tls->write({plain_.data(), static_cast<std::size_t>(n)});
    }
    if (n == 0) return c.tls->wire();
    ::ERR_clear_error();  // the queue is this thread's, for all connections
    return std::nullopt;
  }

  static ssize_t send(connection const& c, std::string_view data) {
    ssize_t const n = ::send(c.fd, data.data(), data.size(), MSG_NOSIGNAL);
    return n < 0 && errno == EAGAIN ? 0 : n;
  }

  /// What a server does with a piece of input that takes its time.
  void work() const {
    if (work_ns_ == 0) return;
    for (std::int64_t const end = bench::now_ns() + work_ns_; bench::now_ns() < end;) {
    }
  }

  std::int64_t const work_ns_;
  int const epoll_;
  connection listener_;
  SSL_CTX* const tls_;
  std::array<char, 65536> buffer_;
  std::array<char, 16384> plain_;  // a record
};

}  // namespace

int main(int argc, char** argv) {
  bench::job const j(argc, argv);
  if (j.row() != "echo") {
    std::fprintf(stderr, "no row '%s'; there is: echo\n", j.row().c_str());
    return 2;
  }
  auto const tls = j.text("tls", "").empty() ? nullptr : bare::tls_server();
  for (unsigned i = 0; i < j.workers(); ++i) {
    auto own = std::make_unique<loop>(j, tls.get());  // listens before we say so
    std::thread([own = std::move(own)] { own->run(); }).detach();
  }
  bench::wait_until_told();
  std::_Exit(0);
}
