#include "child.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <otter/detail/throw_probe.hpp>
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

std::string to_string(failed_to_start_child const& failed) {
  return fmt::format("failed to start child \"{}\": {}", failed.id, failed.reason);
}

std::string to_string(bad_child_spec const& bad) { return bad.what; }

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
  } catch (throw_probe const&) {
    return {};  // never: it notes where what comes below was thrown
  } catch (...) {
    return tl::unexpected<start_error>(
        {start_error::kind::failed,
         {},
         exit_reason::from_current_exception("child_spec::start", thrown_at())});
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

namespace {

constexpr std::array<char const*, 4> context_names = {"start_error", "child_terminated",
                                                      "shutdown_error", "shutdown"};
constexpr std::array<char const*, 3> restart_names = {"permanent", "transient", "temporary"};

std::string shutdown_text(shutdown_limit limit, child_type type) {
  if (limit.is_brutal_kill()) return "brutal_kill";
  if (limit.limit_for(type) == infinity) return "infinity";
  return fmt::format("{} s", std::chrono::duration<double>(limit.limit_for(type)).count());
}

char const* type_text(child_type type) noexcept {
  return type == child_type::supervisor ? "supervisor" : "worker";
}

void add_offender(facts& all, std::string_view id, pid process, child_spec const* spec) {
  if (!id.empty()) all.push_back({"child", std::string(id)});
  if (process) all.push_back({"pid", to_string(process)});
  if (spec == nullptr) return;
  all.push_back(
      {"restart", std::string(restart_names.at(static_cast<std::size_t>(spec->restart)))});
  all.push_back({"shutdown", shutdown_text(spec->shutdown, spec->type)});
  all.push_back({"type", std::string(type_text(spec->type))});
}

}  // namespace

void report_child(std::string text, child_fault const& fault) noexcept {
  defer_exit while_reporting;
  try {
    std::string const me = self_text();
    facts all = {
        {"supervisor", me},
        {"error_context", std::string(context_names.at(static_cast<std::size_t>(fault.context)))},
        {"reason", to_string(fault.reason)}};
    add_offender(all, fault.id, fault.process, fault.spec);
    if (fault.children != 1) all.push_back({"nb_children", std::uint64_t{fault.children}});
    log_report(logger::level::error, fmt::format("supervisor {}: {}", me, text), std::move(all));
  } catch (std::exception const&) {
    // no memory for a report: the supervisor goes on without it
  }
}

void report_started(child_spec const& spec, pid process) noexcept {
  if (!wants_report(logger::level::info)) return;
  defer_exit while_reporting;
  try {
    std::string const me = self_text();
    facts all = {{"supervisor", me}};
    add_offender(all, spec.id, process, &spec);
    log_report(logger::level::info,
               fmt::format("supervisor {}: started {}, {} {}, shutdown {}", me,
                           child_text(spec.id, process),
                           restart_names.at(static_cast<std::size_t>(spec.restart)),
                           type_text(spec.type), shutdown_text(spec.shutdown, spec.type)),
               std::move(all), node_event::kind::progress);
  } catch (std::exception const&) {
    // no memory for a report: the supervisor goes on without it
  }
}

void report_giving_up(std::string const& child, restart_window const& window,
                      exit_reason const& last) noexcept {
  try {
    report_child(
        fmt::format("{} needs restart {} within {} s (allowed: {}), stopping; its last exit: {}",
                    child, window.count(), std::chrono::duration<double>(window.period()).count(),
                    window.intensity(), last),
        {.context = error_context::shutdown, .reason = last, .id = child});
  } catch (std::exception const&) {
    // no memory for a report: the supervisor goes on without it
  }
}

}  // namespace detail
}  // namespace otter
