// scheduler/mutex_check.cpp - a process that waits while it holds a mutex is stopped at once.
//
// What would happen otherwise: the next process on that thread locks the same mutex, the thread
// blocks in it, and the one that could unlock it can only be continued by that thread. It shows
// once in a while, under load. So here each lock is noted, and each suspension looks.
//
//   1. The functions below take the place of the C library's: a program's own definitions come
//      first. Each calls the real one and notes or removes the mutex for its thread.
//   2. The scheduler calls look() before it leaves a stack. If its thread holds a mutex, both
//      places are printed, where it was locked and where the process is about to wait.
//
// Linked into what the `dev` preset builds. Not together with a sanitizer, which takes the place of
// the same functions.

#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>

#include <array>
#include <atomic>
#include <cstddef>

#include "scheduler/scheduler.hpp"
#include "scheduler/suspension_check.hpp"
#include "stacks/report.hpp"

namespace otter::rts {
namespace {

constexpr int error_output = 2;
constexpr std::size_t most_frames = 16;

struct held_mutex {
  void const* mutex;
  int frames;
  std::array<void*, most_frames> locked_at;
};

/// Ownership: one for each thread, constant-initialised: it is used before main() and by threads
///            that end.
/// Threads:   its own. No signal handler locks a mutex.
struct held_mutexes {
  std::array<held_mutex, 16> held;
  std::size_t count;  // held and noted; what is locked beyond the array is not noted
  bool inside;        // the backtrace itself may lock
};

constinit thread_local held_mutexes of_this_thread{};

void note(void const* mutex) noexcept {
  held_mutexes& mine = of_this_thread;
  if (mine.inside || mine.count == mine.held.size()) return;
  mine.inside = true;
  if (current_worker() != nullptr) {  // elsewhere nothing suspends
    held_mutex& entry = mine.held[mine.count++];
    entry.mutex = mutex;
    entry.frames = ::backtrace(entry.locked_at.data(), static_cast<int>(most_frames));
  }
  mine.inside = false;
}

void forget(void const* mutex) noexcept {
  held_mutexes& mine = of_this_thread;
  for (std::size_t i = mine.count; i-- > 0;) {
    if (mine.held[i].mutex != mutex) continue;
    for (std::size_t j = i + 1; j < mine.count; ++j) mine.held[j - 1] = mine.held[j];
    --mine.count;
    return;
  }
}

void look() noexcept {
  held_mutexes const& mine = of_this_thread;
  if (mine.count == 0) return;
  held_mutex const& last = mine.held[mine.count - 1];
  report_line line;
  line.add("otter: the mutex ").address(last.mutex);
  if (mine.count > 1) line.add(", and ").number(mine.count - 1).add(" more");
  line.add(
      ", is held by a process that is about to wait: who locks it next on this thread would "
      "wait for ever. Unlock it before a call that can block. It was locked at");
  line.write(error_output);
  ::backtrace_symbols_fd(last.locked_at.data(), last.frames, error_output);
  stack_broken(*running_stack(), "this process is about to wait, and holds the mutex:");
}

[[maybe_unused]] bool const installed = [] {
  at_suspension = &look;
  return true;
}();

/// The C library's function of that name: the definition that comes after ours. `kept` is only a
/// memo, all threads find the same: relaxed.
template <class Function>
Function* real(std::atomic<Function*>& kept, char const* name) noexcept {
  Function* found = kept.load(std::memory_order_relaxed);
  if (found == nullptr) {
    found = reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
    kept.store(found, std::memory_order_relaxed);
  }
  return found;
}

int noted(int result, void const* mutex) noexcept {
  if (result == 0) note(mutex);
  return result;
}

constinit std::atomic<int (*)(pthread_mutex_t*)> real_lock{nullptr};
constinit std::atomic<int (*)(pthread_mutex_t*)> real_trylock{nullptr};
constinit std::atomic<int (*)(pthread_mutex_t*, timespec const*)> real_timedlock{nullptr};
constinit std::atomic<int (*)(pthread_mutex_t*, clockid_t, timespec const*)> real_clocklock{
    nullptr};
constinit std::atomic<int (*)(pthread_mutex_t*)> real_unlock{nullptr};

}  // namespace
}  // namespace otter::rts

using namespace otter::rts;

extern "C" {

int pthread_mutex_lock(pthread_mutex_t* it) noexcept {
  return noted(real(real_lock, "pthread_mutex_lock")(it), it);
}

int pthread_mutex_trylock(pthread_mutex_t* it) noexcept {
  return noted(real(real_trylock, "pthread_mutex_trylock")(it), it);
}

int pthread_mutex_timedlock(pthread_mutex_t* it, timespec const* due) noexcept {
  return noted(real(real_timedlock, "pthread_mutex_timedlock")(it, due), it);
}

int pthread_mutex_clocklock(pthread_mutex_t* it, clockid_t clock, timespec const* due) noexcept {
  return noted(real(real_clocklock, "pthread_mutex_clocklock")(it, clock, due), it);
}

int pthread_mutex_unlock(pthread_mutex_t* it) noexcept {
  forget(it);
  return real(real_unlock, "pthread_mutex_unlock")(it);
}

}  // extern "C"
