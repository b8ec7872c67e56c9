#include "child.hpp"

#include <fmt/format.h>

#include <chrono>
#include <otter/detail/unwinding.hpp>
#include <otter/exit.hpp>
#include <otter/link.hpp>
#include <otter/monitor.hpp>
#include <otter/node.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>

#include "report.hpp"
#include "restart_window.hpp"

namespace otter {

std::string to_string(child_error const& error) {
  switch (error.what) {
    case child_error::kind::already_started:
      return fmt::format("already started: {}", error.process);
    case child_error::kind::already_present:
      return "already present, not running";
    case child_error::kind::running:
      return "running";
    case child_error::kind::restarting:
      return "restarting";
    case child_error::kind::not_found:
      return "no such child";
    case child_error::kind::start_failed:
      return fmt::format("start failed: {}", error.reason);
    case child_error::kind::invalid:
      return fmt::format("invalid: {}", error.reason);
    case child_error::kind::max_children:
      return "as many children as allowed";
  }
  return {};
}

namespace detail {

tl::expected<pid, start_error> run_start(child_start const& start) {
  try {
    auto child = start();
    if (child && !*child)
      return tl::unexpected<start_error>(
          {start_error::kind::failed, {}, exit_reason::bad_return_value("no process")});
    return child;
  } catch (unwinding const&) {
    throw;
  } catch (...) {
    return tl::unexpected<start_error>(
        {start_error::kind::failed, {}, exit_reason::from_current_exception("child_spec::start")});
  }
}

exit_reason stop_child(pid child, shutdown_limit limit, child_type type) {
  const monitor_ref watch = monitor(child);
  unlink(child);  // from here on no exit signal of it comes; one that has come is taken out below
  exit_reason ended;
  const auto wait = [&](duration time) {
    return receive_from(watch,
                        when([&](down const& d) { return d.ref == watch; },
                             [&](down d) {
                               ended = std::move(d.reason);
                               return true;
                             }),
                        after(time, [] { return false; }));
  };
  const bool brutal = limit.is_brutal_kill();
  otter::exit(child, brutal ? exit_reason::kill() : exit_reason::shutdown());
  if (!wait(brutal ? infinity : limit.limit_for(type))) {
    otter::exit(child, exit_reason::kill());
    wait(infinity);
  }
  auto its_exited = when([&](exited const& e) { return e.process == child; },
                         [&](exited e) { ended = e.reason; });
  // It came between monitor() and unlink(); or before both, from a child that had ended already.
  // Only then is the whole mailbox looked at: a supervisor that many talk to may have a long one.
  if (ended == exit_kind::noproc)
    receive(its_exited, after(duration::zero()));
  else
    receive_from(watch, its_exited, after(duration::zero()));
  return ended;
}

bool expected_end(exit_reason const& reason, restart_type restart, shutdown_limit limit) noexcept {
  if (limit.is_brutal_kill() && reason == exit_kind::killed) return true;
  if (!limit.is_brutal_kill() && reason == exit_kind::shutdown) return true;
  return restart != restart_type::permanent && reason.is_normal_exit();
}

std::string wrong_with(child_spec const& spec, bool needs_id) {
  if (needs_id && spec.id.empty()) return "missing_id: a child needs an id";
  const std::string child = needs_id ? fmt::format("child \"{}\"", spec.id) : "child";
  if (!spec.start) return fmt::format("missing_start: {} needs a start function", child);
  if (!spec.shutdown.is_brutal_kill() && !spec.shutdown.is_valid())
    return fmt::format("invalid_shutdown: the limit of {} is negative", child);
  if (spec.restart > restart_type::temporary)
    return fmt::format("invalid_restart_type: {} of {}", static_cast<int>(spec.restart), child);
  if (spec.type > child_type::supervisor)
    return fmt::format("invalid_child_type: {} of {}", static_cast<int>(spec.type), child);
  return {};
}

std::string child_text(std::string_view id, pid process) {
  std::string text = "child";
  if (!id.empty()) text += fmt::format(" \"{}\"", id);
  if (process) text += fmt::format(" {}", process);
  return text;
}

void report_child(std::string text) noexcept {
  defer_exit while_reporting;
  try {
    report_text(fmt::format("supervisor {}: {}", self_text(), text));
  } catch (std::exception const&) {
    // no memory for a report: the supervisor goes on without it
  }
}

void report_started(child_spec const& spec, pid process) noexcept {
  defer_exit while_reporting;
  try {
    static constexpr char const* restarts[] = {"permanent", "transient", "temporary"};
    const duration limit = spec.shutdown.limit_for(spec.type);
    const std::string shutdown =
        spec.shutdown.is_brutal_kill() ? "brutal_kill"
        : limit == infinity            ? "infinity"
                            : fmt::format("{} s", std::chrono::duration<double>(limit).count());
    report(
        {node_event::kind::progress, self(),
         bounded(fmt::format(
                     "supervisor {}: started {}, {} {}, shutdown {}", self_text(),
                     child_text(spec.id, process), restarts[static_cast<std::size_t>(spec.restart)],
                     spec.type == child_type::supervisor ? "supervisor" : "worker", shutdown),
                 max_report)});
  } catch (std::exception const&) {
    // no memory for a report: the supervisor goes on without it
  }
}

void report_giving_up(std::string const& child, restart_window const& window,
                      exit_reason const& last) {
  report_child(
      fmt::format("{} needs restart {} within {} s (allowed: {}), stopping; its last exit: {}",
                  child, window.count(), std::chrono::duration<double>(window.period()).count(),
                  window.intensity(), last));
}

}  // namespace detail
}  // namespace otter
