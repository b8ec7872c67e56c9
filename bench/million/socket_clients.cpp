// socket_clients.cpp - the other end, by sockets of the system: needs no privileges, takes as much
// memory again as the server's end, and holds fewer connections than the process may have
// descriptors; `run` starts several.
//
//     million_socket_clients clients port=7000 counters=FILE [first=0]
//
// first: so many connections other programs have made before. Source addresses are 127.0.0.2 and
// on, 5,000 connections each, so that the ports of the system suffice. See dialogue.hpp.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "dialogue.hpp"

namespace bench {
namespace {

[[noreturn]] void fail(char const* what) {
  std::fprintf(stderr, "million_socket_clients: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

class socket_clients {
 public:
  explicit socket_clients(job const& j)
      : counts_(map_counters(j.text("counters", ""))),
        port_(static_cast<std::uint16_t>(j.number("port", 7000))),
        first_(j.number("first", 0)),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (epoll_ < 0) fail("epoll_create1");
  }

  /// Until the server has accepted them, too. At most `window` wait for that; the listener's queue
  /// holds more.
  std::uint64_t connect(std::uint64_t wanted) {
    std::uint64_t established = connections_.size(), accepted = 0;
    std::int64_t progress = now_ns();
    while ((established < wanted || accepted < first_ + wanted) && value(counts_.stop) == 0) {
      while (connections_.size() < wanted && first_ + connections_.size() < accepted + window)
        begin();
      std::uint64_t const before = established + accepted;
      wait(1, [&](connection& c, std::uint32_t events) {
        if (c.phase != state::connecting || (events & EPOLLOUT) == 0) return;
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(c.fd, SOL_SOCKET, SO_ERROR, &error, &size);
        errno = error;
        if (error != 0) fail("a connection was not made");
        c.phase = state::idle;
        ++established;
        watch(c, EPOLLIN, EPOLL_CTL_MOD);
      });
      accepted = value(counts_.accepted);
      if (established + accepted != before) progress = now_ns();
      if (now_ns() - progress > patience_ns) break;
    }
    return established;
  }

  echoes echo(std::uint64_t wanted) {
    echoes result;
    wanted = std::min<std::uint64_t>(wanted, connections_.size());
    ++round_;
    std::uint64_t under_way = 0;
    std::int64_t progress = now_ns();
    while (result.answered + result.wrong < wanted) {
      while (result.asked < wanted && under_way < 64) {
        ask(connections_[spread(result.asked, wanted, connections_.size())], result);
        ++result.asked;
        ++under_way;
      }
      std::uint64_t const before = result.answered + result.wrong;
      wait(10, [&](connection& c, std::uint32_t) { hear(c, result); });
      std::uint64_t const now = result.answered + result.wrong;
      under_way = result.asked - now;
      if (now != before) progress = now_ns();
      if (now_ns() - progress > patience_ns) break;
    }
    return result;
  }

  std::uint64_t reset() {
    std::uint64_t n = 0;
    linger const at_once{1, 0};
    for (connection& c : connections_) {
      if (c.fd < 0) continue;
      ::setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      ::close(c.fd);
      ++n;
    }
    connections_.clear();
    return n;
  }

 private:
  static constexpr std::uint64_t window = 512;

  enum class state : std::uint8_t { connecting, idle, asked, ended };
  struct connection {
    int fd;
    std::uint32_t number;
    std::uint32_t received = 0;  // of the answer
    state phase = state::connecting;
  };

  void begin() {
    int const fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("socket");
    std::uint64_t const number = first_ + connections_.size();
    auto const host = static_cast<std::uint32_t>(INADDR_LOOPBACK + 1 + number / 5'000);
    sockaddr_in from{}, to{};
    from.sin_family = to.sin_family = AF_INET;
    from.sin_addr.s_addr = htonl(host);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(port_);
    int const yes = 1;  // the port is chosen when the peer is known
    ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
    if (::bind(fd, reinterpret_cast<sockaddr*>(&from), sizeof from) != 0) fail("bind");
    if (::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0 && errno != EINPROGRESS)
      fail("connect");
    connections_.push_back({fd, static_cast<std::uint32_t>(connections_.size())});
    watch(connections_.back(), EPOLLOUT, EPOLL_CTL_ADD);
  }

  void watch(connection& c, std::uint32_t events, int operation) {
    epoll_event e{};
    e.events = events;
    e.data.u32 = c.number;
    if (::epoll_ctl(epoll_, operation, c.fd, &e) != 0) fail("epoll_ctl");
  }

  template <class F>
  void wait(int milliseconds, F each) {
    std::array<epoll_event, 256> events;
    int const n =
        ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), milliseconds);
    for (int i = 0; i < n; ++i) {
      epoll_event const& e = events[static_cast<std::size_t>(i)];
      each(connections_[e.data.u32], e.events);
    }
  }

  void ask(connection& c, echoes& result) {
    question const q(first_ + c.number, round_);
    c.received = 0;
    if (c.phase == state::idle && ::send(c.fd, q.text, q.size, MSG_NOSIGNAL) == ssize_t{q.size}) {
      c.phase = state::asked;
    } else {
      ++result.wrong;
    }
  }

  void hear(connection& c, echoes& result) {
    char text[question::size];
    ssize_t const n = ::recv(c.fd, text, sizeof text, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (c.phase == state::asked) {
      question const q(first_ + c.number, round_);
      if (n > 0 && c.received + static_cast<std::size_t>(n) <= q.size &&
          std::memcmp(q.text + c.received, text, static_cast<std::size_t>(n)) == 0) {
        c.received += static_cast<std::uint32_t>(n);
        if (c.received < q.size) return;
        c.phase = state::idle;
        ++result.answered;
        return;
      }
      ++result.wrong;
    }
    // Ended by the server, or it says what nobody has asked for.
    c.phase = state::ended;
    ::close(std::exchange(c.fd, -1));
  }

  counters& counts_;
  std::uint16_t port_;
  std::uint64_t first_;
  int epoll_;
  unsigned round_ = 0;
  std::vector<connection> connections_;
};

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  bench::job const job(argc, argv);
  bench::socket_clients clients(job);
  std::printf("{\"ready\":true}\n");
  std::fflush(stdout);
  bench::lead(clients);
}
