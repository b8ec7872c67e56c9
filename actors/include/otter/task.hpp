#pragma once

// otter/task.hpp - a function that runs in a process of its own, and its result.
//
//   otter::async()          starts one; the caller owns it, and is linked to it
//   otter::task<T>          the owner's handle: await, yield, shutdown, ignore
//   otter::task_result<T>   a value, or why there is none
//   otter::await_many(), yield_many()   several, with one deadline
//   otter::async_stream()   one for each element of a range, so many at a time
//   otter::task_reply<T>    the message that carries a result, for an owner that is a server
//
//     auto answer = otter::async([] { return slow_question(); });
//     ... something else ...
//     use(answer.await());
//
// A task that fails takes its owner with it, as any link does; an owner that traps exits lives, and
// await() throws. For tasks whose failure is none of the caller's, and for those that outlive it,
// see otter/task_supervisor.hpp. For a slow call into a C library or the kernel, see
// otter::blocking().

#include <chrono>
#include <cstddef>
#include <functional>
#include <iterator>
#include <optional>
#include <otter/child_spec.hpp>
#include <otter/detail/task_core.hpp>
#include <otter/duration.hpp>
#include <otter/exit_reason.hpp>
#include <otter/gen.hpp>
#include <otter/message.hpp>
#include <otter/pid.hpp>
#include <otter/ref.hpp>
#include <otter/spawn.hpp>
#include <otter/type_name.hpp>
#include <tl/expected.hpp>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace otter {

/// What a task returned, or why it ended without.
template <class T>
using task_result = tl::expected<T, exit_reason>;

/// The message that carries the result of a task to its owner. await() and its kin take it out;
/// a server that does not wait gets it in handle_info(), if `accepts` lists it, and knows the task
/// by `task == handle.ref()`. It comes once, or else a `down` with that ref does.
template <class T>
struct task_reply {
  monitor_ref task;
  T value;
};
template <>
struct task_reply<void> {
  monitor_ref task;
};

namespace detail {

template <class T>
inline constexpr task_reply_type task_reply_of{
    &descriptor_of<task_reply<T>>(),
    [](void const* reply) { return static_cast<task_reply<T> const*>(reply)->task; }};

template <class Function, class... Args>
using task_value =
    std::decay_t<std::invoke_result_t<std::decay_t<Function>, std::decay_t<Args>...>>;

/// A task's function and its arguments.
template <class Function, class... Args>
class task_function final : public task_body {
 public:
  using value = task_value<Function, Args...>;

  template <class F, class... A>
  task_function(origin from, pid owner, F&& f, A&&... args)
      : task_body(std::move(from), owner, type_name<Function>()),
        call_(std::in_place, std::forward<F>(f), std::forward<A>(args)...) {}

 private:
  void work(alias_ref answer_to) override {
    const auto call = [](Function& f, Args&... args) -> decltype(auto) {
      return std::invoke(std::move(f), std::move(args)...);
    };
    if constexpr (std::is_void_v<value>) {
      std::apply(call, *call_);
      call_.reset();
      if (answer_to) otter::send(answer_to, task_reply<void>{monitor_ref(answer_to)});
    } else {
      value result = std::apply(call, *call_);
      call_.reset();
      if (answer_to)
        otter::send(answer_to, task_reply<value>{monitor_ref(answer_to), std::move(result)});
    }
  }

  std::optional<std::tuple<Function, Args...>> call_;
};

template <class Function, class... Args>
reactive_ptr make_task_body(origin from, pid owner, Function&& f, Args&&... args) {
  using function = std::decay_t<Function>;
  static_assert(std::is_invocable_v<function, std::decay_t<Args>...>,
                "otter: this function cannot be called with these arguments");
  using value = task_value<Function, Args...>;
  static_assert(!std::is_pointer_v<value>,
                "otter: a task may not return a pointer: two processes never share mutable state. "
                "Return a value, or otter::shared<T>");
  static_assert(std::is_void_v<value> || std::is_move_constructible_v<value>,
                "otter: a task returns something that can be moved");
  return make_reactive<task_function<function, std::decay_t<Args>...>>(
      std::move(from), owner, std::forward<Function>(f), std::forward<Args>(args)...);
}

template <class T>
T task_value_of(any_message& answer) {
  if constexpr (!std::is_void_v<T>) return std::move(answer.get_if<task_reply<T>>()->value);
}
template <class T>
std::optional<task_result<T>> task_result_of(task_end&& end) {
  switch (end.what) {
    case task_end::kind::late:
      break;
    case task_end::kind::died:
      return task_result<T>(tl::unexpected<exit_reason>(std::move(end.reason)));
    case task_end::kind::answered:
      if constexpr (std::is_void_v<T>)
        return task_result<T>();
      else
        return task_result<T>(task_value_of<T>(end.answer));
  }
  return std::nullopt;
}

struct task_access;

}  // namespace detail

