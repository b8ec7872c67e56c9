#pragma once

// otter/supervisor.hpp - a process that starts others, and starts them again when they end.
//
//   otter::supervisor          the operations, all static
//   otter::supervisor_flags    which others are restarted too, and how many restarts are too many
//   otter::supervisor_init     both, as a class of a module says them
//   otter::strategy_type       one_for_one, one_for_all, rest_for_one
//   otter::auto_shutdown_type  whether it ends when its work is done
//
//     auto sup = otter::supervisor::start_link(
//         {.intensity = 3, .period = 5s},
//         {{.id = "counter", .start = [] { return counter::start_link({.name = "counter"}); }}});
//
// Children are started in the order of their list and stopped in the reverse order, one after the
// other; a child that does not stop within its shutdown_limit is killed. A supervisor traps exits
// and ends with its parent. More than `intensity` restarts within `period`: it stops its children
// and ends with reason shutdown, so that its own supervisor decides.
//
// A supervisor of a module says its flags and children in a class, and is asked again when it is
// brought to another version of the module (otter/code_change.hpp):
//
//     struct shop {
//       static otter::supervisor_init init() {
//         return {{.intensity = 3}, {{.id = "till", .start = [] { return till::start_link(); }}}};
//       }
//     };
//     auto sup = otter::supervisor::start_link<shop>();
//
// For very many children of one kind that come and go, see otter/dynamic_supervisor.hpp. To look at
// a whole tree, see otter/supervision_tree.hpp.

#include <chrono>
#include <cstddef>
#include <limits>
#include <otter/child_spec.hpp>
#include <otter/detail/guarded_change.hpp>
#include <otter/detail/succession.hpp>
#include <otter/gen.hpp>
#include <otter/message.hpp>
#include <otter/restart_backoff.hpp>
#include <otter/server_ref.hpp>
#include <otter/start.hpp>
#include <otter/type_descriptor.hpp>
#include <otter/type_name.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace otter {

class supervisor;

/// Which children are restarted when one has to be.
enum class strategy_type : unsigned char {
  one_for_one,   ///< that one
  one_for_all,   ///< all: the others are stopped first
  rest_for_one,  ///< that one and those started after it
};

[[nodiscard]] std::string_view to_string(strategy_type strategy) noexcept;

/// Whether a supervisor ends by itself when significant children have ended, with reason shutdown
/// and after the others, the newest first (SUP-38). What counts is an end by itself that no restart
/// follows: of a transient child a clean one, of a temporary one any. An end by terminate_child()
/// or by a sibling's restart does not.
enum class auto_shutdown_type : unsigned char {
  never,            ///< no child may be significant
  any_significant,  ///< when one of them has ended
  all_significant,  ///< when the last of them has ended
};

struct supervisor_flags {
  strategy_type strategy = strategy_type::one_for_one;
  /// So many restarts within `period` are allowed; 0: none at all. A restart of several children
  /// counts once; starts by start_child() and restart_child() do not count.
  unsigned intensity = 1;
  duration period = std::chrono::seconds(5);
  auto_shutdown_type auto_shutdown = auto_shutdown_type::never;
  /// Those that do not run count too.
  std::size_t max_children = std::numeric_limits<std::size_t>::max();
  restart_backoff backoff{};
};

struct supervisor_init {
  supervisor_flags flags{};
  std::vector<child_spec> children{};
};

namespace detail {

/// The argument of a class's init(), without const and reference; void: it has none.
template <class Init>
struct argument_of_init;
template <>
struct argument_of_init<supervisor_init (*)()> {
  using type = void;
};
template <class Argument>
struct argument_of_init<supervisor_init (*)(Argument)> {
  using type = std::remove_cvref_t<Argument>;
};
template <class T>
concept says_children = requires {
  typename argument_of_init<decltype(&T::init)>::type;
};
template <class T>
using init_argument = typename argument_of_init<decltype(&T::init)>::type;

/// What a module's entry refers to for such a class. Constant, one per class and module.
struct supervisor_class : change_class {
  std::string_view name{};
  type_descriptor const* argument = nullptr;  // null: none
  bool (*init)(void* argument, supervisor_init& out, exit_reason& why) = nullptr;
};

template <class T>
struct supervisor_class_for {
  static bool init(void* argument, supervisor_init& out, exit_reason& why) {
    return guarded_change(why, [&] {
      if constexpr (std::is_void_v<init_argument<T>>)
        out = T::init();
      else
        out = T::init(*static_cast<init_argument<T> const*>(argument));
    });
  }
  static constexpr supervisor_class make() {
    supervisor_class c{{"supervisor", nullptr, nullptr}};
    c.name = type_name<T>();
    if constexpr (!std::is_void_v<init_argument<T>>)
      c.argument = &descriptor_of<init_argument<T>>();
    c.init = &init;
    return c;
  }
  static constexpr supervisor_class value = make();
};

start_result<supervisor> start_supervisor(supervisor_class const& says, any_message argument,
                                          start_options const& options);

child_result<pid> supervisor_start_child(target const& to, child_spec spec);
child_result<void> supervisor_terminate_child(target const& to, std::string_view id);
child_result<pid> supervisor_restart_child(target const& to, std::string_view id);
child_result<void> supervisor_delete_child(target const& to, std::string_view id);
child_result<child_spec> supervisor_get_childspec(target const& to, std::string_view id);
std::vector<child_info> supervisor_which_children(target const& to);
child_count supervisor_count_children(target const& to);
}  // namespace detail

