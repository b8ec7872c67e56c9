#pragma once

// otter/gen_event.hpp - one process that hands each event to any number of handlers.
//
//   otter::gen_event             the manager: starts, and the operations, all static
//   otter::event_handler<H>      the base class of a handler H
//   otter::taken_over<H>         what a handler gets that takes another one's place
//   otter::farewell              what a handler's terminate() gets before that, if more than why
//   otter::handler_end, handler_exited, handler_info   see otter/detail/event_manager.hpp
//
//     class printer : public otter::event_handler<printer> {
//      public:
//       struct lines { using reply = int; };
//       using accepts = otter::accepts<log_line, lines>;
//
//       void handle_event(log_line const& l) { std::puts(l.text.c_str()); ++lines_; }
//       int handle_call(lines) { return lines_; }
//      private:
//       int lines_ = 0;
//     };
//
//     auto log = otter::gen_event::start_link({.name = "log"}).value();
//     otter::gen_event::add_handler<printer>(log);
//     otter::gen_event::notify("log", log_line{"up"});
//
// The callbacks of a handler, all public, run one at a time in the manager's process:
//
//   constructor                  gets the arguments of add_handler(); an exception: not added
//   handle_event(E const&)       an event: void or handler_result. One without a function for it
//                                passes it by
//   handle_info(M const&)        a plain message to the manager: the same
//   handle_call(R)               gen_event::call<H>(): the answer
//   terminate(handler_end)       before it goes, for whatever reason; what it returns is what
//                                delete_handler() returns, and what a successor gets
//   terminate(T)                 in place of that one, if delete_handler() or swap_handler() hands
//                                over a T
//   hibernate                    is a result: keep().hibernate()
//
// A handler that throws is removed, and reported; the others and the manager go on. The latest
// added is called first. Several of one class are told apart by `handler_id`.
//
// When not to use it: handlers share one process and wait for each other. What takes long, or must
// not be lost with the manager, belongs in a process of its own that the handler sends to.

#include <memory>
#include <optional>
#include <otter/detail/event_manager.hpp>
#include <otter/gen.hpp>
#include <otter/sys.hpp>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace otter {

/// Tells handlers of one class apart; empty by default.
struct handler_id {
  std::string text;
};

namespace detail {

template <class H>
concept terminates_with_end = requires(H& h, handler_end const& e) {
  h.terminate(e);
};
template <class H>
struct result_of_terminate {
  using type = void;
};
template <terminates_with_end H>
struct result_of_terminate<H> {
  using type = decltype(std::declval<H&>().terminate(std::declval<handler_end const&>()));
};
/// What terminate() returns, with void as a value.
template <class H>
using terminate_result = wire_reply<typename result_of_terminate<H>::type>;

template <class H, class Old, class... Args>
class maker_of;

/// The handler's terminate() takes what delete_handler() or swap_handler() hands over.
template <class H, class Argument>
concept terminates_with = requires(H& h, Argument a) {
  h.terminate(std::move(a));
};
template <class H, class Argument>
using result_of_terminate_with = decltype(std::declval<H&>().terminate(std::declval<Argument>()));

template <class T, class... Args>
inline constexpr bool begins_with = false;
template <class T, class First, class... Rest>
inline constexpr bool begins_with<T, First, Rest...> =
    std::is_same_v<std::remove_cvref_t<First>, T>;

}  // namespace detail

/// The first argument of a handler's constructor, if it wants to know whose place it takes. The
/// result is missing if there was no such handler.
template <class H>
struct taken_over {
  std::optional<detail::terminate_result<H>> result{};
};

/// For swap_handler(): the terminate(T) of the handler that goes is called with `argument`.
template <class T>
struct farewell {
  T argument;
};
template <class T>
farewell(T) -> farewell<T>;

/// What handle_event() and handle_info() may return; void is keep().
class [[nodiscard]] handler_result {
 public:
  explicit handler_result(detail::handler_wish wish) : wish_(std::move(wish)) {}
  handler_result hibernate() && {
    wish_.hibernate = true;
    return std::move(*this);
  }
  detail::handler_wish&& take() && noexcept { return std::move(wish_); }

