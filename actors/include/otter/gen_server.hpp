#pragma once

// otter/gen_server.hpp - a server: one process, some state, and the messages that it answers.
//
//   otter::gen_server<T>   the base class of a server T
//
//     class counter : public otter::gen_server<counter> {
//      public:
//       struct add  { int by; };
//       struct read { using reply = int; };
//       using accepts = otter::accepts<add, read>;
//
//       explicit counter(int start) : value_(start) {}
//       void handle_cast(add a) { value_ += a.by; }
//       int handle_call(read) { return value_; }
//
//      private:
//       int value_;
//     };
//
//     auto server = counter::start_link(40).value();   // runs the constructor in the new process
//     otter::cast(server, counter::add{2});
//     int n = otter::call(server, counter::read{});    // 42
//
// The callbacks, all optional, all public, run one at a time in the server's own process:
//
//   constructor                the start: an exception here is a failed start
//   init()                     after it, to say more: init_outcome or void
//   handle_call(M)             a request; returns the answer, or a call_outcome
//   handle_call(M, caller<M>)  the same, told who asks (a `from` will do)
//   handle_cast(M)             a cast; void or outcome
//   handle_info(M)             a plain message; void or outcome. For the M of `accepts`, and for
//                              down, exited, idle_timeout and any_response& wherever it is there
//   handle_info(any_message&)  any other plain message; without it they are reported and dropped
//   handle_continue(X)         what continue_with(X) asked for
//   terminate(reason)          before an end that the server knows of: stop, an exception in a
//                              callback, otter::stop(), the parent's exit while trapping exits. Not
//                              when an exit signal ends it, and not when the start fails
//   hibernate()                gives back what is not needed while nothing happens
//   format_status() const      std::string: the state for reports and status; leave secrets out
//   busy                       no function: an otter::busy_policy, static or not. When the server
//                              refuses calls instead of serving them late: otter/busy_policy.hpp
//
// An exception in a callback ends the server after terminate(), which may see a half-changed state;
// it is reported, and whoever waits for an answer gets it as the reason. A message that `accepts`
// does not list is the sender's mistake: a call fails at the caller with `unknown_request`,
// anything else is reported and dropped, and the server goes on. One that has another layout of
// what is listed is converted first: otter/message_change.hpp.

#include <array>
#include <cstddef>
#include <memory>
#include <otter/accepts.hpp>
#include <otter/busy_policy.hpp>
#include <otter/detail/server_core.hpp>
#include <otter/detail/startable.hpp>
#include <otter/exit.hpp>
#include <otter/gen.hpp>
#include <otter/monitor.hpp>
#include <otter/outcome.hpp>
#include <otter/request.hpp>
#include <otter/start.hpp>
#include <otter/type_name.hpp>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace otter {

namespace detail {

template <class Server, class... Args>
class server_body;

}  // namespace detail

/// The base class of a server. It holds nothing; its members are what callbacks return, and
/// start(), start_link() and start_monitor(), which hand their arguments to the server's
/// constructor: see otter/start.hpp for how a start may fail.
template <class Server>
class gen_server : public detail::startable<Server, detail::server_body> {
 protected:
  gen_server() = default;
  ~gen_server() = default;

  // --- what callbacks return: see otter/outcome.hpp ---

  template <class Reply>
  static detail::going_on<Server, std::decay_t<Reply>> reply(Reply&& value) {
    return detail::going_on<Server, std::decay_t<Reply>>(std::forward<Reply>(value));
  }
  static detail::going_on<Server, detail::void_reply> reply() {
    return detail::going_on<Server, detail::void_reply>({});
  }
  static detail::going_on<Server, detail::no_reply> noreply() {
    return detail::going_on<Server, detail::no_reply>({});
  }
  static detail::going_on<Server, detail::no_reply> ok() { return noreply(); }
  static detail::stopping stop(exit_reason reason) { return {std::move(reason)}; }
  template <class Reply>
  static detail::stopping_with<std::decay_t<Reply>> stop(exit_reason reason, Reply&& value) {
    return {std::move(reason), std::forward<Reply>(value)};
  }
  static detail::ignoring ignore() { return {}; }
  static detail::refusing fail(exit_reason reason) { return {std::move(reason)}; }
};

// --- what the compiler makes of a server class ---

