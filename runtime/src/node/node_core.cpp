#include "node/node_core.hpp"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <random>
#include <thread>

#include "base/clock.hpp"
#include "io/ports.hpp"
#include "node/node_directory.hpp"
#include "process/process.hpp"
#include "process/send.hpp"
#include "process/spawn.hpp"
#include "process/terminate.hpp"
#include "scheduler/backtrace.hpp"
#include "stacks/overflow_handler.hpp"
#include "stacks/report.hpp"

namespace otter::rts {

void timer_fired(timer_node& node) noexcept;
void timer_released(timer_node& node) noexcept;
void start_deferred(deferred_timer& t, std::int64_t now_ns) noexcept;

namespace {

/// As many workers as this OS process may use at the same time: the affinity mask, and the quota
/// of its cgroup rounded up.
unsigned usable_cores() {
  unsigned n = std::max(1u, std::thread::hardware_concurrency());
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) == 0)
    n = static_cast<unsigned>(std::max(1, CPU_COUNT(&set)));
  std::ifstream quota_file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (quota_file >> quota >> period && quota != "max" && period > 0) {
    double const cores = std::strtod(quota.c_str(), nullptr) / period;
    if (cores > 0) n = std::min(n, static_cast<unsigned>(std::max(1.0, cores + 0.999)));
  }
  return n;
}

std::uint64_t system_randomness() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

void describe(runnable const& who, char* buffer, std::size_t size) noexcept {
  static_cast<process const&>(who).describe_to(buffer, size, process::in_signal::yes);
}

std::string text_of(runnable const& who) {
  char buffer[128];
  static_cast<process const&>(who).describe_to(buffer, sizeof buffer, process::in_signal::no);
  return buffer;
}

void stalled(scheduler& s, stall_report const& report) noexcept {
  auto& system = *static_cast<process_system*>(s.owner());
  try {
    auto& p = static_cast<process&>(*report.who);
    std::string text = fmt::format(
        "{} has run for {} ms without reaching a safe point; {} suspended processes "
        "wait for its thread; use checkpoint() in long loops and blocking() for system "
        "calls",
        text_of(*report.who), report.ran_for_ns / 1'000'000, report.waiting_frames);
    text += backtrace_text(report.backtrace, report.depth);
    system.report({node_event::kind::stall, system.make_pid_of(p.bits()), std::move(text)});
  } catch (...) {
    // A report less; the stall itself is dealt with.
  }
}

bool wants_abandon(runnable& who, std::int64_t now_ns) noexcept {
  return now_ns >= static_cast<process const&>(who).abandon_at();
}

void abandon(scheduler&, runnable& who, void* const* backtrace, std::size_t depth) noexcept {
  std::string where;
  try {
    where = depth != 0 ? backtrace_text(backtrace, depth)
                       : "; node_options::stall_backtraces would have shown where";
  } catch (std::bad_alloc const&) {  // then without
  }
  static_cast<process&>(who).abandon(where);
}

void too_many_abandoned(scheduler& s, std::size_t threads) noexcept {
  static_cast<process_system*>(s.owner())->too_many_lost(threads);
}

/// In a signal handler, on the thread whose stack is full: what runs there is this worker's
/// current.
void describe_stack(stack const&, char* buffer, std::size_t size) noexcept {
  worker* const w = current_worker();
  if (w != nullptr && w->current() != nullptr)
    describe(*w->current(), buffer, size);
  else if (size > 0)
    buffer[0] = 0;
}

/// Throws: error(badarg) for options that no node can obey.
void check_options(node_options const& o) {
  auto const refuse = [](bool wrong, char const* what, auto got, char const* rule) {
    if (wrong)
      throw error(errc::badarg, fmt::format("node_options: {} of {}: {}", what, got, rule));
  };
  refuse(o.workers > 1024, "workers", o.workers, "1024 are the most");
  refuse(o.max_processes == 0 || o.max_processes > max_process_index, "max_processes",
         o.max_processes, "it must be between 1 and 2^28-1");
  refuse(o.blocking_threads == 0, "blocking_threads", 0, "blocking() needs one at least");
  refuse(o.stall_limit <= duration::zero(), "stall_limit", o.stall_limit.count(),
         "it must be longer than 0 ns");
  refuse(o.kill_limit < duration::zero(), "kill_limit", o.kill_limit.count(),
         "it must not be negative");
  refuse(o.block_limit < duration::zero(), "block_limit", o.block_limit.count(),
         "it must not be negative");
  refuse(o.long_queue_off > o.long_queue_on, "long_queue_off", o.long_queue_off,
         "it must not be above long_queue_on");
  refuse(o.output_low_watermark > o.output_high_watermark, "output_low_watermark",
         o.output_low_watermark, "it must not be above output_high_watermark");
  refuse(o.memory_shed_idle != 0 && o.memory_shed_idle < o.memory_stop_accepting,
         "memory_shed_idle", o.memory_shed_idle,
         "accepting stops first: not below memory_stop_accepting");
}

