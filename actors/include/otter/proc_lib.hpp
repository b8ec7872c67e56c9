#pragma once

// otter/proc_lib.hpp - processes that run a function, and belong to a supervision tree.
//
//   otter::proc_lib::spawn(), spawn_link(), spawn_monitor()   as otter::spawn(), and its end is
//                          reported as a behaviour's is, with ancestors
//   otter::proc_lib::start(), start_link(), start_monitor()   the starter waits until the function
//                          has said
//   otter::proc_lib::init_ack()    that it is ready, or
//   otter::proc_lib::init_fail()   that it will not be
//   otter::proc_lib::ancestors()   who started the caller, the nearest first
//   otter::proc_lib::parent()      whose end ends the caller
//   otter::proc_lib::set_label(), get_label()   a text for reports; need not be unique
//
//     auto worker = otter::proc_lib::start_link({.name = "worker"}, [] {
//       if (!open_everything()) otter::proc_lib::init_fail(otter::exit_reason::of("no database"));
//       otter::proc_lib::init_ack();
//       for (;;) otter::receive(...);
//     });
//
// What a start returns and how it fails is otter/start.hpp. Such a function may become a server:
// it returns what enter_loop() of a gen_server or gen_statem gives. To take part in otter::sys, see
// otter::sys::handle_system_msg(). To end one, see otter::stop().

#include <otter/detail/kin.hpp>
#include <otter/exit_reason.hpp>
#include <otter/process_info.hpp>
#include <otter/reactive.hpp>
#include <otter/spawn.hpp>
#include <otter/start.hpp>
#include <otter/type_name.hpp>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace otter {
namespace detail {

/// The body of a process that runs one function and reports how it ends.
///
/// Ownership: of what the function becomes. Threads: its own process.
class proc_lib_body : public reactive, public kin {
 public:
  proc_lib_body(origin from, std::string_view initial_call)
      : kin(std::move(from.ancestors)),
        parent_(from.parent),
        starter_(from.starter),
        initial_call_(initial_call) {}

  void start() final;
  void handle(event& what) final;
  void ending(exit_reason const& reason) final;
  std::string describe() const final;
  void* upper_part() noexcept final { return static_cast<kin*>(this); }
  std::string_view initial_call() const noexcept final { return initial_call_; }
  reactive_ptr* inner() noexcept final { return inner_ ? &inner_ : nullptr; }

  [[nodiscard]] pid parent() const noexcept { return parent_; }
  /// Who waits, once: the address is spent by asking for it.
  [[nodiscard]] alias_ref take_starter() noexcept { return std::exchange(starter_, {}); }
  [[nodiscard]] origin hand_over() const { return {parent_, {}, ancestors(), infinity}; }

 protected:
  /// For a body that was made by another process than the one that starts it, which calls this.
  void come_from(origin from) noexcept;

 private:
  /// Runs the function; gives what it becomes, or null.
  virtual reactive_ptr run() = 0;

  pid parent_;
  alias_ref starter_;
  std::string_view initial_call_;  // constant: the name of the function's type
  reactive_ptr inner_;
};

/// What enter_loop() gives: the function's process goes on as this.
class [[nodiscard]] becoming {
 public:
  explicit becoming(reactive_ptr body) noexcept : body_(std::move(body)) {}
  reactive_ptr take() && noexcept { return std::move(body_); }

 private:
  reactive_ptr body_;
};

template <class Function, class... Args>
class proc_lib_function final : public proc_lib_body {
 public:
  template <class F, class... A>
  explicit proc_lib_function(origin from, F&& f, A&&... args)
      : proc_lib_body(std::move(from), type_name<Function>()),
        function_(std::forward<F>(f)),
        args_(std::forward<A>(args)...) {}

 private:
  reactive_ptr run() override {
    using returned = std::invoke_result_t<Function, Args&&...>;
    const auto call = [this](auto&... args) -> returned {
      return std::invoke(std::move(function_), std::move(args)...);
    };
    if constexpr (std::is_same_v<returned, becoming>) {
      return std::apply(call, args_).take();
    } else {
      std::apply(call, args_);
      return nullptr;
    }
  }

  Function function_;
  std::tuple<Args...> args_;
};

template <class Function, class... Args>
reactive_ptr make_proc_lib_body(origin from, Function&& f, Args&&... args) {
  using function = std::decay_t<Function>;
  static_assert(std::is_invocable_v<function, std::decay_t<Args>...>,
                "otter: this function cannot be called with these arguments");
  return make_reactive<proc_lib_function<function, std::decay_t<Args>...>>(
      std::move(from), std::forward<Function>(f), std::forward<Args>(args)...);
}

/// The origin of a process that nobody waits for.
origin origin_of_spawned(spawn_options const& options);
/// The origin of what the calling function becomes. Throws process_exit if the process was not
/// started by proc_lib (PL-12), or if it has not the name that `options` say (GS-33).
origin origin_of_becoming(start_options const& options);

struct no_server;  // what is started is a plain function

}  // namespace detail

