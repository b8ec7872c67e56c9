// poller/uring_poller.cpp - the poller on io_uring: a ring of multishot polls, and an eventfd among
// them to be woken by.

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <new>
#include <system_error>
#include <utility>

#include "poller/descriptor.hpp"
#include "poller/poll_ring.hpp"
#include "poller/poller.hpp"

namespace otter::rts {
/// Threads:  the ring has its own lock; all else but wake_due_ belongs to the thread
///           that holds the core.
/// Ordering: [U3] what was done before wake() is seen by who finds that it was woken.
class uring_poller final : public poller {
 public:
  explicit uring_poller(unsigned completions)
      : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd"), ring_(completions, 0) {
    if (int const error = hear_of_alarms(); error != 0)
      throw std::system_error(error, std::generic_category(), "io_uring: poll of an eventfd");
  }

  ~uring_poller() override {
    while (alarm* const a = alarms_) {
      alarms_ = a->older;
      delete a;
    }
  }

  outcome wait(std::int64_t limit_ns, sleep_observer* who) noexcept override {
    if (::pthread_equal(asker_, ::pthread_self()) == 0) static_cast<void>(hear_of_alarms());
    outcome result;
    if (deliver(result)) return result;
    if (who == nullptr && limit_ns == 0) {
      if (!ring_.wants_to_be_entered()) return result;
      ring_.enter();
    } else {
      // Nothing that comes from here on is lost: it is in the ring, or waits to be put there, when
      // the next line asks (see sleep_observer).
      if (who != nullptr) who->falls_asleep();
      ring_.wait(limit_ns);
      if (who != nullptr) who->wakes_up();
    }
    deliver(result);
    return result;
  }

  void wake() noexcept override {
    // Whoever finds it true relies on the one who made it true, and who wakes. [U3]
    if (wake_due_.exchange(true, std::memory_order_acq_rel)) return;
    std::uint64_t const one = 1;
    [[maybe_unused]] auto written =
        ::write(wake_.get(), &one, sizeof one);  // 2^64 are never reached
  }

  void add(poll_source& source) override {
    source.home_ = this;
    if (int const error = ring_.add(source); error != 0)
      throw std::system_error(error, std::generic_category(), "io_uring: poll");
  }

  void remove(poll_source& source) noexcept override {
    if (ring_.remove(source)) wake();
  }

  bool has_work() const noexcept override { return ring_.sources() > 1; }  // but for the alarm

 private:
  /// The poll of the eventfd, for one thread that asked for it.
  struct alarm final : poll_source {
    explicit alarm(uring_poller& p) : of(p) { fd = p.wake_.get(); }
    void ready(std::uint32_t) noexcept override {
      ++of.rung_;
      if (of.wake_due_.exchange(false, std::memory_order_acq_rel)) of.woken_ = true;  // [U3]
    }
    void released() noexcept override {
      alarm** at = &of.alarms_;
      while (*at != this) at = &(*at)->older;
      *at = older;
      ++of.gone_;
      delete this;
    }
    uring_poller& of;
    alarm* older = nullptr;
  };

  /// What a poll brings comes by way of the thread that asked for it, as soon as that enters the
  /// kernel. The alarm must come although that thread is stuck: so whoever has taken over the core
  /// asks for its own.
  int hear_of_alarms() noexcept {
    auto* const mine = new (std::nothrow) alarm(*this);
    if (mine == nullptr) return ENOMEM;  // the old one is slower, no more
    if (int const error = ring_.add(*mine); error != 0) {
      delete mine;
      return error;
    }
    alarm* const old = mine->older = std::exchange(alarms_, mine);
    if (old != nullptr) static_cast<void>(ring_.remove(*old));  // deliver() is next anyway
    asker_ = ::pthread_self();
    return 0;
  }

  /// True if there was anything.
  bool deliver(outcome& result) noexcept {
    rung_ = gone_ = 0;
    woken_ = false;
    poll_ring::told const told = ring_.deliver();
    result.events += told.events - rung_;
    result.woken = result.woken || woken_;
    return result.events != 0 || result.woken || told.releases != gone_;
  }

  descriptor wake_;
  poll_ring ring_;
  std::atomic<bool> wake_due_{false};
  pthread_t asker_{};
  alarm* alarms_ = nullptr;  // the newest first: the others are removed and not released yet
  unsigned rung_ = 0;        // calls that were alarms', in the present deliver()
  unsigned gone_ = 0;
  bool woken_ = false;
};

std::unique_ptr<poller> make_uring_poller(unsigned completions) {
  return std::make_unique<uring_poller>(completions);
}

}  // namespace otter::rts
