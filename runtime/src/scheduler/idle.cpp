// scheduler/idle.cpp - what a worker does that has nothing to run: look at timers and sockets, look
// around for a moment, sleep; and how it is woken.
//
// When is other people's work worth taking? Moving a runnable costs cache misses on both sides, a
// wake-up costs its giver 12 us and arrives after 30. So a thief takes only what has waited longer
// than moving costs: it watches a queue for a window of 20 us, and takes half if there is more in
// it than its owner has run meanwhile. Wake-ups that found nothing make the next ones rarer.
//
// Fresh children are another matter: their owner takes the youngest, so the oldest of a hundred
// that live 200 ns each waits 20 us and is the next one's turn then. Taking it would move its
// parent, who hears of its end, and with the parent all that come after it. A deque full of such
// children is empty after 100 us; so the oldest is taken when it has been the oldest for that long:
// it is the root of a large subtree, or its siblings take their time.
//
// Refused: stealing at first sight (spawn and exit cost 68 -> 167 ns with a second worker), and
// waking for one ready runnable (a ring hop: 28 -> 44 ns).

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <thread>

#include "base/clock.hpp"
#include "scheduler/threads_driver.hpp"

namespace otter::rts {
namespace {

constexpr std::int64_t window_ns = 20'000;
constexpr int windows = 2;
constexpr std::int64_t child_age_ns = 5 * window_ns;
constexpr int most_windows = 8;  // while a child that was there at the first one grows old
constexpr unsigned most_backoff = 14;
constexpr std::int64_t tidy_every_ns = 1'000'000;
constexpr std::size_t tidied_at_once = 256;  // blocks: 5 us, 150 if each is a cache miss
constexpr int steps_of_tidying = 16;
constexpr std::int64_t deferred_again_ns = 10'000'000;

void relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#else
  std::atomic_signal_fence(std::memory_order_seq_cst);
#endif
}

/// While the worker sleeps, its slab is there for who wants memory. resume() waits for who has it
/// in hand, for some microseconds; that one never waits for us (slab::rest()).
class slab_at_rest final : public sleep_observer {
 public:
  explicit slab_at_rest(slab& s) noexcept : slab_(s) {}
  void falls_asleep() noexcept override { slab_.rest(); }
  void wakes_up() noexcept override { slab_.resume(); }

 private:
  slab& slab_;
};

}  // namespace

/// Not under Valgrind: it runs one thread at a time, so that a spinning one only keeps others away.
bool threads_driver::may_spin() noexcept {
  char const* const preloaded = std::getenv("LD_PRELOAD");
  return preloaded == nullptr || std::strstr(preloaded, "vgpreload") == nullptr;
}

bool threads_driver::anything_shared() const noexcept {
  return overflow_.size(std::memory_order_seq_cst) != 0 ||     // [R1]
         rarer_.load(std::memory_order_seq_cst) != 0 ||        // [R1]
         core_wanted_.load(std::memory_order_seq_cst) != 0 ||  // [R1]
         rest_wanted_.load(std::memory_order_seq_cst) ||       // [Q1]
         stopping_.load(std::memory_order_seq_cst);
}

void threads_driver::idle(worker_thread& t) noexcept {
  core& c = *t.held;
  c.clock = monotonic_ns();
  // More may be due: what was counted may all have been timers that came nearer, of which a slot of
  // the wheel has as many as there are. To look around after every 64 of them, as this once did,
  // made 50,000 timers 30 ms late.
  if (run_timers(c, timers_at_once) != 0 || c.timers.next_due() <= c.clock) return;
  if (core_wanted_.load(std::memory_order_relaxed) != 0) {
    start_deferred(t);  // without a core there is no wheel
    hand_over(t);
    return;
  }
  if (stopping_.load(std::memory_order_relaxed) || rest_wanted_.load(std::memory_order_relaxed)) {
    c.attention.store(true, std::memory_order_relaxed);
    return;
  }
  if (t.spins && 2 * searching_.load(std::memory_order_relaxed) < cores_.size() &&
      worth_searching(c)) {
    if (c.sockets->has_work()) {
      c.last_poll = c.clock;
      if (c.sockets->wait(0).events != 0) return;
    }
    searching_.fetch_add(1, std::memory_order_seq_cst);
    if (search(t)) return;
    c.clock = monotonic_ns();
  }
  start_deferred(t);  // not before: what was waited for may have come while we looked around
  if (tidy_slabs(t)) return;
  park(t);
  // Whoever woke us to search has counted us in searching_ already; search() takes us out again.
  if (t.to_search.exchange(false, std::memory_order_relaxed)) search(t);
}

