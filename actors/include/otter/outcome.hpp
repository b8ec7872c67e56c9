#pragma once

// otter/outcome.hpp - what a callback of a server returns when it has more to say than an answer.
//
//   otter::outcome           of handle_cast, handle_info, handle_continue
//   otter::call_outcome<R>   of handle_call, for a request whose `reply` is R
//   otter::init_outcome      of init
//   otter::result            any of them, thrown: `throw otter::result(stop(reason));`
//
// They are made by functions that a gen_server has as members:
//
//   reply(value)           answer, go on             handle_call
//   noreply()              go on; answer later       all
//   stop(reason)           end                       all; a waiting caller gets the reason
//   stop(reason, value)    end, then answer          handle_call
//   ok()                   go on                     init
//   ignore()               do not run; no error      init
//   fail(reason)           the start fails, and the process ends normally         init
//
// What goes on may be followed by one of
//
//   .timeout(limit)        handle_info(idle_timeout) if nothing arrives within `limit`
//   .hibernate()           nothing will arrive for long: hibernate() is called, if there is one
//   .continue_with(x)      handle_continue(x) at once, before any message
//
// A callback that only answers needs none of it: `int handle_call(read) { return value; }`.

#include <memory>
#include <otter/accepts.hpp>
#include <otter/detail/envelope.hpp>
#include <otter/duration.hpp>
#include <otter/exit_reason.hpp>
#include <otter/message.hpp>
#include <otter/receive.hpp>
#include <otter/type_name.hpp>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace otter {

/// Arrives at handle_info when the limit of `.timeout()` has passed and nothing else came.
struct idle_timeout {};

namespace detail {

/// What a callback wants, without its types. Made in the module of the server, acted upon here.
struct step {
  enum class kind : unsigned char {
    go_on,
    stop,
    ignore,  // init only
    refuse,  // init only: the start fails, the process ends normally
  };
  using continuation_runner = void (*)(void* server, envelope& argument, step& out);

  kind what = kind::go_on;
  bool crashed = false;  // an exception left the callback: reported even if its reason is normal
  bool hibernate = false;
  duration idle = infinity;
  exit_reason reason{};
  envelope_ptr reply{};
  envelope_ptr continuation{};
  continuation_runner run_continuation = nullptr;
};

/// No answer: the `Reply` of noreply().
struct no_reply {};

/// What goes on: ok(), noreply(), reply(value).
template <class Server, class Reply>
class [[nodiscard]] going_on {
 public:
  explicit going_on(Reply value) : value_(std::move(value)) {}

  going_on timeout(duration limit) && {
    static_assert(
        requires(Server & s, any_message & m) { s.handle_info(idle_timeout{}); } ||
            requires(Server & s, any_message & m) { s.handle_info(m); },
        "otter: a server that sets a time-out needs handle_info(otter::idle_timeout)");
    step_.idle = checked_limit(limit);
    return std::move(*this);
  }
  going_on hibernate() && {
    step_.hibernate = true;
    return std::move(*this);
  }
  template <class Argument>
  going_on continue_with(Argument argument) &&;  // in gen_server.hpp

  step&& take_step() && noexcept { return std::move(step_); }
  Reply&& take_value() && noexcept { return std::move(value_); }

 private:
  step step_;
  [[no_unique_address]] Reply value_;
};

struct [[nodiscard]] stopping {
  exit_reason reason;
  step to_step() && {
    step s;
    s.what = step::kind::stop;
    s.reason = std::move(reason);
    return s;
  }
};

template <class Reply>
struct [[nodiscard]] stopping_with {
  exit_reason reason;
  Reply value;
};

struct [[nodiscard]] ignoring {};

struct [[nodiscard]] refusing {
  exit_reason reason;
};

template <class Wire, class Value>
envelope_ptr pack_reply(Value&& value) {
  return pack<Wire>(signal_kind::reply, Wire(std::forward<Value>(value)));
}

}  // namespace detail

/// What follows a cast, a plain message or a continue. `void` means noreply().
class [[nodiscard]] outcome {
 public:
  template <class Server>
  outcome(detail::going_on<Server, detail::no_reply>&& form) : step_(std::move(form).take_step()) {}
  outcome(detail::stopping&& form) : step_(std::move(form).to_step()) {}

  detail::step&& take_step() && noexcept { return std::move(step_); }

 private:
  detail::step step_;
};

/// What follows a call whose request names `Reply`.
template <class Reply>
class [[nodiscard]] call_outcome {
  using wire = detail::wire_reply<Reply>;

