#pragma once

// otter/special_process.hpp - a process of your own that handles raw events, and yet is part of a
// system: it can be suspended, looked at, stopped and upgraded as a gen_server can.
//
//   otter::special_process<T>   the base class of such a process
//
//     class session : public otter::special_process<session> {
//      public:
//       explicit session(otter::tcp_socket socket) { state_.socket = socket; }
//       void handle(otter::event& what) {
//         if (what.what() == otter::event::kind::ready) ...
//       }
//       void terminate(otter::exit_reason const& reason) { ... }   // optional
//
//      private:
//       struct state { otter::tcp_socket socket; };
//       state state_;
//     };
//     otter::pid s = session::spawn({.link = true}, socket).process;
//
// It is what otter::reactive is (messages, requests, answers, time-outs, readiness of ports, one
// event at a time, no stack between two), but for system messages: those it never sees. While it is
// suspended, all other events wait in their order. For a process that runs a function from top to
// bottom, see otter::sys::handle_system_msg(); for one that only answers messages, gen_server.
//
// The callbacks, all public:
//
//   constructor                 the start, in the new process: an exception is a failed start
//   handle(event&)              one event
//   terminate(reason)           optional: before an end that it knows of: stop(), an exception in
//                               handle(), otter::stop(), its parent's end while it is suspended.
//                               Not when an exit signal ends it
//   format_status() const       optional: std::string, the state for reports; leave secrets out
//   system_state()              optional: a reference to what sys::get_state() gives, and what a
//                               code change brings over: see otter/code_change.hpp
//
// The `exited` of its parent is an event like others, if it traps exits: what follows from it is
// its own business, as in OTP. Only while it is suspended does that end it at once (SY-9).

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <otter/detail/behaviour_core.hpp>
#include <otter/detail/startable.hpp>
#include <otter/detail/throw_probe.hpp>
#include <otter/outcome.hpp>
#include <otter/reactive.hpp>
#include <otter/spawn.hpp>
#include <string>
#include <type_traits>
#include <utility>

namespace otter {

namespace detail {

/// The body of every special process, without its class.
///
/// Threads: its own process, except construction.
class special_core : public behaviour_core {
 public:
  // --- for the class, in one of its callbacks ---
  static void stop_this(exit_reason reason) noexcept;
  static void start_timeout_of_this(duration delay, std::uint64_t token);
  static void stop_timeout_of_this() noexcept;
  static void shrink_this() noexcept;

 protected:
  explicit special_core(origin const& from) : behaviour_core(from) {}

  /// Tells the starter how the constructor went.
  void begin(alias_ref starter, step&& init);
  /// Ends as the callback wanted it.
  void ended(step& out, event& e);

  /// A callback runs, and `out` is where stop_this() says so.
  template <class Callback>
  void run(step& out, std::string_view place, Callback&& callback) {
    out_ = &out;
    try {
      callback();
    } catch (result const& thrown) {
      out = thrown.take_step();
    } catch (throw_probe const&) {
      // never: it notes where what comes below was thrown
    } catch (...) {
      step_from_exception(out, place);
    }
    out_ = nullptr;
  }

 private:
  static special_core* of_this_process() noexcept;

  step* out_ = nullptr;  // of the callback that runs
};

template <class Process, class... Args>
class special_body;

}  // namespace detail

/// What a special process starts with is its base class: start(), start_link() and start_monitor(),
/// which wait until it is constructed (otter/start.hpp), and spawn(), which does not wait.
template <class Process>
class special_process : public detail::startable<Process, detail::special_body> {
 public:
  /// Starts a process with a `Process`, constructed of `args` there, and returns at once. With a
  /// link, the caller is its parent. See otter/spawn.hpp for the options and what it throws.
  ///
  /// Called from: a process, or an attached thread. Blocks: never. Exits: may.
  template <class... Args>
  static spawned spawn(spawn_options const& options, Args&&... args);

 protected:
  special_process() = default;
  ~special_process() = default;

  // --- called from: its callbacks, in its process; blocks: never ---

  /// It ends with `reason`, after terminate(reason), when the callback returns. The first one
  /// counts. In terminate() it says nothing.
  static void stop(exit_reason reason) noexcept {
    detail::special_core::stop_this(std::move(reason));
  }
  /// As reactive::start_timeout(): the one timer that the process has. A code change leaves it as
  /// it is.
  static void start_timeout(duration delay, std::uint64_t token) {
    detail::special_core::start_timeout_of_this(delay, token);
  }
  static void stop_timeout() noexcept { detail::special_core::stop_timeout_of_this(); }
  /// As reactive::shrink().
  static void shrink() noexcept { detail::special_core::shrink_this(); }
};

// --- what the compiler makes of such a class ---

namespace detail {

template <class Process>
struct special_class_for {
  static void terminate(void* process, exit_reason const& reason, step& out) {
    try {
      static_cast<Process*>(process)->terminate(reason);
    } catch (throw_probe const&) {
      // never: it notes where what comes below was thrown
    } catch (...) {
      step_from_exception(out, "terminate");
    }
  }
  static void status(void const* process, std::string& out) {
    out = static_cast<Process const*>(process)->format_status();
  }
  static constexpr behaviour_class make() {
    static_assert(
        requires(Process & p, event & e) { p.handle(e); },
        "otter: a special process has a public `void handle(otter::event& what)`");
    behaviour_class c{.kind = "special_process", .name = type_name<Process>()};
    c.mark = &object_mark<Process>;
    c.sees_parent_exit = true;
    if constexpr (requires(Process & p, exit_reason const& r) { p.terminate(r); })
      c.terminate = &terminate;
    if constexpr (requires(Process const& p) { std::string(p.format_status()); })
      c.status = &status;
    return c;
  }
  static constexpr behaviour_class value = make();
};

/// A body of that class, however its object came to be.
template <class Process>
class special_frame : public special_core {
 protected:
  explicit special_frame(origin const& from) : special_core(from) {}

 private:
  behaviour_class const& type() const noexcept final { return special_class_for<Process>::value; }
  void on_event(event& e) final {
    step out;
    run(out, "handle", [&] { static_cast<Process*>(this->object())->handle(e); });
    if (out.what != step::kind::go_on) ended(out, e);
  }
};

/// One that was started.
template <class Process, class... Args>
class special_body final : public special_frame<Process> {
 public:
  template <class... A>
  explicit special_body(origin const& from, A&&... args)
      : special_frame<Process>(from), process_(from.starter, std::forward<A>(args)...) {}
  ~special_body() override { process_.end(this->stage()); }

  void start() override {
    step init;
    const alias_ref starter = process_.begin(
        this->stage(), [&](auto construct) { this->run(init, "the constructor", construct); });
    this->begin(starter, std::move(init));
  }

 private:
  void* object() const noexcept override { return process_.get(this->stage()); }

  late_object<Process, Args...> process_;
};

}  // namespace detail

template <class Process>
template <class... Args>
spawned special_process<Process>::spawn(spawn_options const& options, Args&&... args) {
  static_assert(std::is_base_of_v<special_process, Process>,
                "otter: derive as `class session : public otter::special_process<session>`");
  static_assert(std::is_constructible_v<Process, std::decay_t<Args>...>,
                "otter: the class has no public constructor for these arguments");
  detail::origin from;
  if (options.link) from.parent = self();
  from.ancestors = detail::ancestors_of_a_child();
  return spawn_reactive(options,
                        make_reactive<detail::special_body<Process, std::decay_t<Args>...>>(
                            from, std::forward<Args>(args)...));
}

}  // namespace otter