 private:
  detail::handler_wish wish_;
};

/// The base class of a handler. It holds nothing.
template <class H>
class event_handler {
 protected:
  event_handler() = default;
  ~event_handler() = default;

  static handler_result keep() { return handler_result({}); }
  static handler_result remove() {
    detail::handler_wish wish;
    wish.what = detail::handler_wish::kind::remove;
    return handler_result(std::move(wish));
  }
  /// An `Other` takes this one's place; it gets `args`.
  template <class Other, class... Args>
  requires(!detail::begins_with<handler_id, Args...>) static handler_result swap(Args&&... args) {
    return swap<Other>(handler_id{}, std::forward<Args>(args)...);
  }
  template <class Other, class... Args>
  static handler_result swap(handler_id id, Args&&... args) {
    detail::handler_wish wish;
    wish.what = detail::handler_wish::kind::swap;
    wish.next = std::make_unique<detail::maker_of<Other, H, std::decay_t<Args>...>>(
        std::move(id.text), std::forward<Args>(args)...);
    return handler_result(std::move(wish));
  }
};

/// The manager. Each operation waits for it, except notify(). Unless it says otherwise:
///
/// Called from: a process, or an attached thread. Blocks: until the manager has answered. Exits:
/// may. Throws: process_exit(call_failed), as otter::call(), if the manager is not there or ends.
class gen_event {
 public:
  /// Starts a manager without handlers. It traps exits (GE-11).
  static start_result<gen_event> start(start_options const& options = {});
  static start_result<gen_event> start_link(start_options const& options = {});
  static monitored_start<gen_event> start_monitor(start_options const& options = {});

  /// Adds an H made of `args`, in front of the others. Not added: why its constructor threw (GE-2).
  template <class H, server_address Address, class... Args>
  static tl::expected<void, exit_reason> add_handler(Address const& manager, Args&&... args) {
    return add<H>(detail::locate(manager), {}, {}, std::forward<Args>(args)...);
  }
  template <class H, server_address Address, class... Args>
  static tl::expected<void, exit_reason> add_handler(Address const& manager, handler_id id,
                                                     Args&&... args) {
    return add<H>(detail::locate(manager), std::move(id), {}, std::forward<Args>(args)...);
  }
  /// The same, bound to the caller: it goes when the caller ends, and if it goes before, the caller
  /// gets a handler_exited (GE-9).
  template <class H, server_address Address, class... Args>
  static tl::expected<void, exit_reason> add_sup_handler(Address const& manager, Args&&... args) {
    return add<H>(detail::locate(manager), {}, self(), std::forward<Args>(args)...);
  }
  template <class H, server_address Address, class... Args>
  static tl::expected<void, exit_reason> add_sup_handler(Address const& manager, handler_id id,
                                                         Args&&... args) {
    return add<H>(detail::locate(manager), std::move(id), self(), std::forward<Args>(args)...);
  }

  /// Takes the handler out, and returns what its terminate() returned. None: `module_not_found`
  /// (GE-7).
  template <class H, server_address Address>
  static tl::expected<typename detail::result_of_terminate<H>::type, exit_reason> delete_handler(
      Address const& manager, handler_id id = {});
  /// The same by its terminate(Argument), which gets `argument`.
  template <class H, server_address Address, class Argument>
  requires(!std::is_same_v<std::decay_t<Argument>, handler_id>) static auto delete_handler(
      Address const& manager, Argument&& argument) {
    return delete_handler<H>(manager, handler_id{}, std::forward<Argument>(argument));
  }
  template <class H, server_address Address, class Argument>
  static auto delete_handler(Address const& manager, handler_id id, Argument&& argument);

