// io/port.cpp - a port's birth, owner, readiness, close and end.

#include "io/port.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>

#include "io/ports.hpp"
#include "process/process.hpp"
#include "process/process_system.hpp"

namespace otter::rts {
namespace {

/// A closed connection whose peer takes nothing of what is queued for so long is given up.
constexpr std::int64_t flush_limit_ns = 30'000'000'000;

constexpr bool is_live(port_phase p) noexcept {
  return p == port_phase::connecting || p == port_phase::listening ||
         p == port_phase::handshaking || p == port_phase::open || p == port_phase::ended;
}

}  // namespace

network& port::net() const noexcept { return io_->net(); }

pid port::owner() const noexcept {
  return io_->system().make_pid_of(owner_.load(std::memory_order_relaxed));
}

bool port::begin(io_state& io, process& owner, int descriptor, port_phase phase,
                 tcp_options const& options, int& error, gate_place from) noexcept {
  io_ = &io;
  fd = descriptor;
  phase_ = phase;
  owner_.store(owner.bits(), std::memory_order_relaxed);
  error_ = 0;
  strayed_ = hung_up_ = input_ended_ = end_told_ = passive_due_ = false;
  congested_ = shutdown_due_ = write_shut_ = lent_ = datagrams_ = false;
  hint_ = true;
  counts_ = {};
  aside_.reset();
  set = {};
  set.mode = options.active.mode;
  set.count = static_cast<std::int16_t>(options.active.by);
  set.packet = options.packet;
  bool enough =
      tune({.send_timeout_ns =
                options.send_timeout == infinity ? INT64_MAX : options.send_timeout.count(),
            .limits = {options.packet_size, options.buffer},
            .high = options.high_watermark,
            .low = options.low_watermark});
  try {
    set.extras = extras_of(options, std::move(from));
  } catch (std::bad_alloc const&) {
    enough = false;
  }
  if (!enough) {
    error = ENOMEM;
    polled_ = false;
    fd = -1;
    become_closed();
    return false;
  }
  set.exit_on_close = options.exit_on_close;
  set.show_econnreset = options.show_econnreset;
  set.send_timeout_close = options.send_timeout_close;
  set.reset_on_close = options.linger && options.linger->count() == 0;
  direct = set.mode == active::ready;
  polled_ = true;  // before watch(): the first event may come at once
  int const result = io.net().watch(*this);
  if (result < 0) {
    error = -result;
    polled_ = false;
    fd = -1;
    become_closed();
    return false;
  }
  owner.own(*this);
  owned_ = true;
  return true;
}

/// What few have; nothing if `options` ask for nothing of it. Throws: std::bad_alloc.
extras_ptr port::extras_of(tcp_options const& o, gate_place from) {
  accept_limits const limits{o.max_connections, o.accept_rate,
                             o.accept_burst != 0 ? o.accept_burst : std::max(o.accept_rate, 1u)};
  bool const gated = phase_ == port_phase::listening && limits.any();
  bool const may_be_shed =
      o.shed_when_idle && io_->marks().watches_memory() && phase_ != port_phase::listening;
  if (!o.framer && !o.tell_busy && !o.shed_when_idle && !gated && !from) return nullptr;
  auto extras = std::make_unique<port_extras>(*this);
  extras->framer = o.framer;
  extras->busy.wanted = o.tell_busy;
  if (gated) {
    extras->gate = std::make_shared<accept_gate>(*io_, limits);
    extras->gate->belongs_to(index_, generation());
  }
  if (o.shed_when_idle)
    extras->shed_after_ns = std::max<std::int64_t>(o.shed_when_idle->count(), 1);
  if (may_be_shed) {
    extras->active_ns = io_->system().sched().now();
    extras->listed = io_->marks().list_idle({index_, generation()});
  }
  extras->from = std::move(from);
  return extras;
}

bool port::wants_notice() const noexcept {
  return set.mode != active::off && !end_told_ &&
         (phase_ == port_phase::open || phase_ == port_phase::ended);
}

// --- the owner (doc/io.md, "Who owns a socket") ---

void port::take_up(process& self) noexcept {
  if (!is_live(phase_) || !is_owned_by(self) || self.is_dying()) return;
  self.own(*this);
  owned_ = true;
}

void port::tell_owner(port_lock& lock) noexcept {
  if (post_alone(io_->system(), owner_.load(std::memory_order_relaxed))) return;
  // Dead. If it had taken the port up, owner_died() is on its way; and who is closed already only
  // waits for it.
  if (owned_ || !is_live(phase_)) return;
  // The next owner died before the notice that hands the port over reached it.
  wakes woken;
  close(lock, woken, nullptr, set.reset_on_close);
}

void port::expand(process& owner, message_sink& sink) noexcept {
  wakes woken;
  port_lock lock(mutex_);
  if (!is_owned_by(owner)) {
    // The owner has changed while the notice was on its way to the old one.
    if (is_live(phase_)) tell_owner(lock);
    release(lock);
    return;
  }
  if (!is_live(phase_)) {  // closed by somebody else: only this process can let go of it
    if (owned_) owner.disown(*this);
    owned_ = false;
    direct = false;
    release(lock);
    return;
  }
  adopt(owner);
  deliver(sink, woken);
  if (delivers() && input_ended_ && report_end(lock, owner, sink, woken)) return;
  // One read for each turn of the notice: others of the owner's signals come in between.
  if (lock.owns_lock() && delivers() && (hint_ || input_ended_)) tell_owner(lock);
  release(lock);
}

void port::refused() noexcept {
  port_lock lock(mutex_);  // so whoever posts it has done so
  if (is_live(phase_) && !owned_) tell_owner(lock);
  release(lock);
}

void port::owner_died() noexcept {
  wakes woken;
  port_lock lock(mutex_);
  owned_ = false;
  direct = false;
  if (is_live(phase_))
    close(lock, woken, nullptr, set.reset_on_close);
  else
    release(lock);
}

active_mode port::hold_still() noexcept {
  active_mode const resume{set.mode == active::ready ? active::off : set.mode, set.count};
  set.mode = active::off;
  return resume;
}

active_mode port::hold_back() noexcept {
  active_mode const resume{set.mode, set.count};
  set.mode = active::off;
  set.count = 0;
  direct = false;
  return resume;
}

void port::hand_over(port_lock& lock, process& from, pid to, active_mode resume) noexcept {
  // Since hold_still() nobody posts it: it is in our mailbox or nowhere.
  from.drain();
  from.take_notice(*this);
  // What the queue has to tell lies there, too, and `from` may never look at its mailbox again.
  bool const untold =
      set.extras && set.extras->busy.in_flight() && from.take_notice(set.extras->busy);
  direct = lent_ = false;
  from.disown(*this);
  owned_ = false;
  owner_.store(pid_access::bits(to), std::memory_order_relaxed);
  set.mode = resume.mode;
  set.count = static_cast<std::int16_t>(resume.by);
  if (untold) ++pins_;
  // The notice carries the port to its next owner, behind the messages that were moved.
  tell_owner(lock);
  if (!untold) return;
  lock.unlock();  // pinned: it is still ours
  post_busy();
}

// --- readiness: on the worker that polls, outside any turn ---

/// An event is about to come: its owner's block is mostly in no near cache.
void port::expect() const noexcept {
  auto const index =
      static_cast<std::uint32_t>(owner_.load(std::memory_order_relaxed)) & max_process_index;
  process_system* const system = here::now().system;
  if (process const* const p = system != nullptr ? system->at(index) : nullptr) p->fetch_block();
}

void port::ready(std::uint32_t events) noexcept {
  constexpr std::uint32_t broken = EPOLLERR | EPOLLHUP;
  wakes woken;
  port_lock lock(mutex_);
  switch (phase_) {
    case port_phase::listening:
      hint_ = true;
      wake_next(woken);
      return;
    case port_phase::connecting:
      hint_ = true;
      if ((events & (EPOLLRDHUP | broken)) != 0) hung_up_ = true;
      if ((events & (EPOLLOUT | broken)) != 0 && reader != nullptr) woken.add(*reader);
      return;
    case port_phase::handshaking:
    case port_phase::open:
    case port_phase::ended:
    case port_phase::flushing:
      break;
    case port_phase::free:
    case port_phase::closed:
      return;
  }
  // Each event says that there is room: only with something queued is that news.
  if ((events & (EPOLLOUT | broken)) != 0 && buffers_) flush(woken);
  if (datagrams_ && (events & (EPOLLOUT | broken)) != 0) wake_next(woken);
  if ((events & (EPOLLRDHUP | broken)) != 0) hung_up_ = true;
  if ((events & (EPOLLIN | EPOLLRDHUP | broken)) != 0) {
    hint_ = true;
    if (reader != nullptr)
      woken.add(*reader);
    else if (wants_notice())
      tell_owner(lock);
  }
  release(lock);
}

void port::released() noexcept {
  port_lock lock(mutex_);
  polled_ = false;
  release(lock);
}

bool port::connected(port_lock& lock, int& error) noexcept {
  int const result = net().finish_connect(fd);
  if (result == -EINPROGRESS) return false;
  if (result < 0) {
    error = -result;
    return false;
  }
  phase_ = port_phase::open;
  hint_ = true;
  reader->listed = false;
  reader = nullptr;
  if (wants_notice()) tell_owner(lock);
  return true;
}

// --- the end ---

void port::close_descriptor(bool reset, wakes& woken) noexcept {
  if (fd < 0) return;
  if (set.extras && set.extras->from) woken.add(std::exchange(set.extras->from, {}));
  // Behind the end there is nothing to discard, unless it is a TLS stream's within the connection.
  bool const all_read = datagrams_ || (input_ended_ && tls() == nullptr);
  if (!reset && !all_read && phase_ != port_phase::listening && phase_ != port_phase::connecting)
    net().discard_input(fd);
  if (net().unwatch(*this)) polled_ = false;
  net().close(fd, reset);
  fd = -1;
  io_->replenished();
}

void port::leave_the_idle() noexcept {
  if (!set.extras || !set.extras->listed) return;
  io_->marks().unlist_idle(*set.extras->listed);
  set.extras->listed.reset();
}

void port::become_closed() noexcept {
  leave_the_idle();
  phase_ = port_phase::closed;
  io_->count_closed();
}

void port::close(port_lock& lock, wakes& woken, process* self, bool reset) noexcept {
  generation_.store(generation() + 1, std::memory_order_relaxed);
  if (reader != nullptr) {
    woken.add(*reader);
    reader->listed = false;
    reader = nullptr;
  }
  while (waiter* w = waiters.first()) {
    woken.add(*w);
    waiters.remove(*w);
  }
  set.mode = active::off;
  congested_ = false;
  leave_the_idle();
  drop_input();
  if (!reset) say_farewell(woken);
  if (buffers_) buffers_->tls.reset();
  if (fd >= 0 && queued() > 0 && !reset) {
    phase_ = port_phase::flushing;
    net().limit_flush(fd, flush_limit_ns);
  } else {
    close_descriptor(reset, woken);
    become_closed();
    buffers_.reset();
  }
  if (owned_ && self != nullptr && is_owned_by(*self)) {
    self->disown(*this);
    self->take_notice(*this);
    if (set.extras && set.extras->busy.in_flight()) self->take_notice(set.extras->busy);
    owned_ = false;
    direct = false;
  } else if (owned_) {
    // Closed by somebody else. The owner's list is the owner's, so the owner takes it out.
    tell_owner(lock);
  }
  release(lock);
}

void port::release(port_lock& lock) noexcept {
  if (!lock.owns_lock()) return;
  if (phase_ != port_phase::closed || polled_ || owned_ || pins_ != 0 || in_flight()) return;
  if (set.extras && set.extras->busy.in_flight()) return;
  phase_ = port_phase::free;
  buffers_.reset();
  extras_ptr const extras = std::move(set.extras);  // ends outside the lock
  aside_ptr const aside = std::move(aside_);
  io_state& io = *std::exchange(io_, nullptr);
  lock.unlock();
  io.put_back(*this);
}

}  // namespace otter::rts
