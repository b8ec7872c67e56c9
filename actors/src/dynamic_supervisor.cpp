// The supervisor of many: children by pid, no order.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <otter/alias.hpp>
#include <otter/detail/system_messages.hpp>
#include <otter/dynamic_supervisor.hpp>
#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <otter/link.hpp>
#include <otter/message.hpp>
#include <otter/monitor.hpp>
#include <otter/process_info.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/timer.hpp>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "backoff.hpp"
#include "child.hpp"
#include "report.hpp"
#include "restart_window.hpp"
#include "running_children.hpp"
#include "supervisor_requests.hpp"

namespace otter::detail {

struct dynamic_start_request {
  using reply = child_result<pid>;
  child_spec spec;
};
struct dynamic_terminate_request {
  using reply = child_result<void>;
  pid child;
};
/// See retry_restart and begin_restart in supervisor.cpp. A child that does not run has the number
/// of the process that it was last, which no other child can ever have.
struct dynamic_retry {
  pid child;
};
struct dynamic_begin {
  pid child;
};

/// Ownership: of its children, by links. Threads: its own process.
/// Invariant: a child is in running_ while it has a process, and in restarting_, by its last one,
/// while its restart waits or has failed and is tried again; in one of the two.
class dynamic_process : public gen_server<dynamic_process> {
 public:
  using accepts = otter::accepts<dynamic_start_request, dynamic_terminate_request, children_request,
                                 count_children_request, dynamic_retry, dynamic_begin>;

  explicit dynamic_process(dynamic_flags flags)
      : window_(flags.intensity, flags.period),
        backoff_(flags.backoff),
        max_children_(flags.max_children) {
    trap_exit(true);
    if (flags.period <= duration::zero())
      refuse_start(fmt::format("invalid_period: {} ns, must be above 0", flags.period.count()));
    if (std::string wrong = wrong_with(flags.backoff); !wrong.empty())
      refuse_start(std::move(wrong));
  }

  ~dynamic_process() { forget_all(); }
  dynamic_process(dynamic_process const&) = delete;
  dynamic_process& operator=(dynamic_process const&) = delete;

  // --- operations ---

  child_result<pid> handle_call(dynamic_start_request request) {
    child_spec& spec = request.spec;
    if (std::string wrong = wrong_with(spec, false); !wrong.empty())
      return refused_spec<pid>(std::move(wrong));
    if (spec.significant)
      return refused_spec<pid>(
          "bad_combination: child is significant, and a dynamic_supervisor has no auto_shutdown");
    if (size() >= max_children_) return refused<pid>(child_error::kind::max_children);
    auto started = start_here(spec.start);
    if (!started) {
      if (started.error().what == start_error::kind::ignored) return pid{};
      return refused<pid>(child_error::kind::start_failed, {}, started.error().to_reason());
    }
    child c{{spec.shutdown, spec.restart, spec.type}, nullptr};
    if (spec.restart != restart_type::temporary)
      c.again = std::make_unique<starting_again>(starting_again{c.how, std::move(spec.start), {}});
    runs(*started, std::move(c));
    return *started;
  }

  child_result<void> handle_call(dynamic_terminate_request request) {
    auto const* const found = running_.find(number_of(request.child));
    if (found == nullptr) {
      if (auto again = restarting_.find(request.child); again != restarting_.end()) {
        if (again->second.timer) cancel_timer(again->second.timer);
        restarting_.erase(again);
        return {};
      }
      // Just ended: its `exited` was dealt with, and it is not started again.
      if (is_alive(request.child)) return refused<void>(child_error::kind::not_found);
      return {};
    }
    const child c = take(found);
    const exit_reason ended = stop_child(request.child, c.how.shutdown, c.how.type);
    if (!expected_end(ended, c.how.restart, c.how.shutdown))
      report_child(
          fmt::format("shutdown error of {}: {}", child_text({}, request.child), ended),
          {.context = error_context::shutdown_error, .reason = ended, .process = request.child});
    return {};
  }

  children_list handle_call(children_request request) {
    children_list list;
    list.kind = "dynamic supervisor";
    const std::size_t shown = std::min(size(), request.most);
    list.left_out = size() - shown;
    list.children.reserve(shown);
    running_.for_each([&](running_children::place const& p) {
      if (list.children.size() == shown) return false;
      policy const& how = how_of(p.word);
      list.children.push_back({{}, process_of(p.process), false, how.type, how.restart});
      return true;
    });
    for (auto it = restarting_.begin(); list.children.size() != shown; ++it)
      list.children.push_back({{}, {}, true, it->second.c.how.type, it->second.c.how.restart});
    return list;
  }

