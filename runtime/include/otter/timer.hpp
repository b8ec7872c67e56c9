#pragma once

// otter/timer.hpp - messages that arrive later.
//
//   otter::send_after()     sends a message after a delay
//   otter::start_timer()    the same, wrapped in `timeout<T>` with the timer's ref
//   otter::cancel_timer()   stops one
//   otter::read_timer()     how long is left?
//   otter::send_interval(), apply_after(), apply_interval(), exit_after(), kill_after()
//   otter::node_clock       the clock that all of them go by
//   otter::system_time()    the time of day, for people and logs
//
// Never early, on the monotonic clock (TM-2). A timer ends with the process that it is for, so
// timers of dead processes do not accumulate. To give a receive a limit, use otter::after().

#include <chrono>
#include <functional>
#include <optional>
#include <otter/detail/envelope.hpp>
#include <otter/duration.hpp>
#include <otter/exit_reason.hpp>
#include <otter/message.hpp>
#include <otter/pid.hpp>
#include <otter/reactive.hpp>
#include <otter/ref.hpp>
#include <otter/spawn.hpp>
#include <string_view>
#include <type_traits>
#include <utility>

namespace otter {

/// The message of start_timer().
template <class Message>
struct timeout {
  timer_ref timer;
  Message message;
};

/// A moment on the node's monotonic clock. In simulation that clock is virtual.
struct node_clock {
  using duration = otter::duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<node_clock>;
  static constexpr bool is_steady = true;
  /// Called from: a process, or an attached thread.
  static time_point now();
};

/// The time of day, UTC: for people, not for measuring, since somebody may set it. In simulation it
/// begins at 2000-01-01 00:00:00 and goes on with the virtual clock.
///
/// Called from: anywhere; outside a node it is the system's. Blocks: never. Exits: never.
using system_time_point = std::chrono::time_point<std::chrono::system_clock, duration>;
system_time_point system_time() noexcept;

namespace detail {
timer_ref start_message_timer(node_clock::time_point due, pid to, envelope_ptr message);
/// Throws: as due_after().
timer_ref start_message_timer(duration delay, pid to, envelope_ptr message);
timer_ref start_message_timer(node_clock::time_point due, std::string_view name,
                              envelope_ptr message);
/// Throws error(badarg) for a negative or too long delay (TM-3); the moment otherwise.
node_clock::time_point due_after(duration delay);
/// The ref of the timer that will be started next, so that its message can carry it.
timer_ref reserve_timer(pid to, node_clock::time_point due);
void arm_timer(timer_ref timer, envelope_ptr message) noexcept;
timer_ref start_interval(duration every, pid to, any_message (*copy)(any_message&), any_message m);
timer_ref start_apply_interval(duration every, std::function<reactive_ptr()> next);
timer_ref start_apply(duration delay, reactive_ptr body);
}  // namespace detail

/// Sends `message` to `to` after `delay`.
///
/// If `to` has ended already, nothing will ever happen (TM-4). A name is looked up when the time
/// has come (TM-5). The message never comes before the delay is over.
///
/// Called from: a process. Blocks: never. Exits: never.
/// Throws: error(badarg) if the delay is negative; std::bad_alloc.
template <class Message>
timer_ref send_after(duration delay, pid to, Message&& message) {
  return detail::start_message_timer(delay, to, detail::pack_plain(std::forward<Message>(message)));
}
template <class Message>
timer_ref send_after(duration delay, std::string_view name, Message&& message) {
  return detail::start_message_timer(detail::due_after(delay), name,
                                     detail::pack_plain(std::forward<Message>(message)));
}
/// At a moment of node_clock; one that is past fires at once.
template <class Message>
timer_ref send_at(node_clock::time_point when, pid to, Message&& message) {
  return detail::start_message_timer(when, to, detail::pack_plain(std::forward<Message>(message)));
}
template <class Message>
timer_ref send_at(node_clock::time_point when, std::string_view name, Message&& message) {
  return detail::start_message_timer(when, name,
                                     detail::pack_plain(std::forward<Message>(message)));
}

/// As send_after(), but a `timeout<Message>` arrives that carries the timer's ref (TM-1).
template <class Message>
timer_ref start_timer_at(node_clock::time_point when, pid to, Message message) {
  // The envelope first: once the ref is handed out, nothing can fail any more.
  detail::envelope_ptr e = detail::pack<timeout<Message>>(detail::signal_kind::message,
                                                          timeout<Message>{{}, std::move(message)});
  timer_ref const ref = detail::reserve_timer(to, when);
  static_cast<timeout<Message>*>(e->payload())->timer = ref;
  detail::arm_timer(ref, std::move(e));
  return ref;
}
template <class Message>
timer_ref start_timer(duration delay, pid to, Message message) {
  return start_timer_at(detail::due_after(delay), to, std::move(message));
}

/// Stops a timer: what was left of it, and its message will never arrive; or nothing if it had
/// expired, was cancelled or never was. Then the message may be anywhere, also on its way (TM-7).
/// Anybody who holds the ref may do this.
///
/// Called from: a process. Blocks: never. Exits: never. Throws: never.
std::optional<duration> cancel_timer(timer_ref timer) noexcept;
/// What is left, or nothing if it is not active (TM-9).
std::optional<duration> read_timer(timer_ref timer) noexcept;

/// The answer of the asynchronous forms (TM-8).
struct timer_answer {
  timer_ref timer;
  std::optional<duration> left;
};
/// As cancel_timer() and read_timer(); the result comes as a `timer_answer`. Exits: may.
void cancel_timer_async(timer_ref timer);
void read_timer_async(timer_ref timer);

/// Sends a copy of `message` to `to` every `every`: the k-th at start + k * every, without drift
/// (TM-12). Ends with the receiver or cancel_interval().
///
/// Called from: a process. Blocks: never. Exits: may. Throws: error(badarg) unless `every` is
/// longer than 0; what spawn() throws.
template <class Message>
timer_ref send_interval(duration every, pid to, Message message) {
  static_assert(std::is_copy_constructible_v<Message>,
                "otter: an interval sends copies, and this message cannot be copied; share() it");
  return detail::start_interval(
      every, to, [](any_message& m) { return any_message::of(Message(*m.get_if<Message>())); },
      any_message::of(std::move(message)));
}
/// Runs `f()` after `delay`, in a process of its own.
template <class Function>
timer_ref apply_after(duration delay, Function f) {
  return detail::start_apply(delay, detail::make_function_body(std::move(f)));
}
/// Runs a copy of `f` every `every`, each time in a process of its own: the k-th at start +
/// k * every, whether the one before has ended or not. Ends with the caller or cancel_interval().
template <class Function>
timer_ref apply_interval(duration every, Function f) {
  static_assert(std::is_copy_constructible_v<Function>,
                "otter: an interval runs copies of its function, and this one cannot be copied");
  return detail::start_apply_interval(
      every, [f = std::move(f)] { return detail::make_function_body(Function(f)); });
}
/// Ends what send_interval(), apply_interval() or apply_after() has started: true if that was
/// still there. What it did before arrives; one tick may be on its way. The ref of another timer is
/// not an error: nothing happens.
///
/// Called from: a process, or an attached thread. Blocks: never. Exits: never. Throws: never.
bool cancel_interval(timer_ref interval) noexcept;
/// Sends an exit signal after `delay`, as if the caller sent it then; cancel_timer() stops it.
timer_ref exit_after(duration delay, pid to, exit_reason reason);
timer_ref kill_after(duration delay, pid to);

}  // namespace otter
