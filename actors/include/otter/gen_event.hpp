#pragma once

// otter/gen_event.hpp - one process that hands each event to any number of handlers.
//
//   otter::gen_event             the manager: starts, and the operations, all static
//   otter::event_handler<H>      the base class of a handler H
//   otter::taken_over<H>         what a handler gets that takes another one's place
//   otter::handler_end, handler_exited, handler_info   see otter/detail/event_manager.hpp
//
//     class printer : public otter::event_handler<printer> {
//      public:
//       struct lines { using reply = int; };
//       using accepts = otter::accepts<log_line, lines>;
//
//       void handle_event(log_line const& l) { std::puts(l.text.c_str()); ++lines_; }
//       int handle_call(lines) { return lines_; }
//      private:
//       int lines_ = 0;
//     };
//
//     auto log = otter::gen_event::start_link({.name = "log"}).value();
//     otter::gen_event::add_handler<printer>(log);
//     otter::gen_event::notify("log", log_line{"up"});
//
// The callbacks of a handler, all public, run one at a time in the manager's process:
//
//   constructor                  gets the arguments of add_handler(); an exception: not added
//   handle_event(E const&)       an event: void or handler_result. One that a handler has nothing
//   for
//                                passes it by
//   handle_info(M const&)        a plain message to the manager: the same
//   handle_call(R)               gen_event::call<H>(): the answer
//   terminate(handler_end)       before it goes, for whatever reason; what it returns is what
//                                delete_handler() returns, and what a successor gets
//   hibernate                    is a result: keep().hibernate()
//
// A handler that throws is removed, and reported; the others and the manager go on. The latest
// added is called first. Several of one class are told apart by `handler_id`.
//
// When not to use it: handlers share one process and wait for each other. What takes long, or must
// not be lost with the manager, belongs in a process of its own that the handler sends to.

#include <memory>
#include <optional>
#include <otter/detail/event_manager.hpp>
#include <otter/gen.hpp>
#include <otter/sys.hpp>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace otter {

/// Tells handlers of one class apart; empty by default.
struct handler_id {
  std::string text;
};

namespace detail {

template <class H>
concept terminates_with_end = requires(H& h, handler_end const& e) {
  h.terminate(e);
};
template <class H>
struct result_of_terminate {
  using type = void;
};
template <terminates_with_end H>
struct result_of_terminate<H> {
  using type = decltype(std::declval<H&>().terminate(std::declval<handler_end const&>()));
};
/// What terminate() returns, with void as a value.
template <class H>
using terminate_result = wire_reply<typename result_of_terminate<H>::type>;

template <class H, class Old, class... Args>
class maker_of;

}  // namespace detail

/// The first argument of a handler's constructor, if it wants to know whose place it takes. The
/// result is missing if there was no such handler.
template <class H>
struct taken_over {
  std::optional<detail::terminate_result<H>> result{};
};

/// What handle_event() and handle_info() may return; void is keep().
class [[nodiscard]] handler_result {
 public:
  explicit handler_result(detail::handler_wish wish) : wish_(std::move(wish)) {}
  handler_result hibernate() && {
    wish_.hibernate = true;
    return std::move(*this);
  }
  detail::handler_wish&& take() && noexcept { return std::move(wish_); }

 private:
  detail::handler_wish wish_;
};

/// The base class of a handler. It holds nothing.
template <class H>
class event_handler {
 protected:
  event_handler() = default;
  ~event_handler() = default;

  static handler_result keep() { return handler_result({}); }
  static handler_result remove() {
    detail::handler_wish wish;
    wish.what = detail::handler_wish::kind::remove;
    return handler_result(std::move(wish));
  }
  /// An `Other` takes this one's place; it gets `args`.
  template <class Other, class... Args>
  static handler_result swap(Args&&... args) {
    detail::handler_wish wish;
    wish.what = detail::handler_wish::kind::swap;
    wish.next = std::make_unique<detail::maker_of<Other, H, std::decay_t<Args>...>>(
        std::string{}, std::forward<Args>(args)...);
    return handler_result(std::move(wish));
  }
};

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

/// The manager. Each operation waits for it, except notify(). Unless it says otherwise:
///
/// Called from: a process, or an attached thread. Blocks: until the manager has answered. Exits:
/// may. Throws: process_exit(call_failed), as otter::call(), if the manager is not there or ends.
class gen_event {
 public:
  /// Starts a manager without handlers. It traps exits (GE-11).
  static start_result<gen_event> start(start_options const& options = {});
  static start_result<gen_event> start_link(start_options const& options = {});
  static monitored_start<gen_event> start_monitor(start_options const& options = {});

