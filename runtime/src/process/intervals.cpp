// process/intervals.cpp - OTP's timer library: what is more than one message at one moment.

#include <fmt/format.h>

#include <functional>
#include <new>
#include <otter/exit.hpp>
#include <otter/monitor.hpp>
#include <otter/timer.hpp>

#include "process/process_system.hpp"
#include "process/send.hpp"

namespace otter {

using rts::here;
using rts::runtime_entry;

namespace {

/// Does something at start + k * every, for k = 1, 2 ... Each moment is reckoned from the start, so
/// a late one makes none of the next ones late.
class ticker : public reactive {
 public:
  /// Ends with `watched`, if that is a process.
  ticker(node_clock::time_point begin, duration every, pid watched)
      : next_(begin), every_(every), watched_(watched) {}

  void start() override {
    if (watched_) monitor(watched_);
    arm();
  }
  void handle(event& what) override {
    if (what.what() != event::kind::timeout) {
      if (what.get_if<down>() != nullptr) stop(exit_reason::normal());
      return;
    }
    if (tick())
      arm();
    else
      stop(exit_reason::normal());
  }

 protected:
  /// False: it was the last time.
  virtual bool tick() = 0;

 private:
  void arm() {
    next_ += every_;
    duration const left = next_ - node_clock::now();
    start_timeout(left > duration::zero() ? left : duration::zero(), 0);
  }

  node_clock::time_point next_;
  duration every_;
  pid watched_;
};

class send_ticker final : public ticker {
 public:
  send_ticker(node_clock::time_point begin, duration every, pid to,
              any_message (*copy)(any_message&), any_message m)
      : ticker(begin, every, to), to_(to), copy_(copy), message_(std::move(m)) {}

 private:
  bool tick() override {
    otter::send(to_, copy_(message_));
    return true;
  }

  pid to_;
  any_message (*copy_)(any_message&);
  any_message message_;
};

class apply_ticker final : public ticker {
 public:
  apply_ticker(node_clock::time_point begin, duration every, pid maker,
               std::function<reactive_ptr()> next)
      : ticker(begin, every, maker), next_(std::move(next)) {}

 private:
  bool tick() override {
    spawn_reactive({}, next_());
    return true;
  }

  std::function<reactive_ptr()> next_;
};

class apply_once final : public ticker {
 public:
  apply_once(node_clock::time_point begin, duration delay, reactive_ptr body)
      : ticker(begin, delay, pid{}), body_(std::move(body)) {}

 private:
  bool tick() override {
    spawn_reactive({}, std::move(body_));
    return false;
  }

  reactive_ptr body_;
};

void check_interval(duration every) {
  if (every <= duration::zero())
    throw error(errc::badarg,
                fmt::format("an interval of {} ns: it must be longer than 0", every.count()));
}

/// These timers are processes: the ref names one by its owner, and is the first of its refs.
constexpr std::uint64_t ticker_id = 1;

timer_ref start_ticker(char const* label, reactive_ptr body) {
  pid const sender = spawn_reactive({.label = label}, std::move(body));
  return timer_ref(rts::ref_access::make(sender, ticker_id));
}

timer_ref exit_timer(duration delay, pid to, exit_reason reason) {
  node_clock::time_point const due = detail::due_after(delay);
  auto* x = rts::make_signal<rts::exit_signal>(detail::signal_kind::exit);
  detail::envelope_ptr owned(x);
  x->from = self();
  x->reason = std::move(reason);
  return detail::start_message_timer(due, to, std::move(owned));
}

}  // namespace

timer_ref detail::start_interval(duration every, pid to, any_message (*copy)(any_message&),
                                 any_message m) {
  check_interval(every);
  return start_ticker("interval",
                      make_reactive<send_ticker>(node_clock::now(), every, to, copy, std::move(m)));
}

timer_ref detail::start_apply_interval(duration every, std::function<reactive_ptr()> next) {
  check_interval(every);
  return start_ticker("apply_interval", make_reactive<apply_ticker>(node_clock::now(), every,
                                                                    self(), std::move(next)));
}

timer_ref detail::start_apply(duration delay, reactive_ptr body) {
  node_clock::time_point const now = node_clock::now();
  due_after(delay);  // throws if it is not allowed
  return start_ticker("apply_after", make_reactive<apply_once>(now, delay, std::move(body)));
}

bool cancel_interval(timer_ref interval) noexcept {
  runtime_entry entry;
  if (entry.refused()) return false;
  // Any other timer's owner is somebody who must not be killed.
  if (rts::id_of(interval) != ticker_id) return false;
  here const at = here::now();
  if (at.self == nullptr) return false;
  rts::process* const ticker = at.system->find(interval.owner());
  // Whoever has heard of its end shall find it ended, though its block may not be free yet.
  if (ticker == nullptr ||
      ticker->name_state().load(std::memory_order_acquire) == rts::process::nameless)
    return false;
  try {
    otter::exit(interval.owner(), exit_reason::kill());
  } catch (std::bad_alloc const&) {
    return false;
  }
  return true;
}

timer_ref exit_after(duration delay, pid to, exit_reason reason) {
  return exit_timer(delay, to, std::move(reason));
}
timer_ref kill_after(duration delay, pid to) { return exit_timer(delay, to, exit_reason::kill()); }

void cancel_timer_async(timer_ref timer) {
  otter::send(self(), timer_answer{timer, cancel_timer(timer)});
}
void read_timer_async(timer_ref timer) {
  otter::send(self(), timer_answer{timer, read_timer(timer)});
}

}  // namespace otter
