// The engine of all gen_statems (doc/gen_statem.md, "One transition, step by step").

#include <fmt/format.h>

#include <algorithm>
#include <list>
#include <otter/detail/call.hpp>
#include <otter/detail/message_change.hpp>
#include <otter/detail/statem_core.hpp>
#include <otter/exit.hpp>
#include <otter/message.hpp>
#include <utility>

namespace otter {

std::string_view to_string(event_type type) noexcept {
  switch (type) {
    case event_type::call:
      return "call";
    case event_type::cast:
      return "cast";
    case event_type::info:
      return "message";
    case event_type::internal:
      return "internal event";
    case event_type::event_timeout:
      return "event time-out";
    case event_type::state_timeout:
      return "state time-out";
    case event_type::timeout:
      return "time-out";
  }
  return "event";
}

namespace detail {
namespace {

struct machine_timer {
  event_type kind;
  std::string name;
  envelope_ptr content;
  node_clock::time_point due{};  // of those that run
};

/// At most one of a kind and name.
class machine_timers {
 public:
  machine_timer* find(event_type kind, std::string_view name) noexcept {
    for (machine_timer& t : all)
      if (t.kind == kind && t.name == name) return &t;
    return nullptr;
  }
  void remove(event_type kind, std::string_view name) noexcept {
    std::erase_if(all, [&](machine_timer const& t) { return t.kind == kind && t.name == name; });
  }
  machine_timer take(std::vector<machine_timer>::iterator which) {
    machine_timer t = std::move(*which);
    all.erase(which);
    return t;
  }
  std::vector<machine_timer>::iterator earliest() noexcept {
    return std::min_element(
        all.begin(), all.end(),
        [](machine_timer const& a, machine_timer const& b) { return a.due < b.due; });
  }
  std::vector<machine_timer> all;
};

machine_event event_of(machine_timer&& t) noexcept {
  machine_event e;
  e.type = t.kind;
  e.what = t.content->type;
  e.payload = t.content->payload();
  e.content = std::move(t.content);
  return e;
}

/// An event that arrived becomes the machine's own. False: somebody has taken it.
bool keep_event(machine_event& e) {
  if (e.content) return true;
  if (e.arrived == nullptr || e.arrived->taken()) return false;
  if (e.type != event_type::call) {
    e.content.reset(e.arrived->release());
  } else {
    // The head of a request stays where it is: it watches the caller, and the caller the server.
    e.content.reset(move_to_envelope(signal_kind::message, *e.what, e.payload));
    e.payload = e.content->payload();
  }
  e.arrived = nullptr;
  return true;
}

}  // namespace

last_event machine_event::describe() const noexcept {
  return {to_string(type).data(), what, payload, caller};
}

struct statem_core::waiting_events {
  std::list<machine_event> queue;       // to be treated before the mailbox
  std::list<machine_event> postponed;   // until the state changes
  std::uint32_t postponed_calls = 0;    // how many of those are calls
  std::list<machine_event> inserted;    // by the present transition
  std::vector<statem_action> timeouts;  // of the present transition
  machine_timers running;
  machine_timers due;                        // with a limit of zero, in order
  std::vector<statem_class const*> modules;  // below the present one
  node_clock::time_point armed_for{};
  node_clock::time_point sleep_at{};  // hibernate_after; meant if sleeps
  bool sleeps = false;
  std::uint64_t token = 0;  // of the runtime's timer; an older one is stale
  bool armed = false;

