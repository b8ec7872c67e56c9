// main.cpp - the load of the network rows: what a server's clients do, from processes of their own.
//
//   bench_load echo  port=P connections=5000 active=200   requests on `active` of them, one under
//                                                         way on each; the others are silent
//   bench_load churn port=P active=64                     connect, one request, close, and again;
//                                                         tls=full, tls=resumed: with TLS 1.3
//   bench_load flood port=P connections=50 reads=1        sends without end; reads=0: never reads
//
// bytes=64 is the size of a request; every answer is compared with it, byte for byte. source=K
// connects from 127.K.0.1 and, with many connections, from 127.K.1.1 and so on: once half of an
// address's ports are taken, the system looks for a free one for milliseconds.
//
// Says {"ready":true} once all connections are there and each has been answered once, so the server
// has done all that it does for a connection. From then on each line on standard input is answered
// with what has been done so far, {"count":N,"ns":T}: requests, or bytes sent by a flood. The first
// line starts the load; the end of the input ends the program.
//
// Connections end with a reset, so that none of our ports is kept for a minute afterwards. That a
// handshake was a full or a resumed one is checked, too: the other kind ends the program.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <optional>

#include "../measure.hpp"
#include "tls_clients.hpp"

namespace {

using u64 = std::uint64_t;

constexpr std::size_t most_bytes = 4096;  // of a request: an empty socket takes them at once
constexpr std::size_t piece_bytes = 65536;
constexpr std::size_t connects_at_once = 128;  // well below every server's backlog
constexpr std::size_t connections_of_address = 8000;
constexpr u64 standard_input = ~u64{0};  // among the connections' numbers

template <class... Values>
[[noreturn]] void die(char const* format, Values... values) {
  std::fprintf(stderr, format, values...);
  std::fputc('\n', stderr);
  std::exit(1);
}

struct connection {
  enum class stage : unsigned char {
    closed,
    connecting,
    shaking_hands,
    greeting,
    silent,
    asking,
    flooding
  };
  int fd = -1;
  stage at = stage::closed;
  unsigned got = 0;  // bytes of the present answer
  u64 serial = 0;    // of the present request
  std::unique_ptr<bench::tls_over_memory> tls;
};

class work {
 public:
  explicit work(bench::job const& j)
      : churns_(j.row() == "churn"),
        floods_(j.row() == "flood"),
        reads_(j.number("reads", 1) != 0),
        bytes_(j.number("bytes", 64)),
        active_(j.number("active", 0)),
        connections_(churns_ ? active_ : j.number("connections", 0)),
        source_(static_cast<std::uint32_t>(j.number("source", 0) % 256)),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (bytes_ < 1 || bytes_ > most_bytes) die("bytes=%zu; allowed: 1 to %zu", bytes_, most_bytes);
    if (active_ > connections_.size())
      die("active=%zu of connections=%zu", active_, connections_.size());
    if (std::string const kind = j.text("tls", ""); !kind.empty()) {
      if (!churns_) die("tls=%s is a word for churn", kind.c_str());
      if (kind != "full" && kind != "resumed")
        die("no tls=%s; there are: full resumed", kind.c_str());
      tls_.emplace(kind == "resumed", connections_.size());
    }
    server_.sin_family = AF_INET;
    server_.sin_port = htons(static_cast<std::uint16_t>(j.number("port", 0)));
    server_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    watch(STDIN_FILENO, EPOLLIN, standard_input);
  }

  void run() {
    opened_ = greeted_ = churns_ ? connections_.size() : 0;  // a churn opens them when it is told
    if (greeted_ == connections_.size()) say_ready();
    open_more();
    std::array<epoll_event, 256> events;
    for (;;) {
      int const n = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      if (n < 0 && errno != EINTR) die("epoll_wait: %s", std::strerror(errno));
      for (int i = 0; i < n; ++i) {
        epoll_event const& e = events[static_cast<std::size_t>(i)];
        if (e.data.u64 == standard_input) {
          if (!listen_to_input()) return;
        } else {
          happened(static_cast<std::size_t>(e.data.u64), e.events);
        }
      }
    }
  }

