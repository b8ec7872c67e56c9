// scheduler/threads_driver.cpp - a worker's rounds, and how a runnable gets into its queues.
//
// Rounds. Every queue is in the round, as long as it was when the round began: the ring, what is
// private to the thread, a share of the overflow queue. One-for-one picking was refused: with one
// busy runnable in the private queue it gave that one half of all turns. Two things go first, and
// are therefore bounded: the slot (16 turns in a row) and fresh children (256 a round).

#include "scheduler/threads_driver.hpp"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <utility>

#include "base/asymmetric_barrier.hpp"
#include "base/clock.hpp"
#include "base/random.hpp"
#include "scheduler/backtrace.hpp"
#include "stacks/overflow_handler.hpp"

namespace otter::rts {
namespace {

constexpr std::uint32_t slot_turns = 16;
constexpr std::uint32_t fresh_turns = 256;
constexpr std::uint32_t low_every = 8;  // turns of normal priority for one of low
constexpr std::size_t overflow_batch = 64;
constexpr int turn_cost = 64;                // of a turn, in reductions, besides what it counts
constexpr int housekeeping_every = 8000;     // reductions: some 100 short turns or two long ones
constexpr std::size_t tidied_at_once = 256;  // blocks: 5 us, 150 if each is a cache miss
constexpr std::int64_t hand_over_after_ns = 1'000'000;

}  // namespace

threads_driver::threads_driver(scheduler& owner, scheduler_options const& options,
                               scheduler_hooks const& hooks)
    : owner_(owner), options_(options), hooks_(hooks), blocking_(options.blocking_threads) {
  asymmetric::prepare();
  std::random_device entropy;
  std::int64_t const now = monotonic_ns();
  unsigned const n = std::max(1u, options.workers);
  poller_set pollers = make_pollers(options.poller, n);
  poller_ = pollers.kind;
  poller_refused_ = std::move(pollers.refused);
  for (unsigned i = 0; i < n; ++i) {
    std::uint64_t const seed = (std::uint64_t{entropy()} << 32) | entropy();
    cores_.push_back(std::make_unique<core>(i, seed, now, std::move(pollers.pollers[i])));
  }
}

threads_driver::~threads_driver() { stop(0); }

// --- start and stop ---

worker_thread& threads_driver::new_thread() {
  auto t = std::make_unique<worker_thread>(*this, stacks_, &next_of);
  worker_access::owner(*t) = &owner_;
  t->queues.resize(cores_.size());
  threads_.push_back(std::move(t));
  return *threads_.back();
}

void threads_driver::start() {
  if (options_.stall_backtraces) prepare_backtraces();
  std::unique_lock lock(mutex_);
  for (auto& c : cores_) {
    worker_thread& t = new_thread();
    t.held = c.get();
    t.status = thread_status::holding;
    ++running_;
    t.os = std::thread([this, &t] { thread_main(t); });
  }
  life_changed_.wait(lock, [&] { return started_ == cores_.size(); });
  lock.unlock();
  watchdog_ = std::thread([this] { watch_over(); });
}

void threads_driver::thread_main(worker_thread& t) noexcept {
  alternate_signal_stack const for_handlers;  // a full stack can run none
  // A worker that sleeps until a timer is due is to be woken then, and not 50 us later, which is
  // what Linux allows itself for the sake of common wake-ups. Fails nowhere that we run.
  ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  slab& memory = slabs_.lend();
  worker_access::memory(t) = &memory;
  worker_access::enter_thread(&t);
  t.tid = ::gettid();
  t.spins = cores_.size() > 1 && may_spin();
  {
    std::lock_guard lock(mutex_);
    ++started_;
    life_changed_.notify_all();
    if (t.held != nullptr) adopt(t);
  }
  t.loop.run();
  worker_access::enter_thread(nullptr);
  worker_access::memory(t) = nullptr;
  slabs_.give_back(memory);
  std::lock_guard lock(mutex_);
  t.status = thread_status::ended;
  --running_;
  life_changed_.notify_all();
  tell_rest_locked();
}

std::size_t threads_driver::stop(std::int64_t limit_ns) {
  // Who was left behind stays so: even when it has ended by now, it may be about to leave our
  // mutex.
  if (stopped_) return left_behind_;
  stopped_ = true;
  std::int64_t const deadline = monotonic_ns() + limit_ns;
  stopping_.store(true, std::memory_order_seq_cst);
  for (auto& c : cores_) c->attention.store(true, std::memory_order_relaxed);
  {
    std::lock_guard lock(mutex_);
    watchdog_ends_ = true;
    watchdog_wake_.notify_all();
    rest_over_.notify_all();
    rest_changed_.notify_all();
    for (auto& t : threads_) {
      if (t->inbox.claim(private_queue::mark::parked)) unpark(*t);
      t->changed.notify_all();
    }
  }
  if (watchdog_.joinable()) watchdog_.join();
  std::size_t const jobs_left = blocking_.stop(deadline);
  std::unique_lock lock(mutex_);
  while (running_ != 0) {
    std::int64_t const left = deadline - monotonic_ns();
    if (left <= 0) break;
    life_changed_.wait_for(lock, std::chrono::nanoseconds(left));
  }
  for (auto& t : threads_) {
    if (!t->os.joinable()) continue;
    if (t->status == thread_status::ended) {
      t->os.join();  // it holds no lock any more, and returns
    } else {
      t->os.detach();
    }
  }
  left_behind_ = running_ + jobs_left;
  return left_behind_;
}

// --- a worker's round ---

runnable* threads_driver::next_of(void* thread) noexcept {
  auto& t = *static_cast<worker_thread*>(thread);
  return t.driver.next(t);
}

runnable* threads_driver::next(worker_thread& t) noexcept {
  worker_access::current(t) = nullptr;
  int spent = turn_budget - t.reductions + turn_cost;
  for (;;) {
    if (t.held == nullptr) [[unlikely]] {  // begins as a spare, or has deserted a turn
      if (!wait_without_core(t)) return nullptr;
    }
    core& c = *t.held;
    c.work += spent;
    spent = 0;
    if (c.work >= housekeeping_every || c.attention.load(std::memory_order_relaxed)) [[unlikely]] {
      switch (housekeeping(t)) {
        case after::go_on:
          break;
        case after::again:
          continue;
        case after::end:
          return nullptr;
      }
    }
    if (t.inbox.has_any()) take_inbox(t);
    if (runnable* const r = pick(t, c); r != nullptr) [[likely]] {
      worker_access::current(t) = r;
      t.reductions = turn_budget;
      worker_access::begin_turn(t);
      count_one(c.turns);
      return r;
    }
    idle(t);
  }
}

runnable* threads_driver::pick(worker_thread& t, core& c) noexcept {
  bool const rarer = rarer_.load(std::memory_order_relaxed) != 0 || t.own_rarer != 0;
  if (rarer) [[unlikely]] {
    if (runnable* const r = pick_rarer(t, c); r != nullptr) return r;
    ++c.since_low;
  }
  do {
    if (c.slot != nullptr && c.slot_left > 0) {
      --c.slot_left;
      return std::exchange(c.slot, nullptr);
    }
    if (c.fresh_left > 0) {
      if (runnable* const r = c.fresh.pop(); r != nullptr) {
        --c.fresh_left;
        c.slot_left = slot_turns;
        return r;
      }
    }
    if (c.ring_left > 0) {
      if (runnable* const r = c.ring.pop(); r != nullptr) {
        --c.ring_left;
        c.slot_left = slot_turns;
        return r;
      }
      c.ring_left = 0;
    }
    if (t.own_left > 0) {
      --t.own_left;
      c.slot_left = slot_turns;
      return t.own[index_of(priority_level::normal)].pop();
    }
  } while (begin_round(t, c));
  if (!rarer) return nullptr;
  c.since_low = 0;
  return pick_level(t, c, priority_level::low);
}

/// True if there is anything in the new round.
bool threads_driver::begin_round(worker_thread& t, core& c) noexcept {
  if (std::size_t const there = overflow_.size(); there != 0) [[unlikely]] {
    std::size_t const room = (run_ring::capacity - c.ring.size()) / 2;
    std::size_t const share = std::min({there / cores_.size() + 1, room, overflow_batch});
    run_list batch;
    overflow_.pop_some(batch, std::max<std::size_t>(share, 1));
    while (runnable* const r = batch.pop()) push_ring(c, *r);
  }
  c.ring_left = c.ring.size();
  t.own_left = t.own[index_of(priority_level::normal)].size();
  c.fresh_left = fresh_turns;
  c.slot_left = slot_turns;
  return c.ring_left != 0 || t.own_left != 0 || c.slot != nullptr || c.fresh.size() != 0;
}

runnable* threads_driver::pick_rarer(worker_thread& t, core& c) noexcept {
  if (runnable* const r = pick_level(t, c, priority_level::max); r != nullptr) return r;
  if (runnable* const r = pick_level(t, c, priority_level::high); r != nullptr) return r;
  if (c.since_low < low_every) return nullptr;
  c.since_low = 0;
  return pick_level(t, c, priority_level::low);
}

/// Takes turns between what is private to the thread and what is shared.
runnable* threads_driver::pick_level(worker_thread& t, core& c, priority_level level) noexcept {
  run_list& own = t.own[index_of(level)];
  shared_run_list& shared = levels_[index_of(level)];
  if (own.empty() && shared.size() == 0) return nullptr;
  c.private_next = !c.private_next;
  for (int attempt = 0; attempt < 2; ++attempt) {
    bool const from_own = c.private_next == (attempt == 0);
    runnable* const r = from_own ? own.pop() : shared.pop();
    if (r == nullptr) continue;
    if (from_own) {
      --t.own_rarer;
    } else {
      rarer_.fetch_sub(1, std::memory_order_relaxed);
    }
    return r;
  }
  return nullptr;
}

/// Between turns, every now and then: timers, sockets, a core that somebody waits for.
threads_driver::after threads_driver::housekeeping(worker_thread& t) noexcept {
  core& c = *t.held;
  c.work = 0;
  // Before the conditions are read: whoever sets it again after this is not missed. seq_cst, as the
  // setter writes its condition first and then this.
  c.attention.store(false, std::memory_order_seq_cst);
  if (stopping_.load(std::memory_order_seq_cst)) {
    // What other cores have cancelled here: this is the last that asks for it.
    run_timers(c, std::numeric_limits<std::size_t>::max());
    give_up_core(t);
    return after::end;
  }
  c.clock = monotonic_ns();
  start_deferred(t);
  run_timers(c, timers_at_once);
  if (c.timers.next_due() <= c.clock) c.work = housekeeping_every;  // more may be due
  if (c.clock - c.last_poll >= poll_every_ns && c.sockets->has_work()) {
    c.last_poll = c.clock;
    c.sockets->wait(0);
  }
  tidy_a_little(t);
  if (rest_wanted_.load(std::memory_order_seq_cst)) [[unlikely]] {  // [Q1]
    rest(t);
    return after::again;
  }
  if (core_wanted_.load(std::memory_order_seq_cst) != 0) {
    if (c.clock - c.held_since >= hand_over_after_ns) {
      hand_over(t);
      return after::again;
    }
    c.attention.store(true, std::memory_order_relaxed);  // look again after the next turn
  }
  return after::go_on;
}

/// While memory has to be fetched from the system, also those tidy their slabs who never sleep.
void threads_driver::tidy_a_little(worker_thread& t) noexcept {
  slab& mine = t.memory();
  if (mine.tidying()) {
    mine.tidy(tidied_at_once);
  } else if (std::uint32_t const now = slabs_.shortages(); now != t.seen_shortages) {
    t.seen_shortages = now;
    if (mine.worth_tidying()) mine.begin_tidying();
  }
}

/// What was deferred on the thread before its core's clock was read.
void threads_driver::start_deferred(worker_thread& t) noexcept {
  if (worker_access::has_deferred(t)) worker_access::start_deferred(t, t.held->clock, hooks_);
}

/// Fires what is due by c.clock and releases what others have cancelled, `most` at once; gives the
/// number of both.
std::size_t threads_driver::run_timers(core& c, std::size_t most) noexcept {
  return c.timers.run(c.clock, most, hooks_.timer_fired, hooks_.timer_released);
}

// --- into the queues ---

/// Into the thread's own list: it has frames here.
void threads_driver::keep(worker_thread& t, runnable& r) noexcept {
  t.own[index_of(r.priority)].push(r);
  if (r.priority != priority_level::normal) ++t.own_rarer;
}

void threads_driver::take_inbox(worker_thread& t) noexcept {
  t.inbox.take_all([&](runnable& r) noexcept { keep(t, r); });
}

void threads_driver::push_private(worker_thread& home, runnable& r) noexcept {
  switch (home.inbox.push(r)) {
    case private_queue::mark::none:
      break;
    case private_queue::mark::parked:
      unpark(home);
      break;
    case private_queue::mark::coreless:
      want_core(home);
      break;
  }
}

/// Into the ring; if it is full, half of it moves to the overflow queue, where all can take it.
void threads_driver::push_ring(core& c, runnable& r) noexcept {
  if (c.ring.push(r)) [[likely]]
    return;
  std::array<runnable*, run_ring::capacity / 2> half;
  std::uint32_t const n = c.ring.steal(half);
  run_list list;
  for (std::uint32_t i = 0; i < n; ++i) list.push(*half[i]);
  if (!c.ring.push(r)) list.push(r);  // never: half of it is free, and only we push
  overflow_.push_all(list);
  wake_one(false);
}

void threads_driver::submit_shared(runnable& r) noexcept {
  if (r.priority == priority_level::normal) {
    overflow_.push(r);
  } else {
    levels_[index_of(r.priority)].push(r);
    rarer_.fetch_add(1, std::memory_order_seq_cst);  // [R1]
  }
  wake_one(false);  // [R1]
}

void threads_driver::submit_foreign(runnable& r) noexcept {
  if (r.home() != nullptr) {
    push_private(static_cast<worker_thread&>(*r.home()), r);
  } else {
    submit_shared(r);
  }
}

void threads_driver::submit(worker_thread& t, runnable& r) noexcept {
  if (r.home() != nullptr) {
    if (r.home() == &t) {
      keep(t, r);
    } else {
      push_private(static_cast<worker_thread&>(*r.home()), r);
    }
  } else if (r.priority == priority_level::normal) [[likely]] {
    push_ring(*t.held, r);
    offer(*t.held);
  } else {
    submit_shared(r);
  }
}

void threads_driver::submit_woken(worker_thread& t, runnable& r) noexcept {
  if ((r.home() != nullptr && r.home() != &t) || r.priority != priority_level::normal) {
    submit(t, r);
    return;
  }
  core& c = *t.held;
  if (runnable* const before = std::exchange(c.slot, &r); before != nullptr) {
    if (before->home() != nullptr) {
      keep(t, *before);
    } else {
      push_ring(c, *before);
    }
    offer(c);
  }
}

void threads_driver::submit_fresh(worker_thread& t, runnable& r) noexcept {
  if (r.home() == nullptr && r.priority == priority_level::normal && t.held->fresh.push(r))
      [[likely]] {
    offer(*t.held);
  } else {
    submit(t, r);
  }
}

/// Unlike a woken one it never uses the slot: it goes behind everybody.
void threads_driver::submit_yielded(worker_thread& t, runnable& r) noexcept { submit(t, r); }

scheduler::statistics threads_driver::stats() const {
  scheduler::statistics s;
  for (auto const& c : cores_) {
    s.wakeups += c->wakeups.load(std::memory_order_relaxed);
    s.steals += c->steals.load(std::memory_order_relaxed);
    s.turns += c->turns.load(std::memory_order_relaxed);
    s.timers += c->timers.count();
  }
  stack_counts const stacks = stacks_.counts();
  s.stacks_mapped = stacks.total_mapped();
  s.stacks_in_use = stacks.total_in_use();
  // The slabs may be walked only while nobody allocates. Who has just said that it is idle may not
  // rest yet.
  auto const quiet = [&] {
    return (stopped_ && left_behind_ == 0) ||
           idle_.load(std::memory_order_seq_cst) == cores_.size();
  };
  for (int attempt = 0; attempt < 100 && quiet(); ++attempt) {
    slab_set::at_rest const there = slabs_.blocks_in_use_at_rest();
    s.blocks_in_use = there.blocks;
    if (there.all) break;
    std::this_thread::yield();
  }
  std::lock_guard lock(mutex_);
  s.abandoned_threads = lost_;
  return s;
}

}  // namespace otter::rts
