// The starter's side of a start.

#include <fmt/format.h>

#include <optional>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/link.hpp>
#include <otter/message.hpp>
#include <otter/monitor.hpp>
#include <otter/name.hpp>
#include <otter/receive.hpp>
#include <otter/start.hpp>

#include "via_body.hpp"

namespace otter {

exit_reason start_error::to_reason() const {
  switch (what) {
    case kind::already_started:
      return exit_reason::of(otter::already_started{process});
    case kind::ignored:
      return exit_reason::normal();
    case kind::failed:
      return reason;
    case kind::timeout:
      return exit_reason::timeout();
  }
  return reason;
}

std::string to_string(start_error const& error) {
  switch (error.what) {
    case start_error::kind::already_started:
      return fmt::format("already started: {}", error.process);
    case start_error::kind::ignored:
      return "ignored";
    case start_error::kind::failed:
      return to_string(error.reason);
    case start_error::kind::timeout:
      return "not ready in time";
  }
  return {};
}

namespace detail {

void acknowledge_start(alias_ref const& starter) {
  otter::send(starter, start_ack{starter, start_ack::kind::ready, {}, {}, end_start_monitor()});
}

starter::starter(start_options const& options, start_mode mode)
    : options_(options), mode_(mode), answer_(alias(alias_mode::reply)) {}

starter::~starter() { unalias(answer_); }

bool starter::name_is_free() {
  if (options_.via.registry != nullptr) {
    if (!options_.name.empty())
      throw otter::error(errc::badarg, "start: a name on the node or one via a registry, not both");
    holder_ = options_.via.registry->whereis(options_.via.key);
    return !holder_;
  }
  if (options_.name.empty()) return true;
  holder_ = whereis(options_.name);
  return !holder_;
}

origin starter::begin() const {
  return {mode_ == start_mode::link ? self() : pid{}, answer_, ancestors_of_a_child(),
          checked_limit(options_.hibernate_after), &options_.debug};
}

tl::expected<pid, start_error> starter::run(reactive_ptr body) {
  spawn_options how = options_.spawn;
  how.name = options_.name;
  how.link = mode_ == start_mode::link;
  how.monitor = alias_mode::none;
  const duration limit = checked_limit(options_.timeout);
  if (options_.via.registry != nullptr)
    body = make_reactive<via_body>(options_.via, answer_, std::move(body));
  spawned child;
  try {
    child = mode_ == start_mode::monitor ? spawn_reactive(how, std::move(body))
                                         : spawn_for_start(how, std::move(body));
  } catch (error const& e) {
    // Somebody took the name between the look and the spawn: the same answer as before it (GC-3).
    if (e.code() != errc::badarg || name_is_free()) throw;
    return tl::unexpected<start_error>(taken());
  }
  // The caller's own monitor must deliver its `down` whatever happens here.
  monitor_ref watch = child.ref;
  if (mode_ == start_mode::monitor) {
    monitor_ = child.ref;
    watch = otter::monitor(child.process);
  }

  std::optional<start_error> error;
  bool unwatched = false;
  // From the monitor of the spawn on, before which the child cannot have said anything: not from
  // the alias, since there is one marker and the monitor is the younger. (A second monitor is
  // younger still, and then all that waits is looked at.)
  receive_from(child.ref,
               when([&](start_ack const& a) { return a.start == answer_; },
                    [&](start_ack a) {
                      unwatched = a.unwatched;
                      if (a.what == start_ack::kind::ignored)
                        error = start_error{start_error::kind::ignored, {}, {}};
                      if (a.what == start_ack::kind::refused)
                        error = start_error{start_error::kind::failed, {}, std::move(a.reason)};
                      if (a.what == start_ack::kind::taken)
                        error = start_error{start_error::kind::already_started, a.holder, {}};
                    }),
               when([&](down const& d) { return d.ref == watch; },
                    [&](down d) {
                      watch = {};
                      error = start_error{start_error::kind::failed, {}, std::move(d.reason)};
                    }),
               after(limit, [&] {
                 error = start_error{start_error::kind::timeout, {}, {}};
               }));
  if (error) return failed(child.process, watch, std::move(*error));
  if (unwatched)
    forget_monitor(watch);
  else
    demonitor(watch, demonitor_flush::yes);
  return child.process;
}

tl::expected<pid, start_error> starter::failed(pid child, monitor_ref watch, start_error why) {
  unalias(answer_);
  if (why.what == start_error::kind::timeout) {
    // It may have become ready at the last moment, and then the monitor is gone on its side.
    demonitor(watch, demonitor_flush::yes);
    watch = otter::monitor(child);
    unlink(child);
    otter::exit(child, exit_reason::kill());
  }
  if (watch)  // the child said why and is on its way out, or was killed: wait for its end (PL-3)
    receive_from(watch, when([&](down const& d) { return d.ref == watch; }, [](down) {}));
  if (mode_ == start_mode::link) {
    // A process sends its exit signals before its `down`s. So a starter that does not trap exits
    // has got the signal by now, and one that does has it in its mailbox.
    unlink(child);
    receive(when([&](exited const& e) { return e.process == child; }, [](exited) {}),
            after(duration::zero()));
  }
  return tl::unexpected<start_error>(std::move(why));
}

}  // namespace detail
}  // namespace otter
