#pragma once

// otter/sys.hpp - looking at a running process, and holding it still.
//
//   otter::sys::suspend()        it keeps its messages and handles none, until
//   otter::sys::resume()         it goes on where it stopped
//   otter::sys::get_status()     a text: running or suspended, and its own format_status()
//   otter::sys::get_state()      a copy of its state
//   otter::sys::replace_state()  changes its state
//   otter::sys::change_code()    it goes on in the current version of its module
//   otter::sys::check_code_change()   whether it could, or in one that is prepared
//   otter::sys::send_suspend(), send_change_code(), send_resume()   the same without waiting
//   otter::sys::terminate()      it runs terminate() and ends; to wait for that, see otter::stop()
//
// and to watch what it does (debugging; nothing of it costs anything while it is off):
//
//   otter::sys::trace()          each event and answer is reported as it happens
//   otter::sys::log()            the last events are kept; get_log() shows them
//   otter::sys::log_to_file()    each is appended to a file
//   otter::sys::statistics()     counts, until get_statistics() shows them
//   otter::sys::install()        a function of yours sees each; remove()
//   otter::sys::no_debug()       ends all of that
//
// What is to be watched from the start on is said there: start_options::debug
// (otter/debug_options.hpp).
//
// All of them work for every behaviour, and for a process of your own that joins in: see
// otter::sys::handle_system_msg(). The process answers between two callbacks, ahead of whatever
// waits in its mailbox, and also while it is suspended.
//
// What is the state? Of a gen_server: the object, or what its public member `system_state()`
// returns a reference to. Of a gen_statem: a machine_state, which has both the state and that. Of a
// gen_event: each handler alone, see there. It is copied, so it must be copyable.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <otter/debug_options.hpp>
#include <otter/detail/system_message.hpp>
#include <otter/duration.hpp>
#include <otter/gen.hpp>
#include <otter/message.hpp>
#include <otter/request.hpp>
#include <otter/server_ref.hpp>
#include <otter/timer.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace otter {

/// What get_state() and replace_state() give of a gen_statem.
template <class State, class Data>
struct machine_state {
  State state;
  Data data;
};

namespace sys {

struct statistics_report {
  node_clock::time_point start;
  node_clock::time_point now;
  std::uint64_t reductions = 0;
  std::uint64_t messages_in = 0;
  std::uint64_t messages_out = 0;  ///< answers
};

}  // namespace sys

namespace detail {

system_answer ask_system(target const& to, system_message message, duration limit);
void terminate_target(target const& to, exit_reason reason, duration limit);
void change_code_target(target const& to, code_change_request wanted, duration limit);
request_id send_system(target const& to, system_message message);
request_id send_code_change(target const& to, code_change_request wanted);
void trace_target(target const& to, sys::debugging on, duration limit);
void log_target(target const& to, std::size_t events, duration limit);
std::vector<std::string> get_log_target(target const& to, duration limit);
void log_to_file_target(target const& to, std::string path, duration limit);
void statistics_target(target const& to, sys::debugging on, duration limit);
std::optional<sys::statistics_report> get_statistics_target(target const& to, duration limit);
void install_target(target const& to, std::string id, sys::debug_function f, duration limit);
void remove_target(target const& to, std::string id, duration limit);
void no_debug_target(target const& to, duration limit);
/// Turns the exception that is being handled into a failure. Called from: a catch block.
void fail_job(system_answer& answer, std::string_view what);
void fail_job_of_other_class(system_answer& answer, std::string_view wanted);
/// Throws process_exit with what failed.
void check_answer(system_answer& answer);

/// How a behaviour's object is looked at: specialised by gen_statem.
template <class Server>
struct state_of_object {
  using object = Server;
  template <class S>
  static decltype(auto) part(S& server) {
    if constexpr (requires { server.system_state(); })
      return server.system_state();
    else
      return (server);
  }
  using type = std::remove_cvref_t<decltype(part(std::declval<Server&>()))>;
  static type get(object& server) { return part(server); }
  static void put(object& server, type&& value) { part(server) = std::move(value); }
};

template <class Server>
concept state_is_copyable = std::is_copy_constructible_v<typename state_of_object<Server>::type> &&
    std::is_move_assignable_v<typename state_of_object<Server>::type>;

template <class Server>
constexpr void check_state_is_copyable() {
  static_assert(state_is_copyable<Server>,
                "otter: this state cannot be copied; give the class a public member "
                "`auto& system_state()` that returns the part of it that can");
}

/// Runs `f(state)` in the process; the state is then what f left, unless f throws.
template <class Server, class F>
class state_job final : public system_job {
 public:
  explicit state_job(F f) : f_(std::move(f)) {}