/// The handle of a task, held by its owner: the process that started it.
///
/// It gives the result once; then it is false, and every use of it is refused. Once it has given
/// the result nothing of the task is left: neither a message nor the link. Destroyed before, it
/// gives the result up: the task runs on, still linked.
///
/// All its functions are called from the owner; they throw error(badarg) elsewhere, or if the
/// result was given.
template <class T>
class [[nodiscard]] task {
 public:
  task() noexcept = default;

  /// Whether the result is still to be given.
  explicit operator bool() const noexcept { return static_cast<bool>(core_.ref()); }
  [[nodiscard]] pid process() const noexcept { return core_.process(); }
  /// Names the task, in task_reply<T> and in `down`.
  [[nodiscard]] monitor_ref ref() const noexcept { return core_.ref(); }

  /// Waits for the result (TK-1). Without one the caller exits: the task is not ended by a time-out
  /// here, but by its link to a caller that ends (TK-2).
  ///
  /// Blocks: until the task has ended, at most for `limit`. Exits: may.
  /// Throws: process_exit with a reason of kind call_failed, whose cause() is why the task ended
  /// without a result, or timeout; error(badarg); error(timeout_value).
  T await(duration limit = default_call_limit) {
    any_message answer = core_.await(limit);
    return detail::task_value_of<T>(answer);
  }

  /// Looks whether the result comes within `limit`: the value, or why there is none; nothing if the
  /// task still runs. Then it may be asked again (TK-3).
  ///
  /// Blocks: as await(). Exits: may. Throws: error(badarg); error(timeout_value).
  std::optional<task_result<T>> yield(duration limit = default_call_limit) {
    return detail::task_result_of<T>(core_.yield(limit));
  }

  /// Ends the task, and returns when it has ended: its result if that was there already, or why it
  /// had ended; nothing if it ended because it was told to. brutal_kill does not tell it but kills
  /// it; so does the end of `limit`, which is reported as the reason killed (TK-3).
  ///
  /// Blocks: until then. Exits: may. Throws: error(badarg); error(timeout_value).
  std::optional<task_result<T>> shutdown(shutdown_limit limit = {}) {
    return detail::task_result_of<T>(core_.shutdown(limit));
  }

  /// Lets the task run on, not linked, its result unwanted. Returns what is there already, as
  /// yield(0s) (TK-4).
  ///
  /// Blocks: never. Exits: may. Throws: error(badarg).
  std::optional<task_result<T>> ignore() { return detail::task_result_of<T>(core_.ignore()); }

 private:
  friend struct detail::task_access;
  explicit task(detail::task_core core) noexcept : core_(std::move(core)) {}

  detail::task_core core_;
};

namespace detail {

struct task_access {
  template <class T>
  static task<T> make(task_core core) noexcept {
    return task<T>(std::move(core));
  }
  template <class T>
  static std::vector<task_core*> cores(std::vector<task<T>>& tasks) {
    std::vector<task_core*> all;
    all.reserve(tasks.size());
    for (task<T>& one : tasks) all.push_back(&one.core_);
    return all;
  }
};

}  // namespace detail

/// Starts a process that runs `f(args...)`, linked to the caller and monitored by it: its owner
/// (TK-1). Function and arguments are moved or copied into it, and are gone when the result is
/// there. An exception is reported, and ends it.
///
/// Called from: a process or an attached thread. Blocks: never. Exits: may.
/// Throws: error(system_limit) when the node has no room for a process; std::bad_alloc.
template <class Function, class... Args>
task<detail::task_value<Function, Args...>> async(spawn_options const& options, Function&& f,
                                                  Args&&... args) {
  using value = detail::task_value<Function, Args...>;
  return detail::task_access::make<value>(detail::start_task(
      options,
      detail::make_task_body(detail::origin_of_spawned({.link = true}), otter::self(),
                             std::forward<Function>(f), std::forward<Args>(args)...),
      detail::task_reply_of<value>));
}
/// As async(f); of the options, link and monitor do not count. Throws also: error(badarg) if a name
/// is taken or not allowed.
template <class Function, class... Args>
requires std::is_invocable_v<std::decay_t<Function>, std::decay_t<Args>...>
    task<detail::task_value<Function, Args...>> async(Function&& f, Args&&... args) {
  return otter::async(spawn_options{}, std::forward<Function>(f), std::forward<Args>(args)...);
}

/// Waits for all of them, at most for `limit` in all; returns their values in the order of `tasks`
/// (TK-4).
///
/// Called from: the owner. Blocks: until then. Exits: may. Throws: as task::await(), as soon as one
/// of them ends without a result; those that run are given up, and end with a caller that ends.
template <class T>
auto await_many(std::vector<task<T>> tasks, duration limit = default_call_limit) {
  auto ends = detail::wait_for_tasks(detail::task_access::cores(tasks), detail::task_reply_of<T>,
                                     limit, true);
  if constexpr (!std::is_void_v<T>) {
    std::vector<T> values;
    values.reserve(ends.size());
    for (detail::task_end& end : ends) values.push_back(detail::task_value_of<T>(end.answer));
    return values;
  }
}