namespace proc_lib {

using process_ref = server_ref<detail::no_server>;
using start_result = otter::start_result<detail::no_server>;
using monitored_start = otter::monitored_start<detail::no_server>;

/// Called from: a process or an attached thread. Blocks: never. Exits: may. Throws: as
/// otter::spawn().
template <class Function, class... Args>
spawned spawn(spawn_options const& options, Function&& f, Args&&... args) {
  return otter::spawn_reactive(
      options, detail::make_proc_lib_body(detail::origin_of_spawned(options),
                                          std::forward<Function>(f), std::forward<Args>(args)...));
}
template <class Function, class... Args>
requires std::is_invocable_v<std::decay_t<Function>, std::decay_t<Args>...> pid
spawn(Function&& f, Args&&... args) {
  return proc_lib::spawn(spawn_options{}, std::forward<Function>(f), std::forward<Args>(args)...)
      .process;
}
template <class Function, class... Args>
requires std::is_invocable_v<std::decay_t<Function>, std::decay_t<Args>...> pid
spawn_link(Function&& f, Args&&... args) {
  return proc_lib::spawn(spawn_options{.link = true}, std::forward<Function>(f),
                         std::forward<Args>(args)...)
      .process;
}
template <class Function, class... Args>
requires std::is_invocable_v<std::decay_t<Function>, std::decay_t<Args>...> spawned
spawn_monitor(Function&& f, Args&&... args) {
  return proc_lib::spawn(spawn_options{.monitor = alias_mode::none}, std::forward<Function>(f),
                         std::forward<Args>(args)...);
}

/// Starts a process and waits until its function has called init_ack() or init_fail(), has ended,
/// or options.timeout is over: then it is killed (PL-2, PL-3).
///
/// Called from: a process, or an attached thread. Blocks: until then. Exits: may. Throws: as a
/// behaviour's start.
template <class Function, class... Args>
start_result start(start_options const& options, Function&& f, Args&&... args);
template <class Function, class... Args>
start_result start_link(start_options const& options, Function&& f, Args&&... args);
template <class Function, class... Args>
monitored_start start_monitor(start_options const& options, Function&& f, Args&&... args);

/// The start has succeeded: the starter goes on. Once is enough; more does nothing.
/// Called from: the function that was started. Blocks: never. Exits: may.
void init_ack();

/// The start fails, for the starter, with `answer`; the process gives its name back first, so that
/// another start may follow at once, and ends with `reason` (PL-6).
/// Called from: the function that was started. Throws: process_exit; it is not to be caught.
[[noreturn]] void init_fail(exit_reason answer, exit_reason reason);
[[noreturn]] void init_fail(exit_reason reason);

/// Who started the caller, and who started that one: names, or pids as text (PL-1). Of a process
/// that is neither a behaviour nor started here: nothing.
std::vector<std::string> ancestors();
/// Whose exit ends the caller: who started it with a link. None: nobody.
pid parent();

/// Shown in reports and by process_info(); need not be unique (PL-11).
inline void set_label(std::string_view text) { otter::set_label(text); }
/// Empty if it has none, or does not live. Blocks: until the answer. Exits: may.
std::string get_label(pid process);

}  // namespace proc_lib

// --- bodies ---

namespace detail {
template <class... Args>
proc_lib::start_result run_proc_lib(starter& s, Args&&... args) {
  if (!s.name_is_free()) return tl::unexpected<start_error>(s.taken());
  auto started = s.run(make_proc_lib_body(s.begin(), std::forward<Args>(args)...));
  if (!started) return tl::unexpected<start_error>(std::move(started.error()));
  return proc_lib::process_ref(*started);
}
}  // namespace detail

template <class Function, class... Args>
proc_lib::start_result proc_lib::start(start_options const& options, Function&& f, Args&&... args) {
  detail::starter s(options, detail::start_mode::alone);
  return detail::run_proc_lib(s, std::forward<Function>(f), std::forward<Args>(args)...);
}
template <class Function, class... Args>
proc_lib::start_result proc_lib::start_link(start_options const& options, Function&& f,
                                            Args&&... args) {
  detail::starter s(options, detail::start_mode::link);
  return detail::run_proc_lib(s, std::forward<Function>(f), std::forward<Args>(args)...);
}
template <class Function, class... Args>
proc_lib::monitored_start proc_lib::start_monitor(start_options const& options, Function&& f,
                                                  Args&&... args) {
  detail::starter s(options, detail::start_mode::monitor);
  auto started = detail::run_proc_lib(s, std::forward<Function>(f), std::forward<Args>(args)...);
  return {std::move(started), s.monitor()};
}

}  // namespace otter