  void run(system_host& host, system_answer& answer) override {
    using access = state_of_object<Server>;
    void* found = host.system_object(&object_mark<Server>);
    if (found == nullptr) return fail_job_of_other_class(answer, type_name<Server>());
    try {
      auto& object = *static_cast<typename access::object*>(found);
      typename access::type state = access::get(object);
      if constexpr (!std::is_null_pointer_v<F>) {
        if constexpr (std::is_void_v<std::invoke_result_t<F&, typename access::type&>>)
          f_(state);
        else
          state = f_(state);
        typename access::type copy = state;
        access::put(object, std::move(copy));
      }
      answer.value = pack<typename access::type>(signal_kind::message, std::move(state));
    } catch (...) {
      fail_job(answer, type_name<Server>());
    }
  }

 private:
  F f_;
};

template <class Server, class F>
typename state_of_object<Server>::type run_state_job(target const& to, F f, duration limit) {
  check_state_is_copyable<Server>();
  system_message m;
  m.what = system_message::kind::job;
  m.job = std::make_unique<state_job<Server, F>>(std::move(f));
  system_answer answer = ask_system(to, std::move(m), limit);
  check_answer(answer);
  return std::move(*static_cast<typename state_of_object<Server>::type*>(answer.value->payload()));
}

}  // namespace detail