  /// An H2 made of (taken_over<H1>, args...), or of `args`, takes the place of an H1. If there is
  /// no H1, it is made all the same, and its taken_over has no result (GE-8).
  template <class H1, class H2, server_address Address, class... Args>
  requires(!detail::begins_with<handler_id, Args...>) static tl::expected<
      void, exit_reason> swap_handler(Address const& manager, Args&&... args) {
    return swap_handler<H1, H2>(manager, handler_id{}, handler_id{}, std::forward<Args>(args)...);
  }
  /// The same of the H1 that has the id `old`; the H2 has the id `fresh`. If the first of `args` is
  /// a `farewell`, that is for terminate() of the H1, which gets what is in it.
  template <class H1, class H2, server_address Address, class... Args>
  static tl::expected<void, exit_reason> swap_handler(Address const& manager, handler_id old,
                                                      handler_id fresh, Args&&... args) {
    return swap<H1, H2>(detail::locate(manager), std::move(old), std::move(fresh), {},
                        std::forward<Args>(args)...);
  }
  /// The same, and the H2 is bound to the caller as by add_sup_handler(); else it is to whom the H1
  /// was. Who that was is told that it is swapped (GE-9).
  template <class H1, class H2, server_address Address, class... Args>
  requires(!detail::begins_with<handler_id, Args...>) static tl::expected<
      void, exit_reason> swap_sup_handler(Address const& manager, Args&&... args) {
    return swap_sup_handler<H1, H2>(manager, handler_id{}, handler_id{},
                                    std::forward<Args>(args)...);
  }
  template <class H1, class H2, server_address Address, class... Args>
  static tl::expected<void, exit_reason> swap_sup_handler(Address const& manager, handler_id old,
                                                          handler_id fresh, Args&&... args) {
    return swap<H1, H2>(detail::locate(manager), std::move(old), std::move(fresh), self(),
                        std::forward<Args>(args)...);
  }

  /// Hands `event` to all handlers; returns at once. Nobody is there: nothing happens. Blocks:
  /// never.
  template <server_address Address, class Event>
  static void notify(Address const& manager, Event&& event) {
    detail::cast_target(detail::locate(manager),
                        detail::pack<detail::event_notice>(
                            detail::signal_kind::cast,
                            detail::event_notice{any_message::of(std::forward<Event>(event))}));
  }
  /// The same, and returns when all handlers have handled it (GE-3).
  template <server_address Address, class Event>
  static void sync_notify(Address const& manager, Event event, duration limit = infinity);

  /// Asks one handler. No such handler: `bad_module`; it failed: why, and it is removed. Neither
  /// ends the caller (GE-6).
  template <class H, server_address Address, class Request>
  static tl::expected<reply_t<Request>, exit_reason> call(Address const& manager, Request request,
                                                          duration limit = default_call_limit) {
    return call<H>(manager, handler_id{}, std::move(request), limit);
  }
  template <class H, server_address Address, class Request>
  static tl::expected<reply_t<Request>, exit_reason> call(Address const& manager, handler_id id,
                                                          Request request,
                                                          duration limit = default_call_limit);

  /// The latest added first.
  template <server_address Address>
  static std::vector<handler_info> which_handlers(Address const& manager) {
    return list(detail::locate(manager));
  }

 private:
  template <class H, class... Args>
  static tl::expected<void, exit_reason> add(detail::target const& to, handler_id id, pid owner,
                                             Args&&... args);
  template <class H1, class H2, class... Args>
  static tl::expected<void, exit_reason> swap(detail::target const& to, handler_id old,
                                              handler_id fresh, pid owner, Args&&... args);
  template <class H1, class H2, class Argument, class... Args>
  static tl::expected<void, exit_reason> swap(detail::target const& to, handler_id old,
                                              handler_id fresh, pid owner, farewell<Argument> with,
                                              Args&&... args);
  template <class H>
  static detail::event_box& existing(detail::event_manager& m, std::string_view id);
  static std::vector<handler_info> list(detail::target const& to);
};

}  // namespace otter

#include <otter/detail/event_box.hpp>  // what the templates above are made of
