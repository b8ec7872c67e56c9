// poller/epoll_poller.cpp - the poller on epoll, with an eventfd to be woken by.

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <limits>
#include <mutex>
#include <system_error>

#include "base/cache_line.hpp"
#include "base/clock.hpp"
#include "poller/descriptor.hpp"
#include "poller/poller.hpp"

namespace otter::rts {
namespace {

/// How many events before it a source is fetched, and then what it leads to.
constexpr int fetched_ahead = 8;
constexpr int expected_ahead = 4;

[[noreturn]] void fail(char const* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

/// epoll_pwait2 takes nanoseconds (Linux 5.11); before it, milliseconds rounded up, so that a
/// timer is late rather than the worker awake for nothing.
int wait_for_events(int epoll, epoll_event* events, int room, std::int64_t limit_ns) noexcept {
#ifdef SYS_epoll_pwait2
  static std::atomic<bool> missing{false};  // relaxed: worst case is one more failing call
  if (limit_ns > 0 && !missing.load(std::memory_order_relaxed)) {
    timespec limit{};
    limit.tv_sec = static_cast<std::time_t>(limit_ns / 1'000'000'000);
    limit.tv_nsec = static_cast<long>(limit_ns % 1'000'000'000);
    long n = ::syscall(SYS_epoll_pwait2, epoll, events, room, &limit, nullptr, 0);
    if (n >= 0 || errno != ENOSYS) return static_cast<int>(n);
    missing.store(true, std::memory_order_relaxed);
  }
#endif
  int ms = -1;
  if (limit_ns >= 0) {
    std::int64_t const rounded = (limit_ns + 999'999) / 1'000'000;
    ms = rounded > std::numeric_limits<int>::max() ? std::numeric_limits<int>::max()
                                                   : static_cast<int>(rounded);
  }
  return ::epoll_wait(epoll, events, room, ms);
}

}  // namespace

/// Threads:  events_ belongs to the thread that holds the core. removed_ is guarded by mutex_;
///           count_removed_ is written under it and read without.
/// Ordering: [E1] a sleeper says so and then looks for removals, a remover adds one and then looks
///           for a sleeper; all four seq_cst, so that at least one sees the other. Who closes a
///           connection is mostly the thread itself, and need not wake itself.
class epoll_poller final : public poller {
 public:
  epoll_poller()
      : epoll_(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1"),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd") {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.ptr = nullptr;  // no source has this address: it names the eventfd
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0) fail("epoll_ctl");
  }

  outcome wait(std::int64_t limit_ns, sleep_observer* who) noexcept override {
    outcome result;
    if (release_removed()) limit_ns = 0;                        // a removal ends the wait
    sleeping_.store(limit_ns != 0, std::memory_order_seq_cst);  // [E1]
    if (limit_ns != 0 && count_removed_.load(std::memory_order_seq_cst) != 0) limit_ns = 0;  // [E1]
    // Nothing that comes from here on is lost, however long the observer takes: the eventfd keeps
    // its count, and epoll its list of what is ready, until the next line asks (see
    // sleep_observer).
    if (who != nullptr) who->falls_asleep();
    int const n = wait_again_if_interrupted(limit_ns);
    sleeping_.store(false, std::memory_order_relaxed);  // a wake too many does no harm
    if (who != nullptr) who->wakes_up();
    for (int i = 0; i < n; ++i) {
      look_ahead(i, n);
      epoll_event const& event = events_[static_cast<std::size_t>(i)];
      if (event.data.ptr == nullptr) {
        std::uint64_t count = 0;
        // An edge-triggered eventfd need not be read for the next edge, but an unread counter
        // could reach its limit and block the writer. EAGAIN means that nothing was there.
        if (::read(wake_.get(), &count, sizeof count) == sizeof count) result.woken = true;
        continue;
      }
      auto* source = static_cast<poll_source*>(event.data.ptr);
      // [L1] acquire: meets remove(). A source that was removed while its event lay in events_
      // is still allocated, since only release_removed() below lets it go.
      if (source->removed_.load(std::memory_order_acquire)) continue;
      source->ready(event.events);
      ++result.events;
    }
    release_removed();
    return result;
  }

  void wake() noexcept override {
    std::uint64_t const one = 1;
    // EAGAIN: the counter is at its limit, so the sleeper is woken anyway.
    [[maybe_unused]] auto written = ::write(wake_.get(), &one, sizeof one);
  }

  void add(poll_source& source) override {
    source.home_ = this;
    source.removed_.store(false, std::memory_order_relaxed);  // nobody else knows it yet
    if (!watch(source)) fail("epoll_ctl(add)");
  }

  bool take_over(poll_source& source) noexcept override {
    auto& from = static_cast<epoll_poller&>(*source.home_);  // those of a node are of one kind
    // First here: what happens meanwhile is told by both.
    if (!watch(source)) return false;
    source.home_ = this;
    epoll_event event{};
    ::epoll_ctl(from.epoll_.get(), EPOLL_CTL_DEL, source.fd, &event);
    from.sources_.fetch_sub(1, std::memory_order_relaxed);
    return true;
  }

  bool forget(poll_source&) noexcept override {
    sources_.fetch_sub(1, std::memory_order_relaxed);
    return true;
  }

  void remove(poll_source& source) noexcept override {
    epoll_event event{};
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, source.fd, &event);  // fails only if it is closed
    source.removed_.store(true, std::memory_order_release);       // [L1]
    {
      std::lock_guard lock(mutex_);
      source.next_ = removed_;
      removed_ = &source;
      count_removed_.fetch_add(1, std::memory_order_seq_cst);  // [E1]
    }
    if (sleeping_.load(std::memory_order_seq_cst)) wake();  // [E1]
  }

  bool has_work() const noexcept override {
    return sources_.load(std::memory_order_relaxed) != 0 ||
           count_removed_.load(std::memory_order_relaxed) != 0;
  }

 private:
  /// Most sources have been silent for long and lie in no near cache. So while one event is told,
  /// the sources of those behind it are fetched, and a little later what they lead to. A source is
  /// part of something of some lines; what else is fetched does no harm.
  void look_ahead(int i, int n) const noexcept {
    if (i + fetched_ahead < n) {
      auto const* const at =
          static_cast<char const*>(events_[static_cast<std::size_t>(i + fetched_ahead)].data.ptr);
      for (int line = -1; at != nullptr && line <= 3; ++line)
        __builtin_prefetch(at + line * static_cast<int>(cache_line));
    }
    if (i + expected_ahead < n) {
      auto const* const source = static_cast<poll_source const*>(
          events_[static_cast<std::size_t>(i + expected_ahead)].data.ptr);
      if (source != nullptr) source->expect();
    }
  }

  /// By a signal, or by what the kernel does in this thread for an io_uring that it has used: then
  /// there may be an event now.
  int wait_again_if_interrupted(std::int64_t limit_ns) noexcept {
    std::int64_t const until = limit_ns > 0 ? monotonic_ns() + limit_ns : 0;
    for (;;) {
      int const n =
          wait_for_events(epoll_.get(), events_.data(), static_cast<int>(events_.size()), limit_ns);
      if (n >= 0 || errno != EINTR) return n;
      if (limit_ns > 0) limit_ns = std::max<std::int64_t>(0, until - monotonic_ns());
    }
  }

  bool watch(poll_source& source) noexcept {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.ptr = &source;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, source.fd, &event) != 0) return false;
    sources_.fetch_add(1, std::memory_order_relaxed);
    return true;
  }

  /// True if there was any.
  bool release_removed() noexcept {
    if (count_removed_.load(std::memory_order_relaxed) == 0) return false;
    poll_source* list = nullptr;
    {
      std::lock_guard lock(mutex_);
      list = removed_;
      removed_ = nullptr;
      count_removed_.store(0, std::memory_order_relaxed);
    }
    while (list != nullptr) {
      poll_source* const source = list;
      list = source->next_;
      sources_.fetch_sub(1, std::memory_order_relaxed);
      source->released();  // it may be gone now
    }
    return true;
  }

  descriptor epoll_;
  descriptor wake_;
  std::array<epoll_event, 256> events_{};
  std::atomic<std::size_t> sources_{0};  // hint for has_work()
  std::mutex mutex_;
  poll_source* removed_ = nullptr;
  std::atomic<std::size_t> count_removed_{0};
  std::atomic<bool> sleeping_{false};
};

std::unique_ptr<poller> make_epoll_poller() { return std::make_unique<epoll_poller>(); }

}  // namespace otter::rts