  child_count handle_call(count_children_request) {
    child_count n;
    n.specs = size();
    n.active = running_.size();
    n.supervisors = supervisors_;
    for (auto const& [last, w] : restarting_)
      n.supervisors += w.c.how.type == child_type::supervisor ? 1 : 0;
    n.workers = n.specs - n.supervisors;
    return n;
  }

  // --- ends of children ---

  outcome handle_info(exited end) {
    auto const* const found = running_.find(number_of(end.process));
    if (found == nullptr) return noreply();
    child c = take(found);
    if (c.how.restart == restart_type::permanent || end.reason.abnormal())
      report_child(fmt::format("{} terminated: {}", child_text({}, end.process), end.reason),
                   {.context = error_context::child_terminated,
                    .reason = end.reason,
                    .process = end.process});
    if (c.how.restart == restart_type::temporary ||
        (c.how.restart == restart_type::transient && end.reason.is_normal_exit()))
      return noreply();
    return restart(end.process, std::move(c), std::move(end.reason));
  }

  outcome handle_cast(dynamic_retry retry) {
    auto found = restarting_.find(retry.child);
    if (found == restarting_.end()) return noreply();  // terminate_child() took it back
    waiting w = std::move(found->second);
    restarting_.erase(found);
    return restart(retry.child, std::move(w.c), std::move(w.last));
  }

  void handle_info(dynamic_begin due) {
    auto found = restarting_.find(due.child);
    if (found == restarting_.end()) return;
    child c = std::move(found->second.c);
    restarting_.erase(found);
    start_again(due.child, std::move(c));
  }

