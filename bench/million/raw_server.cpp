// raw_server.cpp - the same as otter_server.cpp by a bare io_uring loop: what the system itself
// asks for. No processes, no messages, no state but a bit for each connection.
//
//     million_raw serve port=7000 counters=FILE [workers=2]
//     million_raw limits
//
// Descriptors are *direct*: places in tables of rings. A table has at most RLIMIT_NOFILE of them,
// so a thread has one ring after the other. Accept and poll are multishot: a silent connection
// costs its socket, its place and its poll.

#include <liburing.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <thread>
#include <vector>

#include "../measure.hpp"
#include "counters.hpp"

namespace bench {
namespace {

[[noreturn]] void fail(char const* what, int error) {
  std::fprintf(stderr, "million_raw: %s: %s\n", what, std::strerror(error));
  std::_Exit(1);
}

/// What a completion belongs to, in its user_data.
struct operation {
  enum kind : std::uint8_t { ignored, accept, poll, receive, send };
  kind what;
  std::uint16_t buffer = 0;
  std::uint32_t place = 0;

  std::uint64_t packed() const noexcept {
    return std::uint64_t{what} << 48 | std::uint64_t{buffer} << 32 | place;
  }
  static operation of(std::uint64_t data) noexcept {
    return {static_cast<kind>(data >> 48), static_cast<std::uint16_t>(data >> 32 & 0xffff),
            static_cast<std::uint32_t>(data)};
  }
};

/// The places of one table, at most; and how many are left free when accepting moves on to the next
/// table. More than the clients leave waiting: accepts that are under way still find a place.
std::size_t table_size() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return std::min<std::size_t>(limit.rlim_cur, 1u << 16);
}
constexpr std::size_t kept_free = 1'200;

constexpr unsigned ring_flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL;

/// A ring with its table of connections. Threads: one, that made it.
class table {
 public:
  table(int listener, int epoll, counters& counts)
      : counts_(counts), listener_(listener), open_(table_size()) {
    io_uring_params p{};
    p.flags = ring_flags;
    p.cq_entries = 2048;
    if (int const e = io_uring_queue_init_params(128, &ring_, &p); e < 0) fail("io_uring", -e);
    if (int const e = io_uring_register_files_sparse(&ring_, static_cast<unsigned>(open_.size()));
        e < 0)
      fail("a table of descriptors", -e);
    event_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (int const e = io_uring_register_eventfd(&ring_, event_); e < 0) fail("eventfd", -e);
    epoll_event e{};
    e.events = EPOLLIN;
    e.data.ptr = this;
    if (::epoll_ctl(epoll, EPOLL_CTL_ADD, event_, &e) != 0) fail("epoll_ctl", errno);
    start_accepting();
  }

  bool is_full() const noexcept { return !accepting_; }

  /// Works on what has completed; called when the eventfd says so.
  void run() {
    std::uint64_t n = 0;
    if (::read(event_, &n, sizeof n) < 0 && errno != EAGAIN) fail("eventfd", errno);
    do {
      int const e = io_uring_submit_and_get_events(&ring_);
      if (e < 0 && e != -EINTR && e != -EBUSY && e != -EAGAIN) fail("io_uring", -e);
      io_uring_cqe* cqe = nullptr;
      while (io_uring_peek_cqe(&ring_, &cqe) == 0) {
        io_uring_cqe const done = *cqe;
        io_uring_cqe_seen(&ring_, cqe);
        completed(operation::of(done.user_data), done.res, (done.flags & IORING_CQE_F_MORE) != 0);
      }
    } while (io_uring_sq_ready(&ring_) > 0);
  }

 private:
  static constexpr std::size_t buffers = 64, buffer_bytes = 256;

  io_uring_sqe& submission(operation of) {
    io_uring_sqe* s = io_uring_get_sqe(&ring_);
    while (s == nullptr) {
      if (int const e = io_uring_submit(&ring_); e < 0 && e != -EINTR) fail("io_uring", -e);
      s = io_uring_get_sqe(&ring_);
    }
    s->user_data = 0;
    next_ = of.packed();
    return *s;
  }
  /// liburing's prep functions clear user_data.
  void tag(io_uring_sqe& s, unsigned flags) {
    s.flags = static_cast<std::uint8_t>(s.flags | flags);
    io_uring_sqe_set_data64(&s, next_);
  }

