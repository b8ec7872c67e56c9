#pragma once

// otter/gen_statem.hpp - a state machine: a process that treats the same event in another way when
// it is in another state.
//
//   otter::gen_statem<T>   the base class of a machine T
//
//     class door : public otter::gen_statem<door> {
//      public:
//       enum class state { locked, open };
//       struct push {};
//       struct unlock { std::string code; using reply = bool; };
//       using accepts = otter::accepts<push, unlock>;
//
//       explicit door(std::string code) : code_(std::move(code)) {}
//
//       transition handle_event(in<state::locked>, unlock const& u, otter::caller<unlock> who) {
//         if (u.code != code_) return keep_state().reply(who, false);
//         return next_state(state::open).reply(who, true).state_timeout(10s);
//       }
//       transition handle_event(in<state::open>, otter::state_timeout) {
//         return next_state(state::locked);
//       }
//       bool handle_event(in<state::open>, unlock) { return true; }   // an answer: stay
//       void handle_event(state, push) {}                             // in any state
//       ...
//
// The states are an enumeration or types (otter/states.hpp). A machine begins in the first one, or
// where its init() says. What a handler returns is otter/transition.hpp. The callbacks, all
// public, run one at a time in the machine's own process:
//
//   constructor                 the data: an exception here is a failed start
//   init()                      after it, to say more: init_result or void
//   handle_event(S, M)          an event in the state S: transition, void (stay), or for a request
//                               its answer (stay)
//   handle_event(S, M, caller<M>)     a request, told who asks (a `from` will do)
//   handle_event(S, M, event_type)    an event, told where it came from
//   handle_event(S, any_message&)     a plain message that is not listed
//   handle_event(S, any_response&)    a response to a request of the machine's own
//   enter(S), enter(S, state old)     that state was entered; void or enter_result
//   terminate(reason), hibernate(), format_status() const     as those of a gen_server
//
// A public member `busy` says when calls are refused: otter/busy_policy.hpp. Those that a machine
// has postponed wait like those in its mailbox.
//
// S is `in<state::open>` or `open&`: that state. Or it is `state`: every state that has no handler
// of its own for that event. An event that is listed in `accepts` (from others), or in `internal`
// (next_event() and time-outs), must have a handler in every state, or the machine does not
// compile; postpone() is a handler too. `down`, `exited`, otter::state_timeout and
// otter::event_timeout come where there is a handler for them.
//
// Take an event as `M const&`, or as `M&` to move from it; one that was moved from must not be
// postponed. A call of a machine by its server_ref waits without limit; by name or pid, as any.
//
// Other callback modules: a class with static functions that take the machine in front
// (`handle_event(door&, in<state::open>, push)`) can take over its events and be left again, see
// push_callback_module().

#include <array>
#include <cstddef>
#include <otter/accepts.hpp>
#include <otter/detail/startable.hpp>
#include <otter/detail/statem_core.hpp>
#include <otter/exit.hpp>
#include <otter/gen.hpp>
#include <otter/monitor.hpp>
#include <otter/request.hpp>
#include <otter/states.hpp>
#include <otter/sys.hpp>
#include <otter/transition.hpp>
#include <otter/type_name.hpp>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace otter {

namespace detail {

template <class Machine, class... Args>
class machine_process;

}  // namespace detail

/// The base class of a machine. It holds nothing; its members are what handlers return, and
/// start(), start_link() and start_monitor(), as those of a gen_server.
template <class Machine>
class gen_statem : public detail::startable<Machine, detail::machine_process> {
 public:
  using transition = otter::transition<Machine>;
  using enter_result = otter::enter_result<Machine>;
  using init_result = otter::init_result<Machine>;
  template <auto State>
  using in = otter::in<State>;

  /// How long a call waits that names the machine by its server_ref (SM-26).
  static constexpr duration call_limit = infinity;

  // --- what handlers return: see otter/transition.hpp ---

