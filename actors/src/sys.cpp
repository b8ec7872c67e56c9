// Asking processes about themselves, and the processes' side of it.

#include <fmt/format.h>

#include <otter/detail/succession.hpp>
#include <otter/detail/system_message.hpp>
#include <otter/detail/system_messages.hpp>
#include <otter/detail/unwinding.hpp>
#include <otter/exit.hpp>
#include <otter/message.hpp>
#include <otter/monitor.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/sys.hpp>
#include <utility>

#include "debug_state.hpp"
#include "report.hpp"

namespace otter {
namespace detail {

// --- the asker's side ---

system_answer ask_system(target const& to, system_message message, duration limit) {
  limit = checked_limit(limit);
  if (!to.process) throw process_exit(exit_reason::noproc());
  if (to.process == self()) throw process_exit(exit_reason::calling_self());
  // One ref: the monitor, and the address for the answer, which ends both.
  const monitor_ref watch = otter::monitor(to.process, alias_mode::reply_demonitor);
  message.answer_to = alias_ref(watch);
  detail::cast(to.process, pack<system_message>(signal_kind::system, std::move(message)));
  return receive_from(
      watch,
      when([&](system_answer const& a) { return a.request == watch; },
           [](system_answer a) { return a; }),
      when([&](down const& d) { return d.ref == watch; },
           [](down d) -> system_answer { throw process_exit(std::move(d.reason)); }),
      after(limit, [&]() -> system_answer {
        demonitor(watch, demonitor_flush::yes);
        throw process_exit(exit_reason::timeout());
      }));
}

void check_answer(system_answer& answer) {
  if (!answer.done) throw process_exit(std::move(answer.failed));
}

void fail_job(system_answer& answer, std::string_view what) {
  answer.done = false;
  answer.value.reset();
  try {
    throw;
  } catch (unwinding const&) {
    throw;
  } catch (...) {
    answer.failed = exit_reason::call_failed(exit_reason::from_current_exception(),
                                             fmt::format("callback_failed: {}", what));
  }
}

void fail_job_of_other_class(system_answer& answer, std::string_view wanted) {
  answer.done = false;
  answer.failed = exit_reason::error("bad_object",
                                     fmt::format("the process has no object of class {}", wanted));
}

namespace {

/// A job that needs no types.
template <class F>
class plain_job final : public system_job {
 public:
  explicit plain_job(F f) : f_(std::move(f)) {}
  void run(system_host& host, system_answer& answer) override {
    try {
      f_(host, answer);
    } catch (...) {
      fail_job(answer, "sys");
    }
  }

