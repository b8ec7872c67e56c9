// The supervisor: a gen_server whose state is its children.

#include <fmt/format.h>

#include <cstdint>
#include <iterator>
#include <list>
#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <otter/spawn.hpp>
#include <otter/supervisor.hpp>
#include <otter/timer.hpp>
#include <unordered_map>
#include <utility>

#include "child.hpp"
#include "report.hpp"
#include "restart_window.hpp"

namespace otter::detail {

// --- what the operations send ---

struct start_child_request {
  using reply = child_result<pid>;
  child_spec spec;
};
struct terminate_child_request {
  using reply = child_result<void>;
  std::string id;
};
struct restart_child_request {
  using reply = child_result<pid>;
  std::string id;
};
struct delete_child_request {
  using reply = child_result<void>;
  std::string id;
};
struct get_childspec_request {
  using reply = child_result<child_spec>;
  std::string id;
};
struct which_children_request {
  using reply = std::vector<child_info>;
};
struct count_children_request {
  using reply = child_count;
};
/// Sent by a supervisor to itself: a restart failed, try again. Through the mailbox, so that
/// whatever else it was asked meanwhile, to shut down too, comes first (SUP-22, SUP-25).
struct retry_restart {
  std::uint64_t child;
};

/// Ownership: of its children, by links. Threads: its own process.
/// Invariant: children_ is in start order; by_id_ names all of them, by_pid_ those that run.
class supervisor_process : public gen_server<supervisor_process> {
 public:
  using accepts = otter::accepts<start_child_request, terminate_child_request,
                                 restart_child_request, delete_child_request, get_childspec_request,
                                 which_children_request, count_children_request, retry_restart>;

  supervisor_process(supervisor_flags flags, std::vector<child_spec> specs)
      : strategy_(flags.strategy), window_(flags.intensity, flags.period) {
    trap_exit(true);
    check(flags);
    for (child_spec& spec : specs) {
      if (std::string wrong = wrong_with(spec, true); !wrong.empty()) refuse(std::move(wrong));
      if (by_id_.contains(spec.id))
        refuse(fmt::format("duplicate_child_name: there are two children \"{}\"", spec.id));
      add(std::move(spec));
    }
  }

  init_outcome init() {
    for (auto it = children_.begin(); it != children_.end();) {
      auto started = run_start(it->spec.start);
      if (!started && started.error().what != start_error::kind::ignored) {
        exit_reason why = started.error().to_reason();
        report_start_error(*it, why);
        stop_all();
        return stop(exit_reason::shutdown(failed_to_start_child{it->spec.id, std::move(why)}));
      }
      auto here = it++;
      if (started)
        runs(here, *started);
      else if (here->spec.restart == restart_type::temporary)
        forget(here);
    }
    return ok();
  }

  // --- operations ---

  child_result<pid> handle_call(start_child_request request) {
    if (std::string wrong = wrong_with(request.spec, true); !wrong.empty())
      return refused<pid>({child_error::kind::invalid, {}, exit_reason::of(bad_child_spec{wrong})});
    if (auto found = by_id_.find(request.spec.id); found != by_id_.end()) {
      child const& there = *found->second;
      if (there.process)
        return refused<pid>({child_error::kind::already_started, there.process, {}});
      return refused<pid>({child_error::kind::already_present, {}, {}});
    }
    auto started = run_start(request.spec.start);
    if (!started && started.error().what != start_error::kind::ignored)
      return refused<pid>({child_error::kind::start_failed, {}, started.error().to_reason()});
    if (!started && request.spec.restart == restart_type::temporary) return pid{};
    auto it = add(std::move(request.spec));
    if (!started) return pid{};
    runs(it, *started);
    return *started;
  }

  child_result<void> handle_call(terminate_child_request request) {
    auto found = by_id_.find(request.id);
    if (found == by_id_.end()) return refused<void>({child_error::kind::not_found, {}, {}});
    auto it = found->second;
    shut_down(it);
    if (it->spec.restart == restart_type::temporary) forget(it);
    return {};
  }

  child_result<pid> handle_call(restart_child_request request) {
    auto found = by_id_.find(request.id);
    if (auto no = not_idle(found)) return refused<pid>(std::move(*no));
    auto it = found->second;
    auto started = run_start(it->spec.start);
    if (started) {
      runs(it, *started);
      return *started;
    }
    if (started.error().what == start_error::kind::ignored) return pid{};
    return refused<pid>({child_error::kind::start_failed, {}, started.error().to_reason()});
  }