  template <class State>
  static transition next_state(State next) {
    static_assert(std::is_constructible_v<typename Machine::state, State>,
                  "otter: this is no state of the machine");
    return transition::to(std::move(next));
  }
  static enter_result keep_state() noexcept {
    return enter_result(detail::statem_step::move::keep);
  }
  static enter_result repeat_state() noexcept {
    return enter_result(detail::statem_step::move::repeat);
  }
  static transition postpone() { return keep_state().postpone(); }
  static detail::leaving stop(exit_reason reason = exit_reason::normal()) {
    return detail::leaving(std::move(reason));
  }
  template <class State>
  static transition ok(State first) {
    return next_state(std::move(first));
  }
  static enter_result ok() noexcept { return keep_state(); }
  static detail::ignoring ignore() { return {}; }
  static detail::refusing fail(exit_reason reason) { return {std::move(reason)}; }

 protected:
  gen_statem() = default;
  ~gen_statem() = default;
};

// --- what the compiler makes of a machine ---

namespace detail {

/// The machine as its own callback module.
template <class Machine>
struct itself {
  template <class M, class... A>
  static auto handle_event(M& m, A&&... a) -> decltype(m.handle_event(std::forward<A>(a)...)) {
    return m.handle_event(std::forward<A>(a)...);
  }
  template <class M, class... A>
  static auto enter(M& m, A&&... a) -> decltype(m.enter(std::forward<A>(a)...)) {
    return m.enter(std::forward<A>(a)...);
  }
  template <class M>
  static auto terminate(M& m, exit_reason const& r) -> decltype(m.terminate(r)) {
    return m.terminate(r);
  }
  template <class M>
  static auto hibernate(M& m) -> decltype(m.hibernate()) {
    return m.hibernate();
  }
  template <class M>
  static auto format_status(M const& m) -> decltype(m.format_status()) {
    return m.format_status();
  }
};

template <class Module, class Machine>
inline constexpr std::string_view module_name = type_name<Module>();
template <class Machine>
inline constexpr std::string_view module_name<itself<Machine>, Machine> = type_name<Machine>();

/// The third parameter of a handler for M.
template <class M>
struct handler_extra {
  using type = event_type;
};
template <request_message M>
struct handler_extra<M> {
  using type = caller<M>;
};

template <class Module, class Machine, class S, class M>
concept handles_with_extra = requires(Machine& m, S& s, M& e,
                                      typename handler_extra<M>::type extra) {
  Module::handle_event(m, s, e, extra);
};
template <class Module, class Machine, class S, class M>
concept handles_with_type = requires(Machine& m, S& s, M& e, event_type t) {
  Module::handle_event(m, s, e, t);
};
template <class Module, class Machine, class S, class M>
concept handles_plainly = requires(Machine& m, S& s, M& e) {
  Module::handle_event(m, s, e);
};
template <class Module, class Machine, class S, class M>
concept handles = handles_with_extra<Module, Machine, S, M> ||
    handles_with_type<Module, Machine, S, M> || handles_plainly<Module, Machine, S, M>;

/// The state as the handler that is to run takes it: its own name, or the whole.
template <class Module, class Machine, class S, class M>
inline constexpr bool handled_in =
    handles<Module, Machine, S, M> || handles<Module, Machine, typename Machine::state, M>;

template <class Machine>
class machine_body;

template <class Machine, class Module, class M>
struct event_thunk;

/// What a handler returned, as a transition.
template <class Machine, class M, class F>
void keep_result(transition<Machine>& out, from who, F&& handler) {
  using returned = std::invoke_result_t<F&>;
  if constexpr (std::is_void_v<returned>) {
    handler();
    if constexpr (request_message<M>) {
      static_assert(std::is_void_v<reply_t<M>>,
                    "otter: this handler of a request returns nothing, so nobody answers; return "
                    "the answer, or a transition");
      if (who) out = transition<Machine>().reply(who);
    }
  } else if constexpr (std::is_constructible_v<transition<Machine>, returned>) {
    out = transition<Machine>(handler());
  } else {
    static_assert(request_message<M>,
                  "otter: handle_event returns a transition or void; only a request can be "
                  "answered by a plain value");
    static_assert(std::is_convertible_v<returned, wire_reply<reply_t<M>>>,
                  "otter: handle_event returns something else than the `reply` of its request");
    out = transition<Machine>().reply(caller<M>(who), handler());
  }
}

/// Calls the handler of M for a state `s`, which is the present one or the whole.
template <class Machine, class Module, class M, class S>
void call_handler(transition<Machine>& out, Machine& m, S& s, M& message, machine_event& e) {
  if constexpr (handles_with_extra<Module, Machine, S, M>) {
    typename handler_extra<M>::type extra{};
    if constexpr (request_message<M>)
      extra = caller<M>(e.caller);
    else
      extra = e.type;
    keep_result<Machine, M>(out, e.caller, [&]() -> decltype(auto) {
      return Module::handle_event(m, s, message, extra);
    });
  } else if constexpr (handles_with_type<Module, Machine, S, M>) {
    keep_result<Machine, M>(out, e.caller, [&]() -> decltype(auto) {
      return Module::handle_event(m, s, message, e.type);
    });
  } else {
    keep_result<Machine, M>(
        out, e.caller, [&]() -> decltype(auto) { return Module::handle_event(m, s, message); });
  }
}

/// Runs `f`; what it throws becomes what the machine wants.
template <class Machine, class F>
void guard_handler(transition<Machine>& out, std::string_view place, F&& f) {
  try {
    f();
  } catch (result const& thrown) {
    if (auto* t = thrown.get_if<transition<Machine>>()) {
      out = std::move(*t);
    } else if (auto* end = thrown.get_if<leaving>()) {
      out = transition<Machine>(std::move(*end));
    } else {
      out = transition<Machine>();
      step_from_bad_return(out.step().end, "a result that is no transition of this machine");
    }
  } catch (throw_probe const&) {
    // never: it notes where what comes below was thrown
  } catch (...) {
    step failed;
    step_from_exception(failed, place);
    out = transition<Machine>();
    out.step().end = std::move(failed);
  }
}

/// The process body without the arguments of its start.
template <class Machine>
class machine_body : public statem_core {
  static_assert(
      requires { typename Machine::state; },
      "otter: a machine says which states it has: `enum class state {...};`, or `using state = "
      "otter::states<...>;`");

