#pragma once

// otter/spawn.hpp - starting processes that run a function.
//
//   otter::spawn(), spawn_link(), spawn_monitor()   start a process
//   otter::spawn_monitor_with_tag()                 its `down` comes with a tag
//   otter::spawn_options                            how
//   otter::self()                                   the calling process
//
// A process that waits in the middle of a function holds a stack. One that is called once per
// event and holds none is a reactive (otter/reactive.hpp); gen_server is made of it.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <otter/duration.hpp>
#include <otter/exit_reason.hpp>
#include <otter/monitor.hpp>
#include <otter/pid.hpp>
#include <otter/reactive.hpp>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace otter {

/// The calling process. Called from: a process or an attached thread. Exits: never.
/// Throws: error(not_in_process) elsewhere.
pid self();

enum class priority : unsigned char { max, high, normal, low };

/// What happens to a plain message, cast or call request when the mailbox is at its limit.
enum class overflow : unsigned char {
  kill,         ///< the receiver is killed, reason mailbox_full
  drop_newest,  ///< the new one is dropped and counted; a call is refused with `busy`
  drop_oldest,  ///< the receiver drops its oldest; an old call is refused with `busy`
  busy,         ///< as drop_newest
  block,        ///< the sender waits, at most block_limit, then mailbox_full is thrown
};

struct mailbox_limit {
  std::uint32_t limit = 0;  ///< messages; 0: no limit
  overflow policy = overflow::kill;
};

/// What may be done about a process that holds too much memory (PI-12). Counted is what the runtime
/// knows of: its blocks, the messages that wait, and what it said with account_memory().
struct max_heap_size {
  std::size_t size = 0;      ///< bytes; 0: no limit
  bool kill = true;          ///< ends it with reason killed, which cannot be trapped
  bool error_logger = true;  ///< reports it
  friend bool operator==(max_heap_size const&, max_heap_size const&) = default;
};

struct spawn_options {
  bool link = false;                       ///< linked to the caller from the start (L-8)
  std::optional<alias_mode> monitor = {};  ///< monitored by the caller from the start (SP-3)
  std::string name = {};                   ///< registered before the first instruction
  std::string label = {};                  ///< shown in reports
  otter::priority priority = otter::priority::normal;
  std::size_t stack_size = 0;  ///< bytes, for a function that needs much; 0: default
  /// Finds out how much stack it uses: info_item::stack_depth. For trials, since each turn then
  /// has a stack of its own, which is filled with a pattern first.
  bool measure_stack = false;
  mailbox_limit max_mailbox = {};
  pid group_leader = {};                                   ///< none: the caller's (SP-2)
  std::optional<otter::max_heap_size> max_heap_size = {};  ///< none: the node's
};

/// What a start with a monitor returns.
struct spawned {
  pid process;
  monitor_ref ref;  ///< false if no monitor was asked for
  operator pid() const noexcept { return process; }
};

namespace detail {
/// Spawns a process around `body`, which it takes over. Throws: error(system_limit, badarg),
/// std::bad_alloc; then nothing has been started and `body` is destroyed.
spawned spawn_body(spawn_options const& options, reactive_ptr body);
/// As it, with a monitor whose `down` is made by `make`.
spawned spawn_body_tagged(spawn_options const& options, reactive_ptr body, envelope_ptr tag,
                          down_maker make);

/// As it, for a starter that waits until the child is ready, with a monitor that lasts until then:
/// the child, being ready, calls end_start_monitor(), says so, and on that the starter calls
/// forget_monitor(). So nobody has to send a demonitor(), for which the child would run once more.
spawned spawn_for_start(spawn_options const& options, reactive_ptr body);
/// True if the calling process was spawned so and its starter's monitor was still there: it is not
/// any more, on this side.
bool end_start_monitor() noexcept;
/// The same on the starter's side.
void forget_monitor(monitor_ref ref) noexcept;

/// The body of a process that runs one function and ends.
template <class Function, class... Args>
class function_body final : public reactive {
 public:
  template <class F, class... A>
  explicit function_body(F&& f, A&&... args)
      : function_(std::forward<F>(f)), args_(std::forward<A>(args)...) {}

  void start() override {
    std::apply([this](auto&... args) { std::invoke(std::move(function_), std::move(args)...); },
               args_);
    stop(exit_reason::normal());
  }
  void handle(event&) override {}

 private:
  Function function_;
  std::tuple<Args...> args_;
};

template <class Function, class... Args>
reactive_ptr make_function_body(Function&& f, Args&&... args) {
  using body = function_body<std::decay_t<Function>, std::decay_t<Args>...>;
  static_assert(std::is_invocable_v<std::decay_t<Function>, std::decay_t<Args>...>,
                "otter: this function cannot be called with these arguments");
  return make_reactive<body>(std::forward<Function>(f), std::forward<Args>(args)...);
}
}  // namespace detail

/// Starts a process that runs `f(args...)` and ends with reason normal when it returns. Function
/// and arguments are moved or copied into the new process.
///
/// Called from: a process or an attached thread. Blocks: never. Exits: may.
/// Throws: error(system_limit) when the node has no room for another process; std::bad_alloc.
template <class Function, class... Args>
requires std::is_invocable_v<std::decay_t<Function>, std::decay_t<Args>...> pid
spawn(Function&& f, Args&&... args) {
  return detail::spawn_body(
             {}, detail::make_function_body(std::forward<Function>(f), std::forward<Args>(args)...))
      .process;
}

/// As spawn(f), with options. Throws also: error(badarg) if a name is taken or not allowed.
template <class Function, class... Args>
spawned spawn(spawn_options const& options, Function&& f, Args&&... args) {
  return detail::spawn_body(
      options, detail::make_function_body(std::forward<Function>(f), std::forward<Args>(args)...));
}

/// Linked to the caller: there is no moment at which the child could end unobserved (L-8).
template <class Function, class... Args>
requires std::is_invocable_v<std::decay_t<Function>, std::decay_t<Args>...> pid
spawn_link(Function&& f, Args&&... args) {
  return spawn(spawn_options{.link = true}, std::forward<Function>(f), std::forward<Args>(args)...)
      .process;
}

/// Monitored by the caller from the start.
template <class Function, class... Args>
requires std::is_invocable_v<std::decay_t<Function>, std::decay_t<Args>...> spawned
spawn_monitor(Function&& f, Args&&... args) {
  return spawn(spawn_options{.monitor = alias_mode::none}, std::forward<Function>(f),
               std::forward<Args>(args)...);
}

/// As spawn_monitor(); a tagged_down<Tag> arrives in place of `down` (MO-10). The monitor's alias
/// is that of `options`, if it has one.
template <class Tag, class Function, class... Args>
spawned spawn_monitor_with_tag(Tag tag, spawn_options options, Function&& f, Args&&... args) {
  if (!options.monitor) options.monitor = alias_mode::none;
  return detail::spawn_body_tagged(
      options, detail::make_function_body(std::forward<Function>(f), std::forward<Args>(args)...),
      detail::pack<Tag>(detail::signal_kind::message, std::move(tag)), detail::make_tagged<Tag>);
}

}  // namespace otter
