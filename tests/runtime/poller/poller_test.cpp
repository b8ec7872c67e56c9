// Readiness and waking, without a scheduler.

#include "poller/poller.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <system_error>
#include <thread>

#include "base/clock.hpp"

using namespace otter::rts;

namespace {

struct counting_source final : poll_source {
  void ready(std::uint32_t events) noexcept override {
    ++readies;
    seen |= events;
    if (when_ready != nullptr) when_ready->remove(*this);
  }
  void released() noexcept override { ++releases; }
  int readies = 0;
  int releases = 0;
  std::uint32_t seen = 0;
  poller* when_ready = nullptr;
};

/// Notes what the source has heard when the thread sleeps and when it has slept.
struct noting_observer final : sleep_observer {
  explicit noting_observer(counting_source& s) : source(s) {}
  void falls_asleep() noexcept override { when_asleep = source.readies + 10 * source.releases; }
  void wakes_up() noexcept override { when_awake = source.readies + 10 * source.releases; }
  counting_source& source;
  int when_asleep = -1;
  int when_awake = -1;
};

struct socket_pair {
  socket_pair() { REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0); }
  ~socket_pair() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  void write(int end) { REQUIRE(::send(ends[end], "x", 1, MSG_NOSIGNAL) == 1); }
  int ends[2];
};

}  // namespace

TEST_CASE("a source hears once of data that has come", "[poller]") {
  auto p = make_epoll_poller();
  socket_pair pair;
  counting_source source;
  source.fd = pair.ends[0];
  p->add(source);
  p->wait(0);  // writable from the start
  CHECK((source.seen & EPOLLOUT) != 0);
  CHECK((source.seen & EPOLLIN) == 0);
  int const before = source.readies;
  pair.write(1);
  CHECK(p->wait(poller::no_limit).events == 1);
  CHECK((source.seen & EPOLLIN) != 0);
  CHECK(source.readies == before + 1);
  CHECK(p->wait(0).events == 0);
}

namespace {

/// The wake-up comes at the worst moment: when the thread has decided to sleep, and does not yet.
struct waking_observer final : sleep_observer {
  explicit waking_observer(poller& p) : poller_(p) {}
  void falls_asleep() noexcept override {
    ++asleep;
    if (from_elsewhere) {
      std::thread([this] { poller_.wake(); }).join();
    } else {
      poller_.wake();
    }
  }
  void wakes_up() noexcept override { ++awake; }
  int asleep = 0;
  int awake = 0;
  bool from_elsewhere = false;

 private:
  poller& poller_;
};

}  // namespace

TEST_CASE("a wake-up between falling asleep and sleeping is not lost", "[poller]") {
  auto p = make_epoll_poller();
  waking_observer observer(*p);
  observer.from_elsewhere = GENERATE(false, true);
  for (int i = 0; i < 1000; ++i) {
    // Without a limit: were the wake-up lost, this would never return.
    if (!p->wait(poller::no_limit, &observer).woken) break;
  }
  CHECK(observer.asleep == 1000);
  CHECK(observer.awake == 1000);
  CHECK_FALSE(p->wait(0).woken);  // and each was one
}

TEST_CASE("what comes between falling asleep and sleeping is delivered", "[poller]") {
  auto p = make_epoll_poller();
  socket_pair pair;
  counting_source source;
  source.fd = pair.ends[0];
  p->add(source);
  p->wait(0);  // writable from the start
  struct writing_observer final : sleep_observer {
    explicit writing_observer(int f) : fd(f) {}
    void falls_asleep() noexcept override { sent = ::send(fd, "x", 1, MSG_NOSIGNAL) == 1; }
    void wakes_up() noexcept override {}
    int fd;
    bool sent = false;
  } observer(pair.ends[1]);
  CHECK(p->wait(poller::no_limit, &observer).events == 1);
  CHECK(observer.sent);
  CHECK((source.seen & EPOLLIN) != 0);
  p->remove(source);
  p->wait(0);
}

TEST_CASE("wake ends a wait that has no limit", "[poller]") {
  auto p = make_epoll_poller();
  std::thread waker([&] { p->wake(); });
  CHECK(p->wait(poller::no_limit).woken);
  waker.join();
}

TEST_CASE("a wake before the wait is not lost, and several are one", "[poller]") {
  auto p = make_epoll_poller();
  p->wake();
  p->wake();
  CHECK(p->wait(poller::no_limit).woken);
  CHECK_FALSE(p->wait(0).woken);
}

TEST_CASE("a wait with a limit does not end before it", "[poller]") {
  auto p = make_epoll_poller();
  std::int64_t const start = monotonic_ns();
  auto const outcome = p->wait(300'000);
  CHECK(monotonic_ns() - start >= 300'000);
  CHECK(outcome.events == 0);
  CHECK_FALSE(outcome.woken);
}

TEST_CASE("a removed source is released once and hears no more", "[poller]") {
  auto p = make_epoll_poller();
  socket_pair pair;
  counting_source source;
  source.fd = pair.ends[0];
  p->add(source);
  p->wait(0);
  int const before = source.readies;
  pair.write(1);
  p->remove(source);
  CHECK(p->has_work());
  p->wait(poller::no_limit);  // woken by the removal
  CHECK(source.readies == before);
  CHECK(source.releases == 1);
  p->wait(0);
  CHECK(source.releases == 1);
  CHECK_FALSE(p->has_work());
}

TEST_CASE("sources are told before the thread sleeps and after it has slept, never meanwhile",
          "[poller]") {
  auto p = make_epoll_poller();
  socket_pair pair, other;
  counting_source leaves, stays;
  leaves.fd = pair.ends[0];
  stays.fd = other.ends[0];
  p->add(leaves);
  p->wait(0);
  p->remove(leaves);
  noting_observer of_leaving(leaves);
  p->wait(0, &of_leaving);
  CHECK(of_leaving.when_asleep == leaves.readies + 10);
  p->add(stays);
  noting_observer of_staying(stays);
  CHECK(p->wait(poller::no_limit, &of_staying).events == 1);
  CHECK(of_staying.when_asleep == 0);
  CHECK(of_staying.when_awake == 0);
  CHECK(stays.readies == 1);
}

TEST_CASE("a source may remove itself while it is being told", "[poller]") {
  auto p = make_epoll_poller();
  socket_pair pair;
  counting_source source;
  source.fd = pair.ends[0];
  source.when_ready = p.get();
  p->add(source);
  p->wait(0);
  CHECK(source.readies == 1);
  CHECK(source.releases == 1);
}

TEST_CASE("a removed source can be added again after its release", "[poller]") {
  auto p = make_epoll_poller();
  socket_pair pair;
  counting_source source;
  source.fd = pair.ends[0];
  p->add(source);
  p->remove(source);
  p->wait(poller::no_limit);
  REQUIRE(source.releases == 1);
  int const before = source.readies;
  p->add(source);
  p->wait(0);
  CHECK(source.readies == before + 1);
}

TEST_CASE("adding a descriptor that does not exist is refused", "[poller]") {
  auto p = make_epoll_poller();
  counting_source source;
  source.fd = -1;
  CHECK_THROWS_AS(p->add(source), std::system_error);
  CHECK_FALSE(p->has_work());
}