 public:
  using state = typename Machine::state;

  virtual Machine* machine() const noexcept = 0;
  state& current() noexcept { return current_; }
  state const& current() const noexcept { return current_; }

  /// Takes the new state over; `t` keeps the old one until the enter call is over.
  void transit_to(transition<Machine>& t) {
    statem_step& wanted = t.step();
    if (wanted.how == statem_step::move::next && wanted.end.what == step::kind::go_on) {
      bool differs = false;
      step compared;
      try {
        differs = !(*t.next() == current_);
        if (differs) std::swap(*t.next(), current_);
      } catch (throw_probe const&) {
        // never: it notes where what comes below was thrown
      } catch (...) {
        step_from_exception(compared, "comparing two states");
        wanted.end = std::move(compared);
      }
      wanted.changed = differs;
    }
    transit(wanted, wanted.changed ? static_cast<void const*>(&*t.next()) : nullptr);
  }

 protected:
  machine_body(statem_class const& type, origin const& from) : statem_core(type, from) {}

  state current_{};

 private:
  void* object() const noexcept final {
    return machine() == nullptr ? nullptr : const_cast<machine_body*>(this);
  }
};

/// The functions of the dispatch tables.
template <class Machine, class Module>
struct machine_thunks {
  using body = machine_body<Machine>;
  using state = typename Machine::state;