namespace sys {

/// Stops the handling of messages. Suspended twice is suspended once. If its parent ends meanwhile,
/// a process that traps exits ends too, as it would have done (SY-9).
///
/// All functions here: Called from: a process, or an attached thread. Blocks: until it is done.
/// Exits: may. Throws: process_exit: noproc, timeout, calling_self, or why the server ended.
template <server_address Address>
void suspend(Address const& server, duration limit = default_call_limit) {
  detail::system_message m;
  m.what = detail::system_message::kind::suspend;
  detail::ask_system(detail::locate(server), std::move(m), limit);
}

/// Lets the server handle messages again; those that came meanwhile first, in order.
template <server_address Address>
void resume(Address const& server, duration limit = default_call_limit) {
  detail::system_message m;
  m.what = detail::system_message::kind::resume;
  detail::ask_system(detail::locate(server), std::move(m), limit);
}

/// What the server says of itself, for people.
template <server_address Address>
std::string get_status(Address const& server, duration limit = default_call_limit) {
  detail::system_message m;
  m.what = detail::system_message::kind::status;
  return detail::ask_system(detail::locate(server), std::move(m), limit).text;
}

/// A copy of its state, made between two callbacks. With a pid or a name the class is said:
/// get_state<counter>("counter"). Throws also: process_exit with an error "bad_object" if it is no
/// such server, call_failed if copying threw.
template <class Server>
auto get_state(server_ref<Server> server, duration limit = default_call_limit) {
  return detail::run_state_job<Server>(detail::locate(server), nullptr, limit);
}
template <class Server, server_address Address>
auto get_state(Address const& server, duration limit = default_call_limit) {
  return detail::run_state_job<Server>(detail::locate(server), nullptr, limit);
}

/// Runs `f` in the process, on a copy of its state; `f(State&)` changes it or returns another one,
/// which then is the state. Returns a copy of it. If `f` throws, the state is unchanged, and the
/// caller gets process_exit(call_failed) with the exception as its cause (SY-4).
template <class Server, class F>
auto replace_state(server_ref<Server> server, F f, duration limit = default_call_limit) {
  return detail::run_state_job<Server>(detail::locate(server), std::move(f), limit);
}
template <class Server, server_address Address, class F>
auto replace_state(Address const& server, F f, duration limit = default_call_limit) {
  return detail::run_state_job<Server>(detail::locate(server), std::move(f), limit);
}

/// Asks it to run its terminate() and to end with `reason`, also while it is suspended (SY-8).
/// Returns when it has ended; as otter::stop().
template <server_address Address>
void terminate(Address const& server, exit_reason reason, duration limit = infinity) {
  detail::stop_target(detail::locate(server), std::move(reason), limit);
}

/// What else is said of a change of code.
struct code_change_options {
  /// For a hook that takes it, `code_change(old, now, extra)`: what OTP's Extra is.
  any_message extra{};
  duration limit = default_call_limit;
};

/// A suspended server goes on in the current version of `module`, from the one that it is in: its
/// state is brought there as otter/code_change.hpp says, everything else - pid, name, mailbox,
/// links, monitors, timers - is as it was. It stays suspended (SY-7).
///
/// Throws also: process_exit(call_failed) with the reason as its cause, if it is not suspended, if
/// its class is not in both versions, or if its state cannot be brought there. Then nothing has
/// changed, and when it is resumed the old version serves on.
template <server_address Address>
void change_code(Address const& server, std::string module, code_change_options how = {}) {
  detail::change_code_target(detail::locate(server), {std::move(module), std::move(how.extra)},
                             how.limit);
}
template <server_address Address>
void change_code(Address const& server, std::string module, duration limit) {
  detail::change_code_target(detail::locate(server), {std::move(module)}, limit);
}

/// Whether change_code() would go now: everything that may fail is done, on copies, the hook
/// included, and thrown away; what would be moved is compared by its type. The server need not be
/// suspended, and goes on. `next` is a version that is not current yet, of
/// code::prepare_loading(): then it is about that one.
///
/// Throws also: process_exit(call_failed), as change_code() would.
template <server_address Address>
void check_code_change(Address const& server, std::string module, code_change_options how = {}) {
  detail::change_code_target(detail::locate(server),
                             {std::move(module), std::move(how.extra), true}, how.limit);
}
template <server_address Address>
void check_code_change(Address const& server, std::string module, code::prepared next,
                       code_change_options how = {}) {
  detail::change_code_target(detail::locate(server),
                             {std::move(module), std::move(how.extra), true, std::move(next)},
                             how.limit);
}

// --- the same without waiting ---
//
// For one who changes many. The answers are those of requests (otter/request.hpp): that it is done,
// or why not. System messages are served in the order of their sending, between two callbacks. So a
// process that is sent suspend, change and resume at once is held as long as the change takes, and
// goes on whatever comes of it, and of the sender.
//
// Called from: a process, or an attached thread. Blocks: never. Exits: may.

template <server_address Address>
sent_request<void> send_suspend(Address const& server) {
  detail::system_message m;
  m.what = detail::system_message::kind::suspend;
  return sent_request<void>(detail::send_system(detail::locate(server), std::move(m)));
}
template <server_address Address>
sent_request<void> send_resume(Address const& server) {
  detail::system_message m;
  m.what = detail::system_message::kind::resume;
  return sent_request<void>(detail::send_system(detail::locate(server), std::move(m)));
}
template <server_address Address>
sent_request<void> send_change_code(Address const& server, std::string module,
                                    any_message extra = {}) {
  return sent_request<void>(
      detail::send_code_change(detail::locate(server), {std::move(module), std::move(extra)}));
}
template <server_address Address>
sent_request<void> send_check_code_change(Address const& server, std::string module,
                                          std::optional<code::prepared> next = {},
                                          any_message extra = {}) {
  return sent_request<void>(detail::send_code_change(
      detail::locate(server), {std::move(module), std::move(extra), true, std::move(next)}));
}

// --- debugging ---

/// Reports each event as the node's event of kind report.
template <server_address Address>
void trace(Address const& server, debugging on, duration limit = default_call_limit) {
  detail::trace_target(detail::locate(server), on, limit);
}

/// Keeps the last `events` events; 0: none any more.
template <server_address Address>
void log(Address const& server, std::size_t events = default_log_size,
         duration limit = default_call_limit) {
  detail::log_target(detail::locate(server), events, limit);
}
/// What log() has kept, the oldest first, each as a line.
template <server_address Address>
std::vector<std::string> get_log(Address const& server, duration limit = default_call_limit) {
  return detail::get_log_target(detail::locate(server), limit);
}
/// Appends each event to the file; without a path no more. Throws also: process_exit(call_failed)
/// if the file cannot be opened.
template <server_address Address>
void log_to_file(Address const& server, std::string path, duration limit = default_call_limit) {
  detail::log_to_file_target(detail::locate(server), std::move(path), limit);
}

/// Begins to count, from zero, or ends it.
template <server_address Address>
void statistics(Address const& server, debugging on, duration limit = default_call_limit) {
  detail::statistics_target(detail::locate(server), on, limit);
}
/// Empty if nothing is counted.
template <server_address Address>
std::optional<statistics_report> get_statistics(Address const& server,
                                                duration limit = default_call_limit) {
  return detail::get_statistics_target(detail::locate(server), limit);
}

/// `f(event)` sees each event, in the process, until it returns done or throws; then it is removed,
/// and the process goes on. A second one of the same id is ignored (SY-11).
template <server_address Address>
void install(Address const& server, std::string id, debug_function f,
             duration limit = default_call_limit) {
  detail::install_target(detail::locate(server), std::move(id), std::move(f), limit);
}
/// One that is not there is no error.
template <server_address Address>
void remove(Address const& server, std::string id, duration limit = default_call_limit) {
  detail::remove_target(detail::locate(server), std::move(id), limit);
}
/// Ends trace, log, statistics, and removes all functions.
template <server_address Address>
void no_debug(Address const& server, duration limit = default_call_limit) {
  detail::no_debug_target(detail::locate(server), limit);
}

// --- joining in ---

/// A system message, as a process of your own receives it.
using system_request = detail::system_message;

/// What a process of your own says to system messages (SY-15).
///
///     class desk : public otter::sys::callbacks { ... } desk;
///     for (;;) otter::receive(
///         [&](work w) { ... },
///         [&](otter::sys::system_request r) { otter::sys::handle_system_msg(r, desk); });
///
/// Threads: the process's own. It lives as long as its process takes system messages.
class callbacks : public detail::system_host {
 public:
  /// `parent` as proc_lib::parent() gives it; none: there is nobody whose end ends this process.
  /// From now on the calling process receives system messages as messages. Throws: not_in_process.
  explicit callbacks(pid parent = {});
  virtual ~callbacks();
  callbacks(callbacks const&) = delete;
  callbacks& operator=(callbacks const&) = delete;

