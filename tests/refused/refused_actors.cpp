// What the compiler has to refuse of behaviours, and say why: as refused.cpp.

#include <chrono>
#include <memory>
#include <otter/agent.hpp>
#include <otter/gen_event.hpp>
#include <otter/gen_server.hpp>
#include <otter/gen_statem.hpp>
#include <otter/pg.hpp>
#include <otter/registry.hpp>
#include <otter/request.hpp>
#include <otter/sys.hpp>
#include <otter/table.hpp>
#include <otter/worker_pool.hpp>
#include <string>

namespace wrong {

struct read {
  using reply = int;
};
struct add {
  int by;
};
struct other {
  using reply = void;
};
struct again {};

// --- gen_server ---

class counter : public otter::gen_server<counter> {
 public:
  using accepts = otter::accepts<read, add>;
  int handle_call(read) { return 1; }
  void handle_cast(add) {}
};

#if CASE == 1
class server : public otter::gen_server<server> {
 public:
  // CASE 1: `accepts` lists this message, but the server has no public handle_call | add
  using accepts = otter::accepts<add>;
};
#elif CASE == 2
class server : public otter::gen_server<server> {
 public:
  using accepts = otter::accepts<read>;
  // CASE 2: handle_call returns something else than the `reply` of its request | read
  std::string handle_call(read) { return "one"; }
};
#elif CASE == 3
class server : public otter::gen_server<server> {
 public:
  using accepts = otter::accepts<add>;
  // CASE 3: handle_call is there for a message that does not name its answer | add
  int handle_call(add) { return 1; }
};
#elif CASE == 4
class server : public otter::gen_server<server> {
 public:
  using accepts = otter::accepts<add>;
  // CASE 4: handle_cast returns void or otter::outcome | add
  int handle_cast(add) { return 1; }
};
#elif CASE == 5
class server : public otter::gen_server<server> {
 public:
  using accepts = otter::accepts<add>;
  // CASE 5: handle_info returns void or otter::outcome | add
  bool handle_info(add) { return true; }
};
#elif CASE == 6
class server : public otter::gen_server<server> {
 public:
  // CASE 6: a server says which messages it understands | server
  void handle_cast(add) {}
};
#elif CASE == 7
class server : public otter::gen_server<server> {
 public:
  using accepts = otter::accepts<add>;
  // CASE 7: the server has no public handle_continue for this argument | again
  otter::outcome handle_cast(add) { return noreply().continue_with(again{}); }
};
#elif CASE == 8
class server : public otter::gen_server<server> {
 public:
  using accepts = otter::accepts<add>;
  // CASE 8: a server that sets a time-out needs handle_info(otter::idle_timeout) | server
  otter::outcome handle_cast(add) { return noreply().timeout(std::chrono::seconds(1)); }
};
#endif
#if CASE >= 1 && CASE <= 8
[[maybe_unused]] void start() { static_cast<void>(server::start()); }
#endif

// CASE 9: derive as `class counter : public otter::gen_server<counter>` | unrelated
#if CASE == 9
class unrelated {
 public:
  using accepts = otter::accepts<>;
};
[[maybe_unused]] void start() { static_cast<void>(otter::gen_server<unrelated>::start()); }
#endif

// --- calls and starts ---

[[maybe_unused]] void talk(otter::server_ref<counter> to, otter::caller<read> who) {
  static_cast<void>(to);
  static_cast<void>(who);
#if CASE == 10
  // CASE 10: the class has no public constructor for these arguments | counter
  static_cast<void>(counter::start(7));
#elif CASE == 11
  // CASE 11: the server does not accept this request | other
  otter::call(to, other{});
#elif CASE == 12
  // CASE 12: the server does not accept this message | again
  otter::cast(to, again{});
#elif CASE == 13
  // CASE 13: this message cannot be called, since it does not name its answer | add
  otter::call(to, add{1});
#elif CASE == 14
  // CASE 14: this is not the answer that the request names | read
  otter::reply(who, std::string("one"));
#elif CASE == 15
  // CASE 15: all requests of one collection have one type of answer | other
  otter::request_ids<int, int> all;
  all.send(to, other{}, 1);
#endif
}

// --- gen_statem ---

#if CASE >= 20 && CASE < 40
struct push {};
struct ask {
  using reply = int;
};
#endif
#if CASE == 20
class machine : public otter::gen_statem<machine> {
 public:
  enum class state { open, shut };
  using accepts = otter::accepts<push>;
  // CASE 20: the machine has no public handle_event for this event in this state | shut
  void handle_event(in<state::open>, push) {}
};
#elif CASE == 21
class machine : public otter::gen_statem<machine> {
 public:
  enum class state { open, shut };
  using accepts = otter::accepts<ask>;
  // CASE 21: handle_event returns something else than the `reply` of its request | ask
  std::string handle_event(state, ask) { return "one"; }
};
#elif CASE == 22
class machine : public otter::gen_statem<machine> {
 public:
  enum class state { open, shut };
  using accepts = otter::accepts<ask>;
  // CASE 22: this handler of a request returns nothing, so nobody answers | ask
  void handle_event(state, ask) {}
};
#elif CASE == 23
class machine : public otter::gen_statem<machine> {
 public:
  enum class state { open, shut };
  using accepts = otter::accepts<push>;
  // CASE 23: handle_event returns a transition or void | push
  int handle_event(state, push) { return 1; }
};
#elif CASE == 24
class machine : public otter::gen_statem<machine> {
 public:
  enum class state { open, shut };
  using accepts = otter::accepts<push>;
  // CASE 24: this is no state of the machine | std::__cxx11::basic_string
  transition handle_event(state, push) { return next_state(std::string("open")); }
};
#elif CASE == 25
class machine : public otter::gen_statem<machine> {
 public:
  enum class state { open, shut };
  using accepts = otter::accepts<push>;
  void handle_event(state, push) {}
  // CASE 25: enter() cannot change the state, postpone or insert events | transition
  transition enter(state) { return next_state(state::shut); }
};
#elif CASE == 26
class machine : public otter::gen_statem<machine> {
 public:
  enum class state { open = 1, shut = 3 };
  using accepts = otter::accepts<push>;
  // CASE 26: the enumerators of `state` count from 0 without gaps | machine
  void handle_event(state, push) {}
};
#elif CASE == 27
class machine : public otter::gen_statem<machine> {
 public:
  using accepts = otter::accepts<push>;
  // CASE 27: a machine says which states it has | machine
};
#elif CASE == 28
class machine : public otter::gen_statem<machine> {
 public:
  enum class state { open, shut };
  // CASE 28: a machine says which events it understands | machine
};
#elif CASE == 29
class machine : public otter::gen_statem<machine> {
 public:
  enum class state { open, shut };
  using accepts = otter::accepts<push>;
  // CASE 29: the machine has no handler for this event | again
  transition handle_event(state, push) { return keep_state().next_event(again{}); }
};
#endif
#if CASE >= 20 && CASE < 40
[[maybe_unused]] void start() { static_cast<void>(machine::start()); }
#endif

// --- gen_event ---

struct event {};

#if CASE == 40
class handler : public otter::event_handler<handler> {
 public:
  // CASE 40: `accepts` lists something that the handler has no public handle_event | event
  using accepts = otter::accepts<event>;
};
#elif CASE == 41
class handler : public otter::event_handler<handler> {
 public:
  using accepts = otter::accepts<event>;
  // CASE 41: handle_event and handle_info of a handler return void or handler_result | bool
  bool handle_event(event const&) { return true; }
};
#elif CASE == 42
class handler : public otter::event_handler<handler> {
 public:
  // CASE 42: a handler says which events, messages and calls it understands | handler
  void handle_event(event const&) {}
};
#elif CASE >= 43 && CASE < 60
class handler : public otter::event_handler<handler> {
 public:
  using accepts = otter::accepts<event, read>;
  void handle_event(event const&) {}
  int handle_call(read) { return 1; }
  int terminate(otter::handler_end const&) { return 1; }
  std::string terminate(add) { return "added"; }
};
#endif
#if CASE >= 40 && CASE < 60
[[maybe_unused]] void use(otter::pid manager) {
#if CASE <= 42
  static_cast<void>(otter::gen_event::add_handler<handler>(manager));
#elif CASE == 43
  // CASE 43: the handler has no public constructor for these arguments | handler
  static_cast<void>(otter::gen_event::add_handler<handler>(manager, 7));
#elif CASE == 44
  // CASE 44: the handler has no public handle_call for this request | other
  static_cast<void>(otter::gen_event::call<handler>(manager, other{}));
#elif CASE == 45
  // CASE 45: the handler has no public terminate for this argument | again
  static_cast<void>(otter::gen_event::delete_handler<handler>(manager, again{}));
#elif CASE == 46
  // CASE 46: this terminate() returns something else than terminate(handler_end) | add
  static_cast<void>(otter::gen_event::swap_handler<handler, handler>(
      manager, otter::handler_id{"a"}, otter::handler_id{"b"}, otter::farewell{add{1}}));
#elif CASE == 47
  // CASE 47: this message cannot be called, since it does not name its answer | event
  static_cast<void>(otter::gen_event::call<handler>(manager, event{}));
#endif
}
#endif

// --- sys, agents, registries, groups, tables, pools ---

class holder : public otter::gen_server<holder> {
 public:
  using accepts = otter::accepts<>;
  std::unique_ptr<int> held;
};

[[maybe_unused]] void look(otter::pid p) {
  static_cast<void>(p);
#if CASE == 60
  // CASE 60: this state cannot be copied | holder
  static_cast<void>(otter::sys::get_state<holder>(p));
#elif CASE == 61
  // CASE 61: this function does not take the state of the agent | std::__cxx11::basic_string
  otter::agent<std::string>::get(p, [](int n) { return n; });
#elif CASE == 62
  // CASE 62: an agent does not give out pointers | char
  otter::agent<std::string>::get(p, [](std::string const& s) { return s.c_str(); });
#elif CASE == 63
  // CASE 63: a key is a value: a text is kept as a std::string | const char*
  static_cast<void>(sizeof(otter::registry<char const*>));
#elif CASE == 64
  // CASE 64: a group is named by a value | const char*
  static_cast<void>(sizeof(otter::pg::scope<char const*>));
#elif CASE == 65
  // CASE 65: a table gives out no pointers | int*
  static_cast<void>(sizeof(otter::table<int, int*>));
#elif CASE == 66
  // CASE 66: a pool is asked, not told | add
  static_cast<void>(otter::worker_pool<counter>{"p"}.call(add{1}));
#elif CASE == 67
  // CASE 67: the workers do not accept this request | other
  otter::worker_pool<counter>{"p"}.call(other{});
#endif
}

}  // namespace wrong