/// A process that looks after others. All operations wait without limit for its answer; they throw
/// as otter::call() if it ends meanwhile. Called from: a process, or an attached thread.
class supervisor {
 public:
  /// Starts a supervisor, and its children in order. If one of them cannot be started, those before
  /// it are stopped and the start fails with reason shutdown, and in it failed_to_start_child.
  /// Flags or specifications that cannot be obeyed: it fails with bad_child_spec.
  static start_result<supervisor> start_link(supervisor_flags flags,
                                             std::vector<child_spec> children,
                                             start_options const& options = {});

  /// The same, with the flags and children that `T::init()` says; it is called in the supervisor,
  /// and an exception is a failed start.
  template <class T>
  static start_result<supervisor> start_link(start_options const& options = {}) {
    static_assert(detail::says_children<T> && std::is_void_v<detail::init_argument<T>>,
                  "otter: the class has no `static otter::supervisor_init init()`");
    return detail::start_supervisor(detail::supervisor_class_for<T>::value, {}, options);
  }
  /// And `T::init(argument)`, which may be called again: it takes the argument as `A const&`, or a
  /// copy of it.
  template <class T, class Argument>
  requires(!std::is_same_v<std::decay_t<Argument>, start_options>) static start_result<
      supervisor> start_link(Argument&& argument, start_options const& options = {}) {
    static_assert(detail::says_children<T> && !std::is_void_v<detail::init_argument<T>>,
                  "otter: the class has no `static otter::supervisor_init init(A const&)`");
    return detail::start_supervisor(
        detail::supervisor_class_for<T>::value,
        any_message::of(detail::init_argument<T>(std::forward<Argument>(argument))), options);
  }

  /// Adds a child, last in the order, and starts it. No process: the start said `ignored`. If the
  /// start fails, the child is not kept (SUP-32). Nor is one above max_children.
  template <server_address Address>
  static child_result<pid> start_child(Address const& sup, child_spec spec) {
    return detail::supervisor_start_child(detail::locate(sup), std::move(spec));
  }
  /// Stops a child. It is kept, unless temporary, and can be started by restart_child(). One that
  /// does not run is no error (SUP-33); of one that is restarting the restart is taken back.
  template <server_address Address>
  static child_result<void> terminate_child(Address const& sup, std::string_view id) {
    return detail::supervisor_terminate_child(detail::locate(sup), id);
  }
  /// Starts a child that does not run (SUP-34).
  template <server_address Address>
  static child_result<pid> restart_child(Address const& sup, std::string_view id) {
    return detail::supervisor_restart_child(detail::locate(sup), id);
  }
  /// Forgets a child that does not run (SUP-34).
  template <server_address Address>
  static child_result<void> delete_child(Address const& sup, std::string_view id) {
    return detail::supervisor_delete_child(detail::locate(sup), id);
  }
  template <server_address Address>
  static child_result<child_spec> get_childspec(Address const& sup, std::string_view id) {
    return detail::supervisor_get_childspec(detail::locate(sup), id);
  }
  /// All children, the newest first (SUP-35).
  template <server_address Address>
  static std::vector<child_info> which_children(Address const& sup) {
    return detail::supervisor_which_children(detail::locate(sup));
  }
  template <server_address Address>
  static child_count count_children(Address const& sup) {
    return detail::supervisor_count_children(detail::locate(sup));
  }
};

}  // namespace otter
