#pragma once

// otter/detail/event_box.hpp - the templates of a gen_event: what the compiler makes of a handler,
// and the operations of the manager. otter/gen_event.hpp, which says what they do, includes this at
// its end.

#include <memory>
#include <optional>
#include <otter/detail/event_manager.hpp>
#include <otter/detail/throw_probe.hpp>
#include <otter/gen.hpp>
#include <otter/gen_event.hpp>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <tuple>
#include <type_traits>
#include <utility>

namespace otter {

// --- what the compiler makes of a handler ---

namespace detail {

template <class H, class M>
concept handles_event = requires(H& h, M const& m) {
  h.handle_event(m);
};
template <class H, class M>
concept handles_message = requires(H& h, M const& m) {
  h.handle_info(m);
};
template <class H, class M>
concept handles_call = requires(H& h, M m) {
  h.handle_call(std::move(m));
};

template <class F>
void take_wish(handler_wish& out, F&& f) {
  using returned = std::invoke_result_t<F&>;
  static_assert(std::is_void_v<returned> || std::is_same_v<returned, handler_result>,
                "otter: handle_event and handle_info of a handler return void or handler_result");
  if constexpr (std::is_void_v<returned>)
    f();
  else
    out = f().take();
}

template <class H>
class typed_event_box final : public event_box {
 public:
  template <class... Args>
  explicit typed_event_box(std::string id, Args&&... args)
      : event_box(&object_mark<H>, type_name<H>(), std::move(id)),
        handler_(std::forward<Args>(args)...) {
    static_assert(
        requires { typename H::accepts; },
        "otter: a handler says which events, messages and calls it understands: "
        "`using accepts = otter::accepts<...>;`");
    static_assert(check(static_cast<typename H::accepts*>(nullptr)));
  }

  bool event(type_descriptor const& type, void* payload, handler_wish& out) override {
    return each(static_cast<typename H::accepts*>(nullptr), type,
                [&]<class M>() { return this->template take_event<M>(payload, out); });
  }
  bool info(any_message& message, handler_wish& out) override {
    if constexpr (requires { handler_.handle_info(message); }) {
      take_wish(out, [&] { return handler_.handle_info(message); });
      return true;
    } else {
      void* payload = message.envelope()->payload();
      return each(static_cast<typename H::accepts*>(nullptr), *message.type(),
                  [&]<class M>() { return this->template take_message<M>(payload, out); });
    }
  }
  type_descriptor const* other_layout(type_descriptor const& type) const noexcept override {
    return find_accepted(static_cast<typename H::accepts*>(nullptr), type);
  }
  void terminate(handler_end const& end) override {
    if constexpr (!terminates_with_end<H>) {
      result_.emplace();
    } else if constexpr (std::is_void_v<typename result_of_terminate<H>::type>) {
      handler_.terminate(end);
      result_.emplace();
    } else {
      result_.emplace(handler_.terminate(end));
    }
  }
  void* object() noexcept override { return &handler_; }
  H& handler() noexcept { return handler_; }
  std::optional<terminate_result<H>>& result() noexcept { return result_; }

 private:
  // Functions of their own: in a generic lambda clang 16 looks into branches that are not taken.
  template <class M>
  bool take_event(void* payload, handler_wish& out) {
    if constexpr (handles_event<H, M>)
      take_wish(out, [&] { return handler_.handle_event(*static_cast<M const*>(payload)); });
    return handles_event<H, M>;
  }
  template <class M>
  bool take_message(void* payload, handler_wish& out) {
    if constexpr (handles_message<H, M>)
      take_wish(out, [&] { return handler_.handle_info(*static_cast<M const*>(payload)); });
    return handles_message<H, M>;
  }

