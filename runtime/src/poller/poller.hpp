#pragma once

// poller/poller.hpp - readiness of descriptors, and the place where an idle worker sleeps.
//
// One poller per core. The interface is what the scheduler and the io room see; behind it are epoll
// and io_uring (doc/io.md, "Two pollers").

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <otter/poller_kind.hpp>
#include <string>
#include <vector>

namespace otter::rts {

class poller;

/// A descriptor that somebody wants to hear about, edge-triggered: ready() comes once for each
/// change, so whoever gets it must read or write until it would block.
///
/// Ownership: the room above. It may be destroyed once released() has been called, not earlier.
/// Threads:   ready() and released() run on the worker that holds the poller's core, in the
///            runtime, outside any turn.
struct poll_source {
  int fd = -1;

 private:
  std::uint32_t came_ = 0;  // poll_ring: events that were collected and not delivered

 public:
  /// `events` are EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR as in <sys/epoll.h>.
  virtual void ready(std::uint32_t events) noexcept = 0;
  /// ready() follows in a moment, if nothing comes between: what it will touch may be fetched from
  /// memory. May be called until released() is.
  virtual void expect() const noexcept {}
  /// The poller has forgotten the source: the last call, exactly one for each remove().
  virtual void released() noexcept {}

 protected:
  poll_source() = default;
  poll_source(poll_source const&) = delete;
  poll_source& operator=(poll_source const&) = delete;
  ~poll_source() = default;

 private:
  friend class epoll_poller;
  friend class uring_poller;
  friend class poll_ring;
  friend class scheduler;
  poller* home_ = nullptr;            // the poller that it is registered with
  poll_source* next_ = nullptr;       // in a list of its poller
  std::atomic<bool> removed_{false};  // ready() is not called any more once it is seen
  bool armed_ = false;                // poll_ring: the kernel has a request of it
  bool listed_ = false;               // poll_ring: in the list of what is to be delivered
};

/// What a thread does around its sleep, and around nothing else: ready() and released() are called
/// when it is awake.
///
/// Neither function may take events from the poller, or wait for what only this thread can bring
/// about. Then no wake-up is lost between falls_asleep() and the sleep: a wake() is not a message
/// to a sleeper but a count in a descriptor, and an event of a socket stays in the kernel's list,
/// until wait() fetches them. Whoever has something for the thread publishes it and calls wake();
/// whether that comes before falls_asleep(), during it or after it, the sleep ends at once, or
/// never begins.
struct sleep_observer {
  virtual void falls_asleep() noexcept = 0;
  virtual void wakes_up() noexcept = 0;

 protected:
  ~sleep_observer() = default;
};

/// Where one core looks for events and sleeps.
///
/// Threads: wait(), add() and take_over() for the thread that holds the core; remove() and wake()
/// for any.
class poller {
 public:
  struct outcome {
    unsigned events = 0;  ///< calls of ready() made
    bool woken = false;   ///< a wake() was consumed; several may be merged into one
  };
  static constexpr std::int64_t no_limit = -1;

  virtual ~poller() = default;

  /// Delivers what is ready. Waits at most `limit_ns` if nothing is (0: looks only; no_limit).
  outcome wait(std::int64_t limit_ns) noexcept { return wait(limit_ns, nullptr); }
  /// The same; `who`, unless null, is told when the thread is about to sleep and when it has slept.
  virtual outcome wait(std::int64_t limit_ns, sleep_observer* who) noexcept = 0;
  /// Ends the present or the next wait().
  virtual void wake() noexcept = 0;

  /// Throws std::system_error if the kernel refuses the descriptor.
  virtual void add(poll_source& source) = 0;
  /// Takes over a source that another poller of the node has: its events come here from now on. An
  /// event that the other one has in its hands still comes from there, perhaps after the source was
  /// removed and its memory used again: so this is for sources that live in a table and to which an
  /// event too many does no harm. False: it stays where it is. Nobody else may be removing it, or
  /// taking it over. Called from: the thread that holds the core.
  virtual bool take_over(poll_source&) noexcept { return false; }
  /// The descriptor is forgotten at once; source.released() follows from this poller's wait(),
  /// which is woken for it. The caller may close the descriptor as soon as this returns.
  virtual void remove(poll_source& source) noexcept = 0;

  /// Instead of remove(), for a source as take_over() wants it whose descriptor is closed at once,
  /// by which it leaves the kernel's set. True: that is all, and released() does not follow. False:
  /// nothing has happened. A child that is forked and has not called exec() yet keeps the set's
  /// entry alive for as long: then an event too many may come of it. As for remove(), any thread.
  virtual bool forget(poll_source&) noexcept { return false; }

  /// True if wait(0) could find anything: sources, or removals that are not released yet.
  virtual bool has_work() const noexcept = 0;
};

/// Throws std::system_error.
std::unique_ptr<poller> make_epoll_poller();
/// `completions`: how many the kernel can note before it has to keep a list.
std::unique_ptr<poller> make_uring_poller(unsigned completions = 4096);

/// The pollers of a node, one for each core.
struct poller_set {
  std::vector<std::unique_ptr<poller>> pollers;
  poller_kind kind = poller_kind::epoll;
  std::string refused;  ///< why `kind` is not what was asked for; else empty
};
/// Throws std::system_error if not even epoll is to be had.
poller_set make_pollers(poller_kind wanted, unsigned count);

}  // namespace otter::rts
