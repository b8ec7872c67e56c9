// Readiness and waking, without a scheduler.

#include "poller/poller.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.hpp"

using namespace otter::rts;
using otter::poller_kind;

namespace {

/// The rest of the test runs for each of them.
std::unique_ptr<poller> each_poller() {
  poller_kind const kind = GENERATE(poller_kind::epoll, poller_kind::io_uring);
  poller_set made = make_pollers(kind, 1);
  if (made.kind != kind) WARN("only epoll here: " << made.refused);
  return std::move(made.pollers.front());
}

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
  auto p = each_poller();
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
  auto p = each_poller();
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
  auto p = each_poller();
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
  auto p = each_poller();
  std::thread waker([&] { p->wake(); });
  CHECK(p->wait(poller::no_limit).woken);
  waker.join();
}

TEST_CASE("a wake before the wait is not lost, and several are one", "[poller]") {
  auto p = each_poller();
  p->wake();
  p->wake();
  CHECK(p->wait(poller::no_limit).woken);
  CHECK_FALSE(p->wait(0).woken);
}

TEST_CASE("a wait with a limit does not end before it", "[poller]") {
  auto p = each_poller();
  std::int64_t const start = monotonic_ns();
  auto const outcome = p->wait(300'000);
  CHECK(monotonic_ns() - start >= 300'000);
  CHECK(outcome.events == 0);
  CHECK_FALSE(outcome.woken);
}

TEST_CASE("a removed source is released once and hears no more", "[poller]") {
  auto p = each_poller();
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
  auto p = each_poller();
  socket_pair pair, other;
  counting_source leaves, stays;
  leaves.fd = pair.ends[0];
  stays.fd = other.ends[0];
  p->add(leaves);
  p->wait(0);
  p->remove(leaves);
  noting_observer of_leaving(leaves);
  p->wait(0, &of_leaving);
  // io_uring needs no sleep to know of it.
  CHECK((of_leaving.when_asleep == leaves.readies + 10 || of_leaving.when_asleep == -1));
  CHECK(leaves.releases == 1);
  p->add(stays);
  noting_observer of_staying(stays);
  CHECK(p->wait(poller::no_limit, &of_staying).events == 1);
  // io_uring knows by now that it is writable, and so there is no sleep.
  CHECK(of_staying.when_asleep <= 0);
  CHECK(of_staying.when_awake == of_staying.when_asleep);
  CHECK(stays.readies == 1);
}

TEST_CASE("a source may remove itself while it is being told", "[poller]") {
  auto p = each_poller();
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
  auto p = each_poller();
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

TEST_CASE("a source that another poller takes over is heard of there, and there only", "[poller]") {
  auto first = make_epoll_poller();
  auto second = make_epoll_poller();
  socket_pair pair;
  counting_source source;
  source.fd = pair.ends[0];
  first->add(source);
  first->wait(0);
  int const before = source.readies;
  pair.write(1);  // comes before it is taken over, and is not lost
  REQUIRE(second->take_over(source));
  CHECK(first->wait(0).events == 0);
  CHECK_FALSE(first->has_work());
  CHECK(second->wait(0).events == 1);
  CHECK(source.readies == before + 1);
  CHECK((source.seen & EPOLLIN) != 0);
  second->remove(source);
  CHECK(first->wait(0).events == 0);
  CHECK(source.releases == 0);
  second->wait(poller::no_limit);
  CHECK(source.releases == 1);
}

TEST_CASE("a source that is forgotten is silent once its descriptor is closed, and serves again",
          "[poller]") {
  auto const p = make_epoll_poller();
  counting_source source;
  int before = 0;
  {
    socket_pair first;
    source.fd = first.ends[0];
    p->add(source);
    p->wait(0);
    before = source.readies;
    first.write(1);
    REQUIRE(p->forget(source));
    CHECK_FALSE(p->has_work());
  }
  CHECK(p->wait(0).events == 0);
  CHECK(source.readies == before);
  CHECK(source.releases == 0);
  socket_pair next;
  source.fd = next.ends[0];
  p->add(source);
  next.write(1);
  CHECK(p->wait(poller::no_limit).events == 1);
  CHECK(source.readies == before + 1);
}

TEST_CASE("a poll of io_uring is not forgotten but removed", "[poller]") {
  poller_set made = make_pollers(poller_kind::io_uring, 1);
  if (made.kind != poller_kind::io_uring) {
    WARN("only epoll here: " << made.refused);
    return;
  }
  poller& p = *made.pollers.front();
  socket_pair pair;
  counting_source source;
  source.fd = pair.ends[0];
  p.add(source);
  CHECK_FALSE(p.forget(source));
  p.remove(source);
  while (source.releases == 0) p.wait(poller::no_limit);
  CHECK(source.releases == 1);
}

TEST_CASE("adding a descriptor that does not exist is refused", "[poller]") {
  auto p = each_poller();
  counting_source source;
  source.fd = -1;
  CHECK_THROWS_AS(p->add(source), std::system_error);
  CHECK_FALSE(p->has_work());
}

TEST_CASE("a source is heard of after the thread that added it has ended", "[poller]") {
  auto p = each_poller();
  socket_pair pair;
  counting_source source;
  source.fd = pair.ends[0];
  std::thread([&] {
    p->add(source);
    p->wait(0);
  }).join();
  REQUIRE((source.seen & EPOLLOUT) != 0);
  for (int i = 0; i < 3; ++i) {
    source.seen = 0;
    pair.write(1);
    while ((source.seen & EPOLLIN) == 0) p->wait(poller::no_limit);
    char byte = 0;
    CHECK(::recv(pair.ends[0], &byte, 1, 0) == 1);
  }
  p->remove(source);
  while (source.releases == 0) p->wait(poller::no_limit);
  CHECK(source.releases == 1);
}

TEST_CASE("whoever waits next is woken, also when the one before has not come back to the kernel",
          "[poller]") {
  auto p = each_poller();
  std::atomic<int> turn{0};
  // The first thread has waited, and is busy from then on until the second one was woken.
  std::thread first([&] {
    p->wake();
    p->wait(poller::no_limit);
    turn = 1;
    while (turn == 1) {
    }
  });
  while (turn == 0) std::this_thread::yield();
  for (int i = 0; i < 3; ++i) {
    std::thread waker([&] { p->wake(); });
    while (!p->wait(poller::no_limit).woken) {  // were it lost, this would not end
    }
    waker.join();
  }
  turn = 2;
  first.join();
  CHECK_FALSE(p->wait(0).woken);
}

TEST_CASE("a source that another thread removes while events come is released once, and is silent",
          "[poller]") {
  auto p = each_poller();
  for (int round = 0; round < 200; ++round) {
    socket_pair pair;
    counting_source source;
    source.fd = pair.ends[0];
    p->add(source);
    std::thread other([&] {
      for (int i = 0; i < 4; ++i) static_cast<void>(::send(pair.ends[1], "x", 1, MSG_NOSIGNAL));
      p->remove(source);
    });
    while (source.releases == 0) p->wait(poller::no_limit);
    other.join();
    int const heard = source.readies;
    static_cast<void>(::send(pair.ends[1], "x", 1, MSG_NOSIGNAL));
    p->wait(0);
    REQUIRE(source.readies == heard);
    REQUIRE(source.releases == 1);
  }
  CHECK_FALSE(p->has_work());
}

TEST_CASE("no event is lost when more come at once than the ring has room for", "[poller]") {
  std::unique_ptr<poller> p;
  try {
    p = make_uring_poller(64);
  } catch (std::system_error const& e) {
    WARN("no io_uring here: " << e.what());
    SUCCEED();
    return;
  }
  constexpr std::size_t count = 500;
  std::vector<std::unique_ptr<socket_pair>> pairs;
  std::vector<std::unique_ptr<counting_source>> sources;
  for (std::size_t i = 0; i < count; ++i) {
    pairs.push_back(std::make_unique<socket_pair>());
    sources.push_back(std::make_unique<counting_source>());
    sources.back()->fd = pairs.back()->ends[0];
    p->add(*sources.back());
  }
  for (int round = 0; round < 3; ++round) {
    for (auto const& s : sources) s->seen = 0;
    for (auto const& pair : pairs) pair->write(1);
    std::size_t heard = 0;
    while (heard < count) {
      p->wait(poller::no_limit);  // were one lost, this would not end
      heard = 0;
      for (auto const& s : sources) heard += (s->seen & EPOLLIN) != 0 ? 1 : 0;
    }
    CHECK(heard == count);
    char byte = 0;
    for (auto const& pair : pairs) CHECK(::recv(pair->ends[0], &byte, 1, 0) == 1);
  }
  for (auto const& s : sources) p->remove(*s);
  while (p->has_work()) p->wait(poller::no_limit);
  std::size_t released = 0;
  for (auto const& s : sources) released += s->releases == 1 ? 1 : 0;
  CHECK(released == count);
}