  template <class... M>
  static constexpr bool check(accepts<M...>*) {
    static_assert(((handles_event<H, M> || handles_message<H, M> || handles_call<H, M>)&&...),
                  "otter: `accepts` lists something that the handler has no public handle_event, "
                  "handle_info or handle_call for");
    return true;
  }
  template <class... M, class F>
  static bool each(accepts<M...>*, type_descriptor const& type, F f) {
    bool handled = false;
    static_cast<void>(
        ((same_type(type, descriptor_of<M>()) && (handled = f.template operator()<M>(), true)) ||
         ...));
    return handled;
  }

  template <class... M>
  static type_descriptor const* find_accepted(accepts<M...>*,
                                              type_descriptor const& type) noexcept {
    type_descriptor const* found = nullptr;
    static_cast<void>(((relate(descriptor_of<M>(), type) == type_relation::other_layout &&
                        (found = &descriptor_of<M>(), true)) ||
                       ...));
    return found;
  }

  H handler_;
  std::optional<terminate_result<H>> result_;
};

/// Makes an H, in the place of an `Old` (void: of nobody).
template <class H, class Old, class... Args>
class maker_of final : public handler_maker {
 public:
  template <class... A>
  explicit maker_of(std::string id, A&&... args)
      : id_(std::move(id)), args_(std::forward<A>(args)...) {}

  event_box_ptr make(event_box* old) override {
    return std::apply(
        [&](auto&... args) -> event_box_ptr {
          if constexpr (!std::is_void_v<Old>) {
            taken_over<Old> from;
            if (old != nullptr)
              from.result = std::move(static_cast<typed_event_box<Old>*>(old)->result());
            if constexpr (std::is_constructible_v<H, taken_over<Old>, Args...>) {
              return std::make_unique<typed_event_box<H>>(std::move(id_), std::move(from),
                                                          std::move(args)...);
            } else {
              static_assert(std::is_constructible_v<H, Args...>,
                            "otter: the handler has no public constructor for these arguments");
              return std::make_unique<typed_event_box<H>>(std::move(id_), std::move(args)...);
            }
          } else {
            static_assert(std::is_constructible_v<H, Args...>,
                          "otter: the handler has no public constructor for these arguments");
            return std::make_unique<typed_event_box<H>>(std::move(id_), std::move(args)...);
          }
        },
        args_);
  }

 private:
  std::string id_;
  std::tuple<Args...> args_;
};

/// The end of an H by delete_handler(), with what that hands over.
template <class H, class Argument>
class farewell_of final : public handler_farewell {
 public:
  using returned = result_of_terminate_with<H, Argument>;

  explicit farewell_of(Argument argument) : argument_(std::move(argument)) {}
  void say(event_box& box) override {
    H& h = static_cast<typed_event_box<H>&>(box).handler();
    if constexpr (std::is_void_v<returned>) {
      h.terminate(std::move(argument_));
      result_.emplace();
    } else {
      result_.emplace(h.terminate(std::move(argument_)));
    }
  }
  std::optional<wire_reply<returned>>& result() noexcept { return result_; }

 private:
  Argument argument_;
  std::optional<wire_reply<returned>> result_;
};

/// The same by swap_handler(): the successor gets what terminate() returns.
template <class H, class Argument>
class handing_over final : public handler_farewell {
 public:
  using returned = result_of_terminate_with<H, Argument>;
  static_assert(std::is_void_v<returned> ? std::is_void_v<typename result_of_terminate<H>::type>
                                         : std::is_convertible_v<returned, terminate_result<H>>,
                "otter: this terminate() returns something else than terminate(handler_end), and "
                "so not what a taken_over holds");

  explicit handing_over(Argument argument) : argument_(std::move(argument)) {}
  void say(event_box& box) override {
    auto& typed = static_cast<typed_event_box<H>&>(box);
    if constexpr (std::is_void_v<returned>) {
      typed.handler().terminate(std::move(argument_));
      typed.result().emplace();
    } else {
      typed.result().emplace(typed.handler().terminate(std::move(argument_)));
    }
  }