  void cancel(event_type kind, std::string_view name) noexcept {
    running.remove(kind, name);
    due.remove(kind, name);
  }
  [[nodiscard]] bool empty() const noexcept {
    return queue.empty() && postponed.empty() && running.all.empty() && due.all.empty() &&
           modules.empty() && !armed && !sleeps;
  }
  void change(statem_action& a) {
    if (a.what == statem_action::kind::update_timeout) {
      if (machine_timer* t = running.find(a.event, a.name)) {
        t->content = std::move(a.content);
        return;
      }
      if (machine_timer* t = due.find(a.event, a.name)) {
        t->content = std::move(a.content);
        return;
      }
      due.all.push_back({a.event, std::move(a.name), std::move(a.content)});
      return;
    }
    cancel(a.event, a.name);
    if (a.what == statem_action::kind::cancel_timeout) return;
    if (a.what == statem_action::kind::start_timeout) {
      if (a.limit == infinity) return;
      if (a.limit == duration::zero()) {
        due.all.push_back({a.event, std::move(a.name), std::move(a.content)});
        return;
      }
    }
    const auto when = a.what == statem_action::kind::start_timeout_at
                          ? node_clock::time_point(a.limit)
                          : node_clock::now() + a.limit;
    running.all.push_back({a.event, std::move(a.name), std::move(a.content), when});
  }
};

statem_core::statem_core(statem_class const& type, origin const& from)
    : behaviour_core(from), class_(&type) {}
statem_core::~statem_core() = default;

behaviour_class const& statem_core::type() const noexcept { return *class_; }

statem_core::waiting_events& statem_core::waiting() {
  if (!waiting_) waiting_ = std::make_unique<waiting_events>();
  return *waiting_;
}

void statem_core::begin(alias_ref starter, statem_step init) {
  if (!started(starter, init.end)) return;
  init.how = statem_step::move::repeat;  // the first state is entered too (SM-14)
  init.postpone.reset();                 // there is no event to postpone (SM-2)
  transit(init, nullptr);
  if (finished()) return;
  conclude(nullptr);
  run_queue();
  settle();
}

// --- events ---

void statem_core::on_event(event& e) {
  machine_event m;
  switch (e.what()) {
    case event::kind::timeout:
      return on_timer(e.token());
    case event::kind::system:
    case event::kind::ready:
      return;
    case event::kind::request:
      m.type = event_type::call;
      m.caller = e.caller();
      if (class_->busy != nullptr) [[unlikely]] {
        shed_postponed();  // they are older
        if (shed(e, class_->busy(object()))) return settle();
      }
      break;
    case event::kind::cast:
      m.type = event_type::cast;
      if (class_->busy != nullptr && shed(e, class_->busy(object()))) [[unlikely]]
        return settle();
      break;
    case event::kind::reply:
      m.is_response = true;
      break;
    case event::kind::message:
      break;
  }
  m.what = e.type();
  m.payload = e.payload();
  m.arrived = &e;
  process(m);
  run_queue();
  settle();
}

/// The earliest time-out, if it is due. Another that is due as well comes through the mailbox
/// again, behind what has arrived: a message that came in time still cancels an event time-out.
void statem_core::on_timer(std::uint64_t token) {
  if (!waiting_ || !waiting_->armed || token != waiting_->token) return;
  waiting_->armed = false;
  if (auto first = waiting_->running.earliest();
      first != waiting_->running.all.end() && first->due <= node_clock::now()) {
    machine_event m = event_of(waiting_->running.take(first));
    process(m);
    run_queue();
    return settle();
  }
  if (waiting_->sleeps && waiting_->sleep_at <= node_clock::now()) {  // nothing has come
    waiting_->sleeps = false;
    return sleep();
  }
  arm_timer();
}

/// The mailbox is next: sets the runtime's timer, and hibernates if that was asked for.
void statem_core::settle() {
  if (finished()) return;
  if (waiting_) waiting_->sleeps = false;
  if (std::exchange(hibernate_, false)) return sleep();
  if (hibernate_after() != infinity) {
    waiting().sleeps = true;
    waiting_->sleep_at = node_clock::now() + hibernate_after();
  }
  if (waiting_) arm_timer();
}

void statem_core::sleep() {
  if (waiting_) arm_timer();
  if (waiting_ && waiting_->empty()) waiting_.reset();
  if (step failed; !hibernate_now(failed)) end(failed);
}

/// Steps 7 and 1: queued events, then time-outs of zero.
void statem_core::run_queue() {
  while (!finished() && waiting_) {
    machine_event m;
    if (!waiting_->queue.empty()) {
      m = std::move(waiting_->queue.front());
      waiting_->queue.pop_front();
    } else if (!waiting_->due.all.empty()) {
      m = event_of(waiting_->due.take(waiting_->due.all.begin()));
    } else {
      return;
    }
    checkpoint();  // a machine that feeds itself for ever is a process that can be killed
    if (!shed_retried(m)) process(m);
  }
}

void statem_core::process(machine_event& e) {
  changed_ = postponed_ = hibernate_ = false;
  if (e.arrived == nullptr) note_in(e.describe());
  if (waiting_) waiting_->cancel(event_type::event_timeout, {});  // by any event (SM-17)
  current_ = &e;
  const bool handled = dispatch(e);
  current_ = nullptr;
  if (finished()) return;
  if (handled)
    conclude(&e);
  else
    refuse(e);
}

bool statem_core::dispatch(machine_event& e) {
  if (e.is_response) return class_->response != nullptr && class_->response(*this, e);
  statem_handler const* h = find_entry(class_->events, *e.what);
  if (h == nullptr) [[unlikely]]
    h = find_for_other_layout(e);
  if (h != nullptr && h->run(*this, e)) return true;
  return e.type == event_type::info && class_->any_info != nullptr && class_->any_info(*this, e);
}

/// It is handled, postponed and shown as what was made of it. What could not be converted stays
/// what it is; a cast becomes a message, if those that are not listed are handled.
statem_handler const* statem_core::find_for_other_layout(machine_event& e) {
  statem_handler const* const h = find_other_layout(class_->events, *e.what);
  if (h == nullptr) return nullptr;
  converted_value made =
      convert_value(*e.what, e.payload, source::taken, *h->type, signal_kind::message);
  if (made.value) {
    e.arrived = nullptr;  // it keeps what is left of it
    e.content = std::move(made.value);
    e.what = e.content->type;
    e.payload = e.content->payload();
    return h;
  }
  if (e.type == event_type::cast && class_->any_info != nullptr && e.payload != nullptr &&
      keep_event(e)) {
    e.content->kind = signal_kind::message;
    e.type = event_type::info;
  }
  return nullptr;
}

void statem_core::refuse(machine_event& e) {
  // Once more, for what it says: it was in vain before.
  std::string why;
  if (statem_handler const* const h = find_other_layout(class_->events, *e.what);
      h != nullptr && e.payload != nullptr)
    why = convert_value(*e.what, e.payload, source::taken, *h->type, signal_kind::message).why;
  report_unknown(e.describe(), why);
  if (e.type == event_type::call) refuse_call(e.caller, e.what->name, why);
}

// --- one transition ---

/// Steps 1 and 2.
void statem_core::transit(statem_step& wanted, void const* old_state) {
  for (;;) {
    if (wanted.postpone) postponed_ = *wanted.postpone;
    if (wanted.hibernate) hibernate_ = *wanted.hibernate;
    for (statem_action& a : wanted.actions) {
      act(a);
      if (finished()) return;
    }
    if (wanted.end.what != step::kind::go_on) {
      if (wanted.end.what != step::kind::stop)
        step_from_bad_return(wanted.end, "ignore() or fail()");
      return end(wanted.end);
    }
    if (wanted.changed && class_->state != nullptr) note_state(class_->state(*this));
    changed_ = changed_ || wanted.changed;
    const bool due = wanted.changed || wanted.how == statem_step::move::repeat;
    if (!due || class_->enter == nullptr) return;
    statem_step next;
    class_->enter(*this, old_state, next);
    old_state = nullptr;  // entered once more: from the present state
    wanted = std::move(next);
  }
}

void statem_core::act(statem_action& a) {
  switch (a.what) {
    case statem_action::kind::reply:
      answer(a.who, std::move(a.content));
      return;
    case statem_action::kind::next_event: {
      machine_event e;
      e.type = a.event;
      e.caller = a.who;
      e.what = a.content->type;
      e.payload = a.content->payload();
      e.content = std::move(a.content);
      waiting().inserted.push_back(std::move(e));
      return;
    }
    case statem_action::kind::start_timeout:
    case statem_action::kind::start_timeout_at:
    case statem_action::kind::cancel_timeout:
    case statem_action::kind::update_timeout:
      waiting().timeouts.push_back(std::move(a));
      return;
    case statem_action::kind::push_module:
      waiting().modules.push_back(class_);
      class_ = a.module;
      return;
    case statem_action::kind::change_module:
      class_ = a.module;
      return;
    case statem_action::kind::pop_module:
      if (!waiting_ || waiting_->modules.empty()) {
        step bad;
        step_from_bad_return(bad, "pop_callback_module(): there is no module below this one");
        return end(bad);
      }
      class_ = waiting_->modules.back();
      waiting_->modules.pop_back();
      return;
  }
}

/// Steps 3 to 6.
void statem_core::conclude(machine_event* e) {
  if (postponed_ && e != nullptr && keep_event(*e)) postpone(std::move(*e));
  if (!waiting_) return;
  waiting_events& w = *waiting_;
  if (changed_) w.queue.splice(w.queue.begin(), w.postponed);
  w.queue.splice(w.queue.begin(), w.inserted);
  if (changed_) w.cancel(event_type::state_timeout, {});
  for (statem_action& a : w.timeouts) w.change(a);
  w.timeouts.clear();
  if (changed_)
    w.postponed_calls = 0;
  else if (postponed_ && class_->busy != nullptr)
    shed_postponed();
}

void statem_core::postpone(machine_event&& e) {
  waiting_events& w = waiting();
  if (e.type == event_type::call) ++w.postponed_calls;
  e.was_postponed = true;
  w.postponed.push_back(std::move(e));
}

/// Postponed calls wait too, and are older than those in the mailbox: while more than the policy
/// allows wait behind the oldest, that is refused.
void statem_core::shed_postponed() {
  if (!waiting_) return;
  waiting_events& w = *waiting_;
  while (w.postponed_calls != 0) {
    auto const oldest = std::find_if(w.postponed.begin(), w.postponed.end(),
                                     [](auto const& e) { return e.type == event_type::call; });
    if (!shed_waiting(oldest->caller, w.postponed_calls - 1, class_->busy(object()))) return;
    w.postponed.erase(oldest);
    --w.postponed_calls;
  }
}

bool statem_core::shed_retried(machine_event const& e) {
  return e.was_postponed && e.type == event_type::call && class_->busy != nullptr &&
         shed_stale(e.caller, class_->busy(object()));
}

/// The runtime's timer is never later than the earliest of ours. One that is too early is left
/// alone: to wake up once for nothing is cheaper than to set a timer for every event.
void statem_core::arm_timer() {
  waiting_events& w = *waiting_;
  const auto first = w.running.earliest();
  const bool any = first != w.running.all.end();
  if (!any && !w.sleeps) {
    if (std::exchange(w.armed, false)) stop_timeout();
    return;
  }
  node_clock::time_point due = any ? first->due : w.sleep_at;
  if (w.sleeps) due = std::min(due, w.sleep_at);
  if (w.armed && w.armed_for <= due) return;
  w.armed = true;
  w.armed_for = due;
  start_timeout(std::max(duration::zero(), duration(due - node_clock::now())), ++w.token);
}

void statem_core::end(step& how) {
  finish(how, current_ != nullptr ? current_->describe() : last_event{});
}

// --- another version of its class ---

void statem_core::check_changeable() const {
  // Its name is looked for in the new version, and those that wait below it are not.
  if (!waiting_ || waiting_->modules.empty()) return;
  throw process_exit(exit_reason::error(
      "code_change", fmt::format("the callback module {} handles its events: a machine is changed "
                                 "when that was popped",
                                 class_->name)));
}

/// What waits, and the time-outs that run, are the machine's whatever its version; the runtime's
/// timer is the process's.
void statem_core::take_over(behaviour_core& before) noexcept {
  waiting_ = std::move(static_cast<statem_core&>(before).waiting_);
}

std::string statem_core::more_status() const {
  std::string text;
  if (object() != nullptr && class_->state != nullptr)
    text += fmt::format("\n  in state: {}", class_->state(*this));
  text += busy_status();
  if (!waiting_) return text;
  text += fmt::format("\n  events queued: {}, postponed: {}", waiting_->queue.size(),
                      waiting_->postponed.size());
  for (auto const* timers : {&waiting_->running, &waiting_->due})
    for (machine_timer const& t : timers->all)
      text += fmt::format("\n  {}{}{}: {}", to_string(t.kind), t.name.empty() ? "" : " ", t.name,
                          t.content->type->name);
  for (statem_class const* below : waiting_->modules)
    text += fmt::format("\n  callback module below: {}", below->name);
  return text;
}

}  // namespace detail
}  // namespace otter
