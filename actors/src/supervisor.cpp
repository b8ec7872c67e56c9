// The supervisor: a gen_server whose state is its children.

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <otter/detail/code_change.hpp>
#include <otter/detail/system_message.hpp>
#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <otter/message.hpp>
#include <otter/spawn.hpp>
#include <otter/supervisor.hpp>
#include <otter/timer.hpp>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "backoff.hpp"
#include "child.hpp"
#include "child_table.hpp"
#include "report.hpp"
#include "restart_window.hpp"
#include "supervisor_requests.hpp"

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
/// Sent by a supervisor to itself: a restart failed, try again. Through the mailbox, so that
/// whatever else it was asked meanwhile, to shut down too, comes first (SUP-22, SUP-25).
struct retry_restart {
  std::uint64_t restart;
};
/// The back-off of a restart is over.
struct begin_restart {
  std::uint64_t restart;
};

/// Where its flags and children come from, if a class says them.
struct supervisor_source {
  supervisor_class const* says;
  any_message argument{};

  /// What it says. Throws: process_exit.
  supervisor_init ask(supervisor_class const& by) {
    supervisor_init said;
    exit_reason why;
    if (!by.init(argument ? argument.envelope()->payload() : nullptr, said, why))
      throw process_exit(std::move(why));
    return said;
  }
};

/// Ownership: of its children, by links. Threads: its own process.
class supervisor_process : public gen_server<supervisor_process> {
 public:
  using accepts =
      otter::accepts<start_child_request, terminate_child_request, restart_child_request,
                     delete_child_request, get_childspec_request, children_request,
                     count_children_request, retry_restart, begin_restart>;