  /// Tells all children at once; each has its own limit from then on (SUP-30).
  void terminate(exit_reason const&) {
    struct ending {
      pid process;
      policy how;
    };
    std::unordered_map<ref, ending> left;
    std::multimap<node_clock::time_point, ref> limits;
    const node_clock::time_point now = node_clock::now();
    // Their `down`s come after this; so the wait does not look at the `exited`s before it again.
    const ref marker = make_ref();
    running_.for_each([&](running_children::place const& p) {
      const pid process = process_of(p.process);
      policy const& how = how_of(p.word);
      const monitor_ref watch = monitor(process);
      unlink(process);
      const duration limit = how.shutdown.limit_for(how.type);
      if (!how.shutdown.is_brutal_kill() && limit != infinity) limits.emplace(now + limit, watch);
      left.emplace(watch, ending{process, how});
      return true;
    });
    forget_all();
    for (auto const& [watch, w] : left)
      otter::exit(w.process,
                  w.how.shutdown.is_brutal_kill() ? exit_reason::kill() : exit_reason::shutdown());
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
                          policy const& how = it->second.how;
                          // noproc: it had ended before, its `exited` was not dealt with
                          if (!(d.reason == exit_kind::noproc) &&
                              !expected_end(d.reason, how.restart, how.shutdown)) {
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
  struct policy {
    shutdown_limit shutdown;
    restart_type restart;
    child_type type;
    friend bool operator==(policy const&, policy const&) noexcept = default;
  };
  struct starting_again {
    policy how;
    child_start start;
    restart_history history;
  };
  struct child {
    policy how;
    std::unique_ptr<starting_again> again;  // none if temporary
  };
  struct waiting {
    child c;
    exit_reason last;   // why it has to be started again
    timer_ref timer{};  // of its back-off
  };

  /// As run_start(). A process of another node cannot be linked to us.
  static tl::expected<pid, start_error> start_here(child_start const& start) {
    auto started = run_start(start);
    if (started && number_of(*started) == 0)
      return tl::unexpected<start_error>(
          {start_error::kind::failed,
           {},
           exit_reason::bad_return_value("a process of another node")});
    return started;
  }

  [[nodiscard]] std::size_t size() const noexcept { return running_.size() + restarting_.size(); }

  // A child that runs is a number and a word. Of a temporary one the word says which of policies_
  // it has: mostly all have the same. Of others, and when there are too many policies, it is the
  // address of a starting_again.
  static constexpr std::size_t most_policies = 64;
  static constexpr std::uintptr_t policy_mark = 1;
  static bool is_policy(std::uintptr_t word) noexcept { return (word & policy_mark) != 0; }
  static starting_again* block_of(std::uintptr_t word) noexcept {
    return reinterpret_cast<starting_again*>(word);
  }
  [[nodiscard]] policy const& how_of(std::uintptr_t word) const noexcept {
    return is_policy(word) ? policies_[word >> 1] : block_of(word)->how;
  }
  std::unique_ptr<starting_again> block_for(child& c) {
    if (c.again) return std::move(c.again);
    return std::make_unique<starting_again>(starting_again{c.how, {}, {}});
  }

  void runs(pid process, child c) {
    if (c.again) backoff_.started(c.again->history);
    std::size_t which = most_policies;
    if (!c.again) {
      which = static_cast<std::size_t>(std::find(policies_.begin(), policies_.end(), c.how) -
                                       policies_.begin());
      if (which == policies_.size() && which != most_policies) policies_.push_back(c.how);
    }
    if (which != most_policies) {
      running_.insert(number_of(process), which << 1 | policy_mark);
    } else {
      std::unique_ptr<starting_again> block = block_for(c);
      running_.insert(number_of(process), reinterpret_cast<std::uintptr_t>(block.get()));
      block.release();
    }
    supervisors_ += c.how.type == child_type::supervisor ? 1 : 0;
  }
  child take(running_children::place const* found) noexcept {
    child c{how_of(found->word), nullptr};
    if (!is_policy(found->word)) {
      c.again.reset(block_of(found->word));
      if (!c.again->start) c.again.reset();
    }
    supervisors_ -= c.how.type == child_type::supervisor ? 1 : 0;
    running_.erase(found);
    return c;
  }
  void forget_all() noexcept {
    running_.for_each([](running_children::place const& p) {
      if (!is_policy(p.word)) delete block_of(p.word);
      return true;
    });
    running_.clear();
  }

  /// One restart event: counts now, and begins now or after the back-off.
  outcome restart(pid ended, child c, exit_reason last) {
    if (!window_.allow(node_clock::now())) {
      report_giving_up("a child", window_, last);
      return stop(exit_reason::shutdown());
    }
    if (!backoff_.is_on()) {
      start_again(ended, std::move(c));
      return noreply();
    }
    const duration wait = backoff_.next_wait(c.again->history);
    const timer_ref timer = otter::send_after(wait, self(), dynamic_begin{ended});
    restarting_.emplace(ended, waiting{std::move(c), std::move(last), timer});
    return noreply();
  }

  void start_again(pid ended, child c) {
    auto started = start_here(c.again->start);
    if (started) {
      runs(*started, std::move(c));
    } else if (started.error().what != start_error::kind::ignored) {
      exit_reason why = started.error().to_reason();
      report_child(fmt::format("start error of a child: {}", why),
                   {.context = error_context::start_error, .reason = why});
      restarting_.emplace(ended, waiting{std::move(c), std::move(why)});
      otter::cast(self(), dynamic_retry{ended});
    }
  }

  restart_window window_;
  backoff backoff_;
  std::size_t max_children_;
  std::size_t supervisors_ = 0;   // of those that run
  std::vector<policy> policies_;  // of temporary children; none is ever taken away
  running_children running_;
  std::unordered_map<pid, waiting> restarting_;
};

child_result<pid> dynamic_start_child(target const& to, child_spec spec) {
  return ask(to, dynamic_start_request{std::move(spec)});
}
child_result<void> dynamic_terminate_child(target const& to, pid child) {
  return ask(to, dynamic_terminate_request{child});
}
std::vector<child_info> dynamic_which_children(target const& to) {
  return ask(to, children_request{}).children;
}
child_count dynamic_count_children(target const& to) { return ask(to, count_children_request{}); }

}  // namespace otter::detail

namespace otter {

start_result<dynamic_supervisor> dynamic_supervisor::start_link(dynamic_flags flags,
                                                                start_options const& options) {
  auto started = detail::dynamic_process::start_link(options, flags);
  if (!started) return tl::unexpected<start_error>(std::move(started.error()));
  return server_ref<dynamic_supervisor>(started->process());
}

}  // namespace otter
