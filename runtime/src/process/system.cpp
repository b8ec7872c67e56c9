// process/system.cpp - what all processes of a node share, and who executes here.

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <random>

#include "base/clock.hpp"
#include "process/process_system.hpp"
#include "process/send.hpp"

namespace otter::rts {

namespace {
/// What a thread that is no worker works with; never read inlined, as current_worker() is not.
thread_local foreign_context* foreign = nullptr;

constexpr std::size_t longest_event = 8192;  // bytes
}  // namespace

[[gnu::noinline]] foreign_context* foreign_context::current() noexcept { return foreign; }
[[gnu::noinline]] void foreign_context::set_current(foreign_context* c) noexcept { foreign = c; }

pool_memory::entry::entry(process_system& system, foreign_context const* before) noexcept
    : gate(before != nullptr && before->system == &system && before->memory != nullptr
               ? nullptr
               : &system.pool) {
  if (gate != nullptr) gate->enter();
}

pool_memory::pool_memory(process_system& system)
    : before_(foreign_context::current()), inside_(system, before_) {
  context_.system = &system;
  context_.memory = &system.slabs().lend();
  context_.local = &system.lend_local();
  foreign_context::set_current(&context_);
}

pool_memory::~pool_memory() {
  foreign_context::set_current(before_);
  context_.system->give_back_local(*context_.local);
  context_.system->slabs().give_back(*context_.memory);
}

/// A foreign thread, or the first look of a worker, which is lent its stocks.
here here::elsewhere(worker* w) noexcept {
  here h;
  if (w != nullptr) {
    auto& system = *static_cast<process_system*>(w->owner().owner());
    w->upper = &system.lend_local();
    return on_worker_or_not(w);
  }
  if (foreign_context* c = foreign_context::current(); c != nullptr) {
    h.self = c->self;
    h.memory = c->memory;
    h.local = c->local;
    h.system = c->system;
  }
  return h;
}

void throw_abandoned() {
  throw error(errc::abandoned, "this process was given up: it may not call the runtime any more");
}

void here::throw_not_in_process() {
  throw error(errc::not_in_process,
              "called outside a process: use node::spawn or an attached_thread to get into one");
}

local_state::local_state(process_system& s) : system(s), processes(s.table()), timers(s.timers()) {}

process_system::process_system(std::uint32_t node_index, process_limits const& limits,
                               std::uint64_t secret,
                               std::function<void(node_event const&)> on_event)
    : node_index_(node_index),
      limits_(limits),
      on_event_(std::move(on_event)),
      table_(limits.max_processes, 512),
      timer_table_(std::size_t{1} << 27, 512),
      names_(secret) {
  foreign_local = &lend_local();
  foreign_slab = &slabs_.lend();
}

process_system::~process_system() = default;

local_state& process_system::lend_local() {
  std::lock_guard lock(locals_mutex_);
  if (!idle_locals_.empty()) {
    local_state* l = idle_locals_.back();
    idle_locals_.pop_back();
    return *l;
  }
  idle_locals_.reserve(locals_.size() + 1);
  locals_.push_back(std::make_unique<local_state>(*this));
  return *locals_.back();
}

void process_system::give_back_local(local_state& local) noexcept {
  std::lock_guard lock(locals_mutex_);
  idle_locals_.push_back(&local);  // capacity was reserved when it was made
}

std::int64_t process_system::alive() noexcept {
  std::lock_guard lock(locals_mutex_);
  std::int64_t sum = 0;
  for (auto const& l : locals_) sum += l->alive.load(std::memory_order_relaxed);
  return sum;
}

std::int64_t process_system::timer_count() noexcept {
  std::lock_guard lock(locals_mutex_);
  std::int64_t sum = 0;
  for (auto const& l : locals_) sum += l->timer_count.load(std::memory_order_relaxed);
  return sum;
}

std::uint64_t process_system::dropped() noexcept {
  std::lock_guard lock(locals_mutex_);
  std::uint64_t sum = 0;
  for (auto const& l : locals_) sum += l->dropped.load(std::memory_order_relaxed);
  return sum;
}

void process_system::process_ended() noexcept {
  // Pairs with the store of `stopping` before the first look of wait_for_ends(): whoever ends after
  // that look sees the flag, by the order of the two on the mutex below.
  if (!stopping.load(std::memory_order_seq_cst)) return;
  std::lock_guard lock(ends_mutex_);
  ends_.notify_all();
}

bool process_system::wait_for_ends(std::function<bool()> const& enough, std::int64_t limit_ns) {
  std::unique_lock lock(ends_mutex_);
  std::int64_t const now = monotonic_ns();
  std::int64_t const due = limit_ns > INT64_MAX - now ? INT64_MAX : now + limit_ns;
  // The counters are written without the mutex: a look every few milliseconds covers an end whose
  // notification came before its counter was seen.
  while (!enough()) {
    std::int64_t const left = due - monotonic_ns();
    if (left <= 0) return false;
    ends_.wait_for(lock, std::chrono::nanoseconds(std::min<std::int64_t>(left, 5'000'000)));
  }
  return true;
}

void process_system::report(node_event&& event) noexcept {
  on_behalf_of const here(*this);
  if (event.text.size() > longest_event) event.text.resize(longest_event);
  detail::node_log* const l = log().get();
  bool const taken = l != nullptr && l->take(event);
  hand_on(std::move(event), taken);
}

void process_system::hand_on(node_event&& event, bool taken) noexcept {
  if (event.text.size() > longest_event) event.text.resize(longest_event);
  if (scheduler_ != nullptr)
    scheduler_->trace("event", static_cast<std::uint64_t>(event.what),
                      pid_access::bits(event.process), event.text);
  if (on_event_) {
    try {
      on_event_(event);
    } catch (...) {
      std::fputs("otter: node_options::on_event threw, and an event is lost\n", stderr);
    }
    return;
  }
  // Those are for those who asked for events.
  if (event.what == node_event::kind::stall || event.what == node_event::kind::progress ||
      event.what == node_event::kind::code)
    return;
  if (!taken) print_event(event);
}

void print_event(node_event const& event) noexcept {
  char const* const what = event.what == node_event::kind::crash               ? "crash"
                           : event.what == node_event::kind::stall             ? "stall"
                           : event.what == node_event::kind::process_abandoned ? "abandoned"
                           : event.what == node_event::kind::long_queue        ? "long queue"
                           : event.what == node_event::kind::large_heap        ? "large heap"
                           : event.what == node_event::kind::failure           ? "failure"
                           : event.what == node_event::kind::progress          ? "progress"
                           : event.what == node_event::kind::code              ? "code"
                                                                               : "report";
  try {
    fmt::print(stderr, "otter: {} {}: {}\n", what, event.process, event.text);
  } catch (...) {
    std::fputs("otter: an event could not be reported: out of memory\n", stderr);
  }
}

void refuse_notice(notice& n) noexcept { n.refuse(); }

bool notice::post(pid owner) noexcept {
  if (in_flight_.exchange(true, std::memory_order_acq_rel)) return true;
  process_system* const system = here::now().system;
  if (system != nullptr && node_of(owner) == system->node_index() &&
      push_notice(*system, pid_access::bits(owner), *this))
    return true;
  in_flight_.store(false, std::memory_order_release);
  return false;
}

/// Only we can set in_flight_ now, so no exchange is needed. If the owner is just taking the notice
/// out, it may still look as if it were on its way; then the owner looks once we let it, and finds
/// what this was to tell of.
bool notice::post_alone(process_system& system, std::uint64_t owner) noexcept {
  if (in_flight()) return true;
  in_flight_.store(true, std::memory_order_relaxed);  // *this goes along with the push
  if (push_notice(system, owner, *this)) return true;
  in_flight_.store(false, std::memory_order_release);
  return false;
}

void notice::refuse() noexcept {
  in_flight_.store(false, std::memory_order_release);
  refused();
}

}  // namespace otter::rts

namespace otter {

void report(node_event event) noexcept {
  rts::runtime_entry entry;
  rts::here const at = rts::here::now();
  if (at.system != nullptr) at.system->report(std::move(event));
}

}  // namespace otter
