// scheduler/blocking_pool.cpp - see the header.

#include "scheduler/blocking_pool.hpp"

#include <chrono>
#include <system_error>
#include <thread>

#include "base/clock.hpp"

namespace otter::rts {
namespace {

constexpr std::chrono::seconds idle_limit{10};

}  // namespace

/// Threads: any, under the mutex. Pool threads are detached: they hold the state by a counted
///          pointer, so that one which hangs in a system call needs nobody to wait for it.
struct blocking_pool::state {
  mutable std::mutex mutex;
  std::condition_variable work;   // a job has come, or stopping
  std::condition_variable ended;  // a thread has ended
  // guarded by mutex
  blocking_job* first = nullptr;
  blocking_job* last = nullptr;
  std::size_t queued = 0;
  std::size_t threads = 0;
  std::size_t idle = 0;
  std::size_t most = 0;
  bool stopping = false;

  blocking_job* pop() noexcept {
    blocking_job* const job = first;
    first = job->next;
    if (first == nullptr) last = nullptr;
    --queued;
    return job;
  }

  void serve() {
    std::unique_lock lock(mutex);
    for (;;) {
      if (first != nullptr && !stopping) {
        blocking_job* const job = pop();
        lock.unlock();
        job->run();  // *job may be gone
        lock.lock();
        continue;
      }
      if (stopping) break;
      ++idle;
      bool const something =
          work.wait_for(lock, idle_limit, [&] { return stopping || first != nullptr; });
      --idle;
      if (!something) break;
    }
    --threads;
    ended.notify_all();
  }
};

blocking_pool::blocking_pool(unsigned most_threads) : state_(std::make_shared<state>()) {
  state_->most = most_threads == 0 ? 1 : most_threads;
}

blocking_pool::~blocking_pool() { stop(0); }

void blocking_pool::submit(blocking_job& job) {
  std::lock_guard lock(state_->mutex);
  if (state_->idle <= state_->queued && state_->threads < state_->most) {
    ++state_->threads;
    try {
      std::thread([s = state_] { s->serve(); }).detach();
    } catch (std::system_error const&) {
      // The threads that there are will come to it.
      if (--state_->threads == 0) throw;
    }
  }
  job.next = nullptr;
  (state_->last != nullptr ? state_->last->next : state_->first) = &job;
  state_->last = &job;
  ++state_->queued;
  state_->work.notify_one();
}

std::size_t blocking_pool::stop(std::int64_t deadline_ns) {
  std::unique_lock lock(state_->mutex);
  state_->stopping = true;
  state_->work.notify_all();
  while (state_->threads != 0) {
    std::int64_t const left = deadline_ns - monotonic_ns();
    if (left <= 0) break;
    state_->ended.wait_for(lock, std::chrono::nanoseconds(left));
  }
  return state_->threads;
}

std::size_t blocking_pool::threads() const {
  std::lock_guard lock(state_->mutex);
  return state_->threads;
}

}  // namespace otter::rts
