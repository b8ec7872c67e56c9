// The loop of a server: one event, one callback, and what follows from it.

#include <otter/detail/message_change.hpp>
#include <otter/detail/server_core.hpp>
#include <otter/gen_server.hpp>
#include <otter/message.hpp>
#include <utility>

namespace otter::detail {

void check_thrown_reply(step& out, type_descriptor const* wanted) noexcept {
  if (!out.reply || same_type(*out.reply->type, *wanted)) return;
  step_from_bad_return(out, out.reply->type->name);
}

namespace {

/// It goes on, and waits for the next event: what settle() would find out.
bool asks_nothing(step const& s) noexcept {
  return s.what == step::kind::go_on && !s.reply && !s.continuation && !s.hibernate &&
         s.idle == infinity;
}

}  // namespace

void server_core::begin(alias_ref starter, step init) {
  // The starter is told before a continue: it does not wait for that (GS-16).
  if (started(starter, init)) settle(init, nullptr);
}

void server_core::on_event(event& e) {
  step out;
  switch (e.what()) {
    case event::kind::timeout:
      // Else one that was stopped when it was on its way.
      if (!armed_ || e.token() != rare().token) return;
      armed_ = false;
      if (rare().idle == infinity) {  // it was hibernate_after, and nothing has come
        if (!hibernate_now(out)) break;
        return;
      }
      rare().idle = infinity;
      if (class_.idle == nullptr) return;
      note_in(describe_event(e));
      class_.idle(object(), e, out);
      break;
    case event::kind::request:
      disarm();
      if (class_.busy != nullptr && shed(e, class_.busy(object()))) [[unlikely]]
        break;
      if (handler const* h = find_entry(class_.calls, *e.type()))
        h->run(object(), e, out);
      else
        on_unknown(class_.calls, e, out);
      break;
    case event::kind::cast:
      disarm();
      if (class_.busy != nullptr && shed(e, class_.busy(object()))) [[unlikely]]
        break;
      if (handler const* h = find_entry(class_.casts, *e.type()))
        h->run(object(), e, out);
      else
        on_unknown(class_.casts, e, out);
      break;
    case event::kind::reply:
      disarm();
      if (class_.response != nullptr)
        class_.response(object(), e, out);
      else
        report_unknown(describe_event(e));
      break;
    case event::kind::message:
      disarm();
      on_message(e, out);
      break;
    case event::kind::system:
    case event::kind::ready:
      return;
  }
  if (asks_nothing(out)) [[likely]]
    wait_for_sleep();
  else
    settle(out, &e);
}

void server_core::on_message(event& e, step& out) {
  if (handler const* h = find_entry(class_.infos, *e.type()))
    h->run(object(), e, out);
  else
    on_unknown(class_.infos, e, out);
}

/// What it has another layout of is made of it, and handled as that (code_loading.md, "Messages of
/// another version"). What does not become one is never looked at as one.
void server_core::on_unknown(std::span<handler const> table, event& e, step& out) {
  std::string why;
  handler const* const h = find_other_layout(table, *e.type());
  if (h != nullptr) {
    converted_value made = convert_event(e, *h->type);
    if (made.value) {
      changed_event now(std::move(made.value));
      return h->run(object(), now.get(), out);
    }
    why = std::move(made.why);
  }
  if (class_.any_info != nullptr && e.what() == event::kind::message)
    return class_.any_info(object(), e, out);
  if (class_.any_info != nullptr && e.what() == event::kind::cast && h != nullptr) {
    changed_event now(as_message(e));
    return class_.any_info(object(), now.get(), out);
  }
  report_unknown(describe_event(e), why);
  if (e.what() == event::kind::request) refuse_call(e.caller(), e.type()->name, why);
}

void server_core::settle(step& next, event* e) {
  while (next.what == step::kind::go_on) {
    if (next.reply) {
      // A thrown answer of a callback that answers nothing is no return value of it (GS-14).
      if (e == nullptr || e->what() != event::kind::request) {
        step_from_bad_return(next, next.reply->type->name);
        break;
      }
      answer(e->caller(), std::move(next.reply));
    }
    if (next.continuation) {
      e = nullptr;  // a continue has no caller
      step after_it;
      next.run_continuation(object(), *next.continuation, after_it);
      next = std::move(after_it);
      continue;
    }
    if (next.hibernate && !hibernate_now(next)) break;
    if (next.idle != infinity)
      arm(next.idle);
    else
      wait_for_sleep();
    return;
  }
  if (next.what != step::kind::stop)  // ignore() or fail(), thrown outside init
    step_from_bad_return(next, "ignore() or fail()");
  finish(next, e != nullptr ? describe_event(*e) : last_event{});
}

void server_core::start_timer(duration limit) {
  armed_ = true;
  start_timeout(limit, ++rare().token);
}

void server_core::stop_timer() noexcept {
  if (std::exchange(armed_, false)) stop_timeout();
}

void server_core::after_system_message() {
  rare_parts const* const r = rare_if_any();
  if (r != nullptr && r->idle != infinity)
    start_timer(r->idle);  // its full length again (SY-14)
  else
    wait_for_sleep();
}

}  // namespace otter::detail
