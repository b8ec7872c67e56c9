// The supervisor of many: children by pid, no order.

#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <memory>
#include <otter/alias.hpp>
#include <otter/dynamic_supervisor.hpp>
#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <otter/link.hpp>
#include <otter/monitor.hpp>
#include <otter/process_info.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/timer.hpp>
#include <string>
#include <unordered_map>
#include <utility>

#include "child.hpp"
#include "report.hpp"
#include "restart_window.hpp"

namespace otter::detail {

struct dynamic_start_request {
  using reply = child_result<pid>;
  child_spec spec;
};
struct dynamic_terminate_request {
  using reply = child_result<void>;
  pid child;
};
struct dynamic_which_request {
  using reply = std::vector<child_info>;
};
struct dynamic_count_request {
  using reply = child_count;
};
/// See retry_restart in supervisor.cpp.
struct dynamic_retry {
  std::uint64_t child;
};

/// Ownership: of its children, by links. Threads: its own process.
/// Invariant: a child is in running_ while it has a process, and in restarting_ while its restart
/// has failed and is tried again; in one of the two.
class dynamic_process : public gen_server<dynamic_process> {
 public:
  using accepts = otter::accepts<dynamic_start_request, dynamic_terminate_request,
                                 dynamic_which_request, dynamic_count_request, dynamic_retry>;

  explicit dynamic_process(dynamic_flags flags)
      : window_(flags.intensity, flags.period), max_children_(flags.max_children) {
    trap_exit(true);
    if (flags.period <= duration::zero())
      throw process_exit(exit_reason::of(bad_child_spec{
          fmt::format("invalid_period: {} ns, must be above 0", flags.period.count())}));
  }

  // --- operations ---

  child_result<pid> handle_call(dynamic_start_request request) {
    child_spec& spec = request.spec;
    if (std::string wrong = wrong_with(spec, false); !wrong.empty())
      return refused<pid>({child_error::kind::invalid, {}, exit_reason::of(bad_child_spec{wrong})});
    if (running_.size() + restarting_.size() >= max_children_)
      return refused<pid>({child_error::kind::max_children, {}, {}});
    auto started = run_start(spec.start);
    if (!started) {
      if (started.error().what == start_error::kind::ignored) return pid{};
      return refused<pid>({child_error::kind::start_failed, {}, started.error().to_reason()});
    }
    child c{spec.shutdown, spec.restart, spec.type, nullptr};
    if (spec.restart != restart_type::temporary)
      c.start = std::make_unique<child_start>(std::move(spec.start));
    add(*started, std::move(c));
    return *started;
  }

  child_result<void> handle_call(dynamic_terminate_request request) {
    auto found = running_.find(request.child);
    if (found == running_.end()) {
      // Just ended: its `exited` is still on its way, or was dealt with.
      if (is_alive(request.child)) return refused<void>({child_error::kind::not_found, {}, {}});
      return {};
    }
    child c = std::move(found->second);
    remove(found);
    const exit_reason ended = stop_child(request.child, c.shutdown, c.type);
    if (!expected_end(ended, c.restart, c.shutdown))
      report_child(
          fmt::format("shutdown error of {}: {}", child_text({}, request.child), ended),
          {.context = error_context::shutdown_error, .reason = ended, .process = request.child});
    return {};
  }

  std::vector<child_info> handle_call(dynamic_which_request) {
    std::vector<child_info> all;
    all.reserve(running_.size() + restarting_.size());
    for (auto const& [process, c] : running_)
      all.push_back({{}, process, false, c.type, c.restart});
    for (auto const& [number, c] : restarting_) all.push_back({{}, {}, true, c.type, c.restart});
    return all;
  }

  child_count handle_call(dynamic_count_request) {
    child_count n;
    n.specs = running_.size() + restarting_.size();
    n.active = running_.size();
    n.supervisors = supervisors_;
    for (auto const& [number, c] : restarting_)
      n.supervisors += c.type == child_type::supervisor ? 1 : 0;
    n.workers = n.specs - n.supervisors;
    return n;
  }

  // --- ends of children ---

  outcome handle_info(exited end) {
    auto found = running_.find(end.process);
    if (found == running_.end()) return noreply();
    child c = std::move(found->second);
    remove(found);
    if (c.restart == restart_type::permanent || end.reason.abnormal())
      report_child(fmt::format("{} terminated: {}", child_text({}, end.process), end.reason),
                   {.context = error_context::child_terminated,
                    .reason = end.reason,
                    .process = end.process});
    if (c.restart == restart_type::temporary ||
        (c.restart == restart_type::transient && end.reason.is_normal_exit()))
      return noreply();
    return start_again(std::move(c), end.reason);
  }

  outcome handle_cast(dynamic_retry retry) {
    auto found = restarting_.find(retry.child);
    if (found == restarting_.end()) return noreply();
    child c = std::move(found->second);
    restarting_.erase(found);
    return start_again(std::move(c), last_failure_);
  }