  explicit supervisor_process(supervisor_init said)
      : flags_(said.flags),
        window_(said.flags.intensity, said.flags.period),
        backoff_(said.flags.backoff) {
    trap_exit(true);
    if (std::string wrong = wrong_with(said, said.children.size()); !wrong.empty())
      refuse_start(std::move(wrong));
    for (child_spec& spec : said.children) children_.add(std::move(spec));
  }
  explicit supervisor_process(supervisor_source source)
      : supervisor_process(source.ask(*source.says)) {
    use_ = std::make_shared<part_use>(source.says);
    for (child& c : children_) c.use = use_;
    source_ = std::make_unique<supervisor_source>(std::move(source));
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
        children_.forget(here);
    }
    return ok();
  }

  // --- operations ---

  child_result<pid> handle_call(start_child_request request) {
    if (std::string wrong = wrong_with_child(request.spec, flags_); !wrong.empty())
      return refused_spec<pid>(std::move(wrong));
    if (auto there = children_.find(request.spec.id); there != children_.end()) {
      if (there->process) return refused<pid>(child_error::kind::already_started, there->process);
      return refused<pid>(child_error::kind::already_present);
    }
    if (children_.size() >= flags_.max_children)
      return refused<pid>(child_error::kind::max_children);
    auto started = run_start(request.spec.start);
    if (!started && started.error().what != start_error::kind::ignored)
      return refused<pid>(child_error::kind::start_failed, {}, started.error().to_reason());
    if (!started && request.spec.restart == restart_type::temporary) return pid{};
    auto it = children_.add(std::move(request.spec));
    if (!started) return pid{};
    runs(it, *started);
    return *started;
  }

  child_result<void> handle_call(terminate_child_request request) {
    auto it = children_.find(request.id);
    if (it == children_.end()) return refused<void>(child_error::kind::not_found);
    shut_down(it);
    it->history = {};
    if (it->spec.restart == restart_type::temporary) children_.forget(it);
    return {};
  }

  child_result<pid> handle_call(restart_child_request request) {
    auto it = children_.find(request.id);
    if (auto no = not_idle(it)) return tl::unexpected<child_error>(std::move(*no));
    auto started = run_start(it->spec.start);
    if (started) {
      runs(it, *started);
      return *started;
    }
    if (started.error().what == start_error::kind::ignored) return pid{};
    return refused<pid>(child_error::kind::start_failed, {}, started.error().to_reason());
  }

  child_result<void> handle_call(delete_child_request request) {
    auto it = children_.find(request.id);
    if (auto no = not_idle(it)) return tl::unexpected<child_error>(std::move(*no));
    children_.forget(it);
    return {};
  }

  child_result<child_spec> handle_call(get_childspec_request request) {
    auto it = children_.find(request.id);
    if (it == children_.end()) return refused<child_spec>(child_error::kind::not_found);
    return it->spec;
  }

  children_list handle_call(children_request request) {
    children_list list;
    list.kind = fmt::format("{} supervisor", to_string(flags_.strategy));
    const std::size_t shown = std::min(children_.size(), request.most);
    list.left_out = children_.size() - shown;
    list.children.reserve(shown);
    for (auto it = children_.begin(); list.children.size() != shown; ++it)
      list.children.push_back(
          {it->spec.id, it->process, it->restart != 0, it->spec.type, it->spec.restart});
    return list;
  }

  child_count handle_call(count_children_request) {
    child_count n;
    n.specs = children_.size();
    n.active = children_.running();
    for (child const& c : children_)
      ++(c.spec.type == child_type::supervisor ? n.supervisors : n.workers);
    return n;
  }

  // --- ends of children ---

  outcome handle_info(exited end) {
    auto it = children_.find(end.process);
    if (it == children_.end()) return noreply();  // no child of ours, or one that we stopped
    const pid process = children_.has_no_process(it);
    const restart_type restart = it->spec.restart;
    if (restart == restart_type::permanent || end.reason.abnormal())
      report_child(fmt::format("{} terminated: {}", child_text(it->spec.id, process), end.reason),
                   {error_context::child_terminated, end.reason, it->spec.id, process, &it->spec});
    if (restart == restart_type::permanent ||
        (restart == restart_type::transient && !end.reason.is_normal_exit()))
      return restart_for(it, std::move(end.reason));
    const bool significant = it->spec.significant;
    if (restart == restart_type::temporary) children_.forget(it);
    return significant ? after_significant_end() : noreply();
  }

  outcome handle_cast(retry_restart retry) {
    auto it = children_.find_restart(retry.restart);
    if (it == children_.end()) return noreply();  // terminate_child() took the retry back
    children_.no_restart(it);
    return restart_for(it, std::move(it->last));
  }

  void handle_info(begin_restart due) {
    auto it = children_.find_restart(due.restart);
    if (it == children_.end()) return;
    children_.no_restart(it);
    start_round(it);
  }

  void terminate(exit_reason const&) { stop_all(); }

  // --- another version of its module ---

  /// Its class is asked again (SUP-39): flags are replaced, specifications too, by their ids; new
  /// children are there and not started, and those that are not said any more are kept, behind the
  /// others. No child notices.
  void change_parts(code_change_request& wanted) {
    supervisor_class const& now = class_of_version(wanted);
    supervisor_init said = source_->ask(now);
    std::size_t more = 0;
    for (child_spec const& spec : said.children)
      if (children_.find(spec.id) == children_.end()) ++more;
    if (std::string wrong = wrong_with(said, children_.size() + more); !wrong.empty())
      refuse_change(wrong);
    if (wanted.check) return;
    auto use = std::make_shared<part_use>(&now);
    const std::vector<iterator> order = make_room(said.children);
    // Nothing fails any more.
    for (std::size_t i = 0; i < order.size(); ++i) {
      order[i]->spec = std::move(said.children[i]);
      order[i]->use = use;  // one that is kept goes on to use the version that its start is of
    }
    children_.put_first(order);
    flags_ = said.flags;
    window_.allow_other(flags_.intensity, flags_.period);
    backoff_ = backoff(flags_.backoff);
    source_->says = &now;
    use_ = std::move(use);
  }

 private:
  using child = child_table::child;
  using iterator = child_table::iterator;

  supervisor_class const& class_of_version(code_change_request const& wanted) const {
    auto const from =
        source_ == nullptr ? std::nullopt : class_of_part(source_->says, source_->says->name);
    if (!from)
      refuse_change(
          "no class of a module says its flags and children: see "
          "supervisor::start_link<T>()");
    std::string_view const name = source_->says->name;
    if (from->module != wanted.module)
      refuse_change(fmt::format("its class {} is of module {}, and not of {}", name, from->module,
                                wanted.module));
    module_class const to = class_to_go_to(wanted, name);
    auto const& listed = *static_cast<change_class const*>(to.behaviour);
    if (listed.kind != "supervisor")
      refuse_change(
          fmt::format("{} is a supervisor, and a {} in version {}", name, listed.kind, to.version));
    auto const& now = static_cast<supervisor_class const&>(listed);
    type_descriptor const* const given = source_->argument.type();
    if ((given == nullptr) != (now.argument == nullptr) ||
        (given != nullptr && !same_type(*given, *now.argument)))
      refuse_change(fmt::format("init() of {} takes {} in version {}, and it was started with {}",
                                name, now.argument == nullptr ? "nothing" : now.argument->name,
                                to.version, given == nullptr ? "nothing" : given->name));
    return now;
  }

  /// The place of each, at the end if it is new. Throws: std::bad_alloc; then none is there.
  std::vector<iterator> make_room(std::vector<child_spec> const& specs) {
    std::vector<iterator> places;
    std::vector<iterator> added;
    places.reserve(specs.size());
    added.reserve(specs.size());
    try {
      for (child_spec const& spec : specs) {
        iterator it = children_.find(spec.id);
        if (it == children_.end()) added.push_back(it = children_.add(child_spec{.id = spec.id}));
        places.push_back(it);
      }
    } catch (...) {
      for (iterator it : added) children_.forget(it);
      throw;
    }
    return places;
  }

  // --- what may be asked of us ---

  /// What is wrong with flags and children, of which there would be so many then; nothing if they
  /// can be obeyed.
  static std::string wrong_with(supervisor_init const& said, std::size_t children) {
    supervisor_flags const& flags = said.flags;
    if (flags.strategy > strategy_type::rest_for_one)
      return fmt::format("invalid_strategy: {}", static_cast<int>(flags.strategy));
    if (flags.period <= duration::zero())
      return fmt::format("invalid_period: {} ns, must be above 0", flags.period.count());
    if (flags.auto_shutdown > auto_shutdown_type::all_significant)
      return fmt::format("invalid_auto_shutdown: {}", static_cast<int>(flags.auto_shutdown));
    if (std::string wrong = detail::wrong_with(flags.backoff); !wrong.empty()) return wrong;
    if (children > flags.max_children)
      return fmt::format("max_children: {} children, allowed are {}", children, flags.max_children);
    std::unordered_set<std::string_view> ids;
    for (child_spec const& spec : said.children) {
      if (std::string wrong = wrong_with_child(spec, flags); !wrong.empty()) return wrong;
      if (!ids.insert(spec.id).second)
        return fmt::format("duplicate_child_name: there are two children \"{}\"", spec.id);
    }
    return {};
  }

  static std::string wrong_with_child(child_spec const& spec, supervisor_flags const& flags) {
    std::string wrong = detail::wrong_with(spec, true);
    if (!wrong.empty() || !spec.significant) return wrong;
    if (flags.auto_shutdown == auto_shutdown_type::never)
      return fmt::format(
          "bad_combination: child \"{}\" is significant, and its supervisor's auto_shutdown is "
          "never",
          spec.id);
    if (spec.restart == restart_type::permanent)
      return fmt::format(
          "bad_combination: child \"{}\" is significant and permanent; one that is always "
          "restarted never ends",
          spec.id);
    return {};
  }

  /// Why a child cannot be started or deleted by hand; nothing if it can.
  std::optional<child_error> not_idle(iterator it) {
    if (it == children_.end()) return child_error{child_error::kind::not_found, {}, {}};
    if (it->process) return child_error{child_error::kind::running, it->process, {}};
    if (it->restart != 0) return child_error{child_error::kind::restarting, {}, {}};
    return std::nullopt;
  }

  // --- starting and stopping ---

  void runs(iterator it, pid process) {
    children_.has_process(it, process);
    backoff_.started(it->history);
    report_started(it->spec, process);
  }

  /// Stops a child if it runs, and takes its restart back. It is kept.
  void shut_down(iterator it) {
    children_.no_restart(it);
    const pid process = children_.has_no_process(it);
    if (!process) return;
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

  // --- restarts ---

  /// The first child that is started again with `failed`; those after it are too, unless that is
  /// the strategy that knows no others.
  iterator first_of_round(iterator failed) {
    return strategy() == strategy_type::one_for_all ? children_.begin() : failed;
  }

  /// One restart event (SUP-14, SUP-18). It counts now, and begins now or after its back-off; the
  /// others that it concerns do not run meanwhile.
  outcome restart_for(iterator failed, exit_reason last) {
    if (!window_.allow(node_clock::now())) {
      report_giving_up(child_text(failed->spec.id, {}), window_, last);
      return stop(exit_reason::shutdown());
    }
    if (!backoff_.is_on()) {
      start_round(failed);
      return noreply();
    }
    clear_round(failed);
    const duration wait = backoff_.next_wait(failed->history);
    const std::uint64_t restart = children_.waits_for_restart(failed);
    failed->waits = otter::send_after(wait, self(), begin_restart{restart});
    return noreply();
  }

  /// Stops all that are to be started again; temporary ones are not, and forgotten (SUP-15).
  void clear_round(iterator failed) {
    if (strategy() == strategy_type::one_for_one) return;
    const auto first = first_of_round(failed);
    stop_from(first);
    for (auto it = first; it != children_.end();)
      it = it->spec.restart == restart_type::temporary ? children_.forget(it) : std::next(it);
  }

  void start_round(iterator failed) {
    if (strategy() == strategy_type::one_for_one) {
      start_again(failed);
      return;
    }
    clear_round(failed);
    // After one that fails the others wait for its retry (SUP-23).
    for (auto it = first_of_round(failed); it != children_.end() && start_again(it);) ++it;
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
    otter::cast(self(), retry_restart{children_.waits_for_restart(it)});
    return false;
  }

  // --- the end ---

  /// A significant child has ended by itself and is not restarted (SUP-38).
  outcome after_significant_end() {
    const bool others_live = std::any_of(children_.begin(), children_.end(), [](child const& c) {
      return c.spec.significant && (c.process || c.restart != 0);
    });
    if (flags_.auto_shutdown == auto_shutdown_type::all_significant && others_live)
      return noreply();
    return stop(exit_reason::shutdown());
  }

  static void report_start_error(child const& c, exit_reason const& why) {
    report_child(fmt::format("start error of {}: {}", child_text(c.spec.id, {}), why),
                 {error_context::start_error, why, c.spec.id, {}, &c.spec});
  }

  [[nodiscard]] strategy_type strategy() const noexcept { return flags_.strategy; }

  supervisor_flags flags_;
  restart_window window_;
  backoff backoff_;
  child_table children_;
  std::unique_ptr<supervisor_source> source_;
  std::shared_ptr<part_use> use_;  // of the module that its class is of
};