namespace detail {

template <class Server, class M>
concept calls = requires(Server& s, M m) {
  s.handle_call(std::move(m));
};
template <class Server, class M>
concept calls_with_caller = requires(Server& s, M m, caller<M> who) {
  s.handle_call(std::move(m), who);
};
template <class Server, class M>
concept casts = requires(Server& s, M m) {
  s.handle_cast(std::move(m));
};
template <class Server, class M>
concept informs = requires(Server& s, M m) {
  s.handle_info(std::move(m));
};
template <class Server>
concept informs_any = requires(Server& s, any_message& m) {
  s.handle_info(m);
};
template <class Server>
concept informs_response = requires(Server& s, any_response& r) {
  s.handle_info(r);
};

template <class Result>
inline constexpr bool is_outcome =
    std::is_void_v<Result> || std::is_same_v<Result, outcome> || std::is_same_v<Result, stopping>;
template <class Server, class Result>
inline constexpr bool goes_on_or_stops =
    is_outcome<Result> || std::is_same_v<Result, going_on<Server, no_reply>>;

/// Runs `callback`, and makes a step of what it returns or throws.
template <class Outcome, class Callback>
void run_callback(step& out, std::string_view place, Callback&& callback) {
  using returned = std::invoke_result_t<Callback&>;
  try {
    if constexpr (std::is_void_v<returned>)
      callback();
    else
      out = Outcome(callback()).take_step();
  } catch (result const& thrown) {
    out = thrown.take_step();
  } catch (throw_probe const&) {
    // never: it notes where what comes below was thrown
  } catch (...) {
    step_from_exception(out, place);
  }
}

/// The same for a callback that answers with a plain value, or with void.
template <class Reply, class Callback>
void run_call(step& out, std::string_view place, Callback&& callback) {
  using returned = std::invoke_result_t<Callback&>;
  using wire = wire_reply<Reply>;
  try {
    if constexpr (std::is_void_v<returned>) {
      callback();
      out.reply = pack_reply<wire>(void_reply{});
    } else if constexpr (!std::is_void_v<Reply> && std::is_convertible_v<returned, wire> &&
                         !std::is_same_v<returned, call_outcome<Reply>>) {
      out.reply = pack_reply<wire>(callback());
    } else {
      out = call_outcome<Reply>(callback()).take_step();
    }
  } catch (result const& thrown) {
    out = thrown.take_step();
    check_thrown_reply(out, &descriptor_of<wire>());
  } catch (throw_probe const&) {
    // never: it notes where what comes below was thrown
  } catch (...) {
    step_from_exception(out, place);
  }
}

/// The functions of the dispatch tables.
template <class Server>
struct thunks {
  template <class M>
  static void call(void* server, event& e, step& out) {
    auto& s = *static_cast<Server*>(server);
    auto& m = *static_cast<M*>(e.payload());
    run_call<reply_t<M>>(out, type_name<M>(), [&]() -> decltype(auto) {
      if constexpr (calls_with_caller<Server, M>)
        return s.handle_call(std::move(m), otter::caller<M>(e.caller()));
      else
        return s.handle_call(std::move(m));
    });
  }
  template <class M>
  static void cast(void* server, event& e, step& out) {
    auto& s = *static_cast<Server*>(server);
    auto& m = *static_cast<M*>(e.payload());
    run_callback<outcome>(out, type_name<M>(), [&]() { return s.handle_cast(std::move(m)); });
  }
  template <class M>
  static void info(void* server, event& e, step& out) {
    auto& s = *static_cast<Server*>(server);
    auto& m = *static_cast<M*>(e.payload());
    run_callback<outcome>(out, type_name<M>(), [&]() { return s.handle_info(std::move(m)); });
  }
  static void any_info(void* server, event& e, step& out) {
    auto& s = *static_cast<Server*>(server);
    any_message m = e.take();
    run_callback<outcome>(out, "handle_info", [&]() { return s.handle_info(m); });
  }
  static void response(void* server, event& e, step& out) {
    auto& s = *static_cast<Server*>(server);
    any_response r(envelope_ptr(e.release()));
    run_callback<outcome>(out, "handle_info", [&]() { return s.handle_info(r); });
  }
  static void idle(void* server, event&, step& out) {
    auto& s = *static_cast<Server*>(server);
    if constexpr (informs<Server, idle_timeout>) {
      run_callback<outcome>(out, "idle_timeout", [&]() { return s.handle_info(idle_timeout{}); });
    } else {
      any_message m = any_message::of(idle_timeout{});
      run_callback<outcome>(out, "idle_timeout", [&]() { return s.handle_info(m); });
    }
  }
  template <class Argument>
  static void go_on_with(void* server, envelope& argument, step& out) {
    auto& s = *static_cast<Server*>(server);
    auto& x = *static_cast<Argument*>(argument.payload());
    run_callback<outcome>(out, type_name<Argument>(),
                          [&]() { return s.handle_continue(std::move(x)); });
  }
  static void terminate(void* server, exit_reason const& reason, step& out) {
    auto& s = *static_cast<Server*>(server);
    try {
      s.terminate(reason);
    } catch (throw_probe const&) {
      // never: it notes where what comes below was thrown
    } catch (...) {
      step_from_exception(out, "terminate");
    }
  }
  static void hibernate(void* server, step& out) {
    auto& s = *static_cast<Server*>(server);
    try {
      s.hibernate();
    } catch (throw_probe const&) {
      // never: it notes where what comes below was thrown
    } catch (...) {
      step_from_exception(out, "hibernate");
    }
  }
  static busy_policy const& busy(void const* server) {
    return static_cast<Server const*>(server)->busy;
  }
  static void* find(void* server, void const* mark) {
    return static_cast<Server*>(server)->find_object(mark);
  }
  static void status(void const* server, std::string& out) {
    out = static_cast<Server const*>(server)->format_status();
  }
  /// For servers of otter's own: not at the border of a module.
  static void change_parts(void* server, code_change_request& wanted) {
    static_cast<Server*>(server)->change_parts(wanted);
  }
};

/// Says what is wrong with one message of `accepts`, in one line each.
template <class Server, class M>
constexpr bool check_message() {
  constexpr bool called = calls<Server, M> || calls_with_caller<Server, M>;
  static_assert(called || casts<Server, M> || informs<Server, M>,
                "otter: `accepts` lists this message, but the server has no public handle_call, "
                "handle_cast or handle_info for it");
  static_assert(!called || request_message<M>,
                "otter: handle_call is there for a message that does not name its answer: add "
                "`using reply = ...;` to the message, or make it handle_cast");
  if constexpr (called && request_message<M>) {
    using reply = reply_t<M>;
    using wire = wire_reply<reply>;
    if constexpr (calls_with_caller<Server, M>) {
      using returned = decltype(std::declval<Server&>().handle_call(std::declval<M>(),
                                                                    std::declval<caller<M>>()));
      static_assert(std::is_void_v<returned>
                        ? std::is_void_v<reply>
                        : std::is_convertible_v<returned, wire> ||
                              std::is_convertible_v<returned, call_outcome<reply>>,
                    "otter: handle_call returns something else than the `reply` of its request");
    } else {
      using returned = decltype(std::declval<Server&>().handle_call(std::declval<M>()));
      static_assert(std::is_void_v<returned>
                        ? std::is_void_v<reply>
                        : std::is_convertible_v<returned, wire> ||
                              std::is_convertible_v<returned, call_outcome<reply>>,
                    "otter: handle_call returns something else than the `reply` of its request");
    }
  }
  if constexpr (casts<Server, M>) {
    using returned = decltype(std::declval<Server&>().handle_cast(std::declval<M>()));
    static_assert(goes_on_or_stops<Server, returned>,
                  "otter: handle_cast returns void or otter::outcome");
  }
  if constexpr (informs<Server, M>) {
    using returned = decltype(std::declval<Server&>().handle_info(std::declval<M>()));
    static_assert(goes_on_or_stops<Server, returned>,
                  "otter: handle_info returns void or otter::outcome");
  }
  return true;
}

template <class List>
struct tables;
template <class... Messages>
struct tables<accepts<Messages...>> {
  template <class Server>
  static constexpr bool checked = (check_message<Server, Messages>() && ...);

