#pragma once

// What the scheduler's tests share: runnables made of functions, and waiting for a condition
// without looking at the clock.

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "scheduler/scheduler.hpp"

namespace scheduler_tests {

using namespace otter::rts;  // NOLINT: tests of the insides

/// Hooks that do nothing; tests replace what they look at.
inline scheduler_hooks quiet_hooks() {
  scheduler_hooks h{};
  h.timer_fired = [](timer_node&) noexcept {};
  h.timer_released = [](timer_node&) noexcept {};
  h.describe = [](runnable const&, char* buffer, std::size_t size) noexcept {
    if (size != 0) buffer[0] = '\0';
  };
  return h;
}

/// A runnable whose turns are calls of a function.
struct task final : runnable {
  std::function<void(task&)> turn;

  template <class F>
  explicit task(F f) : turn(std::move(f)) {}
  void run() noexcept override { turn(*this); }

  /// For tests in which somebody else wakes the task by wake(): one word decides, as in a process.
  enum : int { running, waiting, signalled };
  std::atomic<int> word{running};

  /// Waits, in the middle of a turn, until wake() has been called once more.
  void wait_for_signal() {
    worker& w = *current_worker();
    prepare_suspend(w, *this);
    int expected = running;
    if (!word.compare_exchange_strong(expected, waiting, std::memory_order_acq_rel)) {
      cancel_suspend(*this);
      word.store(running, std::memory_order_relaxed);  // the signal is consumed
      return;
    }
    suspend(*this);
  }
  /// From anywhere.
  void wake(scheduler& s) {
    int expected = waiting;
    if (word.compare_exchange_strong(expected, running, std::memory_order_acq_rel)) {
      s.submit(*this);
      return;
    }
    expected = running;
    if (!word.compare_exchange_strong(expected, signalled, std::memory_order_acq_rel) &&
        expected == waiting) {
      wake(s);
    }
  }
  void yield() {
    worker& w = *current_worker();
    prepare_suspend(w, *this);
    w.submit_yielded(*this);
    suspend(*this);
  }
};

/// Counts down to zero, where the test waits.
class countdown {
 public:
  explicit countdown(std::size_t n) : left_(n) {}
  void one() {
    if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      std::lock_guard lock(mutex_);
      zero_ = true;
      changed_.notify_all();
    }
  }
  /// False if it takes longer than a minute.
  bool wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(60), [&] { return zero_; });
  }

 private:
  std::atomic<std::size_t> left_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool zero_ = false;
};

/// A scheduler on threads, started, and stopped at the end of the test.
struct running_scheduler {
  explicit running_scheduler(unsigned workers, scheduler_hooks const& hooks = quiet_hooks())
      : running_scheduler(with_workers(workers), hooks) {}
  explicit running_scheduler(scheduler_options const& options,
                             scheduler_hooks const& hooks = quiet_hooks())
      : rts(options, hooks) {
    rts.start();
  }
  ~running_scheduler() { rts.stop(30'000'000'000); }

  static scheduler_options with_workers(unsigned workers) {
    scheduler_options o;
    o.workers = workers;
    return o;
  }

  scheduler rts;
};

}  // namespace scheduler_tests