 public:
  /// A value is reply(value).
  template <class Value>
  requires(!std::is_void_v<Reply> && std::is_convertible_v<Value, wire> &&
           !std::is_same_v<std::remove_cvref_t<Value>, call_outcome>) call_outcome(Value&& value) {
    step_.reply = detail::pack_reply<wire>(std::forward<Value>(value));
  }
  template <class Server>
  call_outcome(detail::going_on<Server, detail::no_reply>&& form)
      : step_(std::move(form).take_step()) {}
  template <class Server, class Value>
  requires(std::is_convertible_v<Value, wire>)
      call_outcome(detail::going_on<Server, Value>&& form) {
    step_ = std::move(form).take_step();
    step_.reply = detail::pack_reply<wire>(std::move(form).take_value());
  }
  call_outcome(detail::stopping&& form) : step_(std::move(form).to_step()) {}
  template <class Value>
  requires(std::is_convertible_v<Value, wire>) call_outcome(detail::stopping_with<Value>&& form)
      : step_(detail::stopping{std::move(form.reason)}.to_step()) {
    step_.reply = detail::pack_reply<wire>(std::move(form.value));
  }

  detail::step&& take_step() && noexcept { return std::move(step_); }

 private:
  detail::step step_;
};

/// What follows init. `void` means ok().
class [[nodiscard]] init_outcome {
 public:
  template <class Server>
  init_outcome(detail::going_on<Server, detail::no_reply>&& form)
      : step_(std::move(form).take_step()) {}
  init_outcome(detail::stopping&& form) : step_(std::move(form).to_step()) {}
  init_outcome(detail::ignoring&&) { step_.what = detail::step::kind::ignore; }
  init_outcome(detail::refusing&& form) {
    step_.what = detail::step::kind::refuse;
    step_.reason = std::move(form.reason);
  }

  detail::step&& take_step() && noexcept { return std::move(step_); }

 private:
  detail::step step_;
};

/// A return value that is thrown, from however deep in a callback (GS-13). An answer thrown so must
/// have exactly the type that the request names.
///
/// Not derived from std::exception: a handler for errors does not take it for one.
class [[gnu::visibility("default")]] result {
 public:
  template <class Server>
  explicit result(detail::going_on<Server, detail::no_reply> && form)
      : step_(std::make_shared<detail::step>(std::move(form).take_step())) {}
  template <class Server, class Value>
  explicit result(detail::going_on<Server, Value> && form)
      : step_(std::make_shared<detail::step>(std::move(form).take_step())) {
    step_->reply = detail::pack_reply<Value>(std::move(form).take_value());
  }
  explicit result(detail::stopping && form)
      : step_(std::make_shared<detail::step>(std::move(form).to_step())) {}
  template <class Value>
  explicit result(detail::stopping_with<Value> && form)
      : step_(std::make_shared<detail::step>(detail::stopping{std::move(form.reason)}.to_step())) {
    step_->reply = detail::pack_reply<Value>(std::move(form.value));
  }
  explicit result(init_outcome && form)
      : step_(std::make_shared<detail::step>(std::move(form).take_step())) {}
  explicit result(outcome && form)
      : step_(std::make_shared<detail::step>(std::move(form).take_step())) {}
  template <class Reply>
  explicit result(call_outcome<Reply> && form)
      : step_(std::make_shared<detail::step>(std::move(form).take_step())) {}
  explicit result(detail::ignoring && form) : result(init_outcome(std::move(form))) {}
  explicit result(detail::refusing && form) : result(init_outcome(std::move(form))) {}

  /// What a handler of a gen_statem returns: see otter/transition.hpp.
  template <class Form>
  requires requires { typename Form::otter_thrown_as; }
  explicit result(Form && form)
      : step_(std::make_shared<detail::step>(
            detail::stopping{exit_reason::bad_return_value(type_name<Form>())}.to_step())),
        form_(std::make_shared<typename Form::otter_thrown_as>(std::move(form))),
        form_type_(&typeid(typename Form::otter_thrown_as)) {}

  /// Shared by the copies that throwing may make; taken once.
  detail::step&& take_step() const noexcept { return std::move(*step_); }
  template <class Form>
  Form* get_if() const noexcept {
    return form_ && *form_type_ == typeid(Form) ? static_cast<Form*>(form_.get()) : nullptr;
  }

 private:
  std::shared_ptr<detail::step> step_;
  std::shared_ptr<void> form_;
  std::type_info const* form_type_ = nullptr;
};

}  // namespace otter