constexpr scheduler_hooks hooks{
    &timer_fired,   &timer_released, &describe,           &stalled,
    &wants_abandon, &abandon,        &too_many_abandoned, &start_deferred};

}  // namespace

node_core::node_core(node_options const& options, simulated const* simulation)
    : options_((check_options(options), options)), id_(enter_node_directory()) {
  try {
    process_limits limits;
    limits.max_processes = options.max_processes;
    limits.kill_limit_ns = options.kill_limit.count();
    limits.block_limit_ns = options.block_limit.count();
    limits.long_queue_on = options.long_queue_on;
    limits.long_queue_off = options.long_queue_off;
    limits.max_heap = options.max_heap_size;
    limits.direct_connections = options.direct_connections;
    limits.throw_backtraces = options.throw_backtraces;
    limits.overload = {options.output_high_watermark, options.output_low_watermark,
                       options.memory_stop_accepting, options.memory_shed_idle};
    std::uint64_t const secret = simulation != nullptr ? simulation->seed : system_randomness();
    system_ = std::make_unique<process_system>(simulation != nullptr ? 1 : id_, limits, secret,
                                               options.on_event);
    install_terminate_handler();
    set_describer(&describe_stack);  // a damaged canary is reported whatever the options say
    if (options.crash_report) install_overflow_handler({.describe = &describe_stack});
    scheduler_options s;
    s.workers = options.workers != 0 ? options.workers : usable_cores();
    s.simulated = simulation != nullptr;
    s.seed = simulation != nullptr ? simulation->seed : 0;
    if (simulation != nullptr) s.max_turns = simulation->max_turns;
    s.stall_limit_ns = options.stall_limit.count();
    s.max_abandoned = options.max_abandoned;
    s.blocking_threads = options.blocking_threads;
    s.poller = options.poller;
    s.stall_backtraces = options.stall_backtraces;
    s.owner = system_.get();
    scheduler_ = std::make_unique<scheduler>(s, hooks);
    system_->set_scheduler(*scheduler_);
    if (std::string const why = scheduler_->poller_refused(); !why.empty()) {
      system_->report({node_event::kind::failure,
                       {},
                       fmt::format("the kernel refuses io_uring: {}; the node goes on with epoll "
                                   "(sysctl kernel.io_uring_disabled, seccomp and the limit on "
                                   "descriptors decide)",
                                   why)});
    }
    system_->too_many_lost = [this](std::size_t threads) { give_up(threads); };
    scheduler_->start();
  } catch (...) {
    leave_node_directory(id_);
    throw;
  }
}

node_core::~node_core() {
  std::vector<std::string> const left = stop(std::chrono::seconds(5));
  if (stopper_.joinable()) stopper_.join();  // the watchdog, who makes it, has ended
  leave_node_directory(id_);
  if (left.empty()) return;
  // Threads are lost in code that does not end: what they may still touch must stay.
  scheduler_.release();
  system_.release();
}

pid node_core::spawn(spawn_options const& options, reactive_ptr body) {
  pid started;
  {
    std::lock_guard foreign(system_->foreign_mutex);
    started = spawn_process(*system_, *system_->foreign_local, *system_->foreign_slab, nullptr,
                            options, std::move(body))
                  .process;
  }
  std::lock_guard lock(mutex_);
  // Old ones go when the list has doubled, so that it stays in proportion to the living.
  if (roots_.size() == roots_.capacity())
    std::erase_if(roots_, [&](pid p) { return system_->find(p) == nullptr; });
  roots_.push_back(started);
  return started;
}

void node_core::exit_from_outside(pid to, exit_reason const& reason) {
  std::lock_guard foreign(system_->foreign_mutex);
  auto* x = ::new (system_->foreign_slab->allocate(sizeof(exit_signal))) exit_signal;
  x->kind = signal_kind::exit;
  x->bytes = sizeof(exit_signal);
  x->reason = reason;
  if (reason == exit_kind::kill) {
    if (process* p = system_->find(to)) p->note_kill(to, scheduler_->now());
  }
  if (push(*system_, pid_access::bits(to), x)) return;
  x->~exit_signal();
  slab::free(x, system_->foreign_slab);
}

std::vector<pid> node_core::living() {
  std::vector<pid> result;
  system_->table().for_each([&](process& p) {
    if (p.signals().is_open()) result.push_back(system_->make_pid_of(p.bits()));
  });
  return result;
}