  child_result<void> handle_call(delete_child_request request) {
    auto found = by_id_.find(request.id);
    if (auto no = not_idle(found)) return refused<void>(std::move(*no));
    forget(found->second);
    return {};
  }

  child_result<child_spec> handle_call(get_childspec_request request) {
    auto found = by_id_.find(request.id);
    if (found == by_id_.end()) return refused<child_spec>({child_error::kind::not_found, {}, {}});
    return found->second->spec;
  }

  std::vector<child_info> handle_call(which_children_request) {
    std::vector<child_info> all;
    all.reserve(children_.size());
    for (auto it = children_.rbegin(); it != children_.rend(); ++it)
      all.push_back(
          {it->spec.id, it->process, it->restarting != 0, it->spec.type, it->spec.restart});
    return all;
  }

  child_count handle_call(count_children_request) {
    child_count n;
    n.specs = children_.size();
    n.active = by_pid_.size();
    for (child const& c : children_)
      ++(c.spec.type == child_type::supervisor ? n.supervisors : n.workers);
    return n;
  }

  // --- ends of children ---

  outcome handle_info(exited end) {
    auto found = by_pid_.find(end.process);
    if (found == by_pid_.end()) return noreply();  // no child of ours, or one that we stopped
    auto it = found->second;
    by_pid_.erase(found);
    const pid process = std::exchange(it->process, pid{});
    const restart_type restart = it->spec.restart;
    if (restart == restart_type::permanent || end.reason.abnormal())
      report_child(fmt::format("{} terminated: {}", child_text(it->spec.id, process), end.reason),
                   {error_context::child_terminated, end.reason, it->spec.id, process, &it->spec});
    if (restart == restart_type::temporary) {
      forget(it);
      return noreply();
    }
    if (restart == restart_type::transient && end.reason.is_normal_exit()) return noreply();
    return restart_from(it, end.reason);
  }

  outcome handle_cast(retry_restart retry) {
    auto found = retries_.find(retry.child);
    if (found == retries_.end()) return noreply();  // terminate_child() took the retry back
    auto it = found->second;
    exit_reason last = std::move(it->last);
    no_retry(it);
    return restart_from(it, last);
  }

  void terminate(exit_reason const&) { stop_all(); }

 private:
  struct child {
    child_spec spec;
    pid process{};
    std::uint64_t restarting = 0;  // the number of its retry
    exit_reason last{};            // of the start that failed
  };
  using iterator = std::list<child>::iterator;

  template <class T>
  static child_result<T> refused(child_error why) {
    return tl::unexpected<child_error>(std::move(why));
  }
  [[noreturn]] static void refuse(std::string wrong) {
    throw process_exit(exit_reason::of(bad_child_spec{std::move(wrong)}));
  }
  static void check(supervisor_flags const& flags) {
    if (flags.strategy > strategy_type::rest_for_one)
      refuse(fmt::format("invalid_strategy: {}", static_cast<int>(flags.strategy)));
    if (flags.period <= duration::zero())
      refuse(fmt::format("invalid_period: {} ns, must be above 0", flags.period.count()));
  }

  iterator add(child_spec spec) {
    children_.push_back(child{std::move(spec)});
    auto it = std::prev(children_.end());
    by_id_.emplace(it->spec.id, it);
    return it;
  }
  void forget(iterator it) {
    no_retry(it);
    by_id_.erase(it->spec.id);
    children_.erase(it);
  }
  void runs(iterator it, pid process) {
    it->process = process;
    by_pid_.emplace(process, it);
    report_started(it->spec, process);
  }
  void no_retry(iterator it) {
    if (it->restarting == 0) return;
    retries_.erase(std::exchange(it->restarting, 0));
  }

  /// Why a child cannot be started or deleted by hand; nothing if it can.
  std::optional<child_error> not_idle(
      std::unordered_map<std::string, iterator>::iterator found) const {
    if (found == by_id_.end()) return child_error{child_error::kind::not_found, {}, {}};
    if (found->second->process)
      return child_error{child_error::kind::running, found->second->process, {}};
    if (found->second->restarting != 0) return child_error{child_error::kind::restarting, {}, {}};
    return std::nullopt;
  }