  /// Calls what handles M in the present state; false if nothing does.
  template <class M>
  static bool in_present_state(body& b, M& message, machine_event& e, std::string_view place) {
    bool handled = false;
    transition<Machine> t;
    guard_handler<Machine>(t, place, [&] {
      with_state(b.current(), [&](auto&& s) {
        using S = std::remove_cvref_t<decltype(s)>;
        if constexpr (handles<Module, Machine, S, M>) {
          handled = true;
          call_handler<Machine, Module, M>(t, *b.machine(), s, message, e);
        } else if constexpr (handles<Module, Machine, state, M>) {
          handled = true;
          call_handler<Machine, Module, M>(t, *b.machine(), b.current(), message, e);
        }
      });
    });
    if (handled) b.transit_to(t);
    return handled;
  }

  template <class M>
  static bool event(statem_core& core, machine_event& e) {
    return in_present_state<M>(static_cast<body&>(core), *static_cast<M*>(e.payload), e,
                               type_name<M>());
  }
  static bool any_info(statem_core& core, machine_event& e) {
    any_message m = e.arrived != nullptr ? e.arrived->take() : any_message(std::move(e.content));
    const bool handled =
        in_present_state<any_message>(static_cast<body&>(core), m, e, "handle_event");
    e.arrived = nullptr;
    e.content = m.release();
    if (!e.content) e.payload = nullptr;  // the handler has kept it
    return handled;
  }
  static bool response(statem_core& core, machine_event& e) {
    any_response r(e.arrived != nullptr ? envelope_ptr(e.arrived->release())
                                        : std::move(e.content));
    const bool handled =
        in_present_state<any_response>(static_cast<body&>(core), r, e, "handle_event");
    e.arrived = nullptr;
    e.content = r.release();
    if (!e.content) e.payload = nullptr;
    return handled;
  }

  template <class S>
  static constexpr bool enters_with_old = requires(Machine& m, S& s, state const& old) {
    Module::enter(m, s, old);
  };
  template <class S>
  static constexpr bool enters = enters_with_old<S> || requires(Machine& m, S& s) {
    Module::enter(m, s);
  };

  template <class F>
  static void keep_entered(transition<Machine>& out, F&& f) {
    using returned = std::invoke_result_t<F&>;
    if constexpr (std::is_void_v<returned>) {
      f();
    } else {
      static_assert(std::is_constructible_v<enter_result<Machine>, returned>,
                    "otter: enter() cannot change the state, postpone or insert events: it returns "
                    "void or enter_result");
      out = transition<Machine>(enter_result<Machine>(f()));
    }
  }
  template <class S>
  static void call_enter(transition<Machine>& out, Machine& m, S& s, state const& old) {
    if constexpr (enters_with_old<S>)
      keep_entered(out, [&]() -> decltype(auto) { return Module::enter(m, s, old); });
    else
      keep_entered(out, [&]() -> decltype(auto) { return Module::enter(m, s); });
  }
  static void enter(statem_core& core, void const* old_state, statem_step& out) {
    auto& b = static_cast<body&>(core);
    transition<Machine> t;
    guard_handler<Machine>(t, "enter", [&] {
      state const& old = old_state != nullptr ? *static_cast<state const*>(old_state) : b.current();
      with_state(b.current(), [&](auto&& s) {
        using S = std::remove_cvref_t<decltype(s)>;
        if constexpr (enters<S>)
          call_enter(t, *b.machine(), s, old);
        else if constexpr (enters<state>)
          call_enter(t, *b.machine(), b.current(), old);
      });
    });
    out = std::move(t.step());
    if (!out.may_follow_enter())  // thrown, since the compiler lets nothing else through (SM-15)
      step_from_bad_return(out.end, "bad_state_enter_return_from_state_function");
  }