  template <class Server>
  static constexpr auto calls_of() {
    constexpr std::size_t n =
        (std::size_t{0} + ... +
         std::size_t{(calls<Server, Messages> || calls_with_caller<Server, Messages>)});
    std::array<handler, n> table{};
    [[maybe_unused]] std::size_t i = 0;
    (
        [&]<class M>(std::type_identity<M>) {
          if constexpr (calls<Server, M> || calls_with_caller<Server, M>)
            table[i++] = {&descriptor_of<M>(), &thunks<Server>::template call<M>};
        }(std::type_identity<Messages>{}),
        ...);
    return table;
  }
  template <class Server>
  static constexpr auto casts_of() {
    constexpr std::size_t n = (std::size_t{0} + ... + std::size_t{casts<Server, Messages>});
    std::array<handler, n> table{};
    [[maybe_unused]] std::size_t i = 0;
    (
        [&]<class M>(std::type_identity<M>) {
          if constexpr (casts<Server, M>)
            table[i++] = {&descriptor_of<M>(), &thunks<Server>::template cast<M>};
        }(std::type_identity<Messages>{}),
        ...);
    return table;
  }
  /// `accepts`, and what the runtime sends by itself.
  template <class Server>
  static constexpr auto infos_of() {
    constexpr bool downs = informs<Server, down> && !accepts<Messages...>::template contains<down>;
    constexpr bool exits =
        informs<Server, exited> && !accepts<Messages...>::template contains<exited>;
    constexpr std::size_t own = std::size_t{downs} + std::size_t{exits};
    constexpr std::size_t n = (own + ... + std::size_t{informs<Server, Messages>});
    std::array<handler, n> table{};
    [[maybe_unused]] std::size_t i = 0;
    (
        [&]<class M>(std::type_identity<M>) {
          if constexpr (informs<Server, M>)
            table[i++] = {&descriptor_of<M>(), &thunks<Server>::template info<M>};
        }(std::type_identity<Messages>{}),
        ...);
    if constexpr (downs)
      table[i++] = {&descriptor_of<down>(), &thunks<Server>::template info<down>};
    if constexpr (exits)
      table[i++] = {&descriptor_of<exited>(), &thunks<Server>::template info<exited>};
    return table;
  }
};

template <class Server>
struct server_class_for {
  static_assert(
      requires { typename Server::accepts; },
      "otter: a server says which messages it understands: "
      "`using accepts = otter::accepts<...>;` (it may be empty)");
  using list = tables<typename Server::accepts>;
  static_assert(list::template checked<Server>);

