// io/busy.cpp - what a port tells of its queue, and of being idle.

#include "io/ports.hpp"
#include "process/process.hpp"
#include "process/process_system.hpp"

namespace otter::rts {

void port::set_congested(bool on, wakes& woken) noexcept {
  congested_ = on;
  if (!set.extras || !set.extras->busy.wanted || phase_ != port_phase::open) return;
  if (set.extras->busy.told_busy != on && !set.extras->busy.in_flight() && !woken.has_port()) {
    ++pins_;
    woken.add(*this);
  }
}

void wakes::post_busy() noexcept { busy_->post_busy(); }

/// Pinned, and without the lock.
void port::post_busy() noexcept {
  port_lock lock(mutex_);
  if (phase_ == port_phase::open && set.extras) set.extras->busy.post(owner());
  --pins_;
  release(lock);
}

void busy_notice::expand(process& owner, message_sink& sink) noexcept {
  port_.tell_of_queue(owner, sink);
}
void busy_notice::refused() noexcept { port_.busy_refused(); }

void port::busy_refused() noexcept {
  port_lock lock(mutex_);
  release(lock);
}

void port::tell_of_queue(process& owner, message_sink& sink) noexcept {
  wakes woken;
  port_lock lock(mutex_);
  if (phase_ == port_phase::open && !is_owned_by(owner)) {
    // The owner has changed while the notice was on its way to the old one.
    ++pins_;
    woken.add(*this);
  } else if (phase_ == port_phase::open && set.extras->busy.told_busy != congested_) {
    auto const name = port_access::name_of<tcp_socket>(*this);
    try {
      sink.append(
          congested_
              ? detail::pack<tcp_busy>(detail::signal_kind::message, tcp_busy{name, queued()})
              : detail::pack<tcp_drained>(detail::signal_kind::message, tcp_drained{name}));
      set.extras->busy.told_busy = congested_;
    } catch (...) {
      // No memory for it now: the next change tells.
    }
  }
  release(lock);
}

void port::note_activity() noexcept {
  if (set.extras && set.extras->shed_after_ns != 0)
    set.extras->active_ns = io_->system().sched().now();
}

bool port::shed(port_lock& lock, std::int64_t now_ns, wakes& woken) noexcept {
  if (phase_ != port_phase::open || !set.extras || set.extras->shed_after_ns == 0) return false;
  if (now_ns - set.extras->active_ns < set.extras->shed_after_ns) return false;
  input_ended(static_cast<int>(tcp_errc::shed), woken);
  if (reader != nullptr)
    woken.add(*reader);
  else if (wants_notice())
    tell_owner(lock);
  return true;
}

}  // namespace otter::rts