  static void terminate(void* object, exit_reason const& reason, step& out) {
    try {
      Module::terminate(*static_cast<body*>(object)->machine(), reason);
    } catch (throw_probe const&) {
      // never: it notes where what comes below was thrown
    } catch (...) {
      step_from_exception(out, "terminate");
    }
  }
  static void hibernate(void* object, step& out) {
    try {
      Module::hibernate(*static_cast<body*>(object)->machine());
    } catch (throw_probe const&) {
      // never: it notes where what comes below was thrown
    } catch (...) {
      step_from_exception(out, "hibernate");
    }
  }
  static busy_policy const& busy(void const* object) {
    return static_cast<body const*>(object)->machine()->busy;
  }
  static void status(void const* object, std::string& out) {
    Machine const& m = *static_cast<body const*>(object)->machine();
    out = Module::format_status(m);
  }
  static std::string_view state_name(statem_core const& core) noexcept {
    return name_of_state(static_cast<body const&>(core).current());
  }
};

template <class Machine>
struct internal_of {
  using type = accepts<>;
};
template <class Machine>
requires requires { typename Machine::internal; }
struct internal_of<Machine> {
  using type = typename Machine::internal;
};

/// Whether some state of the machine, or `state`, handles M.
template <class Module, class Machine, class M>
constexpr bool handled_somewhere() noexcept {
  bool found = handles<Module, Machine, typename Machine::state, M>;
  each_state<typename Machine::state>::for_each(
      [&]<class S>(std::type_identity<S>) { found = found || handles<Module, Machine, S, M>; });
  return found;
}

/// Its instantiation names the state and the event.
template <class Module, class Machine, class S, class M>
constexpr bool check_event_in_state() noexcept {
  static_assert(handled_in<Module, Machine, S, M>,
                "otter: the machine has no public handle_event for this event in this state; add "
                "one, or one for every state: handle_event(state, M)");
  return true;
}

template <class Machine>
constexpr bool check_states() noexcept {
  using state = typename Machine::state;
  if constexpr (std::is_enum_v<state>) {
    static_assert(
        count_enumerators<state>() != 0,
        "otter: the enumerators of `state` count from 0 without gaps, and are 64 at most");
    static_assert(!std::is_convertible_v<state, int>, "otter: `state` is an enum class");
  } else {
    static_assert(is_states<state>,
                  "otter: `state` is an enum class, or otter::states<...> of types");
  }
  static_assert(
      requires { typename Machine::accepts; },
      "otter: a machine says which events it understands: "
      "`using accepts = otter::accepts<...>;` (it may be empty)");
  return true;
}

template <class Machine, class Module, class Accepted, class Internal>
struct machine_tables;
template <class Machine, class Module, class... Accepted, class... Internal>
struct machine_tables<Machine, Module, accepts<Accepted...>, accepts<Internal...>> {
  template <class M>
  static constexpr bool listed = (std::is_same_v<M, Accepted> || ...) ||
                                 (std::is_same_v<M, Internal> || ...);

  template <class M>
  static constexpr bool check_everywhere() {
    each_state<typename Machine::state>::for_each([]<class S>(std::type_identity<S>) {
      static_assert(check_event_in_state<Module, Machine, S, M>());
    });
    return true;
  }
  static constexpr bool checked =
      (check_everywhere<Accepted>() && ...) && (check_everywhere<Internal>() && ...);

  /// What comes without being listed, if it is handled.
  template <class M>
  static constexpr bool own = !listed<M> && handled_somewhere<Module, Machine, M>();

  static constexpr auto make() {
    using t = machine_thunks<Machine, Module>;
    constexpr std::size_t n = sizeof...(Accepted) + sizeof...(Internal) + std::size_t{own<down>} +
                              std::size_t{own<exited>} + std::size_t{own<otter::state_timeout>} +
                              std::size_t{own<otter::event_timeout>};
    std::array<statem_handler, n> table{};
    [[maybe_unused]] std::size_t i = 0;
    ((table[i++] = {&descriptor_of<Accepted>(), &t::template event<Accepted>}), ...);
    ((table[i++] = {&descriptor_of<Internal>(), &t::template event<Internal>}), ...);
    [&]<class... M>(std::type_identity<M>...) {
      (
          [&] {
            if constexpr (own<M>) table[i++] = {&descriptor_of<M>(), &t::template event<M>};
          }(),
          ...);
    }(std::type_identity<down>{}, std::type_identity<exited>{},
      std::type_identity<otter::state_timeout>{}, std::type_identity<otter::event_timeout>{});
    return table;
  }
  static constexpr auto events = make();
};

template <class Machine, class Module>
struct machine_class_for {
  static_assert(check_states<Machine>());
  using tables = machine_tables<Machine, Module, typename Machine::accepts,
                                typename internal_of<Machine>::type>;
  static_assert(tables::checked);

