// scheduler/simulation.cpp - see the header and doc/simulation.md.

#include "scheduler/simulation.hpp"

#include <algorithm>
#include <cstdio>
#include <limits>

namespace otter::rts {
namespace {

constexpr int usual_budget = 4000;
constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
constexpr std::uint64_t longest_turn_ns = 2'000;     // how much time a turn takes at most
constexpr std::uint64_t longest_job_ns = 5'000'000;  // likewise a blocking job
constexpr std::uint64_t timer_jitter_ns = 1'000;
constexpr std::int64_t clock_reading_ns = 50;
constexpr std::size_t most_bytes_shown = 400;         // of what is in the digest as a whole
constexpr std::int64_t first_moment = 1'000'000'000;  // not 0: "never set" is to be noticed

}  // namespace

simulation::simulation(scheduler& owner, scheduler_options const& options,
                       scheduler_hooks const& hooks)
    : owner_(owner),
      options_(options),
      hooks_(hooks),
      choices_(options.seed),
      for_others_(options.seed ^ 0x6f74746572),  // another stream: what others draw moves no choice
      loop_(stacks_, &next_of, this),
      now_(first_moment) {
  unsigned const n = std::max(1u, options.workers);
  for (unsigned i = 0; i < n; ++i) {
    auto w = std::make_unique<virtual_worker>(now_);
    worker_access::owner(*w) = &owner_;
    worker_access::memory(*w) = &slabs_.lend();
    worker_access::loop(*w) = &loop_;
    worker_access::number(*w) = i;
    worker_access::simulated(*w) = true;
    worker_access::claim(*w).hold();
    workers_.push_back(std::move(w));
  }
}

simulation::~simulation() {
  if (trace_file_ != nullptr) std::fclose(trace_file_);
  for (auto& w : workers_) slabs_.give_back(*worker_access::memory(*w));
}

simulation_end simulation::run(std::function<bool()> const& stop) {
  stop_ = stop ? &stop : nullptr;
  for (;;) {
    job_now_ = nullptr;
    loop_.run();
    in_turn_ = false;
    worker_access::enter_thread(nullptr);
    if (job_now_ == nullptr) break;
    // As on a pool thread: no worker, and a stack of the usual size.
    job_now_->run();
  }
  stop_ = nullptr;
  trace("end", static_cast<std::uint64_t>(end_), turns_);
  return end_;
}

runnable* simulation::next_of(void* self) noexcept {
  return static_cast<simulation*>(self)->next();
}

/// Every choice is in the trace, so that the first that differs between two runs is seen.
std::uint64_t simulation::choose(std::uint64_t n) noexcept {
  if (n < 2) return 0;
  std::uint64_t const chosen = choices_.below(n);
  trace("choose", n, chosen);
  return chosen;
}

std::uint64_t simulation::random() noexcept {
  std::uint64_t const drawn = for_others_.next();
  trace("random", drawn, 0);
  return drawn;
}

/// On threads, other cores work between any two instructions of this one. Here they do so between
/// turns, and at the places that call this.
bool simulation::interleave() noexcept {
  if (!in_turn_ || choose(4) != 0) return false;
  now_ += static_cast<std::int64_t>(choose(longest_turn_ns));
  worker* const mine = current_worker();
  std::vector<virtual_worker*> due;
  for (auto& w : workers_) {
    if (w.get() != mine && w->timers.next_due() <= now_) due.push_back(w.get());
  }
  if (!due.empty()) {
    fire_some(*due[choose(due.size())]);
    worker_access::enter_thread(mine);
  }
  return choose(2) == 0;
}

/// What happens next: a turn, due timers, or a job that comes back; null for what the thread's own
/// stack has to do.
runnable* simulation::next() noexcept {
  if (in_turn_) {
    in_turn_ = false;
    worker_access::current(*current_worker()) = nullptr;
    if (options_.max_turns != 0 && turns_ >= options_.max_turns) {
      end_ = simulation_end::out_of_turns;
      return nullptr;
    }
  }
  for (;;) {
    if (stop_ != nullptr && (*stop_)()) {
      end_ = simulation_end::stopped;
      return nullptr;
    }
    for (auto& w : workers_) {  // a worker looks at its clock between any two turns
      if (worker_access::has_deferred(*w) && choose(4) == 0) start_deferred(*w);
    }
    std::array<step, 3> possible;
    std::size_t n = 0;
    if (std::any_of(workers_.begin(), workers_.end(), [&](auto& w) { return has_ready(*w); })) {
      possible[n++] = step::turn;
    }
    if (std::any_of(workers_.begin(), workers_.end(),
                    [&](auto& w) { return w->timers.next_due() <= now_; })) {
      possible[n++] = step::timers;
    }
    if (std::any_of(jobs_.begin(), jobs_.end(), [&](job_out const& j) { return j.due <= now_; })) {
      possible[n++] = step::job;
    }
    if (n == 0) {
      if (jump()) continue;
      end_ = simulation_end::quiescent;
      return nullptr;
    }
    switch (possible[choose(n)]) {
      case step::turn:
        return choose_turn();
      case step::timers: {
        std::vector<virtual_worker*> due;
        for (auto& w : workers_) {
          if (w->timers.next_due() <= now_) due.push_back(w.get());
        }
        fire_some(*due[choose(due.size())]);
        break;
      }
      case step::job: {
        std::vector<std::size_t> due;
        for (std::size_t i = 0; i < jobs_.size(); ++i) {
          if (jobs_[i].due <= now_) due.push_back(i);
        }
        std::size_t const i = due[choose(due.size())];
        job_now_ = jobs_[i].job;
        jobs_.erase(jobs_.begin() + static_cast<std::ptrdiff_t>(i));
        trace("job", i, static_cast<std::uint64_t>(now_));
        return nullptr;
      }
    }
  }
}

bool simulation::has_ready(virtual_worker const& w) const noexcept {
  for (std::size_t l = 0; l < level_count; ++l) {
    if (!w.ready[l].empty() || !w.pinned[l].empty()) return true;
  }
  return false;
}

/// The level that `w` serves next: strict for max and high, one of low for some eight of normal.
bool simulation::choose_level(virtual_worker& w, std::size_t& level) noexcept {
  auto const there = [&](std::size_t l) { return !w.ready[l].empty() || !w.pinned[l].empty(); };
  constexpr std::size_t normal = index_of(priority_level::normal);
  constexpr std::size_t low = index_of(priority_level::low);
  for (level = 0; level < normal; ++level) {
    if (there(level)) return true;
  }
  level = normal;
  if (there(normal) && there(low)) level = choose(9) == 0 ? low : normal;
  if (!there(level)) level = low;
  return there(level);
}

runnable* simulation::choose_turn() noexcept {
  std::vector<virtual_worker*> candidates;
  for (auto& w : workers_) {
    if (has_ready(*w)) candidates.push_back(w.get());
  }
  virtual_worker* w = candidates[choose(candidates.size())];
  std::size_t level = 0;
  choose_level(*w, level);
  std::size_t const loose = w->ready[level].size();
  std::size_t const pinned = w->pinned[level].size();
  bool const from_loose = choose(loose + pinned) < loose;
  std::uint64_t const from = w->number();
  runnable* const r = take_from(from_loose ? w->ready[level] : w->pinned[level]);
  if (from_loose && choose(4) == 0) w = workers_[choose(workers_.size())].get();  // stolen
  now_ += static_cast<std::int64_t>(1 + choose(longest_turn_ns));
  ++turns_;
  in_turn_ = true;
  worker_access::enter_thread(w);
  worker_access::current(*w) = r;
  // Small budgets now and then, so that yields come in places where they usually do not.
  w->reductions = choose(4) == 0 ? static_cast<int>(1 + choose(20)) : usual_budget;
  char name[128] = "";
  if (hooks_.describe != nullptr) hooks_.describe(*r, name, sizeof name);
  trace("turn", from << 32 | w->number(), static_cast<std::uint64_t>(now_), name);
  return r;
}

/// Mostly the oldest, at times the youngest (a slot, a fresh child) or any.
runnable* simulation::take_from(std::deque<runnable*>& queue) noexcept {
  std::uint64_t const how = choose(8);
  std::size_t i = 0;
  if (how < 2) {
    i = queue.size() - 1;
  } else if (how < 4) {
    i = choose(queue.size());
  }
  runnable* const r = queue[i];
  if (i == 0) {
    queue.pop_front();
  } else {
    queue[i] = queue.back();
    queue.pop_back();
  }
  trace("pick", i, queue.size());
  return r;
}

void simulation::fire_some(virtual_worker& w) noexcept {
  worker_access::enter_thread(&w);
  std::size_t const most = 1 + choose(8);
  std::size_t const fired = w.timers.run(now_, most, hooks_.timer_fired, hooks_.timer_released);
  trace("timers", w.number(), fired);
}

/// What was deferred on `w` before the present time.
void simulation::start_deferred(virtual_worker& w) noexcept {
  worker_access::enter_thread(&w);
  worker_access::start_deferred(w, now_, hooks_);
}

/// Nothing can happen at the present time: lets it jump to the next timer or job. False if there
/// is none.
bool simulation::jump() noexcept {
  std::int64_t next = never;
  for (auto& w : workers_) {
    start_deferred(*w);  // a worker that is about to sleep has looked at its clock
    // Timers that other workers have cancelled are released here; that may make something ready.
    worker_access::enter_thread(w.get());
    w->timers.run(now_, std::numeric_limits<std::size_t>::max(), hooks_.timer_fired,
                  hooks_.timer_released);
  }
  for (auto& w : workers_) {
    if (has_ready(*w)) return true;
    next = std::min(next, w->timers.next_due());
  }
  for (job_out const& j : jobs_) next = std::min(next, j.due);
  if (next == never) return false;
  now_ = std::max(now_, next);
  trace("time", static_cast<std::uint64_t>(now_), 0);
  return true;
}

void simulation::submit(worker* from, runnable& r) noexcept {
  std::size_t const level = index_of(r.priority);
  if (r.home() != nullptr) {
    static_cast<virtual_worker&>(*r.home()).pinned[level].push_back(&r);
    return;
  }
  worker* const w = from != nullptr ? from : workers_[choose(workers_.size())].get();
  static_cast<virtual_worker&>(*w).ready[level].push_back(&r);
}

void simulation::submit_blocking(blocking_job& job) {
  jobs_.push_back({now_ + static_cast<std::int64_t>(choose(longest_job_ns)), &job});
}

/// A clock that is read takes its time, so that a loop which waits for a moment ends.
std::int64_t simulation::now() noexcept { return now_ += clock_reading_ns; }

void simulation::start_timer_at(virtual_worker& w, timer_node& t, std::int64_t due) noexcept {
  // Timers for one moment fire in any order.
  due += static_cast<std::int64_t>(choose(timer_jitter_ns));
  w.timers.wheel().start(t, due);
  trace("timer", w.number(), static_cast<std::uint64_t>(due));
}

void simulation::keep_trace(std::string const& path) noexcept {
  if (trace_file_ == nullptr) trace_file_ = std::fopen(path.c_str(), "a");
}

void simulation::trace(char const* what, std::uint64_t a, std::uint64_t b,
                       std::string_view bytes) noexcept {
  auto const add = [](std::uint64_t& hash, std::uint64_t byte) {
    hash = (hash ^ (byte & 0xff)) * 0x100000001b3;
  };
  auto const number = [&](std::uint64_t n) {
    for (unsigned shift = 0; shift < 64; shift += 8) add(digest_, n >> shift);
  };
  for (char const* c = what; *c != '\0'; ++c) add(digest_, static_cast<unsigned char>(*c));
  number(a);
  number(b);
  std::uint64_t content = fnv_start;
  for (char c : bytes) add(content, static_cast<unsigned char>(c));
  if (!bytes.empty()) number(content);
  if (trace_file_ == nullptr) return;
  std::fprintf(trace_file_, "%s %llu %llu", what, static_cast<unsigned long long>(a),
               static_cast<unsigned long long>(b));
  if (!bytes.empty()) {
    std::fputc(' ', trace_file_);
    for (char c : bytes.substr(0, most_bytes_shown)) {
      if (c >= ' ' && c <= '~' && c != '\\')
        std::fputc(c, trace_file_);
      else
        std::fprintf(trace_file_, "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
    if (bytes.size() > most_bytes_shown)
      std::fprintf(trace_file_, "... (%zu bytes, digest %016llx)", bytes.size(),
                   static_cast<unsigned long long>(content));
  }
  std::fputc('\n', trace_file_);
}

/// Between two turns, and so no worker does anything with its slab.
bool simulation::each_block_in_use(
    std::function<void(std::byte const*, std::size_t)> const& look) const {
  std::vector<slab*> still;
  for (auto const& w : workers_) still.push_back(&w->memory());
  return slabs_.each_block_in_use(still, look);
}

scheduler::statistics simulation::stats() const {
  scheduler::statistics s;
  for (auto const& w : workers_) s.timers += w->timers.count();
  stack_counts const stacks = stacks_.counts();
  s.stacks_mapped = stacks.total_mapped();
  s.stacks_in_use = stacks.total_in_use();
  s.blocks_in_use = slabs_.blocks_in_use();
  s.turns = turns_;
  return s;
}

}  // namespace otter::rts
