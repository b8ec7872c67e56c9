#include "application_master.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <otter/detail/throw_probe.hpp>
#include <otter/detail/unwinding.hpp>
#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <otter/link.hpp>
#include <otter/monitor.hpp>
#include <otter/proc_lib.hpp>
#include <otter/process_info.hpp>
#include <otter/receive.hpp>
#include <string>
#include <utility>

#include "child.hpp"
#include "report.hpp"

namespace otter::detail {

using application::callbacks;
using application::environment;
using application::specification;
using application::start_phase;

void report_application(std::string_view application, std::string_view text,
                        exit_reason const& why) noexcept {
  defer_exit while_reporting;
  try {
    log_report(logger::level::error,
               fmt::format("application \"{}\": {}: {}", application, text, why),
               {{"application", std::string(application)}, {"reason", to_string(why)}});
  } catch (std::exception const&) {
    // no memory for a report: it goes on without it
  }
}

void kill_group(pid leader) {
  for (;;) {
    std::vector<monitor_ref> ends;
    for (pid const p : group_members(leader)) {
      if (p == leader) continue;
      ends.push_back(monitor(p));
      otter::exit(p, exit_reason::kill());
    }
    if (ends.empty()) return;
    for (monitor_ref const end : ends)
      receive_from(end, when([&](down const& d) { return d.ref == end; }, [](down) {}));
  }
}

namespace {

/// Runs code of the program, and gives why it failed, if it did. `place` says where, for people.
template <class Code>
std::optional<exit_reason> failure_of(std::string_view place, Code&& code) {
  try {
    code();
    return std::nullopt;
  } catch (unwinding const&) {
    throw;
  } catch (throw_probe const&) {
    return std::nullopt;  // never: it notes where what comes below was thrown
  } catch (...) {
    return exit_reason::from_current_exception(place, thrown_at());
  }
}

/// One start of an application, and its stop.
///
/// Ownership: of the callbacks. Threads: the master's process.
class application_run {
 public:
  explicit application_run(application_plan plan) : plan_(std::move(plan)) {
    for (spec_ptr const& s : plan_.included) included_.push_back({s, nullptr});
  }

  /// Why it does not run; nothing: it does. After a failure nothing of it is left.
  std::optional<exit_reason> start() {
    auto failed = failure_of("application start", [&] { start_top(); });
    if (failed) {
      kill_group(self());  // start() may have come half-way
      return failed;
    }
    failed = failure_of("application start_phase", [&] { run_phases(); });
    if (failed) end();
    return failed;
  }

  /// prep_stop(), the processes from the top, those that are left, stop() (APP-7).
  void end() {
    must_not_fail("prep_stop", [&] { calls_->prep_stop(); });
    stop_child(top_, infinity, child_type::supervisor);
    kill_group(self());
    must_not_fail("stop", [&] { calls_->stop(); });
    kill_group(self());  // what stop() has started
  }

  tl::expected<void, exit_reason> change(env_change const& c) {
    auto failed = failure_of("application config_change",
                             [&] { calls_->config_change(c.changed, c.added, c.removed); });
    if (failed) return tl::unexpected<exit_reason>(std::move(*failed));
    return {};
  }

  [[nodiscard]] application_plan const& plan() const noexcept { return plan_; }
  [[nodiscard]] pid top() const noexcept { return top_; }
  [[nodiscard]] bool is_end_of_top(down const& d) const noexcept { return d.ref == watch_; }

 private:
  struct included {
    spec_ptr spec;
    std::unique_ptr<callbacks> calls;  // made for its first phase
  };

  void start_top() {
    calls_ = plan_.spec->mod();
    if (calls_ == nullptr)
      throw process_exit(exit_reason::bad_return_value("mod made no callbacks"));
    auto started = calls_->start();
    if (!started) {
      if (started.error().what == start_error::kind::ignored)
        throw process_exit(exit_reason::bad_return_value("start() gave `ignored`"));
      throw process_exit(started.error().to_reason());
    }
    if (!*started) throw process_exit(exit_reason::bad_return_value("start() gave no process"));
    top_ = *started;
    watch_ = monitor(top_);  // also if it has ended already: then that is heard at once
    otter::link(top_);       // a start_link() has done so; it must not outlive the master
  }

  void run_phases() {
    for (start_phase const& p : plan_.spec->start_phases) {
      run_phase(*calls_, p);
      for (included& i : included_)
        if (start_phase const* its = phase_of(*i.spec, p.phase)) run_phase(callbacks_of(i), *its);
    }
  }
  static start_phase const* phase_of(specification const& spec, std::string_view phase) {
    auto const& all = spec.start_phases;
    auto const at = std::find_if(all.begin(), all.end(),
                                 [&](start_phase const& p) { return p.phase == phase; });
    return at != all.end() && spec.mod ? &*at : nullptr;
  }
  static callbacks& callbacks_of(included& i) {
    if (i.calls == nullptr) i.calls = i.spec->mod();
    if (i.calls == nullptr)
      throw process_exit(exit_reason::bad_return_value("mod made no callbacks"));
    return *i.calls;
  }
  static void run_phase(callbacks& calls, start_phase const& p) {
    if (auto done = calls.start_phase(p.phase, p.args); !done)
      throw process_exit(std::move(done.error()));
  }

  template <class Code>
  void must_not_fail(std::string_view what, Code&& code) {
    if (auto failed = failure_of(what, code))
      report_application(plan_.spec->name,
                         fmt::format("{}() has failed, and it stops all the same", what), *failed);
  }

  application_plan plan_;
  std::unique_ptr<callbacks> calls_;
  std::vector<included> included_;
  pid top_;
  monitor_ref watch_;
};

}  // namespace

/// The master of an application that runs.
///
/// It ends when the controller tells it, by the exit signal with which a supervisor stops a child;
/// and when the topmost process has ended.
class application_master : public gen_server<application_master> {
 public:
  using accepts = otter::accepts<env_changed>;

  explicit application_master(application_run run) : run_(std::move(run)) {}

  tl::expected<void, exit_reason> handle_call(env_changed const& m) {
    return run_.change(m.change);
  }

  otter::outcome handle_info(down const& d) {
    if (!run_.is_end_of_top(d)) return noreply();
    ended_ = d.reason;
    return stop(exit_reason::normal());  // the reason is told: it is no crash of the master
  }
  void handle_info(exited const&) {}  // the links are heard of by the monitor, or are none of ours

  void terminate(exit_reason const& reason) {
    run_.end();
    otter::cast(run_.plan().controller, application_ended{self(), ended_.value_or(reason)});
  }
  std::string format_status() const {
    return fmt::format("application \"{}\", topmost process {}", run_.plan().spec->name,
                       run_.top());
  }

 private:
  application_run run_;
  std::optional<exit_reason> ended_;
};

namespace {

becoming run_master(application_plan plan) {
  trap_exit(true);
  set_group_leader(self(), self());
  proc_lib::set_label(fmt::format("application {}", plan.spec->name));
  plan.table->add_master(self(), plan.spec->name);
  pid const controller = plan.controller;
  application_run run(std::move(plan));
  if (auto failed = run.start()) {
    otter::cast(controller, application_failed{self(), std::move(*failed)});
    return becoming(nullptr);
  }
  otter::cast(controller, application_began{self(), run.top()});
  return application_master::enter_loop(std::move(run));
}

}  // namespace

pid spawn_application_master(application_plan plan) {
  return proc_lib::spawn_link(&run_master, std::move(plan));
}

}  // namespace otter::detail