  template <class F>
  static constexpr bool any_state(F f) {
    bool found = f(std::type_identity<typename Machine::state>{});
    each_state<typename Machine::state>::for_each([&](auto s) { found = found || f(s); });
    return found;
  }

  static constexpr statem_class make() {
    using t = machine_thunks<Machine, Module>;
    statem_class c{{.kind = "gen_statem", .name = module_name<Module, Machine>}};
    c.mark = &object_mark<Machine>;
    c.events = tables::events;
    c.state = &t::state_name;
    if constexpr (handled_somewhere<Module, Machine, any_message>()) c.any_info = &t::any_info;
    if constexpr (handled_somewhere<Module, Machine, any_response>()) c.response = &t::response;
    if constexpr (any_state([]<class S>(std::type_identity<S>) { return t::template enters<S>; }))
      c.enter = &t::enter;
    if constexpr (requires(Machine & m, exit_reason const& r) { Module::terminate(m, r); })
      c.terminate = &t::terminate;
    if constexpr (requires(Machine & m) { Module::hibernate(m); }) c.hibernate = &t::hibernate;
    if constexpr (requires(Machine const& m) { std::string(Module::format_status(m)); })
      c.status = &t::status;
    if constexpr (has_busy_policy<Machine>) c.busy = &t::busy;
    return c;
  }
  static constexpr statem_class value = make();
};

template <class Machine, class Module>
statem_class const* statem_class_of() noexcept {
  return &machine_class_for<Machine, Module>::value;
}

template <class Machine, class Event>
constexpr bool knows_event() noexcept {
  return Machine::accepts::template contains<Event> ||
         internal_of<Machine>::type::template contains<Event> ||
         handled_somewhere<itself<Machine>, Machine, Event>();
}

template <class Machine>
requires std::is_base_of_v<gen_statem<Machine>, Machine>
struct state_of_object<Machine> {
  using object = machine_body<Machine>;
  template <class M>
  static decltype(auto) part(M& machine) {
    if constexpr (requires { machine.system_state(); })
      return machine.system_state();
    else
      return (machine);
  }
  using data = std::remove_cvref_t<decltype(part(std::declval<Machine&>()))>;
  using type = machine_state<typename Machine::state, data>;
  static type get(object& body) { return {body.current(), part(*body.machine())}; }
  static void put(object& body, type&& value) {
    body.current() = std::move(value.state);
    part(*body.machine()) = std::move(value.data);
  }
};

template <class Machine, class... Args>
class machine_process final : public machine_body<Machine> {
 public:
  template <class... A>
  explicit machine_process(origin const& from, A&&... args)
      : machine_body<Machine>(machine_class_for<Machine, itself<Machine>>::value, from),
        machine_(from.starter, std::forward<A>(args)...) {}
  ~machine_process() override { machine_.end(this->stage()); }

  void start() override {
    transition<Machine> t;
    const alias_ref starter = machine_.begin(this->stage(), [&](auto construct) {
      guard_handler<Machine>(t, "init", [&] {
        construct();
        if constexpr (requires(Machine & m) { m.init(); }) {
          using returned = decltype(std::declval<Machine&>().init());
          if (this->entered()) return;
          if constexpr (std::is_void_v<returned>)
            machine_.get(this->stage())->init();
          else
            t = init_result<Machine>(machine_.get(this->stage())->init()).take();
        }
      });
    });
    if (t.next()) this->current_ = std::move(*t.next());
    this->begin(starter, std::move(t.step()));
  }

 private:
  Machine* machine() const noexcept override { return machine_.get(this->stage()); }

  late_object<Machine, Args...> machine_;
};

}  // namespace detail
}  // namespace otter
