// scheduler/scheduler.cpp - the interface of scheduler.hpp, passed on to the driver.

#include "scheduler/scheduler.hpp"

#include <limits>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <vector>

#include "base/cache_line.hpp"
#include "base/clock.hpp"
#include "scheduler/simulation.hpp"
#include "scheduler/suspension_check.hpp"
#include "scheduler/threads_driver.hpp"

namespace otter::rts {
namespace {

thread_local worker* this_worker = nullptr;

worker_thread& thread_of(worker& w) noexcept { return static_cast<worker_thread&>(w); }
virtual_worker& virtual_of(worker& w) noexcept { return static_cast<virtual_worker&>(w); }

}  // namespace

OTTER_NOINLINE worker* current_worker() noexcept {
  asm volatile("");  // keeps gcc from merging two calls into one
  return this_worker;
}

OTTER_NOINLINE void worker_access::enter_thread(worker* w) noexcept { this_worker = w; }

/// Exactly one of the two drivers.
struct scheduler::implementation {
  implementation(scheduler& owner, scheduler_options const& o, scheduler_hooks const& hooks)
      : options(o) {
    if (options.simulated) {
      simulated.emplace(owner, options, hooks);
    } else {
      threads.emplace(owner, options, hooks);
    }
  }

  scheduler_options const options;
  std::optional<threads_driver> threads;
  std::optional<simulation> simulated;
};

// --- worker ---

struct driver_of {
  static simulation& simulated(worker& w) noexcept { return *w.owner().impl_->simulated; }
};

std::int64_t worker::now() noexcept {
  return simulated_ ? driver_of::simulated(*this).now() : monotonic_ns();
}

void worker::submit(runnable& r) noexcept {
  if (simulated_) [[unlikely]]
    return driver_of::simulated(*this).submit(this, r);
  worker_thread& t = thread_of(*this);
  t.driver.submit(t, r);
}

void worker::submit_woken(runnable& r) noexcept {
  if (simulated_) [[unlikely]]
    return driver_of::simulated(*this).submit(this, r);
  worker_thread& t = thread_of(*this);
  t.driver.submit_woken(t, r);
}

void worker::submit_fresh(runnable& r) noexcept {
  if (simulated_) [[unlikely]]
    return driver_of::simulated(*this).submit(this, r);
  worker_thread& t = thread_of(*this);
  t.driver.submit_fresh(t, r);
}

void worker::submit_yielded(runnable& r) noexcept {
  if (simulated_) [[unlikely]]
    return driver_of::simulated(*this).submit(this, r);
  worker_thread& t = thread_of(*this);
  t.driver.submit_yielded(t, r);
}

timer_wheel& worker::wheel() noexcept {
  return simulated_ ? virtual_of(*this).timers.wheel() : thread_of(*this).held->timers.wheel();
}

void worker::start_timer(timer_node& t, std::int64_t delay_ns) noexcept {
  std::int64_t const from = now();
  std::int64_t due = 0;
  if (__builtin_add_overflow(from, delay_ns, &due)) due = std::numeric_limits<std::int64_t>::max();
  start_timer_at(t, due);
}

void worker::start_timer_at(timer_node& t, std::int64_t due_ns) noexcept {
  if (simulated_) [[unlikely]] {
    driver_of::simulated(*this).start_timer_at(virtual_of(*this), t, due_ns);
  } else {
    thread_of(*this).held->timers.wheel().start(t, due_ns);
  }
}

bool worker::turn_is_long() noexcept {
  if (simulated_) return false;
  std::int64_t const time = now();
  if (turn_asked_ns_ == 0) turn_asked_ns_ = time;
  return time - turn_asked_ns_ >= turn_time_ns;
}

bool worker::cancel_timer(timer_node& t, std::uint64_t generation) noexcept {
  return timer_wheel::cancel(t, generation, &wheel());
}

// --- suspension ---

constinit suspension_check at_suspension = nullptr;

void prepare_suspend(worker& w, runnable& self) {
  turn_loop& loop = *worker_access::loop(w);
  loop.reserve();
  loop.here()->owner = &w;
  self.frames = loop.here();
}

void cancel_suspend(runnable& self) noexcept { self.frames = nullptr; }

void suspend(runnable& self) noexcept {
  // The runnable may be in our private queue already, but only this thread takes it from there.
  if (at_suspension != nullptr) at_suspension();
  worker& home = *self.home();
  bool const counted = !worker_access::simulated(home);
  if (counted) thread_of(home).count_frames(+1);
  worker_access::loop(home)->suspend();
  // In between other code ran here, but frames never change threads.
  if (counted) thread_of(home).count_frames(-1);
}

stack* running_stack() noexcept { return current_turn_loop()->here(); }

bool may_desert_stack() noexcept {
  try {
    current_turn_loop()->reserve();
    return true;
  } catch (std::bad_alloc const&) {
    return false;
  }
}

void desert_stack() noexcept { current_turn_loop()->desert(); }

// --- the border of the runtime ---

OTTER_COLD bool runtime_entry::regain_core() noexcept {
  worker_thread& t = thread_of(*worker_);
  return t.driver.regain(t);
}

OTTER_COLD void user_code::regain_core() noexcept {
  worker_thread& t = thread_of(*current_worker());
  if (!t.driver.regain(t)) t.driver.desert(t);
}

// --- scheduler ---

scheduler::scheduler(scheduler_options const& options, scheduler_hooks const& hooks)
    : impl_(std::make_unique<implementation>(*this, options, hooks)) {}

scheduler::~scheduler() {
  // Threads that were left behind still look at the driver: it stays for the rest of the program,
  // where a leak checker finds it.
  if (!impl_->threads || impl_->threads->stop(0) == 0) return;
  static std::mutex mutex;
  static auto* const kept = new std::vector<implementation*>;
  std::lock_guard lock(mutex);
  kept->push_back(impl_.release());
}

void* scheduler::owner() const noexcept { return impl_->options.owner; }
bool scheduler::simulated() const noexcept { return impl_->options.simulated; }
unsigned scheduler::workers() const noexcept {
  return impl_->options.workers == 0 ? 1 : impl_->options.workers;
}

void scheduler::start() {
  if (impl_->threads) impl_->threads->start();
}

std::size_t scheduler::stop(std::int64_t limit_ns) {
  return impl_->threads ? impl_->threads->stop(limit_ns) : 0;
}

simulation_end scheduler::run_simulation(std::function<bool()> const& stop) {
  if (!impl_->simulated) {
    throw std::logic_error("run_simulation: this scheduler runs on threads");
  }
  return impl_->simulated->run(stop);
}

void scheduler::submit(runnable& r) noexcept {
  worker* const w = current_worker();
  bool const ours = w != nullptr && &w->owner() == this;
  if (impl_->simulated) {
    impl_->simulated->submit(ours ? w : nullptr, r);
  } else if (ours) {
    thread_of(*w).driver.submit(thread_of(*w), r);
  } else {
    impl_->threads->submit_foreign(r);
  }
}

std::int64_t scheduler::now() noexcept {
  return impl_->simulated ? impl_->simulated->now() : monotonic_ns();
}

void scheduler::submit_blocking(blocking_job& job) {
  if (impl_->simulated) {
    impl_->simulated->submit_blocking(job);
  } else {
    impl_->threads->submit_blocking(job);
  }
}

std::uint64_t scheduler::random() noexcept {
  return impl_->simulated ? impl_->simulated->random()
                          : thread_of(*current_worker()).held->random.next();
}

poller_kind scheduler::poller() const noexcept {
  return impl_->simulated ? poller_kind::epoll : impl_->threads->poller();
}

std::string scheduler::poller_refused() const {
  return impl_->simulated ? std::string() : impl_->threads->poller_refused();
}

void scheduler::watch(poll_source& source) {
  if (impl_->simulated) {
    throw std::logic_error("watch: there are no real descriptors in a simulation");
  }
  thread_of(*current_worker()).held->sockets->add(source);
}

bool scheduler::follow(poll_source& source, bool again) noexcept {
  auto& here = *thread_of(*current_worker()).held->sockets;
  return source.home_ == &here || (again && here.take_over(source));
}

void scheduler::unwatch(poll_source& source) noexcept {
  if (source.home_ != nullptr) source.home_->remove(source);
}

bool scheduler::forget(poll_source& source) noexcept {
  if (source.home_ == nullptr || source.home_->forget(source)) return true;
  source.home_->remove(source);
  return false;
}

scheduler::statistics scheduler::stats() const noexcept {
  return impl_->simulated ? impl_->simulated->stats() : impl_->threads->stats();
}

std::vector<std::string> scheduler::at_rest(std::int64_t limit_ns,
                                            std::function<void()> const& look) {
  if (impl_->threads) return impl_->threads->at_rest(limit_ns, look);
  look();  // a job runs between two turns
  return {};
}

bool scheduler::each_block_in_use(
    std::function<void(std::byte const*, std::size_t)> const& look) const {
  return impl_->simulated ? impl_->simulated->each_block_in_use(look)
                          : impl_->threads->memory().each_block_in_use({}, look);
}

bool scheduler::interleave() noexcept { return impl_->simulated && impl_->simulated->interleave(); }

void scheduler::trace(char const* what, std::uint64_t a, std::uint64_t b,
                      std::string_view bytes) noexcept {
  if (impl_->simulated) impl_->simulated->trace(what, a, b, bytes);
}

std::uint64_t scheduler::trace_digest() const noexcept {
  return impl_->simulated ? impl_->simulated->digest() : 0;
}

void scheduler::keep_trace(std::string const& path) {
  if (impl_->simulated) impl_->simulated->keep_trace(path);
}

}  // namespace otter::rts
