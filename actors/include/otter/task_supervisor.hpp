#pragma once

// otter/task_supervisor.hpp - tasks that belong to a supervision tree.
//
//   otter::task_supervisor::start_child()     runs a function; nobody waits for its result
//   otter::task_supervisor::async()           a task<T> that ends with its owner, and the other way
//   otter::task_supervisor::async_nolink()    a task<T> whose failure is a result, and no more
//
// When the supervisor ends, it ends its tasks, as its shutdown says. None of them is ever started
// again: they are temporary children of a dynamic_supervisor, whose operations take a
// task_supervisor too. A task that ends with its owner and needs no supervisor is otter::async() of
// otter/task.hpp.

#include <otter/child_spec.hpp>
#include <otter/detail/task_core.hpp>
#include <otter/dynamic_supervisor.hpp>
#include <otter/server_ref.hpp>
#include <otter/start.hpp>
#include <otter/task.hpp>
#include <utility>

namespace otter {
namespace detail {

/// Starts `body`, a task_body that waits for nobody.
child_result<pid> start_task_child(target const& sup, reactive_ptr body);
/// Starts `body`, a task_body whose owner is the caller.
task_core start_supervised_task(target const& sup, reactive_ptr body, bool linked,
                                task_reply_type const& reply);

}  // namespace detail

/// All operations are called from a process or an attached thread; they block until the supervisor
/// has answered, and may exit. They throw process_exit as otter::call() if there is no supervisor,
/// and std::bad_alloc. See TK-6.
class task_supervisor {
 public:
  /// Of `flags`, only max_children counts.
  static start_result<task_supervisor> start_link(dynamic_flags flags = {},
                                                  start_options const& options = {});

  /// Runs `f(args...)`; its result is dropped. An exception is reported and ends it.
  template <server_address Address, class Function, class... Args>
  static child_result<pid> start_child(Address const& sup, Function&& f, Args&&... args) {
    return detail::start_task_child(
        detail::locate(sup),
        detail::make_task_body({}, pid{}, std::forward<Function>(f), std::forward<Args>(args)...));
  }

  /// As otter::async(): linked to the caller too.
  /// Throws also: error(system_limit) if the supervisor has as many children as it may, or could
  /// not start it.
  template <server_address Address, class Function, class... Args>
  static auto async(Address const& sup, Function&& f, Args&&... args) {
    return run(detail::locate(sup), true, std::forward<Function>(f), std::forward<Args>(args)...);
  }

  /// The same, not linked to the caller: one that fails is an error in yield(). A server that does
  /// not wait gets a task_reply<T> or a `down`, both with the ref of the task. A caller that ends
  /// leaves the task running. Throws: as async().
  template <server_address Address, class Function, class... Args>
  static auto async_nolink(Address const& sup, Function&& f, Args&&... args) {
    return run(detail::locate(sup), false, std::forward<Function>(f), std::forward<Args>(args)...);
  }

 private:
  template <class Function, class... Args>
  static auto run(detail::target const& sup, bool linked, Function&& f, Args&&... args) {
    using value = detail::task_value<Function, Args...>;
    return detail::task_access::make<value>(detail::start_supervised_task(
        sup,
        detail::make_task_body({}, otter::self(), std::forward<Function>(f),
                               std::forward<Args>(args)...),
        linked, detail::task_reply_of<value>));
  }
};

}  // namespace otter
