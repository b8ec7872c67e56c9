// The loop of a server: one event, one callback, and what follows from it.

#include <fmt/format.h>

#include <otter/detail/server_core.hpp>
#include <otter/detail/system_message.hpp>
#include <otter/detail/unwinding.hpp>
#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <otter/message.hpp>
#include <otter/print.hpp>
#include <otter/process_info.hpp>
#include <utility>

#include "report.hpp"

namespace otter::detail {
namespace {

handler const* find(std::span<handler const> table, type_descriptor const& type) noexcept {
  for (handler const& h : table)
    if (h.type == &type) return &h;
  for (handler const& h : table)  // one type, described in two modules
    if (same_type(*h.type, type)) return &h;
  return nullptr;
}

/// The message as far as it can still be shown: what a handler may have moved from is only named.
std::string message_text(event& e) {
  type_descriptor const* type = e.type();
  if (type == nullptr) return "none";
  if (e.taken() || !type->trivially_destructible) return std::string(type->name);
  text_sink out(max_report_part);
  type->print(out, e.payload());
  return out.text() == type->name ? std::string(type->name)
                                  : fmt::format("{} {}", type->name, out.text());
}

char const* kind_text(event& e) {
  switch (e.what()) {
    case event::kind::cast:
      return "cast";
    case event::kind::request:
      return "call";
    case event::kind::reply:
      return "response";
    case event::kind::timeout:
      return "timeout";
    case event::kind::system:
      return "system message";
    default:
      return "message";
  }
}

}  // namespace

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
    out.reason = exit_reason::from_current_exception(place);
  }
}

void check_thrown_reply(step& out, type_descriptor const* wanted) noexcept {
  if (!out.reply || same_type(*out.reply->type, *wanted)) return;
  const std::string_view got = out.reply->type->name;
  exit_reason reason = exit_reason::bad_return_value(got);
  out = step{};
  out.what = step::kind::stop;
  out.reason = std::move(reason);
}

void server_core::begin(alias_ref starter, step init) {
  const auto answer = [&](start_ack::kind what, exit_reason reason = {}) {
    otter::send(starter, start_ack{starter, what, std::move(reason)});
  };
  switch (init.what) {
    case step::kind::go_on:
      answer(
          start_ack::kind::ready);  // before a continue: the starter does not wait for it (GS-16)
      settle(init, nullptr);
      return;
    case step::kind::ignore:
      answer(start_ack::kind::ignored);
      stop(exit_reason::normal());
      return;
    case step::kind::refuse:
      answer(start_ack::kind::refused, std::move(init.reason));
      stop(exit_reason::normal());
      return;
    case step::kind::stop:
      // The starter hears of it by the end itself: then the name is free again (GC-4).
      if (init.reason.abnormal()) report_crash(init.reason, class_.name);
      stop(std::move(init.reason));
      return;
  }
}

void server_core::handle(event& e) {
  step out;
  switch (e.what()) {
    case event::kind::system:
      on_system(e);
      return;
    case event::kind::timeout:
      if (!armed_ || e.token() != token_) return;  // one that was stopped when it was on its way
      armed_ = false;
      if (class_.idle == nullptr) return;
      class_.idle(server(), e, out);
      break;
    case event::kind::request:
      disarm();
      if (handler const* h = find(class_.calls, *e.type())) {
        h->run(server(), e, out);
        break;
      }
      unknown_message(e, "call");
      detail::reply_failed(
          e.caller(),
          exit_reason::error(unknown_request, fmt::format("{} does not handle a call of {}",
                                                          class_.name, e.type()->name)));
      return;
    case event::kind::cast:
      disarm();
      if (handler const* h = find(class_.casts, *e.type()))
        h->run(server(), e, out);
      else
        unknown_message(e, "cast");
      break;
    case event::kind::reply:
      disarm();
      if (class_.response != nullptr)
        class_.response(server(), e, out);
      else
        unknown_message(e, "response");
      break;
    case event::kind::message:
      disarm();
      on_message(e, out);
      break;
    case event::kind::ready:
      return;
  }
  settle(out, &e);
}