  /// The process is about to end, because it was asked to or its parent has.
  virtual void terminate(exit_reason const& reason);
  /// Its state, for status and reports; leave secrets out.
  virtual std::string format_status() const;
  /// `module` has a new version, and this process, which is suspended, is to go on in it once it is
  /// resumed: by its next call of code::latest, for example. `extra` is what the asker has to say.
  /// An exception refuses. Without it every change is refused.
  virtual void code_change(std::string const& module, any_message& extra);
  /// Whether it could: an exception says why not. Changes nothing. Without it every check fails.
  virtual void check_code_change(std::string const& module, any_message& extra);
  /// For get_state<T>() and replace_state<T>(): gives this object if it is asked for a T.
  template <class T>
  void offer_state(T& object) noexcept {
    object_ = &object;
    mark_ = &detail::object_mark<T>;
  }
  /// To be called with what the process does, if it wants to be traced.
  void note(debug_event const& event) noexcept;

  [[nodiscard]] pid parent() const noexcept { return parent_; }
  [[nodiscard]] bool suspended() const noexcept { return suspended_; }

 private:
  void* system_object(void const* mark) noexcept final { return mark == mark_ ? object_ : nullptr; }
  std::string system_status() const final;
  void system_terminate(exit_reason reason) final;
  void system_suspend(bool suspended) final { suspended_ = suspended; }
  void system_change_code(detail::code_change_request& wanted, detail::retired_body& before) final;
  detail::debug_state* debug() const noexcept final { return debug_.get(); }
  detail::debug_state& start_debugging() final;
  void stop_debugging() noexcept final;

  std::unique_ptr<detail::debug_state> debug_;
  pid parent_;
  void* object_ = nullptr;
  void const* mark_ = nullptr;
  bool suspended_ = false;
};

/// Serves one system message. If it suspends the process, waits for further ones until it is
/// resumed, or its parent ends: then it ends with the parent's reason (SY-9).
///
/// Called from: a process that runs a function. Blocks: while it is suspended. Exits: may.
/// Throws: process_exit, when the process is to end; it is not to be caught.
void handle_system_msg(system_request& request, callbacks& desk);

}  // namespace sys
}  // namespace otter
