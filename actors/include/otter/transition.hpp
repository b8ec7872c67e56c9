#pragma once

// otter/transition.hpp - what a handler of a gen_statem returns: where to go, and what else to do.
//
//   otter::transition<Machine>    of handle_event()
//   otter::enter_result<Machine>  of enter(): as a transition, but it cannot change the state,
//                                 postpone, insert events or change modules (SM-15)
//   otter::init_result<Machine>   of init()
//   otter::timeout_name           what tells time-outs with a name apart
//
// They are made by functions that a gen_statem has as members:
//
//   next_state(state::open)   go there; next_state(open{...}) with types
//   keep_state()              stay
//   repeat_state()            stay, and be entered once more
//   postpone()                stay; this event comes again after the next change of state
//   stop(reason)              end; replies that are added are sent before terminate()
//   ok(state), ok()           of init(): begin there, or in the first state
//   ignore(), fail(reason)    of init(): as in otter/outcome.hpp
//
// and followed by any number of
//
//   .reply(who, value)              answer a call: the present one, or an earlier one
//   .postpone()                     this event comes again after the next change of state
//   .next_event(x)                  x is the next event, before anything that waits
//   .next_event(type, x)            the same as a cast, or whatever; (who, request) as a call
//   .state_timeout(limit, x)        x comes unless the state changes before; x may be left out
//   .event_timeout(limit, x)        x comes unless any event comes before
//   .timeout(name, limit, x)        x comes, whatever happens; one for each name. Without a name
//                                   there is one for each type of x
//   .cancel_state_timeout(), .update_state_timeout(x), ...   and so for the others
//   .hibernate()                    nothing will come for long
//   .push_callback_module<M>(), .change_callback_module<M>(), .pop_callback_module()
//
// Actions are done in the order in which they stand. A second time-out of the same kind and name
// replaces the first. A limit is a duration or a moment of node_clock; infinity cancels. A limit of
// zero sets no timer: x comes before any message that has not been received yet.

#include <optional>
#include <otter/accepts.hpp>
#include <otter/detail/statem_core.hpp>
#include <otter/outcome.hpp>
#include <otter/states.hpp>
#include <otter/timer.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace otter {

/// What tells time-outs with a name apart: a text, a number or an enumerator.
class timeout_name {
 public:
  timeout_name(char const* text) : text_(text) {}
  timeout_name(std::string_view text) : text_(text) {}
  timeout_name(std::string text) : text_(std::move(text)) {}
  template <class T>
  requires(std::is_integral_v<T> || std::is_enum_v<T>) timeout_name(T value)
      : text_(std::string(type_name<T>()) + '/' + std::to_string(static_cast<long long>(value))) {}

  [[nodiscard]] std::string take() && noexcept { return std::move(text_); }

 private:
  std::string text_;
};

namespace detail {

template <class Machine, class Event>
constexpr bool knows_event() noexcept;  // in gen_statem.hpp
template <class Machine, class Module>
statem_class const* statem_class_of() noexcept;  // in gen_statem.hpp

template <class Machine, class Content>
envelope_ptr pack_event(Content&& content) {
  static_assert(knows_event<Machine, std::decay_t<Content>>(),
                "otter: the machine has no handler for this event; list it in "
                "`using internal = otter::accepts<...>;` (or in `accepts`)");
  return pack<std::decay_t<Content>>(signal_kind::message, std::forward<Content>(content));
}

/// The actions that an enter call may have too.
template <class Self, class Machine>
class common_actions {
 public:
  template <class Request, class Reply>
  Self reply(caller<Request> const& who, Reply&& value) && {
    using wire = reply_t<Request>;
    static_assert(std::is_convertible_v<Reply, wire>,
                  "otter: this is not the answer that the request names (see its `reply`)");
    return std::move(*this).answer(who, pack_reply<wire>(std::forward<Reply>(value)));
  }
  template <class Reply>
  Self reply(from who, Reply&& value) && {
    return std::move(*this).answer(who,
                                   pack_reply<std::decay_t<Reply>>(std::forward<Reply>(value)));
  }
  /// Answers a request with `using reply = void`.
  Self reply(from who) && {
    return std::move(*this).answer(who, pack_reply<void_reply>(void_reply{}));
  }