void server_core::on_message(event& e, step& out) {
  if (parent_) {
    if (auto* end = e.get_if<exited>(); end != nullptr && end->process == parent_) {
      out.what = step::kind::stop;  // even if the reason is normal (GS-27)
      out.reason = end->reason;
      return;
    }
  }
  if (handler const* h = find(class_.infos, *e.type())) {
    h->run(server(), e, out);
  } else if (class_.any_info != nullptr) {
    class_.any_info(server(), e, out);
  } else {
    unknown_message(e, "message");
  }
}

void server_core::unknown_message(event& e, char const* how) {
  report_text(fmt::format("gen_server {} ({}) does not handle this {}, dropped: {}", self_text(),
                          class_.name, how, message_text(e)));
}

void server_core::on_system(event& e) {
  auto* m = e.get_if<system_message>();
  if (m == nullptr) return unknown_message(e, "system message");
  system_answer answer{m->answer_to};
  switch (m->what) {
    case system_message::kind::terminate: {
      step out;
      out.what = step::kind::stop;
      out.reason = m->reason;
      return finish(out, nullptr);
    }
    case system_message::kind::suspend:
      suspended_ = true;
      pause_messages(true);
      disarm();
      break;
    case system_message::kind::resume:
      if (suspended_) {
        suspended_ = false;
        pause_messages(false);
      }
      break;
    case system_message::kind::status:
      answer.text =
          fmt::format("{}, {}: {}", class_.name, suspended_ ? "suspended" : "running", describe());
      break;
  }
  otter::send(m->answer_to, std::move(answer));
  if (idle_ != infinity && !suspended_) arm(idle_);  // its full length again (SY-14)
}

void server_core::settle(step& next, event* e) {
  while (next.what == step::kind::go_on) {
    if (next.reply) {
      // A thrown answer of a callback that answers nothing is no return value of it (GS-14).
      if (e == nullptr || e->what() != event::kind::request) {
        next.what = step::kind::stop;
        next.reason = exit_reason::bad_return_value(next.reply->type->name);
        next.reply.reset();
        break;
      }
      detail::reply(e->caller(), std::move(next.reply));
    }
    if (next.continuation) {
      e = nullptr;  // a continue has no caller
      step after_it;
      next.run_continuation(server(), *next.continuation, after_it);
      next = std::move(after_it);
      continue;
    }
    if (next.hibernate) {
      if (class_.hibernate != nullptr) {
        step after_it;
        class_.hibernate(server(), after_it);
        if (after_it.what != step::kind::go_on) {
          next = std::move(after_it);
          break;
        }
      }
      shrink();
    }
    if (next.idle != infinity) arm(next.idle);
    return;
  }
  if (next.what != step::kind::stop) {  // ignore() or fail(), thrown outside init
    next.what = step::kind::stop;
    next.reason = exit_reason::bad_return_value("ignore() or fail()");
  }
  finish(next, e);
}

void server_core::finish(step& next, event* e) {
  exit_reason reason = std::move(next.reason);
  bool crashed = next.crashed;
  if (class_.terminate != nullptr) {
    step after_it;
    class_.terminate(server(), reason, after_it);
    if (after_it.what == step::kind::stop) {
      reason = std::move(after_it.reason);
      crashed = crashed || after_it.crashed;
    }
  }
  // After terminate, and also if it failed (GS-9).
  if (next.reply && e != nullptr && e->what() == event::kind::request)
    detail::reply(e->caller(), std::move(next.reply));
  if (crashed || reason.abnormal()) {
    report_text(fmt::format("gen_server {} ({}) terminates: {}\n  last {}: {}\n  state: {}",
                            self_text(), class_.name, reason, e ? kind_text(*e) : "message",
                            e ? message_text(*e) : "none", describe()));
    report_crash(reason, class_.name);
  }
  stop(std::move(reason));
}

void server_core::arm(duration limit) {
  idle_ = limit;
  armed_ = true;
  start_timeout(limit, ++token_);
}

void server_core::disarm() noexcept {
  idle_ = infinity;
  if (!std::exchange(armed_, false)) return;
  stop_timeout();
}

std::string server_core::describe() const {
  if (class_.status == nullptr || server() == nullptr) return "not shown (no format_status)";
  try {
    std::string text;
    class_.status(server(), text);
    return bounded(std::move(text));
  } catch (unwinding const&) {
    throw;
  } catch (...) {
    return "not shown (format_status failed)";  // the raw state must not be shown (GS-34)
  }
}

}  // namespace otter::detail
