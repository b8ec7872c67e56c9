#pragma once

// scheduler/simulation.hpp - the scheduler on one OS thread, with every choice taken from a seed.
// doc/simulation.md tells what is chosen and what is promised.

#include <array>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/slab.hpp"
#include "scheduler/core_timers.hpp"
#include "scheduler/scheduler.hpp"
#include "scheduler/turn_loop.hpp"
#include "scheduler/worker_thread.hpp"
#include "stacks/stack_source.hpp"

namespace otter::rts {

/// A virtual worker: queues and timers of its own, and frames that only it continues.
struct virtual_worker : worker {
  explicit virtual_worker(std::int64_t now) : timers(now) {}

  std::array<std::deque<runnable*>, level_count> ready;   // any worker may run these
  std::array<std::deque<runnable*>, level_count> pinned;  // with frames on this worker
  core_timers timers;
};

/// Threads:   one: the one that calls run(), before, during and after it.
/// Invariant: nothing here depends on an address, on real time or on another source of chance
///            than the two generators.
class simulation {
 public:
  simulation(scheduler& owner, scheduler_options const& options, scheduler_hooks const& hooks);
  ~simulation();
  simulation(simulation const&) = delete;
  simulation& operator=(simulation const&) = delete;

  simulation_end run(std::function<bool()> const& stop);

  void submit(worker* from, runnable& r) noexcept;
  void submit_blocking(blocking_job& job);
  std::int64_t now() noexcept;
  std::uint64_t random() noexcept;
  bool interleave() noexcept;
  void start_timer_at(virtual_worker& w, timer_node& t, std::int64_t due) noexcept;

  void trace(char const* what, std::uint64_t a, std::uint64_t b,
             std::string_view bytes = {}) noexcept;
  std::uint64_t digest() const noexcept { return digest_; }
  void keep_trace(std::string const& path) noexcept;

  scheduler::statistics stats() const;
  bool each_block_in_use(std::function<void(std::byte const*, std::size_t)> const& look) const;

 private:
  enum class step : std::uint8_t { turn, timers, job };
  struct job_out {
    std::int64_t due;
    blocking_job* job;
  };

  static runnable* next_of(void* self) noexcept;
  runnable* next() noexcept;
  std::uint64_t choose(std::uint64_t n) noexcept;
  runnable* choose_turn() noexcept;
  runnable* take_from(std::deque<runnable*>& queue) noexcept;
  bool choose_level(virtual_worker& w, std::size_t& level) noexcept;
  void fire_some(virtual_worker& w) noexcept;
  void start_deferred(virtual_worker& w) noexcept;
  bool jump() noexcept;
  bool has_ready(virtual_worker const& w) const noexcept;

  scheduler& owner_;
  scheduler_options const options_;
  scheduler_hooks const hooks_;
  random_generator choices_;
  random_generator for_others_;
  slab_set slabs_;
  stack_source stacks_;
  turn_loop loop_;
  std::vector<std::unique_ptr<virtual_worker>> workers_;
  std::vector<job_out> jobs_;
  blocking_job* job_now_ = nullptr;  // to be run on the thread's own stack
  std::int64_t now_ = 0;
  std::uint64_t turns_ = 0;
  bool in_turn_ = false;
  static constexpr std::uint64_t fnv_start = 0xcbf29ce484222325;  // of FNV-1a
  std::function<bool()> const* stop_ = nullptr;
  simulation_end end_ = simulation_end::quiescent;
  std::uint64_t digest_ = fnv_start;
  std::FILE* trace_file_ = nullptr;  // null: only the digest is wanted
};

}  // namespace otter::rts