  template <class Limit, class Content = otter::state_timeout>
  Self state_timeout(Limit limit, Content content = {}) && {
    return std::move(*this).start(event_type::state_timeout, {}, limit, std::move(content));
  }
  template <class Content>
  Self update_state_timeout(Content content) && {
    return std::move(*this).update(event_type::state_timeout, {}, std::move(content));
  }
  Self cancel_state_timeout() && { return std::move(*this).cancel(event_type::state_timeout, {}); }

  template <class Limit, class Content = otter::event_timeout>
  Self event_timeout(Limit limit, Content content = {}) && {
    return std::move(*this).start(event_type::event_timeout, {}, limit, std::move(content));
  }
  template <class Content>
  Self update_event_timeout(Content content) && {
    return std::move(*this).update(event_type::event_timeout, {}, std::move(content));
  }
  Self cancel_event_timeout() && { return std::move(*this).cancel(event_type::event_timeout, {}); }

  template <class Limit, class Content>
  Self timeout(timeout_name name, Limit limit, Content content) && {
    return std::move(*this).start(event_type::timeout, std::move(name).take(), limit,
                                  std::move(content));
  }
  template <class Content>
  Self timeout(duration limit, Content content) && {
    return std::move(*this).start(event_type::timeout, std::string(type_name<Content>()), limit,
                                  std::move(content));
  }
  template <class Content>
  Self update_timeout(timeout_name name, Content content) && {
    return std::move(*this).update(event_type::timeout, std::move(name).take(), std::move(content));
  }
  Self cancel_timeout(timeout_name name) && {
    return std::move(*this).cancel(event_type::timeout, std::move(name).take());
  }
  template <class Content>
  Self cancel_timeout() && {
    return std::move(*this).cancel(event_type::timeout, std::string(type_name<Content>()));
  }

  Self hibernate(bool yes = true) && {
    step_.hibernate = yes;
    return std::move(self());
  }

  statem_step& step() noexcept { return step_; }

 protected:
  Self& self() noexcept { return static_cast<Self&>(*this); }
  statem_action& add(statem_action::kind what) {
    return step_.actions.emplace_back(statem_action{.what = what});
  }

  statem_step step_;

 private:
  Self answer(from who, envelope_ptr value) && {
    statem_action& a = add(statem_action::kind::reply);
    a.who = who;
    a.content = std::move(value);
    return std::move(self());
  }
  template <class Content>
  Self start(event_type kind, std::string name, duration limit, Content content) && {
    statem_action& a = add(statem_action::kind::start_timeout);
    a.event = kind;
    a.name = std::move(name);
    a.limit = checked_limit(limit);
    a.content = pack_event<Machine>(std::move(content));
    return std::move(self());
  }
  template <class Content>
  Self start(event_type kind, std::string name, node_clock::time_point when, Content content) && {
    statem_action& a = add(statem_action::kind::start_timeout_at);
    a.event = kind;
    a.name = std::move(name);
    a.limit = when.time_since_epoch();
    a.content = pack_event<Machine>(std::move(content));
    return std::move(self());
  }
  template <class Content>
  Self update(event_type kind, std::string name, Content content) && {
    statem_action& a = add(statem_action::kind::update_timeout);
    a.event = kind;
    a.name = std::move(name);
    a.content = pack_event<Machine>(std::move(content));
    return std::move(self());
  }
  Self cancel(event_type kind, std::string name) && {
    statem_action& a = add(statem_action::kind::cancel_timeout);
    a.event = kind;
    a.name = std::move(name);
    return std::move(self());
  }
};

}  // namespace detail

template <class Machine>
class transition;

/// keep_state() and repeat_state(): what enter() may return.
template <class Machine>
class [[nodiscard]] enter_result : public detail::common_actions<enter_result<Machine>, Machine> {
 public:
  using otter_thrown_as = transition<Machine>;  // for otter::result

  explicit enter_result(detail::statem_step::move how) noexcept { this->step_.how = how; }
  enter_result(detail::leaving&& form) noexcept { this->step_.take(std::move(form)); }

  transition<Machine> postpone(bool yes = true) &&;
  template <class Event>
  transition<Machine> next_event(Event event) &&;
  template <class Event>
  transition<Machine> next_event(event_type type, Event event) &&;
  template <class Request>
  transition<Machine> next_event(caller<Request> const& who, Request request) &&;
  template <class Module>
  transition<Machine> push_callback_module() &&;
  template <class Module>
  transition<Machine> change_callback_module() &&;
  transition<Machine> pop_callback_module() &&;
};