/// Who has sockets hears from them only where it sleeps: it looks around when there is something to
/// see. Others do in any case, since what they wait for is mostly a message that comes in a moment.
bool threads_driver::worth_searching(core const& mine) const noexcept {
  if (!mine.sockets->has_work()) return true;
  return std::any_of(cores_.begin(), cores_.end(), [&](auto const& c) {
    return c.get() != &mine && (c->ring.size() != 0 || c->fresh.size() != 0);
  });
}

/// Begins a window: what the queues look like now.
void threads_driver::begin_window(worker_thread& t, std::int64_t now) noexcept {
  for (std::size_t i = 0; i < cores_.size(); ++i) {
    core const& c = *cores_[i];
    seen_queues& seen = t.queues[i];
    seen.ring = c.ring.position();
    seen.least_ring = std::numeric_limits<std::uint32_t>::max();
    seen.turns = c.turns.load(std::memory_order_relaxed);
    see_oldest(seen, c, now);
  }
}

/// Notes since when the oldest of the core's fresh children has been it.
void threads_driver::see_oldest(seen_queues& seen, core const& c, std::int64_t now) noexcept {
  std::int64_t const position = c.fresh.position();
  bool const any = c.fresh.size() != 0;
  if (any && seen.oldest_since != seen_queues::never && position == seen.fresh) return;
  seen.fresh = position;
  seen.oldest_since = any ? now : seen_queues::never;
}

/// True while the oldest child of another core has been it since `then`.
bool threads_driver::child_ripens(worker_thread& t, std::int64_t then, std::int64_t now) noexcept {
  for (std::size_t i = 0; i < cores_.size(); ++i) {
    if (cores_[i].get() == t.held) continue;
    see_oldest(t.queues[i], *cores_[i], now);
    if (t.queues[i].oldest_since <= then) return true;
  }
  return false;
}

/// Watches the other cores for a moment and takes what waits too long there. True if there is
/// something to do now.
bool threads_driver::search(worker_thread& t) noexcept {
  core& mine = *t.held;
  bool found = t.inbox.has_any() || !mine.ring.empty() || anything_shared();
  int const most = t.spins ? most_windows : 0;
  std::int64_t const timer_due = mine.timers.next_due();
  std::int64_t const began = found || most == 0 ? 0 : monotonic_ns();
  std::int64_t now = began;
  for (int w = 0; w < most && !found && (w < windows || child_ripens(t, began, now)); ++w) {
    begin_window(t, now);
    std::int64_t const until = now + window_ns;
    do {
      for (std::size_t i = 0; i < cores_.size(); ++i) {
        t.queues[i].least_ring = std::min(t.queues[i].least_ring, cores_[i]->ring.size());
      }
      for (int i = 0; i < 8; ++i) relax();
      now = monotonic_ns();
      found = t.inbox.has_any() || anything_shared() ||
              mine.attention.load(std::memory_order_relaxed) || now >= timer_due;
    } while (!found && now < until);
    std::size_t const first = mine.random.below(cores_.size());
    for (std::size_t i = 0; i < cores_.size() && !found; ++i) {
      core& victim = *cores_[(first + i) % cores_.size()];
      if (&victim != &mine && steal(t, victim, now)) {
        found = true;
        count_one(mine.steals);
        wake_backoff_.store(0, std::memory_order_relaxed);
      }
    }
  }
  if (!found) {
    unsigned const backoff = wake_backoff_.load(std::memory_order_relaxed);
    if (backoff < most_backoff) wake_backoff_.store(backoff + 1, std::memory_order_relaxed);
  }
  searching_.fetch_sub(1, std::memory_order_seq_cst);  // [R1] before the last look at the queues
  // Submitters left everything to us while we were searching. We go and work: the next sleeper is
  // to look for what else there is.
  if (found && (overflow_.size(std::memory_order_seq_cst) > 1 || mine.ring.size() > 1)) {
    wake_one(false);
  }
  return found;
}

/// Takes from `victim` what has waited for the whole window, or a child that is old enough.
bool threads_driver::steal(worker_thread& t, core& victim, std::int64_t now) noexcept {
  core& mine = *t.held;
  seen_queues& seen = t.queues[victim.number];
  std::uint32_t const went_by = victim.ring.position() - seen.ring;
  if (seen.least_ring != 0 && victim.ring.size() > went_by) {
    std::array<runnable*, run_ring::capacity / 2> loot;
    std::uint32_t const n = victim.ring.steal(loot);
    for (std::uint32_t i = 0; i < n; ++i) push_ring(mine, *loot[i]);
    if (n != 0) return true;
  }
  see_oldest(seen, victim, now);
  if (seen.oldest_since == seen_queues::never || now - seen.oldest_since < child_age_ns)
    return false;
  // One, which may be the root of much. More if there are more than the owner gets through in a
  // window: then each of them is slow.
  std::uint64_t const turns = victim.turns.load(std::memory_order_relaxed) - seen.turns;
  std::uint32_t const there = victim.fresh.size();
  std::uint32_t const wanted = there > turns ? std::max(there / 2, 1u) : 1;
  std::uint32_t n = 0;
  for (runnable* r; n < wanted && (r = victim.fresh.steal()) != nullptr; ++n) push_ring(mine, *r);
  return n != 0;
}

