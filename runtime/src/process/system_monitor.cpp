// process/system_monitor.cpp - noticing processes that misbehave, and telling one of it (PI-17).

#include <otter/system_monitor.hpp>

#include "process/process.hpp"
#include "process/process_system.hpp"
#include "process/send.hpp"

namespace otter {
namespace rts {

void system_watch::set(std::uint64_t to, system_monitor_options const& options) noexcept {
  std::lock_guard lock(mutex_);
  options_ = options;
  long_schedule_.store(options.long_schedule == infinity ? 0 : options.long_schedule.count(),
                       std::memory_order_relaxed);
  large_heap_.store(options.large_heap, std::memory_order_relaxed);
  busy_port_.store(options.busy_port, std::memory_order_relaxed);
  long_queue_.store(options.long_message_queue, std::memory_order_relaxed);
  long_queue_off_.store(options.long_message_queue_off, std::memory_order_relaxed);
  to_.store(to, std::memory_order_relaxed);
}

void system_watch::clear(std::uint64_t bits) noexcept {
  std::lock_guard lock(mutex_);
  if (tells(bits)) to_.store(0, std::memory_order_relaxed);
}

std::uint64_t system_watch::get(system_monitor_options& options) const noexcept {
  std::lock_guard lock(mutex_);
  options = options_;
  return to_.load(std::memory_order_relaxed);
}

void system_watch::tell(process_system& system, system_event const& event) noexcept {
  std::uint64_t const to = to_.load(std::memory_order_relaxed);
  if (to == 0) return;
  try {
    deliver(system, to,
            detail::pack<system_event>(signal_kind::message, system_event(event)).release());
  } catch (...) {
    // An event less.
  }
}

// --- what a process notices of itself ---

void process::note_turn_begin() noexcept {
  here const at = here::now();
  if (at.on != nullptr) at.local->turn_began_ns = sched().now();
}

void process::note_turn_end() noexcept {
  here const at = here::now();
  if (at.on == nullptr) return;
  std::int64_t const began = std::exchange(at.local->turn_began_ns, 0);
  std::int64_t const limit = system_->watch().long_schedule_ns();
  if (began == 0 || limit == 0 || system_->watch().tells(bits())) return;
  std::int64_t const ran = sched().now() - began;
  if (ran >= limit)
    system_->watch().tell(
        *system_,
        {.what = system_event::kind::long_schedule, .process = self_pid(), .ran = duration(ran)});
}

void process::observe_load() noexcept {
  system_watch& watch = system_->watch();
  if (watch.tells(bits()) || has(flag_dying)) return;
  using kind = system_event::kind;
  if (std::uint64_t const limit = watch.large_heap(); limit != 0) {
    std::uint64_t const now = memory_in_use();
    if (now > limit && !has(flag_seen_large)) {
      set(flag_seen_large, true);
      watch.tell(*system_, {.what = kind::large_heap, .process = self_pid(), .size = now});
    } else if (now < limit / 2) {
      set(flag_seen_large, false);
    }
  }
  if (std::uint32_t const limit = watch.long_queue(); limit != 0) {
    std::uint32_t const now = mailbox_.size();
    bool const was = has(flag_seen_long);
    bool const is = now > limit || (was && now > watch.long_queue_off());
    if (is == was) return;
    set(flag_seen_long, is);
    watch.tell(*system_, {.what = is ? kind::long_message_queue : kind::long_message_queue_off,
                          .process = self_pid(),
                          .size = now});
  }
}

void process::note_busy_port() noexcept {
  system_watch& watch = system_->watch();
  if (watch.busy_port() && watch.on() && !watch.tells(bits()))
    watch.tell(*system_, {.what = system_event::kind::busy_port, .process = self_pid()});
}

}  // namespace rts

using rts::here;
using rts::runtime_entry;

std::optional<system_monitor_settings> system_monitor() {
  runtime_entry entry;
  here const at = here::in_process();
  system_monitor_options options;
  std::uint64_t const to = at.system->watch().get(options);
  if (to == 0) return std::nullopt;
  return system_monitor_settings{at.system->make_pid_of(to), options};
}

std::optional<system_monitor_settings> system_monitor(pid monitor,
                                                      system_monitor_options const& options) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  here const at = here::in_process();
  if (monitor && at.system->find(monitor) == nullptr)
    throw error(errc::badarg, fmt::format("system_monitor: {} has ended", monitor));
  if (options.long_schedule < duration::zero())
    throw error(errc::badarg, "system_monitor: long_schedule must not be negative");
  auto const before = system_monitor();
  std::uint64_t const to = monitor ? rts::pid_access::bits(monitor) : 0;
  at.system->watch().set(to, options);
  // It may have ended in between: its death cleared nothing then.
  if (monitor && at.system->find(monitor) == nullptr) at.system->watch().clear(to);
  return before;
}

}  // namespace otter