/// Where to go, and what else to do. See the list at the top of otter/transition.hpp.
template <class Machine>
class [[nodiscard]] transition : public detail::common_actions<transition<Machine>, Machine> {
 public:
  using otter_thrown_as = transition;  // for otter::result

  transition() = default;
  transition(enter_result<Machine>&& form) { this->step_ = std::move(form.step()); }
  transition(detail::leaving&& form) noexcept { this->step_.take(std::move(form)); }
  template <class State>
  static transition to(State&& next) {
    transition t;
    t.step_.how = detail::statem_step::move::next;
    t.next_.emplace(std::forward<State>(next));
    return t;
  }

  transition postpone(bool yes = true) && {
    this->step_.postpone = yes;
    return std::move(*this);
  }
  template <class Event>
  transition next_event(Event event) && {
    return std::move(*this).next_event(event_type::internal, std::move(event));
  }
  template <class Event>
  transition next_event(event_type type, Event event) && {
    detail::statem_action& a = this->add(detail::statem_action::kind::next_event);
    a.event = type;
    a.content = detail::pack_event<Machine>(std::move(event));
    return std::move(*this);
  }
  /// As if `who` had called with `request` just now.
  template <class Request>
  transition next_event(caller<Request> const& who, Request request) && {
    detail::statem_action& a = this->add(detail::statem_action::kind::next_event);
    a.event = event_type::call;
    a.who = who;
    a.content = detail::pack_event<Machine>(std::move(request));
    return std::move(*this);
  }
  template <class Module>
  transition push_callback_module() && {
    this->add(detail::statem_action::kind::push_module).module =
        detail::statem_class_of<Machine, Module>();
    return std::move(*this);
  }
  template <class Module>
  transition change_callback_module() && {
    this->add(detail::statem_action::kind::change_module).module =
        detail::statem_class_of<Machine, Module>();
    return std::move(*this);
  }
  transition pop_callback_module() && {
    this->add(detail::statem_action::kind::pop_module);
    return std::move(*this);
  }

  std::optional<typename Machine::state>& next() noexcept { return next_; }

 private:
  std::optional<typename Machine::state> next_;
};

/// What init() returns: where to begin, or that there is nothing to begin.
template <class Machine>
class [[nodiscard]] init_result {
 public:
  init_result(transition<Machine>&& form) : begin_(std::move(form)) {}
  init_result(enter_result<Machine>&& form) : begin_(std::move(form)) {}
  init_result(detail::leaving&& form) : begin_(std::move(form)) {}
  init_result(detail::ignoring&&) { begin_.step().end.what = detail::step::kind::ignore; }
  init_result(detail::refusing&& form) {
    begin_.step().end.what = detail::step::kind::refuse;
    begin_.step().end.reason = std::move(form.reason);
  }

  transition<Machine>&& take() && noexcept { return std::move(begin_); }

 private:
  transition<Machine> begin_;
};

// --- bodies ---

template <class Machine>
transition<Machine> enter_result<Machine>::postpone(bool yes) && {
  return transition<Machine>(std::move(*this)).postpone(yes);
}
template <class Machine>
template <class Event>
transition<Machine> enter_result<Machine>::next_event(Event event) && {
  return transition<Machine>(std::move(*this)).next_event(std::move(event));
}
template <class Machine>
template <class Event>
transition<Machine> enter_result<Machine>::next_event(event_type type, Event event) && {
  return transition<Machine>(std::move(*this)).next_event(type, std::move(event));
}
template <class Machine>
template <class Request>
transition<Machine> enter_result<Machine>::next_event(caller<Request> const& who,
                                                      Request request) && {
  return transition<Machine>(std::move(*this)).next_event(who, std::move(request));
}
template <class Machine>
template <class Module>
transition<Machine> enter_result<Machine>::push_callback_module() && {
  return transition<Machine>(std::move(*this)).template push_callback_module<Module>();
}
template <class Machine>
template <class Module>
transition<Machine> enter_result<Machine>::change_callback_module() && {
  return transition<Machine>(std::move(*this)).template change_callback_module<Module>();
}
template <class Machine>
transition<Machine> enter_result<Machine>::pop_callback_module() && {
  return transition<Machine>(std::move(*this)).pop_callback_module();
}

}  // namespace otter
