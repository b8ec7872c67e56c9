// node/attached_thread.cpp - a plain thread with a pid.

#include <fmt/format.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
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
/// Threads: wake() any; hold() and let_go() one other; the rest the attached thread. What changes
/// is guarded by the mutex.
class thread_waker final : public attached_waker {
 public:
  thread_waker(process_system& system)
      : system_(system),
        memory_(system.slabs().lend()),
        local_(system.lend_local()),
        thread_(::pthread_self()) {}
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
    changed_.notify_all();
  }

  bool sleep(std::int64_t due_ns) noexcept override {
    __builtin_unwind_init();  // what callers have in registers is in this frame: hold()
    std::unique_lock lock(mutex_);
    sleeps_at_ = static_cast<std::byte*>(__builtin_frame_address(0)) - frame_bytes;
    if (held_) changed_.notify_all();
    auto const woken = [this] { return woken_; };
    bool came = true;
    if (due_ns == INT64_MAX) {
      changed_.wait(lock, woken);
    } else {
      std::chrono::steady_clock::time_point const due{std::chrono::nanoseconds(due_ns)};
      came = changed_.wait_until(lock, due, woken);
    }
    changed_.wait(lock, [this] { return !held_; });
    sleeps_at_ = nullptr;
    if (!came) return false;
    woken_ = false;
    clear();
    return true;
  }

  std::span<std::byte const> hold(std::int64_t until_ns) noexcept override {
    std::unique_lock lock(mutex_);
    held_ = true;
    std::chrono::steady_clock::time_point const until{std::chrono::nanoseconds(until_ns)};
    pthread_attr_t facts;
    if (!changed_.wait_until(lock, until, [this] { return sleeps_at_ != nullptr; }) ||
        ::pthread_getattr_np(thread_, &facts) != 0)
      return {};
    void* low = nullptr;
    std::size_t size = 0;
    ::pthread_attr_getstack(&facts, &low, &size);
    ::pthread_attr_destroy(&facts);
    std::byte const* const from = std::max(sleeps_at_, static_cast<std::byte*>(low));
    return {from, static_cast<std::byte const*>(low) + size};
  }
  void let_go() noexcept override {
    std::lock_guard lock(mutex_);
    held_ = false;
    changed_.notify_all();
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
  bool held_ = false;               // by hold()
  std::byte* sleeps_at_ = nullptr;  // the lowest of its frames that count; null: not in sleep()
  int event_fd_ = -1;

  pthread_t const thread_;
  /// More than the frame of sleep() has; below it are those of the library, which belong to it.
  static constexpr std::ptrdiff_t frame_bytes = 512;
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
    system.attached.add({&made->waker, p});
    p->attach(made->waker);
  } catch (std::bad_alloc const&) {
    system.attached.remove(made->waker);
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
  a->context.system->attached.remove(a->waker);
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