  /// Stops a child if it runs, and takes its retry back. It is kept.
  void shut_down(iterator it) {
    no_retry(it);
    if (!it->process) return;
    const pid process = std::exchange(it->process, pid{});
    by_pid_.erase(process);
    const exit_reason ended = stop_child(process, it->spec.shutdown, it->spec.type);
    if (!expected_end(ended, it->spec.restart, it->spec.shutdown))
      report_child(fmt::format("shutdown error of {}: {}", child_text(it->spec.id, process), ended),
                   {error_context::shutdown_error, ended, it->spec.id, process, &it->spec});
  }
  void stop_all() { stop_from(children_.begin()); }
  /// Stops `first` and all that were started after it, the newest first.
  void stop_from(iterator first) {
    for (auto it = children_.end(); it != first;) shut_down(--it);
  }

  /// One restart event (SUP-14, SUP-18).
  outcome restart_from(iterator failed, exit_reason const& last) {
    if (!window_.allow(node_clock::now())) {
      report_giving_up(child_text(failed->spec.id, {}), window_, last);
      return stop(exit_reason::shutdown());
    }
    if (strategy_ == strategy_type::one_for_one) {
      start_again(failed);
      return noreply();
    }
    const auto first = strategy_ == strategy_type::one_for_all ? children_.begin() : failed;
    stop_from(first);
    for (auto it = first; it != children_.end();) {
      auto here = it++;
      if (here->spec.restart == restart_type::temporary) {
        forget(here);  // not restarted with its siblings (SUP-15)
      } else if (!start_again(here)) {
        break;  // those after it wait for the retry (SUP-23)
      }
    }
    return noreply();
  }

  /// Starts a child; if that fails, tries again later. True if the round can go on.
  bool start_again(iterator it) {
    auto started = run_start(it->spec.start);
    if (started) {
      runs(it, *started);
      return true;
    }
    if (started.error().what == start_error::kind::ignored) return true;
    it->last = started.error().to_reason();
    report_start_error(*it, it->last);
    it->restarting = ++last_retry_;
    retries_.emplace(it->restarting, it);
    otter::cast(self(), retry_restart{it->restarting});
    return false;
  }

  static void report_start_error(child const& c, exit_reason const& why) {
    report_child(fmt::format("start error of {}: {}", child_text(c.spec.id, {}), why),
                 {error_context::start_error, why, c.spec.id, {}, &c.spec});
  }

  strategy_type strategy_;
  restart_window window_;
  std::list<child> children_;
  std::unordered_map<std::string, iterator> by_id_;
  std::unordered_map<pid, iterator> by_pid_;
  std::unordered_map<std::uint64_t, iterator> retries_;
  std::uint64_t last_retry_ = 0;
};

namespace {

/// As otter::call(), without a limit.
template <class Request>
reply_t<Request> ask(target const& to, Request request) {
  response got = call_target(to, pack<Request>(signal_kind::request, std::move(request)), infinity,
                             descriptor_of<reply_t<Request>>());
  if (!got.reply) throw_call_failed(to, type_name<Request>(), std::move(got.why));
  return unpack_reply<reply_t<Request>>(got.reply);
}

}  // namespace

child_result<pid> supervisor_start_child(target const& to, child_spec spec) {
  return ask(to, start_child_request{std::move(spec)});
}
child_result<void> supervisor_terminate_child(target const& to, std::string_view id) {
  return ask(to, terminate_child_request{std::string(id)});
}
child_result<pid> supervisor_restart_child(target const& to, std::string_view id) {
  return ask(to, restart_child_request{std::string(id)});
}
child_result<void> supervisor_delete_child(target const& to, std::string_view id) {
  return ask(to, delete_child_request{std::string(id)});
}
child_result<child_spec> supervisor_get_childspec(target const& to, std::string_view id) {
  return ask(to, get_childspec_request{std::string(id)});
}
std::vector<child_info> supervisor_which_children(target const& to) {
  return ask(to, which_children_request{});
}
child_count supervisor_count_children(target const& to) {
  return ask(to, count_children_request{});
}

}  // namespace otter::detail

namespace otter {

start_result<supervisor> supervisor::start_link(supervisor_flags flags,
                                                std::vector<child_spec> children,
                                                start_options const& options) {
  auto started = detail::supervisor_process::start_link(options, flags, std::move(children));
  if (!started) return tl::unexpected<start_error>(std::move(started.error()));
  return server_ref<supervisor>(started->process());
}

}  // namespace otter