/// Before it sleeps the worker looks what memory its slab can do without, and then those of others
/// who sleep: so the last one to fall asleep leaves a tidy node. At most once a millisecond, as
/// there are workers that sleep and wake all the time. True if there may be something to do now.
bool threads_driver::tidy_slabs(worker_thread& t) noexcept {
  core& c = *t.held;
  slab& mine = t.memory();
  if (!mine.tidying() && c.clock - t.tidied < tidy_every_ns) return false;
  if (mine.worth_tidying()) mine.begin_tidying();
  for (int step = 0;
       mine.tidy(tidied_at_once) || slabs_.tidy_resting(tidied_at_once) || slabs_.return_surplus();
       ++step) {
    c.clock = monotonic_ns();
    if (step == steps_of_tidying || t.inbox.has_any() || anything_shared() ||
        c.attention.load(std::memory_order_relaxed) || c.timers.next_due() <= c.clock)
      return true;
    if (c.clock - c.last_poll >= poll_every_ns && c.sockets->has_work()) {
      c.last_poll = c.clock;
      if (c.sockets->wait(0).events != 0) return true;
    }
  }
  t.tidied = c.clock;
  return false;
}

/// Sleeps in the poller until there is an event, a timer is due, or somebody wakes it.
void threads_driver::park(worker_thread& t) noexcept {
  core& c = *t.held;
  idle_.fetch_add(1, std::memory_order_seq_cst);  // [R1]
  if (!t.inbox.set_mark(private_queue::mark::parked)) {
    idle_.fetch_sub(1, std::memory_order_seq_cst);
    return;
  }
  if (!anything_shared()) {  // [R1]
    std::int64_t const due = c.timers.next_due();
    std::int64_t limit = poller::no_limit;
    if (due != std::numeric_limits<std::int64_t>::max()) {
      limit = std::max<std::int64_t>(0, due - c.clock);  // c.clock is a moment old: never early
    }
    if (worker_access::has_deferred(t) && (limit < 0 || limit > deferred_again_ns))
      limit = deferred_again_ns;  // no timer was to be had for it
    slab_at_rest resting(t.memory());
    c.sockets->wait(limit, &resting);
    count_one(c.wakeups);
  }
  if (!t.inbox.claim(private_queue::mark::parked)) {
    // Somebody has claimed us and still looks at our core: wait until that is done. [P1]
    while (!t.token.exchange(false, std::memory_order_acquire)) std::this_thread::yield();
  }
  idle_.fetch_sub(1, std::memory_order_seq_cst);                          // [W1]
  if (watchdog_asleep_.load(std::memory_order_seq_cst)) wake_watchdog();  // [W1]
}

/// For who has replaced the parked mark of `t`, which keeps its core until it has the token.
void threads_driver::unpark(worker_thread& t) noexcept {
  t.held->sockets->wake();
  t.token.store(true, std::memory_order_release);  // [P1]
}

/// There may be work for two on `c`: wakes somebody to share it, at times.
void threads_driver::offer(core& c) noexcept {
  if (idle_.load(std::memory_order_relaxed) == 0) return;
  std::uint32_t const stealable = c.ring.size() + c.fresh.size();
  if (stealable + (c.slot != nullptr ? 1 : 0) < 2 || stealable == 0) return;
  if (searching_.load(std::memory_order_relaxed) != 0) return;
  if (++c.wakes_skipped < (1u << wake_backoff_.load(std::memory_order_relaxed))) return;
  c.wakes_skipped = 0;
  wake_one(false);
}

/// Wakes a sleeping worker, unless one is searching already and that will do.
void threads_driver::wake_one(bool even_if_searching) noexcept {
  if (idle_.load(std::memory_order_seq_cst) == 0) return;                             // [R1]
  if (!even_if_searching && searching_.load(std::memory_order_seq_cst) != 0) return;  // [R1]
  unsigned const first = wake_from_.fetch_add(1, std::memory_order_relaxed);
  for (std::size_t i = 0; i < cores_.size(); ++i) {
    core& c = *cores_[(first + i) % cores_.size()];
    worker_thread* const sleeper = c.holder.load(std::memory_order_acquire);
    if (sleeper == nullptr || !sleeper->inbox.claim(private_queue::mark::parked)) continue;
    searching_.fetch_add(1, std::memory_order_seq_cst);
    sleeper->to_search.store(true, std::memory_order_relaxed);  // [P1] carries it
    unpark(*sleeper);
    return;
  }
}

}  // namespace otter::rts