/// Looks which of them end within `limit` in all; returns, in the order of `tasks`, what
/// task::yield() would. Those that still run may be asked again (TK-4).
///
/// Called from: the owner. Blocks: until all have ended, at most for `limit`. Exits: may.
/// Throws: error(badarg) if one of them has given its result before; error(timeout_value).
template <class T>
std::vector<std::optional<task_result<T>>> yield_many(std::vector<task<T>>& tasks,
                                                      duration limit = default_call_limit) {
  auto ends = detail::wait_for_tasks(detail::task_access::cores(tasks), detail::task_reply_of<T>,
                                     limit, false);
  std::vector<std::optional<task_result<T>>> results;
  results.reserve(ends.size());
  for (detail::task_end& end : ends) results.push_back(detail::task_result_of<T>(std::move(end)));
  return results;
}

/// The results of async_stream(): asked one by one, or in a range-based for.
///
/// It belongs to the process that made it, and neither copies nor moves.
template <class Range, class Function>
class [[nodiscard]] task_stream final : private detail::task_stream_core {
  using iterator_of_range = decltype(std::begin(std::declval<std::remove_reference_t<Range>&>()));
  using element = std::decay_t<decltype(*std::declval<iterator_of_range&>())>;
  using value = detail::task_value<Function, element>;

 public:
  using value_type = task_result<value>;

  template <class R, class F>
  task_stream(R&& range, F&& f, task_stream_options const& options)
      : task_stream_core(options, detail::task_reply_of<value>),
        range_(std::forward<R>(range)),
        function_(std::forward<F>(f)) {}

  /// The next result: in the order of the input, or, unless `ordered`, of the ends. Nothing at the
  /// end of the input. Starts tasks while there is room and input; nothing is started between two
  /// calls (TK-5).
  ///
  /// Called from: the process that made the stream. Blocks: until that result is there. Exits: may.
  /// Throws: process_exit(timeout) if a task takes too long and on_timeout is `exit`;
  /// error(badarg); what the range and copying the function throw.
  std::optional<value_type> next() {
    if (std::optional<detail::task_end> end = task_stream_core::next())
      return detail::task_result_of<value>(std::move(*end));
    return std::nullopt;
  }

  class iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = task_stream::value_type;
    using difference_type = std::ptrdiff_t;

    iterator() noexcept = default;
    explicit iterator(task_stream& stream) : stream_(&stream) { ++*this; }
    value_type& operator*() const noexcept { return *stream_->current_; }
    value_type* operator->() const noexcept { return &*stream_->current_; }
    iterator& operator++() {
      stream_->current_ = stream_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const noexcept { return !stream_->current_; }

   private:
    task_stream* stream_ = nullptr;
  };

  /// Waits for the first result. Once only. Exits: may. Throws: as next().
  iterator begin() { return iterator(*this); }
  static std::default_sentinel_t end() noexcept { return {}; }

 private:
  bool start_next(detail::task_core& task) override {
    // The input moves on when there is room for another, and no earlier.
    if (!at_)
      at_.emplace(std::begin(range_));
    else
      ++*at_;
    if (*at_ == std::end(range_)) return false;
    task = detail::start_task(
        {},
        detail::make_task_body(detail::origin_of_spawned({.link = true}), otter::self(),
                               Function(function_), element(**at_)),
        detail::task_reply_of<value>);
    return true;
  }

  Range range_;  // a reference if the range was an lvalue
  Function function_;
  std::optional<iterator_of_range> at_;  // where the last task was started
  std::optional<value_type> current_;
};

/// A stream of the results of `f(element)` for each element of `range`, each in a task of its own
/// with a copy of `f` and of the element; options.max_concurrency run at once, at most (TK-5). It
/// is lazy: nothing is read or started before a result is asked for. A range that is an lvalue is
/// not copied, and must live as long as the stream.
///
/// The tasks are linked to the caller: one that fails ends it, unless it traps exits; then the
/// reason is a result like others. Destroying the stream kills those that run.
///
/// Called from: a process or an attached thread. Blocks: never. Exits: never.
/// Throws: error(timeout_value); what moving the range and the function throws.
template <class Range, class Function>
task_stream<Range, std::decay_t<Function>> async_stream(Range&& range, Function&& f,
                                                        task_stream_options const& options = {}) {
  static_assert(std::is_copy_constructible_v<std::decay_t<Function>>,
                "otter: each task of a stream has a copy of its function, and this one cannot be "
                "copied; share() what it holds");
  return task_stream<Range, std::decay_t<Function>>(std::forward<Range>(range),
                                                    std::forward<Function>(f), options);
}

}  // namespace otter