std::vector<std::string> node_core::names_of_the_living() {
  std::vector<std::string> result;
  system_->table().for_each([&](process& p) {
    if (!p.signals().is_open()) return;
    char buffer[128];
    p.describe_to(buffer, sizeof buffer, process::in_signal::no);
    wait_place const in = p.waiting_in();
    result.push_back(fmt::format("{} did not end; it {}", buffer,
                                 in != wait_place::none ? fmt::format("waits in {}", name_of(in))
                                                        : std::string("runs user code")));
  });
  return result;
}

void node_core::kill_all() {
  for (pid p : living()) exit_from_outside(p, exit_reason::kill());
}

/// On the watchdog's thread, which stop() waits for: hence another one.
void node_core::give_up(std::size_t threads) noexcept {
  bool const first = !given_up_.exchange(true, std::memory_order_acq_rel);
  try {
    system_->report({node_event::kind::failure,
                     {},
                     fmt::format("{} threads are lost to processes that do not end, {} may be "
                                 "(max_abandoned): the node stops",
                                 threads, options_.max_abandoned)});
  } catch (...) {  // a report less
  }
  if (!first) return;
  try {
    stopper_ = std::thread([this] { stop(std::chrono::seconds(5)); });
  } catch (std::system_error const&) {
    given_up_.store(false, std::memory_order_release);  // again when the next one is lost
  }
}

std::vector<std::string> node_core::stop(duration limit) {
  std::lock_guard one(stop_mutex_);
  if (!stopped_) {
    stopped_ = true;
    left_ = stop_once(limit);
  }
  return left_;
}

std::vector<std::string> node_core::stop_once(duration limit) {
  system_->stopping.store(true, std::memory_order_seq_cst);
  std::vector<pid> roots;
  {
    std::lock_guard lock(mutex_);
    roots = std::move(roots_);
  }
  for (auto it = roots.rbegin(); it != roots.rend(); ++it)
    exit_from_outside(*it, exit_reason::shutdown());
  std::vector<std::string> left;
  if (scheduler_->simulated()) {
    // Virtual time has the limit too: an interval for a process that lives would never end.
    std::int64_t const now = scheduler_->now();
    std::int64_t const due = limit.count() > INT64_MAX - now ? INT64_MAX : now + limit.count();
    scheduler_->run_simulation([&] { return system_->alive() == 0 || scheduler_->now() >= due; });
    for (int round = 0; system_->alive() != 0 && round < 100; ++round) {
      kill_all();
      scheduler_->run_simulation([this] { return system_->alive() == 0; });
    }
    if (system_->alive() != 0) left = names_of_the_living();
    return left;
  }
  auto const roots_ended = [&] {
    return std::all_of(roots.begin(), roots.end(),
                       [this](pid p) { return system_->find(p) == nullptr; });
  };
  auto const all_ended = [this] { return system_->alive() <= 0; };
  system_->wait_for_ends(roots_ended, limit.count());
  if (!all_ended()) {
    // Whoever is left now has nobody who asks it to end: killed, and what is spawned meanwhile by
    // those that die slowly, too. As long as they end, one after the other, they are waited for.
    std::int64_t const patience = options_.kill_limit.count() + 2'000'000'000;
    std::int64_t fewest = system_->alive();
    std::int64_t due = monotonic_ns() + patience;
    do {
      kill_all();
      system_->wait_for_ends(all_ended, 100'000'000);
      if (std::int64_t const now = system_->alive(); now < fewest) {
        fewest = now;
        due = monotonic_ns() + patience;
      }
    } while (!all_ended() && monotonic_ns() < due);
  }
  std::size_t const lost = scheduler_->stop(all_ended() ? 5'000'000'000 : 100'000'000);
  // Only now, when no worker changes them any more.
  if (!all_ended()) left = names_of_the_living();
  if (lost > 0 && left.empty())
    left.push_back(fmt::format("{} threads are still in user code of abandoned processes", lost));
  return left;
}

node_statistics node_core::statistics() {
  scheduler::statistics const s = scheduler_->stats();
  node_statistics result;
  result.processes = static_cast<std::size_t>(std::max<std::int64_t>(0, system_->alive()));
  result.signals = system_->slabs().blocks_in_use() + s.blocks_in_use;
  result.timers = static_cast<std::size_t>(std::max<std::int64_t>(0, system_->timer_count()));
  result.stacks_in_use = s.stacks_in_use;
  result.names = system_->names().size();
  result.ports = ports_open(*system_);
  result.queued_output = ports_queued(*system_);
  result.shed_sockets = ports_shed(*system_);
  result.dropped_messages = system_->dropped();
  result.abandoned = static_cast<std::size_t>(system_->abandoned.load(std::memory_order_relaxed));
  result.wakeups = s.wakeups;
  return result;
}

}  // namespace otter::rts