 private:
  Argument argument_;
};

/// Called from a catch block; the unwinding token is thrown on.
void fail_event_job(event_answer& answer);

/// Runs `f(manager, answer)`; what it throws is the answer.
template <class F>
class event_job_of final : public event_job {
 public:
  explicit event_job_of(F f) : f_(std::move(f)) {}
  void run(event_manager& manager, event_answer& answer) override {
    try {
      f_(manager, answer);
    } catch (...) {
      fail_event_job(answer);
    }
  }

 private:
  F f_;
};
template <class F>
event_answer ask_manager(target const& to, F f, duration limit) {
  response got = call_target(
      to,
      pack<event_request>(signal_kind::request,
                          event_request{std::make_unique<event_job_of<F>>(std::move(f))}),
      limit, descriptor_of<event_answer>());
  if (!got.reply) throw_call_failed(to, "gen_event", std::move(got.why));
  return unpack_reply<event_answer>(got.reply);
}

exit_reason no_such_handler(std::string_view error, std::string_view handler);

}  // namespace detail

// --- bodies ---

template <class H, class... Args>
tl::expected<void, exit_reason> gen_event::add(detail::target const& to, handler_id id, pid owner,
                                               Args&&... args) {
  using maker = detail::maker_of<H, void, std::decay_t<Args>...>;
  detail::event_answer answer = detail::ask_manager(
      to,
      [made = std::make_unique<maker>(std::move(id.text), std::forward<Args>(args)...), owner](
          detail::event_manager& m, detail::event_answer&) { m.add(made->make(nullptr), owner); },
      infinity);
  if (!answer.done) return tl::unexpected<exit_reason>(std::move(answer.failed));
  return {};
}

template <class H>
detail::event_box& gen_event::existing(detail::event_manager& m, std::string_view id) {
  detail::event_box* const box = m.find(&detail::object_mark<H>, id);
  if (box == nullptr)
    throw process_exit(detail::no_such_handler("module_not_found", type_name<H>()));
  return *box;
}

template <class H, server_address Address>
tl::expected<typename detail::result_of_terminate<H>::type, exit_reason> gen_event::delete_handler(
    Address const& manager, handler_id id) {
  detail::event_answer answer = detail::ask_manager(
      detail::locate(manager),
      [id = std::move(id.text)](detail::event_manager& m, detail::event_answer& a) {
        detail::event_box_ptr gone =
            m.take_out(existing<H>(m, id), {handler_end::kind::deleted, {}});
        if (!gone) throw process_exit(exit_reason::error("terminate_failed", type_name<H>()));
        a.value = any_message::of(
            std::move(*static_cast<detail::typed_event_box<H>*>(gone.get())->result()));
      },
      infinity);
  if (!answer.done) return tl::unexpected<exit_reason>(std::move(answer.failed));
  if constexpr (std::is_void_v<typename detail::result_of_terminate<H>::type>)
    return {};
  else
    return std::move(*answer.value.get_if<detail::terminate_result<H>>());
}

template <class H, server_address Address, class Argument>
auto gen_event::delete_handler(Address const& manager, handler_id id, Argument&& argument) {
  using given = std::decay_t<Argument>;
  static_assert(detail::terminates_with<H, given>,
                "otter: the handler has no public terminate for this argument");
  using bye = detail::farewell_of<H, given>;
  using answered = tl::expected<typename bye::returned, exit_reason>;
  detail::event_answer answer = detail::ask_manager(
      detail::locate(manager),
      [id = std::move(id.text), with = bye(std::forward<Argument>(argument))](
          detail::event_manager& m, detail::event_answer& a) mutable {
        if (!m.take_out(existing<H>(m, id), {handler_end::kind::deleted, {}}, &with))
          throw process_exit(exit_reason::error("terminate_failed", type_name<H>()));
        a.value = any_message::of(std::move(*with.result()));
      },
      infinity);
  if (!answer.done) return answered(tl::unexpected<exit_reason>(std::move(answer.failed)));
  if constexpr (std::is_void_v<typename bye::returned>)
    return answered();
  else
    return answered(std::move(*answer.value.get_if<detail::wire_reply<typename bye::returned>>()));
}

template <class H1, class H2, class... Args>
tl::expected<void, exit_reason> gen_event::swap(detail::target const& to, handler_id old,
                                                handler_id fresh, pid owner, Args&&... args) {
  using maker = detail::maker_of<H2, H1, std::decay_t<Args>...>;
  detail::event_answer answer = detail::ask_manager(
      to,
      [made = std::make_unique<maker>(std::move(fresh.text), std::forward<Args>(args)...),
       old = std::move(old.text), owner](detail::event_manager& m, detail::event_answer&) {
        m.swap(m.find(&detail::object_mark<H1>, old), {*made, nullptr, owner});
      },
      infinity);
  if (!answer.done) return tl::unexpected<exit_reason>(std::move(answer.failed));
  return {};
}

template <class H1, class H2, class Argument, class... Args>
tl::expected<void, exit_reason> gen_event::swap(detail::target const& to, handler_id old,
                                                handler_id fresh, pid owner,
                                                farewell<Argument> with, Args&&... args) {
  static_assert(detail::terminates_with<H1, Argument>,
                "otter: the handler has no public terminate for this argument");
  using maker = detail::maker_of<H2, H1, std::decay_t<Args>...>;
  detail::event_answer answer = detail::ask_manager(
      to,
      [made = std::make_unique<maker>(std::move(fresh.text), std::forward<Args>(args)...),
       bye = detail::handing_over<H1, Argument>(std::move(with.argument)),
       old = std::move(old.text), owner](detail::event_manager& m, detail::event_answer&) mutable {
        m.swap(m.find(&detail::object_mark<H1>, old), {*made, &bye, owner});
      },
      infinity);
  if (!answer.done) return tl::unexpected<exit_reason>(std::move(answer.failed));
  return {};
}

template <server_address Address, class Event>
void gen_event::sync_notify(Address const& manager, Event event, duration limit) {
  detail::ask_manager(
      detail::locate(manager),
      [event = std::move(event)](detail::event_manager& m, detail::event_answer&) mutable {
        m.notify(descriptor_of<Event>(), &event);
      },
      limit);
}

template <class H, server_address Address, class Request>
tl::expected<reply_t<Request>, exit_reason> gen_event::call(Address const& manager, handler_id id,
                                                            Request request, duration limit) {
  static_assert(request_message<Request>,
                "otter: this message cannot be called, since it does not name its answer; add "
                "`using reply = ...;`");
  static_assert(detail::handles_call<H, Request>,
                "otter: the handler has no public handle_call for this request");
  using wire = detail::wire_reply<reply_t<Request>>;
  detail::event_answer answer = detail::ask_manager(
      detail::locate(manager),
      [id = std::move(id.text), request = std::move(request)](detail::event_manager& m,
                                                              detail::event_answer& a) mutable {
        detail::event_box* box = m.find(&detail::object_mark<H>, id);
        if (box == nullptr)
          throw process_exit(detail::no_such_handler("bad_module", type_name<H>()));
        try {
          H& h = static_cast<detail::typed_event_box<H>*>(box)->handler();
          if constexpr (std::is_void_v<reply_t<Request>>) {
            h.handle_call(std::move(request));
            a.value = any_message::of(wire{});
          } else {
            a.value = any_message::of(wire(h.handle_call(std::move(request))));
          }
        } catch (detail::throw_probe const&) {
          // never: it notes where what comes below was thrown
        } catch (...) {
          throw process_exit(m.drop_failed(*box));
        }
      },
      limit);
  if (!answer.done) return tl::unexpected<exit_reason>(std::move(answer.failed));
  if constexpr (std::is_void_v<reply_t<Request>>)
    return {};
  else
    return std::move(*answer.value.get_if<wire>());
}

}  // namespace otter