  void start_accepting() {
    auto& s = submission({operation::accept});
    io_uring_prep_multishot_accept_direct(&s, listener_, nullptr, nullptr, SOCK_NONBLOCK);
    tag(s, 0);
  }
  void stop_accepting() {
    accepting_ = false;
    auto& s = submission({operation::ignored});
    io_uring_prep_cancel64(&s, operation{operation::accept}.packed(), 0);
    tag(s, IOSQE_CQE_SKIP_SUCCESS);
  }
  void watch(std::uint32_t place) {
    auto& s = submission({operation::poll, 0, place});
    io_uring_prep_poll_multishot(&s, static_cast<int>(place), POLLIN | POLLRDHUP);
    tag(s, IOSQE_FIXED_FILE);
  }
  void receive(std::uint32_t place) {
    if (free_.empty()) return waiting_.push_back(place);
    std::uint16_t const b = free_.back();
    free_.pop_back();
    auto& s = submission({operation::receive, b, place});
    io_uring_prep_recv(&s, static_cast<int>(place), memory_[b].data(), buffer_bytes, MSG_DONTWAIT);
    tag(s, IOSQE_FIXED_FILE);
  }
  void send(std::uint32_t place, std::uint16_t b, std::size_t size) {
    auto& s = submission({operation::send, b, place});
    io_uring_prep_send(&s, static_cast<int>(place), memory_[b].data(), size, MSG_NOSIGNAL);
    tag(s, IOSQE_FIXED_FILE);
  }
  void give_back(std::uint16_t b) {
    free_.push_back(b);
    if (waiting_.empty()) return;
    std::uint32_t const place = waiting_.back();
    waiting_.pop_back();
    receive(place);
  }
  void end(std::uint32_t place) {
    if (!open_[place]) return;
    open_[place] = false;
    add(counts_.ended);
    auto& s = submission({operation::ignored});
    io_uring_prep_poll_remove(&s, operation{operation::poll, 0, place}.packed());
    tag(s, IOSQE_CQE_SKIP_SUCCESS);
    auto& c = submission({operation::ignored});
    io_uring_prep_close_direct(&c, place);
    tag(c, IOSQE_CQE_SKIP_SUCCESS);
  }

  void completed(operation of, int result, bool more) {
    switch (of.what) {
      case operation::ignored:
        return;
      case operation::accept:
        if (result >= 0) {
          open_[static_cast<std::size_t>(result)] = true;
          watch(static_cast<std::uint32_t>(result));
          add(counts_.accepted);
          if (++used_ + kept_free >= open_.size() && accepting_) stop_accepting();
        } else if (result != -ECANCELED && result != -EAGAIN && result != -ECONNABORTED) {
          fail("accept", -result);
        }
        if (!more && accepting_) start_accepting();
        return;
      case operation::poll:
        if (!open_[of.place]) return;
        if (result > 0) receive(of.place);
        if (!more) watch(of.place);
        return;
      case operation::receive:
        if (result > 0 && open_[of.place])
          return send(of.place, of.buffer, static_cast<std::size_t>(result));
        give_back(of.buffer);
        if (result != -EAGAIN && result != -EINTR) end(of.place);
        return;
      case operation::send:
        add(counts_.echoed);
        give_back(of.buffer);
        return;
    }
  }

  counters& counts_;
  int listener_;
  int event_ = -1;
  io_uring ring_{};
  std::uint64_t next_ = 0;  ///< user_data of the submission that is being made
  bool accepting_ = true;
  std::size_t used_ = 0;
  std::vector<bool> open_;  ///< by place
  std::array<std::array<char, buffer_bytes>, buffers> memory_{};
  std::vector<std::uint16_t> free_ = [] {
    std::vector<std::uint16_t> all;
    for (std::uint16_t i = 0; i < buffers; ++i) all.push_back(i);
    return all;
  }();
  std::vector<std::uint32_t> waiting_;  ///< for a buffer
};

void serve(int listener, counters& counts) {
  int const epoll = ::epoll_create1(EPOLL_CLOEXEC);
  std::vector<std::unique_ptr<table>> tables;
  auto const another = [&] {
    tables.push_back(std::make_unique<table>(listener, epoll, counts));
    tables.back()->run();
  };
  another();
  std::array<epoll_event, 64> events;
  for (;;) {
    int const n = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    if (n < 0 && errno != EINTR) fail("epoll_wait", errno);
    for (int i = 0; i < n; ++i)
      static_cast<table*>(events[static_cast<std::size_t>(i)].data.ptr)->run();
    if (tables.back()->is_full()) another();
  }
}

int listen_on(std::uint16_t port) {
  int const fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int const yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  at.sin_port = htons(port);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) fail("bind", errno);
  if (::listen(fd, 65535) != 0) fail("listen", errno);
  return fd;
}

/// Whether the kernel lets us: it says why not on stderr.
int limits() {
  io_uring ring;
  if (int const e = io_uring_queue_init(8, &ring, ring_flags & ~IORING_SETUP_CQSIZE); e < 0) {
    std::fprintf(stderr, "io_uring is not to be had here: %s\n", std::strerror(-e));
    return 1;
  }
  std::printf("{\"direct\":true}\n");
  return 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  bench::job const job(argc, argv);
  if (job.row() == "limits") return bench::limits();
  bench::counters& counts = bench::map_counters(job.text("counters", ""));
  auto const port = static_cast<std::uint16_t>(job.number("port", 7000));
  int const listener = bench::listen_on(port);
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < job.number("workers", 2); ++i)
    threads.emplace_back([&] { bench::serve(listener, counts); });
  std::printf("{\"listening\":%u}\n", unsigned{port});
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  std::_Exit(0);
}