 private:
  using stage = connection::stage;

  // --- opening ---

  void open_more() {
    for (; opening_ < connects_at_once && opened_ < connections_.size(); ++opened_) open(opened_);
  }

  void open(std::size_t i) {
    connection& c = connections_[i];
    c.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c.fd < 0) die("connection %zu: socket: %s", i, std::strerror(errno));
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (source_ << 16) +
                                static_cast<std::uint32_t>(i / connections_of_address << 8));
    linger const reset{1, 0};
    int const on = 1;  // the port is chosen by connect(), which knows the other end
    if (::setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) != 0 ||
        ::setsockopt(c.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) != 0 ||
        ::bind(c.fd, reinterpret_cast<sockaddr const*>(&own), sizeof own) != 0)
      die("connection %zu: %s", i, std::strerror(errno));
    if (::connect(c.fd, reinterpret_cast<sockaddr const*>(&server_), sizeof server_) != 0 &&
        errno != EINPROGRESS)
      die("connection %zu: connect: %s", i, std::strerror(errno));
    c.at = stage::connecting;
    ++opening_;
    watch(c.fd, EPOLLIN | EPOLLOUT | EPOLLET, i);
  }

  void watch(int fd, std::uint32_t events, u64 number, int how = EPOLL_CTL_ADD) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = number;
    if (::epoll_ctl(epoll_, how, fd, &event) != 0) die("epoll_ctl: %s", std::strerror(errno));
  }

  // --- what comes ---

  void happened(std::size_t i, std::uint32_t events) {
    connection& c = connections_[i];
    if (c.at == stage::connecting && (events & (EPOLLOUT | EPOLLERR)) != 0) {
      int error = 0;
      socklen_t size = sizeof error;
      ::getsockopt(c.fd, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) die("connection %zu: connect: %s", i, std::strerror(error));
      --opening_;
      if (tls_) {
        c.tls = tls_->connect(i);
        c.at = stage::shaking_hands;
        shake_hands(i);
      } else {
        ask(i, churns_ ? stage::asking : stage::greeting);
      }
      open_more();
    }
    if (c.at == stage::flooding && (events & EPOLLOUT) != 0) pour(i);
    if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) take(i);
  }

  /// As far as it gets; at the end of it the request goes along.
  void shake_hands(std::size_t i) {
    connection& c = connections_[i];
    using handshake = bench::tls_over_memory::handshake;
    handshake const at = c.tls->shake_hands();
    bench::check(at != handshake::failed, "handshake");
    if (at == handshake::waits) return put(i, c.tls->wire());
    if (!tls_->is_as_asked(i, *c.tls))
      die("connection %zu: the handshake was %s", i,
          ::SSL_session_reused(c.tls->openssl()) == 1 ? "resumed" : "a full one");
    ask(i, stage::asking);
  }

  /// The bytes of the present request, and of the answer to it: like no other's.
  char const* content(std::size_t i) {
    u64 const names[2] = {i, connections_[i].serial};
    for (std::size_t k = 0; k < bytes_; k += sizeof names)
      std::memcpy(content_.data() + k, names, std::min(sizeof names, bytes_ - k));
    return content_.data();
  }

  void ask(std::size_t i, stage next) {
    connection& c = connections_[i];
    c.at = next;
    c.got = 0;
    ++c.serial;
    std::string_view const request(content(i), bytes_);
    if (c.tls) c.tls->write(request);
    put(i, c.tls ? c.tls->wire() : request);
  }

  void put(std::size_t i, std::string_view wire) {
    connection& c = connections_[i];
    if (!wire.empty()) {
      ssize_t const n = ::send(c.fd, wire.data(), wire.size(), MSG_NOSIGNAL);
      if (n != static_cast<ssize_t>(wire.size()))
        die("connection %zu: sent %zd of %zu bytes: %s", i, n, wire.size(), std::strerror(errno));
    }
    if (c.tls) c.tls->drop_wire();
  }

  void pour(std::size_t i) {
    ssize_t const n = ::send(connections_[i].fd, piece_.data(), piece_.size(), MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) die("connection %zu: send: %s", i, std::strerror(errno));
    if (n > 0) count_ += static_cast<u64>(n);
  }

  void take(std::size_t i) {
    connection& c = connections_[i];
    if (c.at == stage::closed) return;
    ssize_t const n = ::recv(c.fd, piece_.data(), piece_.size(), 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0)
      die("connection %zu: the server has closed it: %s", i, n == 0 ? "end" : std::strerror(errno));
    if (c.at == stage::flooding) return;
    if (!c.tls) return compare(i, static_cast<unsigned>(n));
    c.tls->take({piece_.data(), static_cast<std::size_t>(n)});
    if (c.at == stage::shaking_hands) shake_hands(i);
    while (c.at == stage::asking) {
      std::ptrdiff_t const plain = c.tls->read(piece_);
      if (plain == 0) return;
      bench::check(plain > 0, "SSL_read");
      compare(i, static_cast<unsigned>(plain));
    }
  }

  /// What is in `piece_` with the next of the answer.
  void compare(std::size_t i, unsigned came) {
    connection& c = connections_[i];
    if (c.at == stage::silent || c.got + came > bytes_ ||
        std::memcmp(content(i) + c.got, piece_.data(), came) != 0)
      die("connection %zu: the answer to request %llu is not what was sent", i,
          static_cast<unsigned long long>(c.serial));
    c.got += came;
    if (c.got == bytes_) answered(i);
  }

  void answered(std::size_t i) {
    connection& c = connections_[i];
    if (c.at == stage::greeting) {
      c.at = stage::silent;
      if (++greeted_ == connections_.size()) say_ready();
      return;
    }
    ++count_;
    if (!churns_) return ask(i, stage::asking);
    if (c.tls) tls_->leave(*c.tls);
    c.tls.reset();
    ::close(c.fd);
    c.at = stage::closed;
    open(i);
  }

  // --- what we are told ---

  static void say_ready() {
    std::printf("{\"ready\":true}\n");
    std::fflush(stdout);
  }

  /// False: the end.
  bool listen_to_input() {
    std::array<char, 64> lines;
    ssize_t const n = ::read(STDIN_FILENO, lines.data(), lines.size());
    for (ssize_t i = 0; i < n; ++i) {
      if (lines[static_cast<std::size_t>(i)] != '\n') continue;
      std::printf("{\"count\":%llu,\"ns\":%lld}\n", static_cast<unsigned long long>(count_),
                  static_cast<long long>(bench::now_ns()));
      std::fflush(stdout);
      if (!started_) start();
      started_ = true;
    }
    return n > 0;
  }

  void start() {
    if (greeted_ != connections_.size()) die("told to start before being ready");
    for (std::size_t k = 0; k < active_; ++k) {
      std::size_t const i = k * (connections_.size() / active_);  // spread over all of them
      if (churns_)
        open(i);
      else
        ask(i, stage::asking);
    }
    for (std::size_t i = 0; floods_ && i < connections_.size(); ++i) {
      connections_[i].at = stage::flooding;
      watch(connections_[i].fd, reads_ ? EPOLLIN | EPOLLOUT : EPOLLOUT, i, EPOLL_CTL_MOD);
    }
  }

  bool const churns_, floods_, reads_;
  std::size_t const bytes_;
  std::size_t const active_;
  std::vector<connection> connections_;
  std::optional<load::tls_clients> tls_;
  std::uint32_t const source_;
  int const epoll_;
  sockaddr_in server_{};
  std::array<char, piece_bytes> piece_{};
  std::array<char, most_bytes> content_{};
  std::size_t opened_ = 0;   // of them a connect() was begun
  std::size_t opening_ = 0;  // and is under way
  std::size_t greeted_ = 0;  // and was answered once
  bool started_ = false;
  u64 count_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  bench::job const j(argc, argv);
  if (j.row() != "echo" && j.row() != "churn" && j.row() != "flood")
    die("no load '%s'; there are: echo churn flood", j.row().c_str());
  work(j).run();
}