start_result<supervisor> start_supervisor(supervisor_class const& says, any_message argument,
                                          start_options const& options) {
  auto started =
      supervisor_process::start_link(options, supervisor_source{&says, std::move(argument)});
  if (!started) return tl::unexpected<start_error>(std::move(started.error()));
  return server_ref<supervisor>(started->process());
}

// --- the operations ---

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
  std::vector<child_info> all = ask(to, children_request{}).children;
  std::reverse(all.begin(), all.end());
  return all;
}
child_count supervisor_count_children(target const& to) {
  return ask(to, count_children_request{});
}

}  // namespace otter::detail

namespace otter {

std::string_view to_string(strategy_type strategy) noexcept {
  switch (strategy) {
    case strategy_type::one_for_one:
      return "one_for_one";
    case strategy_type::one_for_all:
      return "one_for_all";
    case strategy_type::rest_for_one:
      return "rest_for_one";
  }
  return "?";
}

start_result<supervisor> supervisor::start_link(supervisor_flags flags,
                                                std::vector<child_spec> children,
                                                start_options const& options) {
  auto started =
      detail::supervisor_process::start_link(options, supervisor_init{flags, std::move(children)});
  if (!started) return tl::unexpected<start_error>(std::move(started.error()));
  return server_ref<supervisor>(started->process());
}

}  // namespace otter