 private:
  F f_;
};

template <class F>
system_answer run_job(target const& to, F f, duration limit) {
  system_message m;
  m.what = system_message::kind::job;
  m.job = std::make_unique<plain_job<F>>(std::move(f));
  system_answer answer = ask_system(to, std::move(m), limit);
  check_answer(answer);
  return answer;
}

/// A change of what is debugged. What is on costs; when all is off, nothing is kept.
template <class F>
void change_debugging(target const& to, F f, duration limit) {
  run_job(
      to,
      [f = std::move(f)](system_host& host, system_answer&) mutable {
        debug_state& debug = host.start_debugging();
        try {
          f(debug);
        } catch (...) {
          if (debug.idle()) host.stop_debugging();
          throw;
        }
        if (debug.idle()) host.stop_debugging();
      },
      limit);
}

template <class T>
envelope_ptr pack_value(T&& value) {
  return pack<std::decay_t<T>>(signal_kind::message, std::forward<T>(value));
}

}  // namespace

std::unique_ptr<system_job> job_of_code_change(code_change_request wanted) {
  auto change = [wanted = std::move(wanted), before = retired_body()](system_host& host,
                                                                      system_answer&) mutable {
    host.system_change_code(wanted, before);
  };
  return std::make_unique<plain_job<decltype(change)>>(std::move(change));
}
void change_code_target(target const& to, code_change_request wanted, duration limit) {
  system_message m;
  m.what = system_message::kind::job;
  m.job = job_of_code_change(std::move(wanted));
  system_answer answer = ask_system(to, std::move(m), limit);
  check_answer(answer);
}

request_id send_system(target const& to, system_message message) {
  return detail::send_request(to.process,
                              pack<system_message>(signal_kind::system, std::move(message)),
                              [](void* payload, from asker) noexcept {
                                static_cast<system_message*>(payload)->asker = asker;
                              });
}
request_id send_code_change(target const& to, code_change_request wanted) {
  system_message m;
  m.what = system_message::kind::job;
  m.job = job_of_code_change(std::move(wanted));
  return send_system(to, std::move(m));
}
void trace_target(target const& to, sys::debugging on, duration limit) {
  change_debugging(
      to, [on](debug_state& d) { d.trace(on == sys::debugging::on); }, limit);
}
void log_target(target const& to, std::size_t events, duration limit) {
  change_debugging(
      to, [events](debug_state& d) { d.log(events); }, limit);
}
void log_to_file_target(target const& to, std::string path, duration limit) {
  change_debugging(
      to,
      [path = std::move(path)](debug_state& d) {
        if (!d.log_to_file(path))
          throw std::runtime_error(fmt::format("cannot open \"{}\" for a log", path));
      },
      limit);
}
void statistics_target(target const& to, sys::debugging on, duration limit) {
  change_debugging(
      to, [on](debug_state& d) { d.statistics(on == sys::debugging::on); }, limit);
}
void install_target(target const& to, std::string id, sys::debug_function f, duration limit) {
  change_debugging(
      to,
      [id = std::move(id), f = std::move(f)](debug_state& d) mutable {
        d.install(std::move(id), std::move(f));
      },
      limit);
}
void remove_target(target const& to, std::string id, duration limit) {
  change_debugging(
      to, [id = std::move(id)](debug_state& d) { d.remove(id); }, limit);
}
void no_debug_target(target const& to, duration limit) {
  run_job(
      to, [](system_host& host, system_answer&) { host.stop_debugging(); }, limit);
}

std::vector<std::string> get_log_target(target const& to, duration limit) {
  system_answer answer = run_job(
      to,
      [](system_host& host, system_answer& a) {
        a.value = pack_value(host.debug() != nullptr ? host.debug()->log_lines()
                                                     : std::vector<std::string>{});
      },
      limit);
  return std::move(*static_cast<std::vector<std::string>*>(answer.value->payload()));
}
std::optional<sys::statistics_report> get_statistics_target(target const& to, duration limit) {
  using found = std::optional<sys::statistics_report>;
  system_answer answer = run_job(
      to,
      [](system_host& host, system_answer& a) {
        a.value = pack_value(host.debug() != nullptr ? host.debug()->statistics() : found{});
      },
      limit);
  return *static_cast<found*>(answer.value->payload());
}

// --- the process's side ---

void serve_system_message(system_host& host, system_message& m) {
  system_answer answer{m.answer_to};
  switch (m.what) {
    case system_message::kind::terminate:
      return host.system_terminate(std::move(m.reason));
    case system_message::kind::suspend:
      host.system_suspend(true);
      answer.at = node_clock::now();
      break;
    case system_message::kind::resume:
      host.system_suspend(false);
      answer.at = node_clock::now();
      break;
    case system_message::kind::status:
      answer.text = host.system_status();
      break;
    case system_message::kind::job:
      m.job->run(host, answer);
      break;
  }
  if (!m.asker)
    otter::send(m.answer_to, std::move(answer));
  else if (answer.done)
    detail::reply(m.asker, pack_reply<void_reply>(void_reply{}));
  else
    reply_failed(m.asker, std::move(answer.failed));
}

}  // namespace detail

// --- joining in ---

namespace sys {

callbacks::callbacks(pid parent) : parent_(parent) { detail::receive_system_messages(); }

callbacks::~callbacks() = default;

detail::debug_state& callbacks::start_debugging() {
  if (!debug_) debug_ = std::make_unique<detail::debug_state>();
  return *debug_;
}
void callbacks::stop_debugging() noexcept { debug_.reset(); }

void callbacks::terminate(exit_reason const&) {}
std::string callbacks::format_status() const { return {}; }
namespace {

[[noreturn]] void refuse_change_of(std::string const& module) {
  throw process_exit(exit_reason::error(
      "code_change",
      fmt::format("{} does not take code changes (of {})", detail::self_text(), module)));
}

}  // namespace

void callbacks::code_change(std::string const& module, any_message&) { refuse_change_of(module); }
void callbacks::check_code_change(std::string const& module, any_message&) {
  refuse_change_of(module);
}

void callbacks::note(debug_event const& event) noexcept {
  if (debug() != nullptr) debug()->note(event);
}

std::string callbacks::system_status() const {
  const std::string state = format_status();
  return fmt::format("{}, {}: {}", detail::self_text(), suspended_ ? "suspended" : "running",
                     state.empty() ? "not shown (no format_status)" : detail::bounded(state));
}

void callbacks::system_terminate(exit_reason reason) {
  terminate(reason);
  throw process_exit(std::move(reason));
}

void callbacks::system_change_code(detail::code_change_request& wanted, detail::retired_body&) {
  if (wanted.check) return check_code_change(wanted.module, wanted.extra);
  if (!suspended_) detail::refuse_unsuspended(detail::self_text(), wanted.module);
  code_change(wanted.module, wanted.extra);
}

void handle_system_msg(system_request& request, callbacks& desk) {
  detail::serve_system_message(desk, request);
  while (desk.suspended()) {
    receive([&](system_request next) { detail::serve_system_message(desk, next); },
            when([&](exited const& e) { return desk.parent() && e.process == desk.parent(); },
                 [&](exited e) {
                   desk.terminate(e.reason);
                   throw process_exit(std::move(e.reason));
                 }));
  }
}

}  // namespace sys
}  // namespace otter
