// What all behaviours share: how they start, are looked at, and end.

#include <fmt/format.h>

#include <otter/detail/behaviour_core.hpp>
#include <otter/detail/system_message.hpp>
#include <otter/detail/system_messages.hpp>
#include <otter/detail/unwinding.hpp>
#include <otter/exit.hpp>
#include <otter/gen.hpp>
#include <otter/message.hpp>
#include <otter/print.hpp>
#include <utility>

#include "debug_state.hpp"
#include "report.hpp"

namespace otter::detail {

void step_from_exception(step& out, std::string_view place) {
  try {
    throw;
  } catch (unwinding const&) {
    throw;
  } catch (process_exit const& e) {
    out = step{};
    out.what = step::kind::stop;
    out.reason = e.reason();
  } catch (...) {
    out = step{};
    out.what = step::kind::stop;
    out.crashed = true;
    out.reason = exit_reason::from_current_exception(place, thrown_at());
  }
}

void step_from_bad_return(step& out, std::string_view what) noexcept {
  exit_reason reason = exit_reason::bad_return_value(what);
  out = step{};
  out.what = step::kind::stop;
  out.reason = std::move(reason);
}

// --- what it was doing ---

std::string last_event::text() const {
  if (type == nullptr) return "none";
  if (payload == nullptr || !type->trivially_destructible) return std::string(type->name);
  text_sink out(max_report_part);
  try {
    type->print(out, payload);
  } catch (unwinding const&) {
    throw;
  } catch (...) {
    return std::string(type->name);  // a report must not end whoever it is about
  }
  return out.text() == type->name ? std::string(type->name)
                                  : fmt::format("{} {}", type->name, out.text());
}

last_event describe_event(event& e) noexcept {
  last_event last;
  switch (e.what()) {
    case event::kind::cast:
      last.kind = "cast";
      break;
    case event::kind::request:
      last.kind = "call";
      last.caller = e.caller();
      break;
    case event::kind::reply:
      last.kind = "response";
      break;
    case event::kind::timeout:
      last.kind = "timeout";
      break;
    case event::kind::system:
      last.kind = "system message";
      break;
    case event::kind::ready:
      last.kind = "readiness";
      break;
    default:
      break;
  }
  last.type = e.type();
  if (!e.taken() && last.type != nullptr) last.payload = e.payload();
  return last;
}

void behaviour_core::report_unknown(last_event const& e, std::string_view why) const {
  facts all = {{"behaviour", std::string(type().kind)}, {"module", std::string(type().name)}};
  if (!why.empty()) all.push_back({"another_version", std::string(why)});
  log_report(logger::level::warning,
             fmt::format("{} {} ({}) does not handle this {}, dropped: {}", type().kind,
                         self_text(), type().name, e.kind, e.text()),
             std::move(all));
}

void behaviour_core::refuse_call(from caller, std::string_view request, std::string_view why) {
  detail::reply_failed(
      caller, exit_reason::error(unknown_request,
                                 fmt::format("{} does not handle a call of {}{}{}", type().name,
                                             request, why.empty() ? "" : ": ", why)));
}

// --- the start ---

bool behaviour_core::started(alias_ref starter, step& init) {
  const auto answer = [&](start_ack::kind what, exit_reason reason = {}) {
    if (starter) otter::send(starter, start_ack{starter, what, std::move(reason)});
  };
  switch (init.what) {
    case step::kind::go_on:
      if (debug() != nullptr) [[unlikely]]
        begin_debugging();
      if (starter) acknowledge_start(starter);
      return true;
    case step::kind::ignore:
      answer(start_ack::kind::ignored);
      stop(exit_reason::normal());
      return false;
    case step::kind::refuse:
      answer(start_ack::kind::refused, std::move(init.reason));
      stop(exit_reason::normal());
      return false;
    case step::kind::stop:
      // The starter hears of it by the end itself: then the name is free again (GC-4).
      if (init.reason.abnormal()) report_crash(init.reason, type().name, ancestors().list());
      stop(std::move(init.reason));
      return false;
  }
  return false;
}

// --- what few have ---

behaviour_core::rare_parts::rare_parts() noexcept = default;
behaviour_core::rare_parts::~rare_parts() = default;

behaviour_core::behaviour_core(origin const& from)
    : kin(from.ancestors), follows_parent_(from.parent), entered_(!from.starter) {
  if (from.hibernate_after != infinity) rare().hibernate_after = from.hibernate_after;
  if (from.debug != nullptr && !from.debug->none()) {
    rare().debug = std::make_unique<debug_state>();
    debug()->want(*from.debug);
  }
}
behaviour_core::~behaviour_core() = default;

behaviour_core::rare_parts& behaviour_core::rare() {
  if (rare_ == nullptr) rare_ = std::make_unique<rare_parts>();
  return *rare_;
}

void behaviour_core::begin_debugging() {
  debug()->begin();
  if (debug()->idle()) rare_->debug.reset();
}

// --- events that are the same for all ---

void behaviour_core::handle(event& e) {
  if (e.what() == event::kind::system) return on_system(e);
  hibernates_ = false;
  if (debug() != nullptr && e.what() != event::kind::timeout) [[unlikely]]
    show_in(describe_event(e));
  if (follows_parent_ && e.what() == event::kind::message) {
    if (auto* end = e.get_if<exited>();
        end != nullptr && end->process == parent() && (suspended_ || !type().sees_parent_exit)) {
      step out;  // even if the reason is normal (GS-27)
      out.what = step::kind::stop;
      out.reason = end->reason;
      return finish(out, describe_event(e));
    }
  }
  on_event(e);
}

/// Made for one message, so that a server needs no second table of virtual functions.
class behaviour_core::host final : public system_host {
 public:
  explicit host(behaviour_core& body) noexcept : body_(body) {}
  void* system_object(void const* mark) noexcept override;
  std::string system_status() const override;
  void system_terminate(exit_reason reason) override;
  void system_suspend(bool suspended) override { body_.suspend(suspended); }
  void system_change_code(code_change_request& wanted, retired_body& before) override {
    body_.change_code(wanted, before);
  }
  debug_state* debug() const noexcept override { return body_.debug(); }
  debug_state& start_debugging() override;
  void stop_debugging() noexcept override {
    if (body_.rare_ != nullptr) body_.rare_->debug.reset();
  }