  static constexpr auto calls = list::template calls_of<Server>();
  static constexpr auto casts = list::template casts_of<Server>();
  static constexpr auto infos = list::template infos_of<Server>();

  static constexpr server_class make() {
    using t = thunks<Server>;
    server_class c{{.kind = "gen_server", .name = type_name<Server>()}};
    c.mark = &object_mark<Server>;
    c.calls = calls;
    c.casts = casts;
    c.infos = infos;
    if constexpr (informs_any<Server>) c.any_info = &t::any_info;
    if constexpr (informs_response<Server>) c.response = &t::response;
    if constexpr (informs<Server, idle_timeout> || informs_any<Server>) c.idle = &t::idle;
    if constexpr (requires(Server & s, exit_reason const& r) { s.terminate(r); })
      c.terminate = &t::terminate;
    if constexpr (requires(Server & s) { s.hibernate(); }) c.hibernate = &t::hibernate;
    if constexpr (requires(Server const& s) { std::string(s.format_status()); })
      c.status = &t::status;
    if constexpr (requires(Server & s, void const* mark) { s.find_object(mark); })
      c.find = &t::find;
    if constexpr (has_busy_policy<Server>) c.busy = &t::busy;
    if constexpr (requires(Server & s, code_change_request & w) { s.change_parts(w); })
      c.change_parts = &t::change_parts;
    return c;
  }
  static constexpr server_class value = make();
};

/// The process body: until start() what the constructor needs, then the server itself.
template <class Server, class... Args>
class server_body final : public server_core {
 public:
  template <class... A>
  explicit server_body(origin const& from, A&&... args)
      : server_core(server_class_for<Server>::value, from),
        server_(from.starter, std::forward<A>(args)...) {}
  ~server_body() override { server_.end(stage()); }

  void start() override {
    step init;
    const alias_ref starter = server_.begin(
        stage(), [&](auto construct) { run_callback<init_outcome>(init, "init", construct); });
    if constexpr (requires(Server & s) { s.init(); }) {
      if (init.what == step::kind::go_on && !entered())
        run_callback<init_outcome>(init, "init", [&] { return server_.get(stage())->init(); });
    }
    begin(starter, std::move(init));
  }

 private:
  void* object() const noexcept override { return server_.get(stage()); }

  late_object<Server, Args...> server_;
};

template <class Server, class Reply>
template <class Argument>
going_on<Server, Reply> going_on<Server, Reply>::continue_with(Argument argument) && {
  static_assert(
      requires(Server & s, Argument x) { s.handle_continue(std::move(x)); },
      "otter: the server has no public handle_continue for this argument");
  step_.continuation = pack<Argument>(signal_kind::message, std::move(argument));
  step_.run_continuation = &thunks<Server>::template go_on_with<Argument>;
  return std::move(*this);
}

}  // namespace detail

}  // namespace otter