  /// Tells all children at once; each has its own limit from then on (SUP-30).
  void terminate(exit_reason const&) {
    struct waiting {
      pid process;
      child c;
    };
    std::unordered_map<ref, waiting> left;
    std::multimap<node_clock::time_point, ref> limits;
    const node_clock::time_point now = node_clock::now();
    // Their `down`s come after this; so the wait does not look at the `exited`s before it again.
    const ref marker = make_ref();
    for (auto& [process, c] : running_) {
      const monitor_ref watch = monitor(process);
      unlink(process);
      const duration limit = c.shutdown.limit_for(c.type);
      if (!c.shutdown.is_brutal_kill() && limit != infinity) limits.emplace(now + limit, watch);
      left.emplace(watch, waiting{process, std::move(c)});
    }
    running_.clear();
    for (auto const& [watch, w] : left)
      otter::exit(w.process,
                  w.c.shutdown.is_brutal_kill() ? exit_reason::kill() : exit_reason::shutdown());
    struct ends {
      exit_reason reason;
      std::size_t count = 0;
    };
    std::map<std::string, ends> bad_ends;  // aggregated by reason
    while (!left.empty()) {
      const duration time =
          limits.empty() ? infinity
                         : std::max(limits.begin()->first - node_clock::now(), duration::zero());
      receive_from(marker,
                   when([&](down const& d) { return left.contains(d.ref); },
                        [&](down d) {
                          const auto it = left.find(d.ref);
                          child const& c = it->second.c;
                          // noproc: it had ended before, its `exited` was not dealt with
                          if (!(d.reason == exit_kind::noproc) &&
                              !expected_end(d.reason, c.restart, c.shutdown)) {
                            ends& same = bad_ends[to_string(d.reason)];
                            same.reason = d.reason;
                            ++same.count;
                          }
                          left.erase(it);
                        }),
                   after(time, [&] {
                     const auto due = limits.begin();
                     if (auto it = left.find(due->second); it != left.end())
                       otter::exit(it->second.process, exit_reason::kill());
                     limits.erase(due);
                   }));
    }
    for (auto const& [reason, bad] : bad_ends)
      report_child(
          fmt::format("shutdown error of {} children: {}", bad.count, reason),
          {.context = error_context::shutdown_error, .reason = bad.reason, .children = bad.count});
  }

 private:
  /// Small: there may be a hundred thousand of them.
  struct child {
    shutdown_limit shutdown;
    restart_type restart;
    child_type type;
    std::unique_ptr<child_start> start;  // none if temporary
  };

  template <class T>
  static child_result<T> refused(child_error why) {
    return tl::unexpected<child_error>(std::move(why));
  }

  void add(pid process, child c) {
    supervisors_ += c.type == child_type::supervisor ? 1 : 0;
    report_started({.restart = c.restart, .shutdown = c.shutdown, .type = c.type}, process);
    running_.emplace(process, std::move(c));
  }
  void remove(std::unordered_map<pid, child>::iterator it) {
    supervisors_ -= it->second.type == child_type::supervisor ? 1 : 0;
    running_.erase(it);
  }

  outcome start_again(child c, exit_reason const& last) {
    if (!window_.allow(node_clock::now())) {
      report_giving_up("a child", window_, last);
      return stop(exit_reason::shutdown());
    }
    auto started = run_start(*c.start);
    if (started) {
      add(*started, std::move(c));
    } else if (started.error().what != start_error::kind::ignored) {
      last_failure_ = started.error().to_reason();
      report_child(fmt::format("start error of a child: {}", last_failure_),
                   {.context = error_context::start_error, .reason = last_failure_});
      restarting_.emplace(++last_retry_, std::move(c));
      otter::cast(self(), dynamic_retry{last_retry_});
    }
    return noreply();
  }

  restart_window window_;
  std::size_t max_children_;
  std::size_t supervisors_ = 0;  // of those that run
  std::unordered_map<pid, child> running_;
  std::unordered_map<std::uint64_t, child> restarting_;
  std::uint64_t last_retry_ = 0;
  exit_reason last_failure_{};
};

namespace {

template <class Request>
reply_t<Request> ask(target const& to, Request request) {
  response got = call_target(to, pack<Request>(signal_kind::request, std::move(request)), infinity,
                             descriptor_of<reply_t<Request>>());
  if (!got.reply) throw_call_failed(to, type_name<Request>(), std::move(got.why));
  return unpack_reply<reply_t<Request>>(got.reply);
}

}  // namespace

child_result<pid> dynamic_start_child(target const& to, child_spec spec) {
  return ask(to, dynamic_start_request{std::move(spec)});
}
child_result<void> dynamic_terminate_child(target const& to, pid child) {
  return ask(to, dynamic_terminate_request{child});
}
std::vector<child_info> dynamic_which_children(target const& to) {
  return ask(to, dynamic_which_request{});
}
child_count dynamic_count_children(target const& to) { return ask(to, dynamic_count_request{}); }

}  // namespace otter::detail

namespace otter {

start_result<dynamic_supervisor> dynamic_supervisor::start_link(dynamic_flags flags,
                                                                start_options const& options) {
  auto started = detail::dynamic_process::start_link(options, flags);
  if (!started) return tl::unexpected<start_error>(std::move(started.error()));
  return server_ref<dynamic_supervisor>(started->process());
}

}  // namespace otter