 private:
  behaviour_core& body_;
};

void behaviour_core::on_system(event& e) {
  auto* m = e.get_if<system_message>();
  if (m == nullptr) return report_unknown(describe_event(e));
  host seen(*this);
  serve_system_message(seen, *m);
  if (finished_ || suspended_) return;
  after_system_message();
  if (!hibernates_) return;  // else it goes to sleep again (SY-13)
  if (step failed; !hibernate_now(failed)) finish(failed, {});
}

void* behaviour_core::host::system_object(void const* mark) noexcept {
  void* const object = body_.object();
  if (object == nullptr) return nullptr;
  behaviour_class const& type = body_.type();
  if (type.find != nullptr)
    if (void* found = type.find(object, mark)) return found;
  return mark == type.mark ? object : nullptr;
}

std::string behaviour_core::host::system_status() const {
  std::string family;
  if (const pid parent = body_.parent()) family += fmt::format("\n  parent: {}", parent);
  if (body_.ancestors())
    family += fmt::format("\n  ancestors: {}", fmt::join(body_.ancestors().list(), " "));
  if (debug() != nullptr) family += "\n  debugged";
  return fmt::format("{} {} ({}), {}{}\n  state: {}{}", body_.type().kind, self_text(),
                     body_.type().name, body_.suspended_ ? "suspended" : "running", family,
                     body_.describe(), body_.more_status());
}

void behaviour_core::host::system_terminate(exit_reason reason) {
  step out;
  out.what = step::kind::stop;
  out.reason = std::move(reason);
  body_.finish(out, {});
}

debug_state& behaviour_core::host::start_debugging() {
  std::unique_ptr<debug_state>& debug = body_.rare().debug;
  if (debug == nullptr) debug = std::make_unique<debug_state>();
  return *debug;
}

void behaviour_core::suspend(bool suspended) {
  if (suspended == suspended_) return;
  if (!suspended)
    pause_messages(false);
  else if (follows_parent_)
    pause_messages_but_exit_of(parent());
  else
    pause_messages(true);
  suspended_ = suspended;
  if (suspended) on_suspend();
}

void behaviour_core::show_in(last_event const& e) noexcept {
  sys::debug_event seen;
  seen.how = e.kind;
  seen.whom = e.caller.caller();
  seen.type = e.type;
  seen.payload = e.payload;
  debug()->note(seen);
}

void behaviour_core::show_state(std::string_view name) noexcept {
  sys::debug_event seen;
  seen.what = sys::debug_event::kind::state;
  seen.how = name;
  debug()->note(seen);
}

void behaviour_core::answer(from caller, envelope_ptr value) noexcept {
  if (debug() != nullptr) [[unlikely]] {
    sys::debug_event seen;
    seen.what = sys::debug_event::kind::out;
    seen.whom = caller.caller();
    seen.type = value->type;
    seen.payload = value->payload();
    debug()->note(seen);
  }
  detail::reply(caller, std::move(value));
}

bool behaviour_core::hibernate_now(step& out) {
  if (type().hibernate != nullptr) {
    step after_it;
    type().hibernate(object(), after_it);
    if (after_it.what != step::kind::go_on) {
      out = std::move(after_it);
      return false;
    }
  }
  shrink();
  hibernates_ = true;
  return true;
}

// --- the end ---

void behaviour_core::finish(step& end, last_event const& last) {
  finished_ = true;
  exit_reason reason = std::move(end.reason);
  bool crashed = end.crashed;
  if (type().terminate != nullptr) {
    step after_it;
    type().terminate(object(), reason, after_it);
    if (after_it.what == step::kind::stop) {
      reason = std::move(after_it.reason);
      crashed = crashed || after_it.crashed;
    }
  }
  // After terminate, and also if it failed (GS-9).
  if (end.reply && last.caller) answer(last.caller, std::move(end.reply));
  if (crashed || reason.abnormal()) {
    report_end(reason, last);
    report_crash(reason, type().name, ancestors().list());
  }
  stop(std::move(reason));
}

/// LOG-2, LOG-3.
void behaviour_core::report_end(exit_reason const& reason, last_event const& last) const {
  facts all = {{"behaviour", std::string(type().kind)},
               {"module", std::string(type().name)},
               {"reason", to_string(reason)},
               {"last_" + std::string(last.kind), last.text()}};
  if (last.caller) all.push_back({"client", to_string(last.caller.caller())});
  all.push_back({"state", describe()});
  for (logger::named_value& more : facts_in(more_status())) all.push_back(std::move(more));
  if (last.caller) add_client(all, last.caller.caller());
  log_report(
      logger::level::error,
      fmt::format("{} {} ({}) terminates: {}", type().kind, self_text(), type().name, reason),
      std::move(all));
}

std::string behaviour_core::describe() const {
  if (type().status == nullptr || object() == nullptr) return "not shown (no format_status)";
  try {
    std::string text;
    type().status(object(), text);
    return bounded(std::move(text));
  } catch (unwinding const&) {
    throw;
  } catch (...) {
    return "not shown (format_status failed)";  // the raw state must not be shown (GS-34)
  }
}

}  // namespace otter::detail