  /// Adds an H made of `args`, in front of the others. Not added: why its constructor threw (GE-2).
  template <class H, server_address Address, class... Args>
  static tl::expected<void, exit_reason> add_handler(Address const& manager, Args&&... args) {
    return add<H>(detail::locate(manager), {}, {}, std::forward<Args>(args)...);
  }
  template <class H, server_address Address, class... Args>
  static tl::expected<void, exit_reason> add_handler(Address const& manager, handler_id id,
                                                     Args&&... args) {
    return add<H>(detail::locate(manager), std::move(id), {}, std::forward<Args>(args)...);
  }
  /// The same, bound to the caller: it goes when the caller ends, and if it goes before, the caller
  /// gets a handler_exited (GE-9).
  template <class H, server_address Address, class... Args>
  static tl::expected<void, exit_reason> add_sup_handler(Address const& manager, Args&&... args) {
    return add<H>(detail::locate(manager), {}, self(), std::forward<Args>(args)...);
  }
  template <class H, server_address Address, class... Args>
  static tl::expected<void, exit_reason> add_sup_handler(Address const& manager, handler_id id,
                                                         Args&&... args) {
    return add<H>(detail::locate(manager), std::move(id), self(), std::forward<Args>(args)...);
  }

  /// Takes the handler out, and returns what its terminate() returned. None: `module_not_found`
  /// (GE-7).
  template <class H, server_address Address>
  static tl::expected<typename detail::result_of_terminate<H>::type, exit_reason> delete_handler(
      Address const& manager, handler_id id = {});

  /// An H2 made of (taken_over<H1>, args...), or of `args`, takes the place of an H1. If there is
  /// no H1, it is made all the same, and its taken_over has no result (GE-8).
  template <class H1, class H2, server_address Address, class... Args>
  static tl::expected<void, exit_reason> swap_handler(Address const& manager, Args&&... args);

  /// Hands `event` to all handlers; returns at once. Nobody is there: nothing happens. Blocks:
  /// never.
  template <server_address Address, class Event>
  static void notify(Address const& manager, Event&& event) {
    detail::cast_target(detail::locate(manager),
                        detail::pack<detail::event_notice>(
                            detail::signal_kind::cast,
                            detail::event_notice{any_message::of(std::forward<Event>(event))}));
  }
  /// The same, and returns when all handlers have handled it (GE-3).
  template <server_address Address, class Event>
  static void sync_notify(Address const& manager, Event event, duration limit = infinity) {
    detail::ask_manager(
        detail::locate(manager),
        [event = std::move(event)](detail::event_manager& m, detail::event_answer&) mutable {
          m.notify(descriptor_of<Event>(), &event);
        },
        limit);
  }

  /// Asks one handler. No such handler: `bad_module`; it failed: why, and it is removed. Neither
  /// ends the caller (GE-6).
  template <class H, server_address Address, class Request>
  static tl::expected<reply_t<Request>, exit_reason> call(Address const& manager, Request request,
                                                          duration limit = default_call_limit) {
    return call<H>(manager, handler_id{}, std::move(request), limit);
  }
  template <class H, server_address Address, class Request>
  static tl::expected<reply_t<Request>, exit_reason> call(Address const& manager, handler_id id,
                                                          Request request,
                                                          duration limit = default_call_limit);

  /// The latest added first.
  template <server_address Address>
  static std::vector<handler_info> which_handlers(Address const& manager) {
    return list(detail::locate(manager));
  }

 private:
  template <class H, class... Args>
  static tl::expected<void, exit_reason> add(detail::target const& to, handler_id id, pid owner,
                                             Args&&... args);
  static std::vector<handler_info> list(detail::target const& to);
};

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

template <class H, server_address Address>
tl::expected<typename detail::result_of_terminate<H>::type, exit_reason> gen_event::delete_handler(
    Address const& manager, handler_id id) {
  detail::event_answer answer = detail::ask_manager(
      detail::locate(manager),
      [id = std::move(id.text)](detail::event_manager& m, detail::event_answer& a) {
        detail::event_box* box = m.find(&detail::object_mark<H>, id);
        if (box == nullptr)
          throw process_exit(detail::no_such_handler("module_not_found", type_name<H>()));
        detail::event_box_ptr gone = m.take_out(*box, {handler_end::kind::deleted, {}});
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

template <class H1, class H2, server_address Address, class... Args>
tl::expected<void, exit_reason> gen_event::swap_handler(Address const& manager, Args&&... args) {
  using maker = detail::maker_of<H2, H1, std::decay_t<Args>...>;
  detail::event_answer answer = detail::ask_manager(
      detail::locate(manager),
      [made = std::make_unique<maker>(std::string{}, std::forward<Args>(args)...)](
          detail::event_manager& m, detail::event_answer&) {
        m.swap(m.find(&detail::object_mark<H1>, {}), *made);
      },
      infinity);
  if (!answer.done) return tl::unexpected<exit_reason>(std::move(answer.failed));
  return {};
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
