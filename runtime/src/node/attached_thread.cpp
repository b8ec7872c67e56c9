// node/attached_thread.cpp - a plain thread with a pid.

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <otter/attached_thread.hpp>
#include <system_error>

#include "node/node_core.hpp"
#include "process/process.hpp"
#include "process/send.hpp"

namespace otter {

using namespace rts;

namespace {

/// Wakes the thread, and makes its descriptor readable.
///
/// Threads: wake() any; the rest the attached thread. `woken_` is guarded by the mutex.
class thread_waker final : public attached_waker {
 public:
  thread_waker(process_system& system)
      : system_(system), memory_(system.slabs().lend()), local_(system.lend_local()) {}
  ~thread_waker() {
    if (event_fd_ >= 0) ::close(event_fd_);
    system_.give_back_local(local_);
    system_.slabs().give_back(memory_);
  }

  void wake() noexcept override {
    // The descriptor is written under the mutex: the thread may go as soon as it is released.
    std::lock_guard lock(mutex_);
    woken_ = true;
    if (event_fd_ >= 0) {
      std::uint64_t const one = 1;
      [[maybe_unused]] auto n = ::write(event_fd_, &one, sizeof one);
    }
    changed_.notify_one();
  }

  bool sleep(std::int64_t due_ns) noexcept override {
    std::unique_lock lock(mutex_);
    auto const woken = [this] { return woken_; };
    if (due_ns == INT64_MAX) {
      changed_.wait(lock, woken);
    } else {
      std::chrono::steady_clock::time_point const due{std::chrono::nanoseconds(due_ns)};
      if (!changed_.wait_until(lock, due, woken)) return false;
    }
    woken_ = false;
    clear();
    return true;
  }

  slab& memory() noexcept override { return memory_; }
  local_state& local() noexcept override { return local_; }

  int event_fd() {
    std::lock_guard lock(mutex_);
    if (event_fd_ < 0) {
      event_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
      if (event_fd_ < 0)
        throw std::system_error(errno, std::generic_category(),
                                "cannot make an event descriptor for an attached thread");
    }
    return event_fd_;
  }

  bool has_descriptor() const noexcept override { return event_fd_ >= 0; }

 private:
  void clear() noexcept {
    if (event_fd_ < 0) return;
    std::uint64_t n = 0;
    [[maybe_unused]] auto r = ::read(event_fd_, &n, sizeof n);
  }

  process_system& system_;
  slab& memory_;
  local_state& local_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;
  int event_fd_ = -1;
};

struct attachment {
  explicit attachment(process_system& system) : waker(system) {}
  thread_waker waker;
  process* self = nullptr;
  foreign_context context;
};

}  // namespace

attached_thread::attached_thread(node& n) {
  process_system& system = n.core().system();
  if (current_worker() != nullptr || foreign_context::current() != nullptr)
    throw error(errc::badarg,
                "attached_thread: this thread is a worker or attached already; one at a time");
  auto made = std::make_unique<attachment>(system);
  local_state& local = made->waker.local();
  process* p = local.processes.acquire();
  if (p == nullptr)
    throw error(errc::system_limit,
                fmt::format("attached_thread: {} processes live, and this node allows {}",
                            system.alive(), system.limits().max_processes));
  self_ = p->occupy(system, nullptr, {}, {});
  try {
    p->attach(made->waker);
  } catch (std::bad_alloc const&) {
    p->vacate();
    local.processes.release(p->index());
    throw;
  }
  made->self = p;
  made->context = {p, &made->waker.memory(), &local, &system};
  local_state::add(local.alive, 1);
  p->open();
  foreign_context::set_current(&made->context);
  state_ = made.release();
}

attached_thread::~attached_thread() {
  auto* a = static_cast<attachment*>(state_);
  a->self->detach();
  foreign_context::set_current(nullptr);
  delete a;
}

int attached_thread::event_fd() {
  auto* a = static_cast<attachment*>(state_);
  bool const first = !a->waker.has_descriptor();
  int const fd = a->waker.event_fd();
  if (first) a->self->rearm();
  return fd;
}

}  // namespace otter
